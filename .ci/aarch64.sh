#!/usr/bin/env bash
# Makes .aarch64/python: a Python 3.11 for aarch64 with the wheels of the extra `app`, run by QEMU.
# No root, no chroot, no binfmt, nothing installed on this machine. Needs Debian or Ubuntu and 1 GB.
# On an aarch64 machine it is the Python of .venv. A second run finds its stamp and ends at once.
#
#   MIRROR=http://deb.debian.org/debian   use this mirror of Debian
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

HERE=$PWD/.aarch64
BIN=.venv/bin
MIRROR=${MIRROR:-http://deb.debian.org/debian}
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
PYTHON_VERSION=3.11 # of Debian 12, whose glibc is 2.36; no Debian has JetPack's 3.10 or 3.12
QEMU_FROM=trixie # Debian 12's QEMU 7.2 crashes where MediaPipe starts its graph; 10 does not
SYSTEM_FROM=bookworm
CPU=cortex-a76 # int8 results depend on it: LiteRT chooses its kernels by what the CPU can do
LIBRARIES="libgl1 libglx-mesa0 libgl1-mesa-dri libegl1 libegl-mesa0 libgles2 libglib2.0-0 libmtdev1"
LIBRARIES+=" libstdc++6 libgomp1 ca-certificates"

main() {
  mkdir -p "$HERE"
  local fingerprint
  fingerprint=$(cat pyproject.toml .ci/aarch64.sh .ci/check_wheels.py | cksum)-$PWD
  if [ "$(cat "$HERE/.ready" 2>/dev/null)" = "$fingerprint" ]; then return; fi
  rm -f "$HERE/.ready"
  show_rooms
  if [ "$(uname -sm)" = "Linux aarch64" ]; then
    printf '#!/bin/sh\nexec "%s/%s/python" "$@"\n' "$PWD" "$BIN" >"$HERE/python"
  else
    check_machine
    [ -e "$HERE/qemu" ] || make_qemu
    [ -e "$HERE/sysroot" ] || make_sysroot
    make_site
    write_launcher
  fi
  chmod +x "$HERE/python"
  check_imports
  echo "$fingerprint" >"$HERE/.ready"
}

check_machine() {
  [ "$(uname -sm)" = "Linux x86_64" ] ||
    stop "QEMU is fetched for Linux on x86-64 only; on aarch64 nothing is emulated"
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    stop "this needs apt-get and dpkg-deb: run it on Debian or Ubuntu, or on an aarch64 machine"
  [ -e $KEYS ] || stop "Debian's keys are missing: sudo apt-get install debian-archive-keyring"
}

apt_for() { # apt_for NAME SUITE ARCHITECTURE : sets $APT, an apt with a state of its own
  local state=$HERE/apt-$1
  mkdir -p "$state/lists/partial" "$state/archives/partial"
  : >"$state/status"
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
    "$MIRROR" "$2" "$KEYS" >"$state/debian.sources"
  APT=(apt-get -qq -o APT::Architecture="$3" -o APT::Architectures::="$3"
    -o Dir::Etc::sourcelist="$state/debian.sources" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status"
    -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives"
    -o Acquire::Languages=none -o APT::Sandbox::User= -o Debug::NoLocking=1)
  "${APT[@]}" update || stop "$MIRROR does not answer: check the network, or set MIRROR"
}

make_qemu() {
  say "fetching QEMU"
  apt_for qemu $QEMU_FROM amd64
  (cd "$HERE/apt-qemu/archives" && "${APT[@]}" download qemu-user)
  rm -rf "$HERE/qemu.part" && mkdir "$HERE/qemu.part"
  dpkg-deb --fsys-tarfile "$HERE"/apt-qemu/archives/qemu-user_*_amd64.deb |
    tar -x -C "$HERE/qemu.part" ./usr/bin/qemu-aarch64 # 17 MB of 455
  mv "$HERE/qemu.part" "$HERE/qemu"
  rm -rf "$HERE/apt-qemu"
}

make_sysroot() { # the packages are unpacked only: none of their scripts has to run
  local package
  say "fetching Debian for aarch64"
  apt_for system $SYSTEM_FROM arm64
  # shellcheck disable=SC2086 # a list of words
  "${APT[@]}" -y --no-install-recommends --download-only install \
    python3 libpython3-stdlib $LIBRARIES >/dev/null
  rm -rf "$HERE/sysroot.part" && mkdir "$HERE/sysroot.part"
  for package in "$HERE"/apt-system/archives/*.deb; do
    dpkg-deb -x "$package" "$HERE/sysroot.part"
  done
  mv "$HERE/sysroot.part" "$HERE/sysroot"
  rm -rf "$HERE/apt-system"
}

make_site() {
  say "fetching the wheels of fingerpost[app] for aarch64"
  rm -rf "$HERE/site"
  "$BIN/python" - "$PYTHON_VERSION" "$HERE/site" <<'PY' || stop "no wheels: see the message above"
import sys
from pathlib import Path

sys.path.insert(0, ".ci")
import check_wheels

try:
    check_wheels.install(sys.argv[1], Path(sys.argv[2]))
except ValueError as error:
    sys.exit(str(error))
PY
}

show_rooms() { # as setuptools' package-dir does: the rooms are imported as fingerpost.<room>
  local room
  mkdir -p "$HERE/rooms/fingerpost"
  for room in app assets edge_runtime; do ln -sfn "../../../$room" "$HERE/rooms/fingerpost/$room"; done
}

write_launcher() {
  cat >"$HERE/python" <<EOF
#!/bin/sh
# Runs Python for aarch64 (.ci/aarch64.sh).
exec env -u LD_LIBRARY_PATH -u PYTHONHOME PYTHONPATH="$HERE/site:$HERE/rooms" \\
  PYTHONDONTWRITEBYTECODE=1 "$HERE/qemu/usr/bin/qemu-aarch64" -cpu $CPU -L "$HERE/sysroot" \\
  "$HERE/sysroot/usr/bin/python$PYTHON_VERSION" "\$@"
EOF
}

check_imports() {
  local module
  for module in numpy cv2 mediapipe ai_edge_litert.interpreter kivy; do
    KIVY_NO_ARGS=1 KIVY_NO_FILELOG=1 KIVY_NO_CONSOLELOG=1 "$HERE/python" -c "import $module" ||
      stop "$module does not load on aarch64: see its message above"
  done
}

say() { echo "aarch64: $*" >&2; }

stop() {
  say "$@"
  exit 1
}

main
exit
