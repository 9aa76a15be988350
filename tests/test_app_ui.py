"""The app's window, walked through off screen: what each screen says, that no word is cut off or
lies over another, in every theme, at 72 points, in a narrow window, in every language.

The walk is ``app_tour.py``, one window for all of it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fingerpost.app.commands_packs import signs
from fingerpost.app.demo import demo_clip
from fingerpost.app.history import History
from fingerpost.app.ui.theme import theme
from fingerpost.edge_runtime.keypoint_files import load_npz, save_npz
from fingerpost.edge_runtime.own_signs import OwnSigns
from fingerpost.edge_runtime.pack import bundled_pack, open_pack
from fingerpost.edge_runtime.video import open_video
from fingerpost.trainer.corpora import read_corpus
from fingerpost.trainer.signer_corpus import make_clip

TOUR = Path(__file__).parent / "app_tour.py"
LARGE = "talk,theme=yellow,text_pt=72"
LIGHT = "talk,theme=light,text_pt=28,size=420x760"
REFUSED = "record,press=Start recording"
RECORDED = "record,take=Ann HELLO 22"
FILMED = "record,take=Ann HELLO 22 video"
VOICE = "talk,voice=it is twelve euros,press=Voice"
NO_MICROPHONE = "talk,voice=-,press=Voice"
SPOKEN = "talk,name=spoken_reply,press=Voice>Show"
CORRECTED = "talk,name=corrected,press=Voice>Correct"
UNSURE = "talk,press=unsure: other readings"
SIGNS = "packs,press=All signs"
REPLY = "talk,type=It is 12 euros."
SLOW = "talk,name=slow,slow=700,type=The next one please."
KEYS = {  # what is pressed on Talk, one after the other
    "talk,name=undone,keys=ctrl+z": "",
    "talk,name=back,keys=ctrl+shift+z": "",
    "talk,name=reached,keys=tab tab tab enter": "the third thing: Packs",
    "talk,name=ringed,keys=tab": "",
    "talk,name=profile,keys=f1": "",
    "talk,name=alt,keys=f1 alt+2": "",
    "talk,name=spoken,keys=ctrl+s tab enter": "Cancel, by the keyboard",
    "talk,name=escaped,keys=ctrl+s escape": "",
}
GERMAN = (  # the longest words; narrow, and at 72 points
    "talk,text_pt=72,voice=ja,name=german_voice",
    "history,name=german",
    "packs,name=german",
    "record,name=german",
    "teach,name=german",
    "settings,name=german",
)
STEPS = (
    "welcome,size=1120x760",
    "talk",
    UNSURE,
    REPLY,
    *KEYS,
    SLOW,
    "talk,name=put_right,keys=ctrl+z",
    "history",
    "history,press=Open",
    "packs",
    SIGNS,
    "teach",
    REFUSED,
    RECORDED,
    FILMED,
    "record",
    "settings",
    VOICE,
    SPOKEN,
    CORRECTED,
    NO_MICROPHONE,
    "talk,voice=",
    LARGE,
    "settings,name=large",
    LIGHT,
    "talk,text_pt=72,name=narrow_and_large",
    "record,text_pt=28,name=narrow",
    "teach,name=narrow",
    "history,name=narrow",
    "packs,name=narrow",
    "settings,name=narrow",
    "welcome,language=de",
    *GERMAN,
    "talk,name=spanish_voice,language=es,voice=diga",
    "talk,voice=,text_pt=28",
    "talk,language=es,size=1120x760",
    "settings,language=zh",
)


def built() -> bool:
    return bundled_pack() is not None and demo_clip().is_file()


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    """Folder with a picture and the words of each step."""
    folder = tmp_path_factory.mktemp("tour")
    environment = os.environ | {
        "SDL_VIDEODRIVER": "offscreen",
        "FINGERPOST_PACKS": str(folder / "packs"),
        "FINGERPOST_SIGNS": str(folder / "signs"),
        "OMP_NUM_THREADS": "1",
        "LANGUAGE": "en",
        "LC_ALL": "C.UTF-8",
    }
    environment.pop("FINGERPOST_DEBUG", None)
    command = [*no_network(), sys.executable, str(TOUR), str(folder), *STEPS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert (folder / f"{STEPS[-1]}.json").is_file(), done.stderr
    return folder


def no_network() -> list[str]:
    """What a command is started by to have no network at all; nothing where that is not allowed."""
    alone = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None:
        return []
    return alone if subprocess.run([*alone, "true"], capture_output=True).returncode == 0 else []


def words(tour, step):
    return json.loads((tour / f"{step}.json").read_text())["words"]


def texts(tour, step):
    return [re.sub(r"\[/?[a-z]+(=\w+)?\]", "", word["text"]) for word in words(tour, step)]


def picture(tour, step):
    """(H, W, 3) RGB"""
    return cv2.imread(str(tour / f"{step}.png"))[..., ::-1]


def test_no_socket_was_opened(tour):
    assert json.loads((tour / "sockets.json").read_text()) == []


@pytest.mark.slow
def test_the_demo_clip_is_captioned_without_a_network(tmp_path):
    from fingerpost.edge_runtime.landmarker_bundle import bundle_path

    if not bundle_path().is_file():
        pytest.skip("the landmarker was never built here")
    environment = os.environ | {"SDL_VIDEODRIVER": "offscreen"}
    command = [*no_network(), sys.executable, str(TOUR), str(tmp_path), "--real", "demo", "talk"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "sockets.json").read_text()) == []
    history = History(tmp_path / "home" / "history.db")
    said = [entry.text for entry in history.lines(1)]
    history.close()
    signed = json.loads(demo_clip().with_name("demo.json").read_text())["sentences"]
    assert len(said) >= 2 and {sentence["text"] for sentence in signed} & set(said)
    assert set(said) <= set(texts(tmp_path, "talk"))


@pytest.mark.slow
def test_a_sign_is_taught_by_one_take_of_three_examples(tmp_path):
    sequence = make_clip("val", 0).sequence  # of the rendered signer, from rest to rest
    # The take begins somewhere in the long rest at the start, and ends in the one at the end.
    order = np.zeros(150, int), np.arange(len(sequence)), np.zeros(50, int)
    frames = np.concatenate([order[0], *[*order[1:]] * 3, order[0]])
    xyz, confidence = sequence.xyz[frames], sequence.confidence[frames]
    source = tmp_path / "three.npz"
    save_npz(source, replace(sequence, xyz=xyz, confidence=confidence, start_ms=0))
    environment = os.environ | {
        "SDL_VIDEODRIVER": "offscreen",
        "FINGERPOST_SIGNS": str(tmp_path / "signs"),
    }
    steps = [f"teach,take=HAT {len(frames) - 150}", "teach,press=Add this sign"]
    command = [sys.executable, str(TOUR), str(tmp_path), "--real", str(source), *steps]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Takes: 3 of 3" in texts(tmp_path, steps[0])
    assert "HAT" in texts(tmp_path, steps[1]) and "Added: HAT" in texts(tmp_path, steps[1])
    (sign,) = OwnSigns(tmp_path / "signs").list()
    assert (sign.name, len(sign.examples)) == ("HAT", 3)


@pytest.mark.parametrize("step", STEPS)
def test_no_word_is_cut_off(tour, step):
    width, height = json.loads((tour / f"{step}.json").read_text())["window"]
    assert picture(tour, step).shape == (height, width, 3)
    for word in words(tour, step):
        where = f"{step}: {word}"
        assert word["drawn"][0] <= word["width"] + 1, where
        assert word["drawn"][1] <= word["height"] + 1, where
        assert -1 <= word["x"] and word["x"] + word["width"] <= width + 1, where
        if not word["scrolls"]:
            assert -1 <= word["y"] and word["y"] + word["height"] <= height + 1, where
        is_path = word["text"].startswith("/")  # and may be broken anywhere
        assert word["widest"] <= word["width"] + 1 or is_path, where


@pytest.mark.parametrize("step", STEPS)
def test_no_hint_of_a_field_is_cut_off(tour, step):
    for hint, drawn, room in json.loads((tour / f"{step}.json").read_text())["hints"]:
        assert 0 < drawn <= room + 1, hint


@pytest.mark.parametrize("step", STEPS)
def test_no_two_things_to_press_lie_over_each_other(tour, step):
    if step in (UNSURE, REPLY, VOICE, SPOKEN, SLOW):
        pytest.skip("a dialog lies over the screen")
    presses = [word for word in words(tour, step) if word["press"] and not word["scrolls"]]
    assert step.startswith("welcome") or len(presses) >= 5
    for i, one in enumerate(presses):
        for other in presses[i + 1 :]:
            beside = (
                one["x"] + one["width"] <= other["x"] + 1
                or other["x"] + other["width"] <= one["x"] + 1
            )
            above = (
                one["y"] + one["height"] <= other["y"] + 1
                or other["y"] + other["height"] <= one["y"] + 1
            )
            assert beside or above, (one["text"], other["text"])
        assert min(one["width"], one["height"]) >= 48, one  # a finger


SEEN = [s for s in STEPS if s.startswith("talk") and s not in (*KEYS, VOICE, SPOKEN, SLOW)]


@pytest.mark.parametrize("step", SEEN)
def test_captions_stand_below_the_picture_and_never_on_it(tour, step):
    about = json.loads((tour / f"{step}.json").read_text())
    x, y, width, height = about["picture"]
    assert width > 100 and height > 80 and abs(width / height - 4 / 3) < 0.02
    (band,) = [word for word in about["words"] if word["text"].startswith("[color")]
    assert band["y"] + band["height"] < y


def test_a_partial_line_is_dimmer_and_unsure_is_said(tour):
    (band,) = [word["text"] for word in words(tour, "talk") if word["text"].startswith("[color")]
    assert re.sub(r"\[.*?\]", "", band).split("\n") == ["I want a drink.  ? unsure", "MY FAMILY"]
    sure, unsure, partial = re.findall(r"\[color=(\w+)\]", band)
    assert sum(bytes.fromhex(partial)) < 0.8 * sum(bytes.fromhex(sure)) and unsure != sure


def test_conversation_readings_and_reply(tour):
    said = texts(tour, "talk")
    assert "Nice to meet you." in said and "unsure: other readings" in said
    assert "Camera on, on this device only · Captions can be wrong" in said
    readings = texts(tour, UNSURE)
    assert ["I need a drink.", "I want a coffee.", "A drink again?"] == readings[
        readings.index("I need a drink.") :
    ][:3]
    large = max(words(tour, REPLY), key=lambda word: word["drawn"][1])
    assert large["text"] == "It is 12 euros." and large["drawn"][1] > 300


def screen(tour, step):
    return json.loads((tour / f"{step}.json").read_text())["screen"]


def test_everything_can_be_done_by_keyboard(tour):
    undone, back, reached, _ringed, profile, alt, cancelled, escaped = KEYS
    assert "It is 12 euros." not in texts(tour, undone)
    assert "It is 12 euros." in texts(tour, back)
    assert screen(tour, reached) == "packs"
    assert any("pictures a second" in text for text in texts(tour, profile))
    assert screen(tour, alt) == "history"
    for step in (cancelled, escaped):
        assert screen(tour, step) == "talk" and "Speak this?" not in texts(tour, step)


def test_what_has_the_keyboard_has_a_ring_and_nothing_else(tour):
    ring = theme("black").ring
    undone, _back, _reached, ringed, *_others = KEYS
    for step, there in ((undone, False), (ringed, True)):
        seen = (picture(tour, step) == ring).all(axis=2)
        (talk,) = [word for word in words(tour, step) if word["text"] == "Talk"]
        top = seen.shape[0] - round(talk["y"] + talk["height"])
        left, right = round(talk["x"]), round(talk["x"] + talk["width"])
        around = seen[top : top + round(talk["height"]), left:right]
        assert (around[:, 0].mean() > 0.5) == there == (around[0].mean() > 0.5)
        assert around.sum() == seen.sum()  # and no other


def test_a_conversation_stays_in_view_where_the_window_hardly_draws(tour):
    """Kivy's scrolling has a spring, that throws it a million pixels away at such a pace."""
    height = json.loads((tour / f"{SLOW}.json").read_text())["window"][1]
    (last,) = [w for w in words(tour, SLOW) if w["text"] == "The next one please." and w["scrolls"]]
    assert 0 < last["y"] < height


