"""Gives memory back to the system, where the C library would keep it.

glibc keeps what was freed in a pool for each thread that ever ran. A camera and captions that are
started anew have new threads: measured on a kiosk whose source ended every few seconds, 1.5 GB
after twelve starts (docs/kiosk.md).
"""

import ctypes
import platform


def give_back_freed_memory() -> bool:
    """Returns whether anything could be asked for: of the C libraries, only glibc can."""
    if platform.libc_ver()[0] != "glibc":
        return False
    ctypes.CDLL(None).malloc_trim(0)
    return True
