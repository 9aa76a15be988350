"""The kiosk's real window through a day in fast motion, off screen: what it shows at each moment,
what /healthz says of it, and that nothing of one visitor is there for the next."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from fingerpost.app.demo import demo_clip

WALK = Path(__file__).parent / "kiosk_walk.py"
HEALTHY = {  # step: what is to be seen
    "attract": "attract",
    "half_pack": "attract",
    "new_pack": "attract",
    "disk_full": "talk",
    "disk_back": "attract",
    "portrait": "attract",
    "back": "attract",
    "arrived": "talk",
    "talk": "talk",
    "letters": "talk",
    "typed": "talk",
    "replied": "talk",
    "german": "talk",
    "umlauts": "talk",
    "narrow": "talk",
    "cancelled": "talk",
    "restarted": "talk",
    "left": "attract",
    "crowd": "attract",
    "next": "talk",
    "still": "talk",
    "corner": "talk",
    "put_away": "talk",
    "by_keys": "talk",
    "asked": "talk",
    "wrong": "talk",
}
HERE = ("talk", "letters", "typed", "replied", "german", "umlauts", "narrow", "cancelled")
HERE += ("restarted",)  # somebody has signed, and is still here
ILL = {"gone": "camera 0 ", "crash": "the captions crashed: RuntimeError"}
NO_PICTURE = {  # in the visitor's own language
    "gone": "There is no picture from the camera.",
    "crash": "Von der Kamera kommt kein Bild.",
}
WAITING = ("choose", "refused", "repeat")  # for the first PIN
STEPS = (*WAITING, *HEALTHY, *ILL)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Folder with a picture and the words of each step, and day.json."""
    if not demo_clip().is_file():
        pytest.skip("built without its clip")
    folder = tmp_path_factory.mktemp("kiosk")
    environment = os.environ | {"SDL_VIDEODRIVER": "offscreen", "OMP_NUM_THREADS": "1"}
    environment.pop("FINGERPOST_DEBUG", None)
    command = [sys.executable, str(WALK), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert (folder / "day.json").is_file(), done.stderr
    return folder


def day(walk):
    return json.loads((walk / "day.json").read_text())


def words(walk, step):
    return json.loads((walk / f"{step}.json").read_text())["words"]


def text(walk, step):
    return "\n".join(word["text"] for word in words(walk, step))


def test_the_day_went_as_planned_and_the_pin_ended_it(walk):
    told = day(walk)
    assert set(told) == {*STEPS, "objects", "exit code"} and told["exit code"] == 0


@pytest.mark.parametrize(("step", "view"), HEALTHY.items())
def test_the_health_endpoint_tells_of_health(walk, step, view):
    status, said = day(walk)[step]
    assert (status, said["ok"], said["view"], said["problem"]) == (200, True, view, "")


@pytest.mark.parametrize("step", WAITING)
def test_before_there_is_a_pin_it_is_not_well(walk, step):
    status, said = day(walk)[step]
    assert (status, said["view"]) == (503, "choose_pin") and "first PIN" in said["problem"]


@pytest.mark.parametrize(("step", "why"), ILL.items())
def test_and_of_illness_as_the_screen_does(walk, step, why):
    status, said = day(walk)[step]
    assert (status, said["ok"], said["pipeline"]) == (503, False, "down")
    assert said["problem"].startswith(why)
    shown = text(walk, step)
    assert NO_PICTURE[step] in shown and said["problem"] in shown


@pytest.mark.parametrize("step", STEPS)
def test_no_word_is_cut_off_and_every_key_is_large_enough(walk, step):
    width, height = json.loads((walk / f"{step}.json").read_text())["window"]
    assert cv2.imread(str(walk / f"{step}.png")).shape == (height, width, 3)
    for word in words(walk, step):
        assert word["drawn"][0] <= word["width"] + 1, word
        assert word["drawn"][1] <= word["height"] + 1, word
        assert -1 <= word["x"] and word["x"] + word["width"] <= width + 1, word
        assert -1 <= word["y"] and word["y"] + word["height"] <= height + 1, word
        if word["press"]:
            assert min(word["width"], word["height"]) >= 48, word


def test_the_attract_loop_shows_how_to_stand_and_says_what_it_must(walk):
    shown = text(walk, "attract")
    for needed in ("two steps away", "both hands", "Not for medical, legal or emergency use"):
        assert needed in shown
    picture = cv2.imread(str(walk / "attract.png"))
    left = picture[:, : picture.shape[1] // 2]
    assert left.std() > 20  # the clip is drawn


def test_captions_are_shown_also_through_a_crash(walk):
    assert "MY SECRET" in text(walk, "talk") and "MORE SECRET" in text(walk, "talk")
    assert "MY SECRET" in text(walk, "crash") and "MY SECRET" in text(walk, "restarted")


def test_a_reply_is_typed_with_fingers_or_keys_and_shown_large(walk):
    letters = {word["text"]: word for word in words(walk, "letters")}
    assert {"1", "Q", "P", "Space", "Erase", "Show", "One moment, please."} <= set(letters)
    assert "Finished: forget everything" not in letters  # the letters take its room
    assert "Is it all red|" in text(walk, "typed")
    assert "I" not in text(walk, "typed").split("\n")  # no capitals any more, but at the start
    shown = {word["text"]: word for word in words(walk, "replied")}
    assert shown["Is it all red"]["drawn"][1] > 1.5 * shown["Typed"]["drawn"][1]
    assert "Q" not in shown and "MY SECRET" in text(walk, "replied")


def test_who_is_here_has_the_screen_in_another_language(walk):
    shown = text(walk, "german")
    assert "Antwort tippen" in shown and "Is it all red" in shown and "MY SECRET" in shown
    umlauts = {word["text"] for word in words(walk, "umlauts")}
    assert {"Ä", "ß", "Z", "Leerzeichen", "Einen Moment, bitte."} <= umlauts
    assert "Deutsch" not in umlauts  # letters need the room
    assert "Fertig: alles vergessen" in text(walk, "cancelled")


def test_nothing_of_the_last_visitor_is_left(walk):
    for step in ("left", "next", "still"):
        assert "SECRET" not in text(walk, step) and "all red" not in text(walk, step)
    assert "Captions appear here." in text(walk, "next")  # in the language that is set
    log = (walk / "kiosk.log").read_text()
    assert "SECRET" not in log and "all red" not in log
    kept = [path for path in walk.rglob("*") if path.is_file() and path.suffix not in (".png",)]
    held = {
        path.stem for path in kept if any(w in path.read_bytes() for w in (b"SECRET", b"all red"))
    }
    # Only what this test wrote down itself.
    assert held == set(STEPS) & {*HERE, "crash"}


def test_a_pack_replaced_under_it_is_used_once_it_is_whole(walk):
    told = day(walk)
    assert "mine.fpk" in told["half_pack"][1]["pack_trouble"]  # and it captions on
    assert told["half_pack"][1]["n_starts"] == told["attract"][1]["n_starts"]
    assert told["new_pack"][1]["pack_trouble"] == ""
    assert told["new_pack"][1]["n_starts"] == told["attract"][1]["n_starts"] + 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_a_full_disk_and_a_locked_database_cost_lines_of_the_log_alone(walk):
    told = day(walk)
    assert told["disk_full"][1]["n_lost"] > told["new_pack"][1]["n_lost"]
    assert told["next"][1]["n_lost"] == told["disk_back"][1]["n_lost"]
    assert "captions" not in (walk / "history.db").read_bytes().decode("latin-1")  # held all day


def test_nothing_in_the_window_grows_from_visitor_to_visitor(walk):
    few, many = day(walk)["objects"]
    assert many - few < 100, (few, many)  # one screen has hundreds


def test_no_key_ends_it_and_closing_the_window_asks_for_the_pin(walk):
    assert "PIN" not in text(walk, "still")  # after Escape, F1, Ctrl+Q, Alt+F4, Ctrl+W
    for step in ("corner", "by_keys", "asked"):
        assert "The PIN, to end the kiosk" in text(walk, step)
    assert "PIN" not in text(walk, "put_away")
    assert "That is not the PIN." in text(walk, "wrong")


def test_the_first_pin_is_chosen_in_the_window(walk):
    assert "Choose a PIN" in text(walk, "choose")
    assert "one digit only" in text(walk, "refused")
    assert "2468" not in (walk / "pin.json").read_text()
