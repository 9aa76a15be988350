"""Native libraries print greetings and warnings straight to stderr: not in between captions."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_stderr_lock = threading.RLock()  # one silence may be inside another


def copy_of_stderr() -> int:
    """A file descriptor for the process's stderr as it is when nobody silences it."""
    with _stderr_lock:
        return os.dup(2)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Sends the process's stderr, not only Python's, to nowhere for a moment."""
    with _stderr_lock:
        sys.stderr.flush()
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
