"""AUTSL: Turkish Sign Language, isolated signs (Sincan and Keles, AUTSL, IEEE Access 2020).
28,142 train, 4,418 val, 3,742 test; 226 signs, 43 signers, none in two splits.

    {train,validation,test}_labels.csv   signer0_sample1,41; no header
    SignList_ClassId_TR_EN.csv           ClassId,TR,EN
    {train,val,test}/signer0_sample1_color.mp4
"""

import re
from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import find_splits, no_annotations, read_table

NAME = re.compile(r"(signer\d+)_sample\d+")


def read_autsl(folder: Path) -> Iterator[Sample]:
    files = find_splits(folder, "{split}_labels.csv")
    if not files:
        raise no_annotations(folder, "train_labels.csv")
    signs = read_table(folder / "SignList_ClassId_TR_EN.csv", ("ClassId", "TR", "EN"))
    glosses = {row.name("ClassId"): row.name("TR") for row in signs}
    for split, path in files.items():
        for row in read_table(path, ("name", "class"), header=False):
            match = NAME.fullmatch(row.name("name"))
            if not match:
                raise row.error(f"{row.name('name')!r} is not like signer0_sample1")
            if row.name("class") not in glosses:
                raise row.error(f"class {row.name('class')} is not in the list of signs")
            yield Sample(
                id=match.group(),
                media=folder / split / f"{match.group()}_color.mp4",
                signer=match.group(1),
                split=split,
                glosses=(glosses[row.name("class")],),
                text="",
                language="tsm",
            )
