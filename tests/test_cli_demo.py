"""``fingerpost demo`` for real: the bundled clip and pack, in the terminal and in the window."""

import importlib.resources
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

DEMO = Path(str(importlib.resources.files("fingerpost.assets"))) / "demo"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DEMO / "demo.mp4").is_file() or not (DEMO / "pack" / "manifest.json").is_file(),
        reason="this copy was built without the demo clip or its pack",
    ),
]


def demo(*options, **environment):
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "FINGERPOST_DEBUG")
    }
    command = [sys.executable, "-m", "fingerpost.app", "demo", *map(str, options)]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True)


def test_without_a_screen_it_prints_sentences_in_order_and_none_while_nobody_signs():
    done = demo()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1 and "can be wrong" in done.stderr
    starts = []
    for line in done.stdout.splitlines():
        minutes, seconds = re.match(r"(\d+):(\d+\.\d)  \S", line).groups()
        starts.append(int(minutes) * 60_000 + float(seconds) * 1000)
    assert len(starts) >= 9 and starts == sorted(starts)
    assert "My brother is deaf." in done.stdout
    if (DEMO / "demo.json").is_file():
        for idle_from, idle_until in json.loads((DEMO / "demo.json").read_text())["idle_ms"]:
            assert not [start for start in starts if idle_from < start < idle_until]


def test_the_window_ends_by_itself(tmp_path):
    shot = tmp_path / "window.png"
    done = demo("--window", "--screenshot", shot, SDL_VIDEODRIVER="offscreen")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert cv2.imread(str(shot)).std() > 20
