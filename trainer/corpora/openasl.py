"""OpenASL: American Sign Language, YouTube videos with sentences (Shi et al., Open-Domain Sign
Language Translation Learned from Online Video, EMNLP 2022).

    openasl-v1.0.tsv                     vid, yid, start, end, raw-text, ..., split
    raw-video/1nFdgokPwBw.mp4            whole videos, by YouTube id
or  labels.{train,dev,test}              of Uni-Sign: 967 dev, 976 test
    rgb_format/1nFdgokPwBw-00:00:14.100-00:00:17.266.mp4
"""

import re
from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.label_pickles import read_labels
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import Row, find_splits, no_annotations, read_table

CLOCK = re.compile(r"(\d+):([0-5]\d):([0-5]\d)(?:\.(\d{1,3}))?")
COLUMNS = ("vid", "yid", "start", "end", "raw-text", "split")


def read_openasl(folder: Path) -> Iterator[Sample]:
    path, labels = folder / "openasl-v1.0.tsv", find_splits(folder, "labels.{split}")
    if path.is_file():
        for row in read_table(path, COLUMNS, delimiter="\t", quotes=False):
            start_ms, end_ms = _clock_ms(row, "start"), _clock_ms(row, "end")
            if start_ms >= end_ms:
                raise row.error(f"from {row.text('start')} to {row.text('end')} is no time span")
            yield Sample(
                id=row.name("vid"),
                media=folder / "raw-video" / f"{row.name('yid')}.mp4",
                signer="",
                split=row.split("split"),
                glosses=(),
                text=row.text("raw-text"),
                language="ase",
                start_ms=start_ms,
                end_ms=end_ms,
                text_language="en",
            )
    elif labels:
        for split, file in labels.items():
            yield from read_labels(file, split, folder / "rgb_format", "ase", "en")
    else:
        raise no_annotations(folder, path.name, "labels.train")


def _clock_ms(row: Row, name: str) -> int:
    match = CLOCK.fullmatch(row.text(name))
    if not match:
        raise row.error(f"{name} is {row.text(name)!r}, not a time as 00:00:14.100")
    hours, minutes, seconds, fraction = match.groups()
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int((fraction or "0").ljust(3, "0"))
