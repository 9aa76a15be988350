"""LSA64: Argentinian Sign Language, isolated signs with coloured gloves (Ronchetti et al., LSA64,
CACIC 2016). 64 signs, 10 signers, 5 times each; no official split.

    lsa64_signs.md                       01|Opaque|R|
    all/001_004_002.mp4                  sign, signer, repetition
"""

import re
from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import read_table

NAME = re.compile(r"(\d{3})_(\d{3})_(\d{3})")


def read_lsa64(folder: Path) -> Iterator[Sample]:
    """The clips that are there; their names are all the annotation there is."""
    signs: dict[int, str] = {}
    columns = ("number", "sign", "hands", "end")
    for row in read_table(folder / "lsa64_signs.md", columns, "|", header=False, quotes=False):
        signs[int(row.number("number"))] = row.name("sign")
    paths = sorted((folder / "all").glob("*.mp4"))
    if not paths:
        raise FileNotFoundError(f"no clips in {folder / 'all'}: expected all/001_001_001.mp4, ...")
    for path in paths:
        match = NAME.fullmatch(path.stem)
        if not match or int(match.group(1)) not in signs:
            raise ValueError(f"{path}: the name is not sign_signer_repetition, as 001_004_002")
        yield Sample(
            id=path.stem,
            media=path,
            signer=match.group(2),
            split="",
            glosses=(signs[int(match.group(1))],),
            text="",
            language="aed",
        )
