"""``fingerpost lookup``: which signs a single sign may be, as one looks up a word."""

import numpy as np

from fingerpost.app.commands_caption import load_pack
from fingerpost.app.terminal import CaptionPrinter, clock, print_json, tell
from fingerpost.app.watched_signs import Watching, watch_signs
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.pack import SIGNS, Pack
from fingerpost.edge_runtime.recogniser import Recogniser

INVITATION = "Make one sign, and lower the hands after it. Ctrl-C ends."


def look_up(sources: list[str], how: Watching, pack_name: str, n: int, as_json: bool) -> None:
    """Prints of each sign that the sources show the n glosses that it most likely is.

    ValueError where the pack writes sentences, or a source shows no single sign; of several
    sources the others are looked up all the same.
    """
    if n < 1:
        raise ValueError(f"--candidates is at least 1, got {n}")
    pack = load_pack(pack_name)
    if pack.manifest.translation is not None:
        raise ValueError(
            f"pack {pack.manifest.name} writes sentences: lookup needs one of single signs, "
            f"such as {SIGNS}"
        )
    recogniser = Recogniser(pack)
    n_failed = 0
    for source in sources:

        def seen(printer: CaptionPrinter, sign: PoseSequence, source: str = source) -> bool:
            found = candidates(pack, recogniser.probabilities(sign), n)
            if as_json:
                print_json(_record(source, sign, found))
            else:
                where = f"{source}  " if len(sources) > 1 else ""
                printer.result(f"{where}{clock(sign.start_ms)}  {in_words(found)}")
            return False

        try:
            watch_signs(source, how, "signs", seen, INVITATION)
        except (ValueError, OSError) as error:
            if len(sources) == 1:
                raise
            n_failed += 1
            tell(str(error))
    if n_failed:
        raise ValueError(f"{n_failed} of {len(sources)} could not be looked up")


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


def _record(source: str, sign: PoseSequence, found: list[tuple[str, float]]) -> dict[str, object]:
    return {
        "source": source,
        "start_ms": sign.start_ms,
        "end_ms": sign.start_ms + round(sign.duration_ms),
        "candidates": [[gloss, round(share, 4)] for gloss, share in found],
    }
