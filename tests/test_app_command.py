"""``fingerpost app``: what it says where it cannot open, and what it opens."""

import sys

import pytest
from typer.testing import CliRunner

from fingerpost.app import commands_app
from fingerpost.app.cli import app

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")


@pytest.fixture(autouse=True)
def no_debug(monkeypatch):
    monkeypatch.delenv("FINGERPOST_DEBUG", raising=False)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a screen")
def test_without_a_screen_it_says_what_needs_none(monkeypatch):
    for name in SCREENS:
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(app, ["app"])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1 and "`fingerpost caption` needs none" in done.stderr


def test_without_kivy_it_says_so_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("SDL_VIDEODRIVER", "offscreen")
    monkeypatch.setenv("KIVY_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "fingerpost.app.ui.open_window", None)
    done = CliRunner().invoke(app, ["app"])
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert "needs Kivy" in done.stderr


def test_its_options_are_handed_on(monkeypatch):
    given = []
    monkeypatch.setattr(commands_app, "open_app_window", lambda *all_of_it: given.append(all_of_it))
    assert CliRunner().invoke(app, ["app"]).exit_code == 0
    assert CliRunner().invoke(app, ["app", "--source", "csi", "--private"]).exit_code == 0
    assert given == [(None, None, None, False), ("csi", None, None, True)]
