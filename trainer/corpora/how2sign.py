"""How2Sign: American Sign Language, instruction videos with sentences (Duarte et al., How2Sign,
CVPR 2021), in the realigned version.

    how2sign_realigned_{train,val,test}.csv     separated by tabs, in spite of its name
    {split}_rgb_front_clips/raw_videos/C0fPZgeY2rg_9-5-rgb_front.mp4    one sentence each
    {split}_raw_videos/C0fPZgeY2rg-5-rgb_front.mp4                      where there are no clips
or instead of the realigned csv
    {split}_tranlation_simplify.csv             id, translation; `simplify` is a machine's text
    labels.{train,dev,test}                     of Uni-Sign
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fingerpost.trainer.corpora.label_pickles import read_labels
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import Row, find_splits, no_annotations, read_table

NAME = re.compile(r".+-(\d+)-rgb_(?:front|side)")  # video, sentence, signer, camera
REALIGNED = ("VIDEO_NAME", "SENTENCE_NAME", "START_REALIGNED", "END_REALIGNED", "SENTENCE")


def read_how2sign(folder: Path) -> Iterator[Sample]:
    realigned = find_splits(folder, "how2sign_realigned_{split}.csv")
    simplified = find_splits(folder, "{split}_tran*lation_simplify.csv")
    labels = find_splits(folder, "labels.{split}")
    if not (realigned or simplified or labels):
        raise no_annotations(folder, "how2sign_realigned_train.csv", "labels.train")
    for split, path in realigned.items():
        for row in read_table(path, REALIGNED, delimiter="\t", quotes=False):
            yield _realigned(row, split, folder)
    if realigned:
        return
    for split, path in simplified.items():
        for row in read_table(path, ("id", "translation")):
            yield _sample(row, "id", "translation", split, folder)
    for split, path in labels.items():
        if split not in simplified:
            for s in read_labels(path, split, _clips(folder, split), "ase", "en"):
                yield replace(s, signer=_signer(s.id))


def _realigned(row: Row, split: str, folder: Path) -> Sample:
    sample = _sample(row, "SENTENCE_NAME", "SENTENCE", split, folder)
    sample = replace(sample, text=_unquoted(sample.text))
    whole = folder / f"{split}_raw_videos"
    if sample.media.parent.is_dir() or not whole.is_dir():
        return sample
    start_ms, end_ms = row.span_ms("START_REALIGNED", "END_REALIGNED")
    media = whole / f"{row.name('VIDEO_NAME')}.mp4"
    return replace(sample, media=media, start_ms=start_ms, end_ms=end_ms)


def _unquoted(text: str) -> str:
    """Speech is quoted in the sentences; a text that was quoted as a whole has doubled marks."""
    inner = text[1:-1]
    quoted = len(text) > 1 and text[0] == text[-1] == '"' and '""' in inner
    return inner.replace('""', '"') if quoted and '"' not in inner.replace('""', "") else text


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