def test_history_has_what_was_said(tour):
    read = texts(tour, "history,press=Open")
    for text in ("Nice to meet you.", "I want a drink.", "It is 12 euros.", "Save as srt"):
        assert text in read
    history = History(tour / "home" / "history.db")
    (conversation,) = history.conversations()
    lines = history.lines(conversation.id)
    assert [(e.how, e.text, e.unsure) for e in lines] == [
        ("signed", "Nice to meet you.", False),
        ("signed", "I want a drink.", True),
        ("typed", "It is 12 euros.", False),
        ("spoken", "it is twelve euros", False),
    ]
    history.close()


def test_a_recording_is_a_corpus_and_what_is_missing_is_told(tour):
    assert "Name the signer first." in texts(tour, REFUSED)
    assert "Clips of Ann: 1" in texts(tour, RECORDED)
    folder = tour / "home" / "recordings"
    first, second = read_corpus("own_folder", folder)
    for sample in (first, second):
        assert (sample.signer, sample.glosses) == ("Ann", ("HELLO",))
        assert len(load_npz(sample.media)) >= 20
    # A video of the one that was filmed alone, with a picture for each of its frames.
    assert "No picture is kept" in " ".join(texts(tour, RECORDED))
    assert "the face and the room can be recognised" in " ".join(texts(tour, FILMED))
    (film,) = folder.rglob("*.mp4")
    assert film.stem in (first.media.stem, second.media.stem)
    with open_video(film) as video:
        assert video.info.frames == len(load_npz(folder / "clips" / f"{film.stem}.npz"))


