"""Slovo: Russian Sign Language, isolated signs (Kapitanov et al., Slovo, ICVS 2023).
15,300 train, 5,100 test; 1,000 signs and `no_event`, 194 signers.

    annotations.csv                      separated by tabs or commas: attachment_id, user_id, text,
                                         train (True or False), ...
    {train,test}/de81cc1c-....mp4        trimmed; begin and end are frames of the untrimmed videos
"""

from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import read_lines, read_table

COLUMNS = ("attachment_id", "user_id", "text", "train")
IS_TRAIN = {"true": "train", "false": "test"}


def read_slovo(folder: Path) -> Iterator[Sample]:
    path = folder / "annotations.csv"
    first = next(iter(read_lines(path)), "")
    delimiter = "\t" if "\t" in first else ","
    for row in read_table(path, COLUMNS, delimiter=delimiter):
        split = IS_TRAIN.get(row.text("train").lower())
        if split is None:
            raise row.error(f"train is {row.text('train')!r}, neither True nor False")
        yield Sample(
            id=row.name("attachment_id"),
            media=folder / split / f"{row.name('attachment_id')}.mp4",
            signer=row.name("user_id"),
            split=split,
            glosses=(row.name("text"),),
            text="",
            language="rsl",
        )
