"""How2Sign: American Sign Language, instruction videos with sentences (Duarte et al., How2Sign,
CVPR 2021), in the realigned version.

    how2sign_realigned_{train,val,test}.csv     separated by tabs, in spite of its name
    {split}_rgb_front_clips/raw_videos/C0fPZgeY2rg_9-5-rgb_front.mp4
or  {split}_tranlation_simplify.csv             id, translation; `simplify` is a machine's text
or  labels.{train,dev,test}                     of Uni-Sign

The clips are one sentence each; the times of the csv are those of the whole video, and not needed.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fingerpost.trainer.corpora.label_pickles import read_labels
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import Row, find_splits, no_annotations, read_table

NAME = re.compile(r".+-(\d+)-rgb_(?:front|side)")  # video, sentence, signer, camera
REALIGNED = ("SENTENCE_NAME", "START_REALIGNED", "END_REALIGNED", "SENTENCE")


def read_how2sign(folder: Path) -> Iterator[Sample]:
    realigned = find_splits(folder, "how2sign_realigned_{split}.csv")
    simplified = find_splits(folder, "{split}_tran*lation_simplify.csv")
    labels = find_splits(folder, "labels.{split}")
    if not (realigned or simplified or labels):
        raise no_annotations(folder, "how2sign_realigned_train.csv", "labels.train")
    for split, path in realigned.items():
        for row in read_table(path, REALIGNED, delimiter="\t", quotes=False):
            row.span_ms("START_REALIGNED", "END_REALIGNED")  # for the sake of a broken line
            yield _sample(row, "SENTENCE_NAME", "SENTENCE", split, folder)
    if realigned:
        return
    for split, path in simplified.items():
        for row in read_table(path, ("id", "translation")):
            yield _sample(row, "id", "translation", split, folder)
    for split, path in labels.items():
        if split not in simplified:
            for s in read_labels(path, split, _clips(folder, split), "ase", "en"):
                yield replace(s, signer=_signer(s.id))


def _clips(folder: Path, split: str) -> Path:
    return folder / f"{split}_rgb_front_clips" / "raw_videos"


def _signer(name: str) -> str:
    match = NAME.fullmatch(name)
    return match.group(1) if match else ""


def _sample(row: Row, name: str, text: str, split: str, folder: Path) -> Sample:
    return Sample(
        id=row.name(name),
        media=_clips(folder, split) / f"{row.name(name)}.mp4",
        signer=_signer(row.name(name)),
        split=split,
        glosses=(),
        text=row.text(text),
        language="ase",
        text_language="en",
    )
