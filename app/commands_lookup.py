"""``fingerpost lookup``: which signs a single sign may be, as one looks up a word."""

import json

import numpy as np

from fingerpost.app.commands_caption import load_pack, notice
from fingerpost.app.terminal import CaptionPrinter, clock, tell
from fingerpost.app.watched_signs import Watching, watch_signs
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.pack import SIGNS, Pack
from fingerpost.edge_runtime.recogniser import Recogniser

INVITATION = "Make one sign, and lower the hands after it. Ctrl-C ends."


def look_up(sources: list[str], how: Watching, pack_name: str, n: int, as_json: bool) -> None:
    """Prints of each sign that the sources show the n glosses that it most likely is.

    sources : files, or one camera

    ValueError where the pack writes sentences, or a source shows no single sign; of several
    sources the others are looked up all the same.
    """
    if n < 1:
        raise ValueError(f"--candidates is at least 1, got {n}")
    if len(sources) > 1 and any(source.isdecimal() for source in sources):
        raise ValueError("a camera is watched alone: give its number, or files")
    pack = load_pack(pack_name)
    if pack.manifest.translation is not None:
        raise ValueError(
            f"pack {pack.manifest.name} writes sentences: lookup needs one of single signs, "
            f"such as {SIGNS}"
        )
    dictionary = Dictionary(pack, n, as_json, named=len(sources) > 1)
    n_failed = 0
    for source in sources:
        try:
            dictionary.look_up(source, how)
        except (ValueError, OSError) as error:
            if len(sources) == 1:
                raise
            n_failed += 1
            tell(str(error))
    if n_failed:
        raise ValueError(f"{n_failed} of {len(sources)} could not be looked up")


class Dictionary:
    """Prints the n likeliest glosses of signs. named : each line begins with its source"""

    def __init__(self, pack: Pack, n: int, as_json: bool, named: bool) -> None:
        self._pack, self._n, self._as_json, self._named = pack, n, as_json, named
        self._recogniser = Recogniser(pack)
        self._cautioned = False

    def look_up(self, source: str, how: Watching) -> None:
        """ValueError where the source shows no single sign."""

        def seen(printer: CaptionPrinter, sign: PoseSequence) -> bool:
            if not self._cautioned:
                printer.tell(notice(self._pack.manifest))
                self._cautioned = True
            found = candidates(self._pack, self._recogniser.probabilities(sign), self._n)
            printer.result(self._line(source, sign, found))
            return False

        watch_signs(source, how, "signs", seen, INVITATION)

    def _line(self, source: str, sign: PoseSequence, found: list[tuple[str, float]]) -> str:
        if self._as_json:
            record = {
                "source": source,
                "start_ms": sign.start_ms,
                "end_ms": sign.start_ms + round(sign.duration_ms),
                "candidates": [[gloss, round(share, 4)] for gloss, share in found],
            }
            return json.dumps(record, ensure_ascii=False)
        where = f"{source}  " if self._named else ""
        return f"{where}{clock(sign.start_ms)}  {in_words(found)}"


def candidates(pack: Pack, probabilities: np.ndarray, n: int) -> list[tuple[str, float]]:
    """The n likeliest glosses, the best first, each with its share; "no sign" is none."""
    no_sign = set(pack.manifest.special.values())
    ranked = np.argsort(-probabilities, kind="stable")
    named = [(pack.vocabulary[k], float(probabilities[k])) for k in ranked]
    return [(gloss, share) for gloss, share in named if gloss not in no_sign][:n]


def in_words(found: list[tuple[str, float]]) -> str:
    """``help  (or: assist, support)``"""
    best, *others = (gloss for gloss, _ in found)
    return f"{best}  (or: {', '.join(others)})" if others else best
