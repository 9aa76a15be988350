"""INCLUDE-50: Indian Sign Language, isolated signs (Sridhar et al., INCLUDE, ACM MM 2020).
766 train, 192 test; 50 signs. Signers are not stated.

    {train,test}_include50.csv           Category,Word,Video,FilePath
    Animals/4. Bird/MVI_2987.MOV
"""

import re
from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import find_splits, no_annotations, read_table

WORD = re.compile(r"\d+\.\s*(\S.*)")  # numbered within its category


def read_include50(folder: Path) -> Iterator[Sample]:
    files = find_splits(folder, "{split}_include50.csv")
    if not files:
        raise no_annotations(folder, "train_include50.csv")
    for split, path in files.items():
        for row in read_table(path, ("Word", "FilePath")):
            match = WORD.fullmatch(row.name("Word"))
            if not match:
                raise row.error(f"Word is {row.name('Word')!r}, not like '4. Bird'")
            yield Sample(
                id=row.name("FilePath"),
                media=folder / row.name("FilePath"),
                signer="",
                split=split,
                glosses=(match.group(1).strip(),),
                text="",
                language="ins",
            )
