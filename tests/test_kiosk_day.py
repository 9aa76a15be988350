"""A whole day of a kiosk in its real window, with the bundled pack and every fault in turn: memory
does not grow, /healthz tells what is wrong while it is, and captions always come back."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from fingerpost.edge_runtime.pack import bundled_pack

BENCH = Path(__file__).parent / "bench" / "bench_kiosk_day.py"
VISITORS = 15  # every third of them meets a fault, each kind once


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
@pytest.mark.skipif(bundled_pack() is None, reason="built without its pack")
def test_a_day_with_every_fault(tmp_path):
    table = tmp_path / "day.json"
    command = [sys.executable, str(BENCH), "--visitors", str(VISITORS), "--json", str(table)]
    environment = os.environ | {"SDL_VIDEODRIVER": "offscreen", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads(table.read_text())
    assert [row["fault"] for row in rows] == ["camera", "crash", "pack", "disk", "database"]
    assert [row["healthz"][:3] for row in rows] == ["503", "503", "200", "200", "200"]
    assert "gone" in rows[0]["healthz"] and "crashed" in rows[1]["healthz"]
    assert all(row["up"] == "1" for row in rows)  # once it is over
    starts = [int(row["starts"]) for row in rows]
    assert [after - before for before, after in pairwise(starts)] == [1, 1, 0, 0]
    assert int(rows[-1]["log lines lost"]) == int(rows[2]["log lines lost"]) + 1
    assert int(rows[-1]["captions"]) >= 2 * VISITORS - 2  # the crash may have cost a line
    assert float(rows[-1]["hours"]) - float(rows[0]["hours"]) == pytest.approx(24 * 12 / 15, abs=1)
    megabytes = [int(row["MB"]) for row in rows]
    assert megabytes[-1] < 1.15 * megabytes[1], megabytes  # a camera's first restart may cost some
