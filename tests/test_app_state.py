"""What the app knows without its window: retries, private sessions, forgetting, settings."""

import json
import threading
from contextlib import contextmanager

import pytest

from fingerpost.app.commands_packs import signs
from fingerpost.app.history import History
from fingerpost.app.ui import app_state
from fingerpost.app.ui.app_state import DAY_MS, RETRY_MS, AppState
from fingerpost.edge_runtime.pack import bundled_pack


@contextmanager
def gone():
    raise ValueError("there is no camera 0")
    yield


@pytest.fixture
def clock(monkeypatch):
    """The time of day, to be set."""
    now = [100 * DAY_MS]
    monkeypatch.setattr(app_state, "now_ms", lambda: now[0])
    return now


@pytest.fixture
def state(tmp_path, clock):
    state = AppState(tmp_path / "app", open_session=gone)
    yield state
    state.close()


def fails(state):
    """Waits for the worker to say what went wrong."""
    while True:
        try:
            state.worker.take()
        except ValueError as error:
            return str(error)
        threading.Event().wait(0.002)


def test_a_camera_that_is_gone_is_tried_again_by_itself(state, clock):
    state.start_camera()
    state.fail(fails(state), again=True)
    assert state.problem == "there is no camera 0" and state.worker is None
    state.tick(clock[0] + RETRY_MS - 1)
    assert state.worker is None
    state.tick(clock[0] + RETRY_MS)
    assert state.worker is not None and state.problem == ""
    assert fails(state) == "there is no camera 0"


def test_a_video_that_has_ended_is_not_begun_again(state, clock):
    state.fail("The video has ended.", again=False)
    state.tick(clock[0] + DAY_MS)
    assert state.worker is None and state.problem == "The video has ended."


def test_a_private_session_keeps_nothing_and_begins_anew(state):
    state.conversation.reply("kept", 1)
    state.keep_private(True)
    assert state.conversation.entries == ()
    state.conversation.reply("not kept", 2)
    state.keep_private(False)
    state.conversation.reply("kept again", 3)
    said = [s.first for s in state.history.conversations()]
    assert sorted(said) == ["kept", "kept again"]


def test_what_is_too_old_is_forgotten_once_an_hour_and_at_once_when_it_is_set(state, clock):
    now = clock[0]
    state.tick(now)
    for days in (40, 5, 0):
        state.conversation.begin_anew()
        state.conversation.reply(f"{days} days ago", now - days * DAY_MS)
    state.change(keep_days=30)
    assert [s.first for s in state.history.conversations()] == ["0 days ago", "5 days ago"]
    clock[0] += 26 * DAY_MS
    state.tick(now + 1)  # the hour is not over
    assert len(state.history.conversations()) == 2
    state.tick(clock[0])
    assert [s.first for s in state.history.conversations()] == ["0 days ago"]


def test_a_disk_that_will_not_have_it_ends_keeping_and_not_talking(state):
    state.history.close()
    with pytest.raises(OSError, match="cannot be used"):
        state.conversation.reply("hello", 1)
    state.keep_nothing("the disk is full")
    state.conversation.reply("goes on", 2)
    assert state.conversation.entries[-1].text == "goes on"
    assert state.to_tell == ["the disk is full"]


def test_a_damaged_history_is_told_and_the_app_starts(tmp_path):
    (tmp_path / "history.db").write_bytes(b"nonsense " * 1000)
    (tmp_path / "settings.json").write_text("nonsense")
    state = AppState(tmp_path, open_session=gone)
    assert state.history is None and len(state.to_tell) == 2
    state.conversation.reply("works", 1)
    state.close()


def test_what_was_given_for_this_run_is_not_kept(tmp_path):
    state = AppState(tmp_path, "talk.mp4", "mine", open_session=gone)
    assert (state.source, state.pack) == ("talk.mp4", "mine")
    state.change(source="1")
    assert (state.source, state.pack) == ("1", "mine")
    state.close()
    kept = json.loads((tmp_path / "settings.json").read_text())
    assert (kept["source"], kept["pack"]) == ("1", "demo")


@pytest.mark.skipif(bundled_pack() is None, reason="built without its pack")
def test_the_history_knows_the_pack_and_the_facts_of_it_are_words(tmp_path):
    from fingerpost.app.pack_facts import facts

    state = AppState(tmp_path, open_session=gone)
    state.conversation.reply("hello", 1)
    said = dict(facts(state.open_pack()))
    n_signs = len(signs(state.open_pack()))
    assert said["What it does"].endswith(f" {n_signs} signs") and said["Size"].endswith(" MB")
    assert all(value for value in said.values())
    state.close()
    assert History(tmp_path / "history.db").conversations()[0].pack == "demo"