def test_a_reply_by_voice_is_shown_after_a_press_and_not_before(tour):
    assert "Voice" not in texts(tour, "talk")  # no model is set
    heard = texts(tour, VOICE)
    assert "Speak now." in heard and "it is twelve euros" in heard
    assert "The microphone is on, on this device only. Nothing is recorded." in heard
    assert not any("Spoken" in text for text in heard)  # it is no part of the conversation yet
    told = texts(tour, NO_MICROPHONE)
    assert "the microphone needs: apt-get install libportaudio2" in told
    assert "Cancel" not in told  # nothing waits for an answer
    large = max(words(tour, SPOKEN), key=lambda word: word["drawn"][1])
    assert large["text"] == "it is twelve euros" and large["drawn"][1] > 300
    later = texts(tour, CORRECTED)
    assert sum("Spoken · " in text for text in later) == 1 and "Voice" in later
    assert "Voice" not in texts(tour, "talk,voice=")


def test_a_pack_shows_all_that_it_knows(tour):
    known = signs(open_pack(bundled_pack()))
    assert ", ".join(known) in texts(tour, SIGNS) and ", ".join(known) not in texts(tour, "packs")


def test_the_first_page_says_what_this_is_not_for(tour):
    said = " ".join(texts(tour, STEPS[0]))
    n_signs = len(signs(open_pack(bundled_pack())))
    for needed in ("medical, legal or emergency", "interpreter", f"knows {n_signs} signs"):
        assert needed in said
    assert "Talk" not in texts(tour, STEPS[0])  # nothing else before it is agreed to


@pytest.mark.parametrize(
    ("step", "ground"),
    [("talk", (0, 0, 0)), (LARGE, (0, 0, 0)), (LIGHT, (255, 255, 255))],
)
def test_themes_colour_the_band(tour, step, ground):
    (band,) = [word for word in words(tour, step) if word["text"].startswith("[color")]
    seen = picture(tour, step)
    row = seen.shape[0] - int(band["y"] + band["height"]) - 4  # just above the text
    assert tuple(np.median(seen[row], axis=0)) == ground


def test_large_letters_are_large(tour):
    small, large = (
        next(word for word in words(tour, step) if word["text"].startswith("[color"))
        for step in ("talk", LARGE)
    )
    assert large["drawn"][1] / small["drawn"][1] == pytest.approx(72 / 28, rel=0.05)


def test_every_language_is_spoken(tour):
    assert "Was es tut" in texts(tour, "welcome,language=de")
    assert "Historial" in texts(tour, "talk,language=es,size=1120x760")
    assert "设置" in texts(tour, "settings,language=zh")
