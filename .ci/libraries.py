"""Which system libraries are missing, and in which Debian packages they are.

`libraries.py` prints the packages to install, on one line (nothing where all is well).
`libraries.py --explain` prints a line per missing library, and fails where one is indispensable.
Standard library only; on macOS the wheels bring everything themselves.
"""

import ctypes
import sys

# Found by taking away one package at a time on a bare Debian 12, then running the landmarker and a
# Kivy window. library: (Debian and Ubuntu package, what does not work without it, indispensable?)
LIBRARIES = {
    "libGL.so.1": ("libgl1", "OpenCV, MediaPipe and the window", True),
    "libEGL.so.1": ("libegl1", "MediaPipe and the window", True),
    "libGLESv2.so.2": ("libgles2", "MediaPipe", True),
    "libglib-2.0.so.0": ("libglib2.0-0", "OpenCV", True),
    "libgthread-2.0.so.0": ("libglib2.0-0", "OpenCV", True),
    "libmtdev.so.1": ("libmtdev1", "the window (the terminal does without)", False),
}


def missing() -> list[str]:
    """The names of the libraries that the loader does not find."""
    if not sys.platform.startswith("linux"):
        return []
    absent = []
    for library in LIBRARIES:
        try:
            ctypes.CDLL(library)
        except OSError:
            absent.append(library)
    return absent


def main() -> int:
    absent = missing()
    if "--explain" not in sys.argv:
        print(*sorted({LIBRARIES[library][0] for library in absent}))
        return 0
    for library in absent:
        package, use, _ = LIBRARIES[library]
        print(f"setup: {library} is missing (Debian: {package}); needed by: {use}", file=sys.stderr)
    return int(any(LIBRARIES[library][2] for library in absent))


if __name__ == "__main__":
    sys.exit(main())
