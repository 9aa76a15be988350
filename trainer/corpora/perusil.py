"""PeruSIL: Peruvian Sign Language, interpreted school television with signs and sentences timed by
hand (Bejarano et al., PeruSIL, LREC 2022). No official split.

    SRT_SENTENCE/ira_alegria.srt         what is said, a caption for each sentence
    SRT_SIGN/ira_alegria.srt             what is signed, a caption for each sign
    Videos/ira_alegria.mp4
"""

from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.cues import Cue, read_cues
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import no_annotations


def read_perusil(folder: Path) -> Iterator[Sample]:
    """A sentence with the signs whose middle is in it; a sign outside of all is its own sample."""
    paths = sorted((folder / "SRT_SENTENCE").glob("*.srt"))
    if not paths:
        raise no_annotations(folder, "SRT_SENTENCE/*.srt")
    for path in paths:
        signs = read_cues(folder / "SRT_SIGN" / path.name)
        sentences = read_cues(path)
        outside = {id(sign): sign for sign in signs}
        for number, sentence in enumerate(sentences):
            inside = [s for s in signs if id(s) in outside and _is_inside(s, sentence)]
            for sign in inside:
                del outside[id(sign)]
            glosses = tuple(sign.text for sign in inside if sign.text)
            name = f"{path.stem}.{number:04d}"
            yield _sample(folder, path.stem, name, glosses, sentence.text, sentence)
        for number, sign in enumerate(outside.values()):
            glosses = (sign.text,) if sign.text else ()
            yield _sample(folder, path.stem, f"{path.stem}.sign{number:04d}", glosses, "", sign)


def _is_inside(sign: Cue, sentence: Cue) -> bool:
    middle_ms = (sign.start_ms + sign.end_ms) / 2
    return sentence.start_ms <= middle_ms < sentence.end_ms


def _sample(
    folder: Path, video: str, name: str, glosses: tuple[str, ...], text: str, span: Cue
) -> Sample:
    return Sample(
        id=name,
        media=folder / "Videos" / f"{video}.mp4",
        signer="",
        split="",
        glosses=glosses,
        text=text,
        language="prl",
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        text_language="es",
    )
