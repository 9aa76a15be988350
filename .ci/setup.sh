#!/usr/bin/env bash
# Makes .venv ready for `make demo` (setup.sh app) or `make test` (setup.sh dev), from nothing:
# finds or installs a fitting Python, makes .venv, installs the packages and the system libraries
# that are missing. A second run finds its stamp and ends at once. Works with macOS's bash 3.2.
#
#   PYTHON=/path/to/python3.11   use this Python
#   FINGERPOST_NO_APT=1          never call apt-get; print what to install instead
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TORCH_VERSION=2.13.0
RTMLIB_VERSION=0.0.16
TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
BIN=.venv/bin
UNFINISHED=.venv/.unfinished # exists while pip is at work: found at the start, it was interrupted

main() {
  local extra=${1:-}
  case $extra in
    app) WANTED="3.11 3.12 3.10 3.13" ;; # in the order of how well they were tried
    dev) WANTED="3.11 3.12 3.13" ;; # 3.11 is the one that all was tried on
    *) stop "usage: .ci/setup.sh app|dev" ;;
  esac
  fingerprint=$(cat pyproject.toml .ci/setup.sh .ci/libraries.py | cksum)-$PWD
  if is_ready "$extra"; then return; fi

  make_venv
  rm -f .venv/.ready-*
  install_packages "$extra"
  install_libraries
  check_imports
  if [ "$extra" = dev ]; then
    check_torch
    echo "$fingerprint" >.venv/.ready-dev
  fi
  echo "$fingerprint" >.venv/.ready-app
}

is_ready() { # is_ready EXTRA : the stamp is this checkout's, and the environment's Python still runs
  [ ! -e $UNFINISHED ] && [ "$(cat ".venv/.ready-$1" 2>/dev/null)" = "$fingerprint" ] &&
    "$BIN/python" -c "" 2>/dev/null
}

# ---- Python ------------------------------------------------------------------------------------

make_venv() {
  if [ -e .venv ]; then
    if fits "$BIN/python" && "$BIN/python" -m pip --version >/dev/null 2>&1 && is_whole; then return; fi
    say "what is in .venv was cut short, or its Python is none of $WANTED: starting .venv afresh"
    rm -rf .venv
  fi
  local python=${PYTHON:-}
  if [ -n "$python" ]; then
    fits "$python" || stop "PYTHON=$python is not one of $WANTED with its venv module: name another"
  else
    python=$(find_python) || { install_python && python=$(find_python); } || stop_without_python
  fi
  say "making .venv with $python ($("$python" --version 2>&1))"
  "$python" -m venv .venv || { rm -rf .venv && stop "could not make .venv with $python"; }
}

is_whole() { # pip takes a package that was half copied when it was killed for an installed one
  [ ! -e $UNFINISHED ] || "$BIN/python" - <<'PY'
import sys
from importlib.metadata import distributions
for package in distributions():
    files = [file for file in package.files or [] if file.suffix != ".pyc"]
    if not files or not all(file.locate().exists() for file in files):
        sys.exit(1)
PY
}

find_python() { # prints the first fitting Python that can make a venv, in the order of $WANTED
  local version python
  for version in $WANTED; do
    for python in "python$version" python3 \
      "$HOME/.pyenv/versions/$version".*/bin/python \
      "$HOME/.local/share/uv/python/cpython-$version".*/bin/python3 \
      "/opt/homebrew/opt/python@$version/bin/python$version" \
      "/usr/local/opt/python@$version/bin/python$version" \
      "/Library/Frameworks/Python.framework/Versions/$version/bin/python3"; do
      if WANTED=$version fits "$python"; then
        command -v "$python"
        return
      fi
    done
  done
  return 1
}

fits() { # fits PYTHON : it runs, is one of $WANTED, 64-bit, and can make a venv with pip in it
  "$1" - "$WANTED" >/dev/null 2>&1 <<'PY'
import ctypes, ensurepip, ssl, sys, venv
assert "%d.%d" % sys.version_info[:2] in sys.argv[1].split() and sys.maxsize > 2**32
PY
}

install_python() { # Debian's python3 often comes without venv: python3.x-venv brings both
  local packages
  can_apt || return 1
  # A fresh machine (a container, say) may have no package lists at all.
  packages=$(apt_python) || { apt_update && packages=$(apt_python); } || return 1
  # shellcheck disable=SC2086 # a list of words
  apt_install $packages
}

