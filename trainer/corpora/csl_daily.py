"""CSL-Daily: Chinese Sign Language, everyday sentences with glosses (Zhou et al., Improving Sign
Language Translation with Monolingual Data, CVPR 2021). 18,401 train, 1,077 dev, 1,176 test.

    labels.{train,dev,test}              of Uni-Sign
    sentence-crop/S000020_P0000_T00.mp4
or, as the authors publish it,
    sentence_label/split_1.txt           name|split
    sentence_label/csl2020ct_v2.pkl      {"info": [{name, label_gloss, label_char, ...}]}
    sentence/frames_512x512/S000020_P0000_T00/*.jpg
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from fingerpost.trainer.corpora.label_pickles import load_plain_pickle, read_labels
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import Row, find_splits, no_annotations, read_table

NAME = re.compile(r"S\d+_(P\d+)_T\d+")  # sentence, signer, take


def read_csl_daily(folder: Path) -> Iterator[Sample]:
    labels, split_file = (
        find_splits(folder, "labels.{split}"),
        folder / "sentence_label/split_1.txt",
    )
    if split_file.is_file():
        yield from _from_release(folder, split_file)
    elif labels:
        for split, path in labels.items():
            for sample in read_labels(path, split, folder / "sentence-crop", "csl", "zh"):
                yield _with_signer(sample)
    else:
        raise no_annotations(folder, "labels.train", "sentence_label/split_1.txt")


def _with_signer(sample: Sample) -> Sample:
    match = NAME.fullmatch(sample.id)
    signer = match.group(1) if match else ""
    return replace(sample, signer=signer)


def _from_release(folder: Path, split_file: Path) -> Iterator[Sample]:
    """Every name of the split file; one that has no label becomes a sample without."""
    path = folder / "sentence_label/csl2020ct_v2.pkl"
    labels: dict[str, Row] = {}
    for number, info in enumerate(_infos(path), start=1):
        row = Row(f"{path}, record {number}", info)
        labels[row.name("name")] = row
    for row in read_table(split_file, ("name", "split"), delimiter="|"):
        name = row.name("name")
        label = labels.get(name)
        yield _with_signer(
            Sample(
                id=name,
                media=folder / "sentence/frames_512x512" / name,
                signer="",
                split=row.split("split"),
                glosses=label.words("label_gloss") if label else (),
                text="".join(label.words("label_char")) if label else "",
                language="csl",
                text_language="zh",
            )
        )


def _infos(path: Path) -> list[Any]:
    content = load_plain_pickle(path)
    infos = content.get("info") if isinstance(content, dict) else None
    if not isinstance(infos, list):
        raise ValueError(f"{path}: expected a dict with a list 'info'")
    return infos
