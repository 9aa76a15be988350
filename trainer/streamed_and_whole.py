"""Whether live translation says what the same frames say when they are read all at once.

A live translator decides where a sentence begins and ends. Each sentence that became a line is
read once more here, in one piece: same frames, another way through the graphs and their states.

    pairs = read_both(pack, Translator(pack), make_streams(minutes=10))
    share_same(pairs)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.captions import LineCompleted
from fingerpost.edge_runtime.gloss_row import GlossRow, RowSettings
from fingerpost.edge_runtime.gloss_search import GlossSearch, SearchSettings
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.live_glosses import BLANK
from fingerpost.edge_runtime.live_translator import LiveTranslator
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.replay import replay_stream
from fingerpost.edge_runtime.resample import sequence_of
from fingerpost.edge_runtime.stage_settings import read_settings
from fingerpost.edge_runtime.translator import Reading, Sentence, Translator
from fingerpost.trainer.streams import Stream


@dataclass(frozen=True)
class Said:
    """glosses : of a completed line; text : of it"""

    glosses: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Pair:
    """What became of one sentence, read frame by frame and in one piece."""

    streamed: Said
    whole: Said


def read_both(pack: Pack, translator: Translator, streams: Iterable[Stream]) -> list[Pair]:
    """A pair for each line of the streams. ValueError where the pack does not translate."""
    pairs = []
    for stream in streams:
        recording = _Recording(translator)
        live = LiveTranslator(pack, stream.schema, stream.aspect, translator=recording)
        happened = replay_stream(live, stream.frames).happened
        lines = [one.event.line for one in happened if isinstance(one.event, LineCompleted)]
        for line, (parts, language) in zip(lines, recording.read, strict=True):
            streamed = Said(line.glosses, line.text)
            pairs.append(Pair(streamed, _read_whole(pack, translator, parts, language)))
    return pairs


def share_same(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Percent of the pairs with the same glosses, and with the same text. ValueError for none."""
    if not pairs:
        raise ValueError("no line was captioned, so there is nothing to compare")
    same = [(one.streamed.glosses == one.whole.glosses, one.streamed == one.whole) for one in pairs]
    glosses, texts = np.mean(same, axis=0).tolist()
    return 100 * glosses, 100 * texts


def _read_whole(
    pack: Pack, translator: Translator, parts: list[PoseSequence], language: str
) -> Said:
    """All frames at once."""
    settings = pack.manifest.settings
    frames = [frame for part in parts for frame in part.frames()]
    sentence = translator.begin()
    sentence.push(sequence_of(frames, translator.fps, parts[0]))
    sentence.end()
    scores = np.stack(sentence.scores)
    order = translator.gloss_order
    row = GlossRow(translator.fps, read_settings(RowSettings, settings), order)
    judge = translator.signing_judge
    row.push(scores, judge.logits(np.stack(sentence.states)) if judge else None)
    signs = row.signs
    if order is not None:
        search = GlossSearch(order, read_settings(SearchSettings, settings))
        signs = search.signs(scores) or signs
    glosses = tuple(translator.glosses[sign.label - 1 - BLANK] for sign in signs)
    return Said(glosses, sentence.readings(language)[0].text)


class _Recording(Translator):
    """A translator that keeps the frames of each sentence that became a line.

    read : their parts, and the language that was asked for
    """

    def __init__(self, of: Translator) -> None:
        self.__dict__.update(vars(of))  # the same graphs: another one would load them again
        self.read: list[tuple[list[PoseSequence], str]] = []

    def begin(self) -> "_RecordedSentence":
        return _RecordedSentence(self)


class _RecordedSentence(Sentence):
    def __init__(self, of: _Recording) -> None:
        super().__init__(of)
        self._recording = of
        self._parts: list[PoseSequence] = []

    def push(self, part: PoseSequence) -> list[str]:
        self._parts.append(part)
        return super().push(part)

    def readings(self, language: str) -> list[Reading]:
        self._recording.read.append((self._parts, language))
        return super().readings(language)