apt_python() { # prints the packages of the first of $WANTED that apt has
  local version
  for version in $WANTED; do
    if apt-cache show "python$version-venv" >/dev/null 2>&1; then
      echo "python$version python$version-venv"
      return
    fi
  done
  return 1
}

stop_without_python() {
  local wanted=${WANTED// / or } version=${WANTED%% *} packages
  say "no Python $wanted with its venv module was found. Install one, then run this again:"
  if [ "$(uname)" = Darwin ]; then
    say "  brew install python@$version          (or the installer from python.org)"
  elif command -v apt-get >/dev/null; then
    if packages=$(apt_python); then
      say "  sudo apt-get install $packages"
    else
      say "  sudo apt-get install pipx && pipx run uv python install $version"
    fi
  else
    say "  your package manager's python$version, or: pipx run uv python install $version"
  fi
  stop "or name one that is somewhere else: make ... PYTHON=/path/to/python$version"
}

# ---- packages ----------------------------------------------------------------------------------

install_packages() { # install_packages EXTRA
  say "installing the packages of fingerpost[$1] into .venv (some minutes, once)"
  touch $UNFINISHED
  if [ "$1" = dev ]; then install_torch; fi
  pip_install -e ".[$1]"
  # Without what it asks for: its opencv-python would overwrite the OpenCV that MediaPipe wants.
  if [ "$1" = dev ]; then pip_install --no-deps "rtmlib==$RTMLIB_VERSION"; fi
  rm $UNFINISHED
}

pip_install() { # pip undoes what failed, so only a pip that was killed leaves $UNFINISHED behind
  "$BIN/python" -m pip install --quiet --disable-pip-version-check --no-input "$@" || {
    rm $UNFINISHED
    stop "pip could not install $*: see its message above (no network? try again)"
  }
}

install_torch() { # PyPI's torch for Linux brings gigabytes of CUDA: without a GPU, the CPU build
  local index=()
  if [ "$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null && answers $TORCH_CPU_INDEX; then
    index=(--extra-index-url $TORCH_CPU_INDEX)
  fi
  pip_install ${index[@]+"${index[@]}"} "torch==$TORCH_VERSION"
}

answers() { # answers URL : within 3 seconds
  "$BIN/python" -c "import sys, urllib.request as u; u.urlopen(sys.argv[1] + '/torch/', timeout=3)" \
    "$1" >/dev/null 2>&1
}

check_torch() {
  local found
  found=$("$BIN/python" -c "import importlib.metadata as m; print(m.version('torch'))")
  case $found in
    "$TORCH_VERSION" | "$TORCH_VERSION"+*) ;;
    *) stop "torch $found was installed, but the project needs $TORCH_VERSION: make clean, try again" ;;
  esac
}

# ---- system libraries --------------------------------------------------------------------------

install_libraries() {
  local missing
  missing=$("$BIN/python" .ci/libraries.py)
  if [ -z "$missing" ]; then return; fi
  if can_apt; then
    # shellcheck disable=SC2086 # a list of words
    apt_install $missing || say "apt-get could not install all of: $missing"
  elif command -v apt-get >/dev/null; then
    say "system libraries are missing. To install them: sudo apt-get install $missing"
  fi
  "$BIN/python" .ci/libraries.py --explain || stop "without them nothing works: install, then try again"
}

check_imports() {
  local module
  for module in numpy cv2 mediapipe ai_edge_litert.interpreter kivy; do
    KIVY_NO_ARGS=1 KIVY_NO_FILELOG=1 KIVY_NO_CONSOLELOG=1 "$BIN/python" -c "import $module" ||
      stop "$module does not load in .venv: see its message above, then make clean and try again"
  done
}

# ---- apt ---------------------------------------------------------------------------------------

can_apt() {
  [ -z "${FINGERPOST_NO_APT:-}" ] && command -v apt-get >/dev/null &&
    { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_update() { as_root apt-get update -qq; }

apt_install() {
  say "apt-get install $*"
  apt_update || say "apt-get update failed; trying with the package lists that are here"
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
}

say() { echo "setup: $*" >&2; }

stop() {
  say "$@"
  exit 1
}

main "$@"
exit
