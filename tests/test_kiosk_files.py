"""What a kiosk writes, and what it gives back: the PIN, the log, memory."""

import platform
import stat
import subprocess
import sys

import pytest

from fingerpost.app.kiosk_log import N_FILES, KioskLog
from fingerpost.app.kiosk_pin import PinFile


def test_a_log_that_cannot_be_opened_is_tried_again(tmp_path):
    blocked = tmp_path / "folder"
    blocked.write_text("a file where the folder should be")
    log = KioskLog(blocked / "kiosk.log")
    log.tell("lost")
    assert log.n_lost == 1
    blocked.unlink()
    log.tell("two\nlines")
    log.close()
    assert log.n_lost == 1
    assert (blocked / "kiosk.log").read_text().endswith("INFO two lines\n")


def test_log_files_take_turns_and_do_not_grow(tmp_path):
    log = KioskLog(tmp_path / "kiosk.log", max_bytes=500)
    for n in range(200):
        log.tell(f"line {n}")
    log.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) == N_FILES + 1 and all(f.stat().st_size <= 500 for f in files)
    assert "line 199" in (tmp_path / "kiosk.log").read_text()


def test_the_pin_is_kept_as_a_salted_hash(tmp_path):
    one, other = PinFile(tmp_path / "a" / "pin.json"), PinFile(tmp_path / "b.json")
    assert not one.is_set and not one.is_right("")
    for wrong in ("", "123", "12a4", "１２３４", "0000", "1234567890123"):
        with pytest.raises(ValueError, match="PIN"):
            one.set(wrong)
    assert not one.is_set
    one.set("135790")
    other.set("135790")
    texts = [one.path.read_text(), other.path.read_text()]
    assert texts[0] != texts[1] and "135790" not in texts[0]
    assert stat.S_IMODE(one.path.stat().st_mode) == 0o600
    again = PinFile(one.path)
    assert again.is_set and again.is_right("135790") and not again.is_right("135791")


@pytest.mark.parametrize("damaged", ["", "{}", '{"salt": "xy", "hash": "00"}', "[1]"])
def test_a_damaged_pin_file_is_no_way_in(tmp_path, damaged):
    path = tmp_path / "pin.json"
    path.write_text(damaged)
    with pytest.raises(ValueError, match="fingerpost kiosk --set-pin"):
        PinFile(path)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_goes_back_to_the_system():
    """200 MB in small blocks; the one that lies last is kept, so glibc itself gives none back."""
    code = """
from fingerpost.app.freed_memory import give_back_freed_memory
import os
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
blocks = [bytes(2000) for _ in range(100_000)]
last = bytes(2000)
del blocks
before = resident()
assert give_back_freed_memory()
print(before - resident())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 100
