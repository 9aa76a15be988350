"""MS-ASL: American Sign Language, isolated signs of YouTube videos (Joze and Koller, MS-ASL,
BMVC 2019). MS-ASL100: 3,789 train, 1,190 val, 757 test.

    MSASL_{train,val,test}.json          or MS_ASL_SI_ASL100_{...}.json as OpenHands has them
    videos/l31UXgChCS4.mp4               whole videos, by YouTube id
    clips/l31UXgChCS4_0_110.mp4          cut clips (id, first, last frame): the files of OpenHands
                                         have frame numbers only, and no frame rate to cut by
"""

import re
from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import Row, find_splits, no_annotations, read_json_records

YOUTUBE = re.compile(r"(?:v=|youtu\.be/|/embed/)([\w-]{11})")


def read_ms_asl(folder: Path, n_glosses: int = 1000) -> Iterator[Sample]:
    """n_glosses : 100, 200, 500 or 1000 for the official subsets."""
    files = find_splits(folder, "MSASL_{split}.json", "MS_ASL_*_{split}.json")
    if not files:
        raise no_annotations(folder, "MSASL_train.json", "MS_ASL_SI_ASL100_train.json")
    for split, path in files.items():
        for row in read_json_records(path):
            if row.number("label") < n_glosses:
                yield _sample(row, split, folder)


def _sample(row: Row, split: str, folder: Path) -> Sample:
    match = YOUTUBE.search(row.name("url"))
    if not match:
        raise row.error(f"no YouTube id in the url {row.name('url')!r}")
    video, start_ms, end_ms = match.group(1), None, None
    clip = f"{video}_{row.name('start')}_{row.name('end')}"
    media = folder / "clips" / f"{clip}.mp4"
    if "start_time" in row.fields:
        start_ms, end_ms = row.span_ms("start_time", "end_time")
        media = folder / "videos" / f"{video}.mp4"
    return Sample(
        id=clip,
        media=media,
        signer=row.name("signer_id"),
        split=split,
        glosses=(row.text("text"),),  # the class; clean_text is what the video called it
        text="",
        language="ase",
        start_ms=start_ms,
        end_ms=end_ms,
    )
