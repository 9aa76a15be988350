"""What the hearing side says becomes words, on this device: vosk, with a model from a folder.

A tenth of a second of sound is held at a time, and gone once the recogniser has taken it in:
nothing is recorded, nothing is sent. vosk can fetch a model from its maker's server where it is
given a language; here it is only ever given a folder, after a look into it.

    hearing = Hearing(partial(open_recogniser, folder), open_microphone)
    errand = Errand(hearing.listen)  # hearing.words grow; hearing.end() ends it
"""

import importlib.util
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

BLOCK_S = 0.1  # of sound that is taken in at once
LONGEST_S = 60.0  # of one reply: a microphone that nobody turns off is turned off
LIBRARIES = ("vosk", "sounddevice")
MODEL_FILES = ("am/final.mdl", "final.mdl")  # of newer and of older models; each has one of them
NOT_INSTALLED = 'replies by voice need more: pip install "fingerpost[speech]"'


class Recogniser(Protocol):
    """What is wanted of a recogniser; ``vosk.KaldiRecognizer`` is one. Results are JSON."""

    def AcceptWaveform(self, data: bytes) -> int: ...
    def Result(self) -> str: ...
    def PartialResult(self) -> str: ...
    def FinalResult(self) -> str: ...


@dataclass(frozen=True)
class Microphone:
    """rate : samples a second; read : the next ``BLOCK_S`` of sound, int16, one channel"""

    rate: int
    read: Callable[[], bytes]


class Hearing:
    """Listens until it is told to end. words : understood so far, the last few may still change

    open_recogniser : takes the rate of the sound; may take seconds
    is_on : the microphone is open
    """

    def __init__(
        self,
        open_recogniser: Callable[[int], Recogniser],
        open_microphone: Callable[[], AbstractContextManager[Microphone]],
    ) -> None:
        self._open_recogniser, self._open_microphone = open_recogniser, open_microphone
        self._ended = False
        self.words = ""
        self.is_on = False

    def end(self) -> None:
        """Enough: what was said last is still understood. From any thread."""
        self._ended = True

    def listen(self, tell: Callable[[float], None]) -> str:
        """All that was said, as an ``Errand``'s work. ValueError, in one line, where there is no
        microphone, no model, or no library for them."""
        said: list[str] = []
        with self._open_microphone() as microphone:
            recogniser = self._open_recogniser(microphone.rate)
            self.is_on = True
            for number in range(round(LONGEST_S / BLOCK_S)):
                tell(number * BLOCK_S / LONGEST_S)
                if self._ended:
                    break
                if recogniser.AcceptWaveform(microphone.read()):  # a pause: a sentence is over
                    said.append(_text(recogniser.Result()))
                    growing = ""
                else:
                    growing = _text(recogniser.PartialResult(), "partial")
                self.words = _joined(*said, growing)
        self.is_on = False
        self.words = _joined(*said, _text(recogniser.FinalResult()))
        return self.words


def why_not(folder: str) -> str:
    """One line on why replies cannot be spoken; "" where they can. folder : of the model"""
    if any(importlib.util.find_spec(name) is None for name in LIBRARIES):
        return NOT_INSTALLED
    if not folder:
        return "name the folder of a voice model"
    if not any((Path(folder) / name).is_file() for name in MODEL_FILES):
        return f"{folder} is no voice model of vosk: it has no {MODEL_FILES[0]}"
    return ""


def open_recogniser(folder: str, rate: int) -> Recogniser:
    """vosk, with the model of a folder. ValueError says in one line what is wrong with it."""
    problem = why_not(folder)
    if problem:
        raise ValueError(problem)
    from vosk import KaldiRecognizer

    with _WordsForVosk(folder):
        recogniser: Recogniser = KaldiRecognizer(_model(folder), rate)
    return recogniser


@lru_cache(maxsize=1)
def _model(folder: str) -> Any:
    """Kept for the next reply: reading it takes a second or more."""
    from vosk import Model, SetLogLevel

    SetLogLevel(-1)  # its log goes to stderr
    return Model(model_path=folder)


@contextmanager
def open_microphone() -> Iterator[Microphone]:
    """The system's own microphone, at its own rate: vosk takes any."""
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise ValueError(NOT_INSTALLED) from error
    except OSError as error:  # on Linux, PortAudio is the system's to install
        raise ValueError("the microphone needs: apt-get install libportaudio2") from error
    try:
        rate = int(sounddevice.query_devices(kind="input")["default_samplerate"])
        block = round(rate * BLOCK_S)
        with sounddevice.RawInputStream(
            samplerate=rate, blocksize=block, channels=1, dtype="int16"
        ) as stream:
            yield Microphone(rate, lambda: bytes(stream.read(block)[0]))
    except sounddevice.PortAudioError as error:
        raise ValueError(
            "there is no microphone, or this program may not use it; see the sound settings"
        ) from error


class _WordsForVosk:
    """vosk 0.3.45 raises a plain ``Exception``; that class alone, and none below it, is meant."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if kind is Exception:
            raise ValueError(
                f"{self._folder} is a voice model that vosk cannot read; get it again"
            ) from error


def _text(result: str, key: str = "text") -> str:
    """Of one of the recogniser's answers."""
    return str(json.loads(result).get(key, ""))


def _joined(*texts: str) -> str:
    return " ".join(text for text in texts if text)
