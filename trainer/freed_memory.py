"""Memory that one training step frees is kept for the next.

Each step asks for the same memory: activations, gradients. The C library gives freed memory back to
the system, which has to find it and to clear it, page by page, when the next step asks again: much
of a step of Uni-Sign where two threads compute (docs/results.md). PyTorch keeps what GPUs freed
by itself.
"""

import ctypes
import platform

# Of glibc's malloc.h; see mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
NEVER = -1
LARGEST = 2**31 - 1  # bytes: all that fits mallopt's int; larger blocks still come and go


def keep_freed_memory() -> bool:
    """Until this process ends, for all that it does; whether the C library does so.

    False, and nothing has changed, where it is not glibc (macOS, Windows, Alpine). The most memory
    a process takes stays about the same, but it falls no more before the end.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_TRIM_THRESHOLD, NEVER) and mallopt(M_MMAP_THRESHOLD, LARGEST))
