"""Replies by voice: a recogniser that stands in for vosk, and vosk itself where it is installed."""

import json
import sys
import threading
from contextlib import contextmanager
from functools import partial

import pytest

from fingerpost.app import speech_to_text
from fingerpost.app.conversation import SIGNED, SPOKEN, Conversation
from fingerpost.app.history_export import export
from fingerpost.app.session_worker import Cancelled, Errand
from fingerpost.app.speech_to_text import (
    Hearing,
    Microphone,
    open_microphone,
    open_recogniser,
    why_not,
)


class Recogniser:
    """Understands a word in each block of sound; a block "." is a pause."""

    def __init__(self, rate):
        self.rate, self.words = rate, []

    def AcceptWaveform(self, data):
        if data != b".":
            self.words.append(data.decode())
        return data == b"."

    def Result(self):
        said, self.words = " ".join(self.words), []
        return json.dumps({"text": said})

    def PartialResult(self):
        return json.dumps({"partial": " ".join(self.words)})

    def FinalResult(self):
        return self.Result()


class Sound:
    """Blocks of sound; ``is_open`` while somebody listens. on_block : called before each"""

    def __init__(self, *blocks, on_block=lambda number: None):
        self.blocks, self.on_block, self.is_open, self.n_read = blocks, on_block, False, 0

    @contextmanager
    def open(self):
        self.is_open = True
        yield Microphone(16000, self.read)
        self.is_open = False

    def read(self):
        self.on_block(self.n_read)
        block = self.blocks[min(self.n_read, len(self.blocks) - 1)]
        self.n_read += 1
        return block.encode()


def no_telling(share):
    pass


def test_words_grow_and_a_pause_makes_them_stay():
    seen = []
    sound = Sound("it", "is", ".", "twelve", "euros")
    hearing = Hearing(Recogniser, sound.open)

    def look(number):
        seen.append(hearing.words)
        if number == 4:
            hearing.end()  # what was said last is still understood

    sound.on_block = look
    assert hearing.words == "" and not hearing.is_on
    assert hearing.listen(no_telling) == hearing.words == "it is twelve euros"
    assert seen == ["", "it", "it is", "it is", "it is twelve"]
    assert not sound.is_open and not hearing.is_on


def test_a_microphone_that_nobody_turns_off_is_turned_off(monkeypatch):
    monkeypatch.setattr(speech_to_text, "LONGEST_S", 0.5)
    sound = Sound("word")
    told = []
    assert Hearing(Recogniser, sound.open).listen(told.append) == " ".join(["word"] * 5)
    assert told == [0.0, 0.2, 0.4, pytest.approx(0.6), 0.8]


def test_nothing_is_understood_where_nothing_is_said():
    hearing = Hearing(Recogniser, Sound("").open)
    hearing.end()
    assert hearing.listen(no_telling) == ""


def test_a_cancelled_reply_leaves_the_microphone_closed():
    begun, go = threading.Event(), threading.Event()

    def hold(number):
        begun.set()
        go.wait(20)

    sound = Sound("word", on_block=hold)
    errand = Errand(Hearing(Recogniser, sound.open).listen)
    assert begun.wait(20)
    errand.cancel()
    go.set()
    while not errand.ended:
        threading.Event().wait(0.002)
    with pytest.raises(Cancelled):
        errand.result()
    assert sound.n_read == 1


def model_in(folder, name="am/final.mdl"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no model")
    return str(folder)


def test_what_is_missing_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(speech_to_text, "LIBRARIES", ("json",))
    assert why_not("") == "name the folder of a voice model"
    assert why_not(str(tmp_path)) == f"{tmp_path} is no voice model of vosk: it has no am/final.mdl"
    assert why_not(model_in(tmp_path / "new")) == ""
    assert why_not(model_in(tmp_path / "old", "final.mdl")) == ""
    monkeypatch.setattr(speech_to_text, "LIBRARIES", ("json", "there_is_no_such_library"))
    assert why_not(model_in(tmp_path)) == speech_to_text.NOT_INSTALLED


def test_without_the_libraries_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ValueError, match=r"pip install .*speech"), open_microphone():
        pass
    monkeypatch.setattr(speech_to_text, "LIBRARIES", ("there_is_no_such_library",))
    with pytest.raises(ValueError, match=r"pip install .*speech"):
        open_recogniser(model_in(tmp_path), 16000)


def test_the_real_vosk_refuses_what_is_no_model(tmp_path):
    pytest.importorskip("vosk")
    with pytest.raises(ValueError, match="is no voice model of vosk"):
        open_recogniser(str(tmp_path / "missing"), 16000)
    with pytest.raises(ValueError, match="that vosk cannot read"):
        open_recogniser(model_in(tmp_path), 16000)


def test_the_real_recogniser_is_what_a_hearing_wants():
    vosk = pytest.importorskip("vosk")
    for name in ("AcceptWaveform", "Result", "PartialResult", "FinalResult"):
        assert callable(getattr(vosk.KaldiRecognizer, name))


def test_the_real_microphone_is_there_or_is_missed_in_one_line(monkeypatch):
    """Machines that test have none; where there is one, it is not turned on."""
    pytest.importorskip("cffi")
    try:
        import sounddevice
    except OSError:
        wanted = "libportaudio2"
    except ModuleNotFoundError:
        wanted = "pip install"
    else:

        def none(kind):
            raise sounddevice.PortAudioError("Error querying device -1")

        monkeypatch.setattr(sounddevice, "query_devices", none)
        wanted = "there is no microphone"
    hearing = Hearing(partial(open_recogniser, "none"), open_microphone)
    with pytest.raises(ValueError, match=wanted):
        hearing.listen(no_telling)


def test_a_spoken_reply_is_one_of_the_conversation():
    conversation = Conversation()
    entry = conversation.reply(" it is  twelve euros ", 1000, SPOKEN)
    assert (entry.how, entry.text) == ("spoken", "it is twelve euros")
    assert "  spoken  it is twelve euros" in export([entry], "txt")
    assert json.loads(export([entry], "json"))[0]["how"] == SPOKEN != SIGNED
    assert conversation.last_signed is None  # it is no caption: nothing of it is read out
