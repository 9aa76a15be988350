"""What a process frees stays with it, where the C library is glibc."""

import platform
import subprocess
import sys

import pytest

from fingerpost.trainer import freed_memory

# Bytes that the process still holds after it has freed 256 MB. In a process of its own, because
# the setting is one of the whole process.
PROGRAM = """
import os, sys
import numpy as np
from fingerpost.trainer.freed_memory import keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if sys.argv[1] == "keep":
    assert keep_freed_memory()
before = resident()
block = np.ones(2**28, np.uint8)
del block
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize(("how", "is_kept"), [("keep", True), ("give back", False)])
def test_freed_memory_is_kept_when_asked_for(how, is_kept):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    assert (int(run.stdout) > 2**27) == is_kept


def test_without_glibc_nothing_is_done(monkeypatch):
    monkeypatch.setattr(freed_memory.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(freed_memory.ctypes, "CDLL", None)  # would fail if called
    assert freed_memory.keep_freed_memory() is False
