"""CSL-News: Chinese Sign Language, news with sentences (Li et al., Uni-Sign, ICLR 2025).
1,985 hours for pre-training; it has no split but train.

    CSL_News_Labels.json                 [{video, pose, text}]
    rgb_format/Common-Concerns_20201113_0-287_14330.mp4
"""

from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import read_json_records


def read_csl_news(folder: Path) -> Iterator[Sample]:
    for row in read_json_records(folder / "CSL_News_Labels.json"):
        video = row.name("video")
        yield Sample(
            id=Path(video).stem,
            media=folder / "rgb_format" / video,
            signer="",
            split="train",
            glosses=(),
            text=row.text("text"),
            language="csl",
            text_language="zh",
        )
