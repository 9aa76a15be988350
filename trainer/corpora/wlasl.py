"""WLASL: American Sign Language, isolated signs (Li et al., Word-level Deep Sign Language
Recognition from Video, WACV 2020). 21,083 clips, 2,000 glosses, 119 signers.

    WLASL_v0.3.json                      or labels-2000.{train,dev,test} of Uni-Sign
    videos/69241.mp4                     the clips, cut by the corpus's own preprocess.py
    raw_videos/69241.mp4                 where there is no videos/: the videos as they were loaded

The glosses come in order: the first 100 are WLASL100, the first 300 WLASL300, and so on.
442 of the source videos are in two splits (often under glosses that are synonyms): check() lists
their clips.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.label_pickles import read_labels
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import Row, find_splits, no_annotations, read_json_records

FRAME_MS = 1000 // 25  # frame numbers are those of the video at 25 fps
YOUTUBE = re.compile(r"youtu(?:\.be/|be\.com/watch\?v=)([\w-]{11})")


def read_wlasl(folder: Path, n_glosses: int = 2000) -> Iterator[Sample]:
    """n_glosses : 100, 300, 1000 or 2000 for the official subsets."""
    path = folder / "WLASL_v0.3.json"
    labels = find_splits(folder, "labels-2000.{split}")
    if not path.is_file() and not labels:
        raise no_annotations(folder, path.name, "labels-2000.train")
    if not path.is_file():
        for split, file in labels.items():
            yield from _from_labels(file, split, folder / "videos")
        return
    raw = not (folder / "videos").is_dir() and (folder / "raw_videos").is_dir()
    for number, entry in enumerate(read_json_records(path)):
        if number == n_glosses:
            break
        gloss, instances = entry.name("gloss"), entry.fields.get("instances")
        if not isinstance(instances, list):
            raise entry.error(f"gloss {gloss!r} has no list of instances")
        for i, fields in enumerate(instances, start=1):
            yield _sample(Row(f"{entry.where}, instance {i}", fields), gloss, folder, raw)


def _sample(row: Row, gloss: str, folder: Path, raw: bool) -> Sample:
    video = row.name("video_id")
    media, start_ms, end_ms = folder / "videos" / f"{video}.mp4", None, None
    first, last = int(row.number("frame_start")), int(row.number("frame_end"))
    if first < 1 or (last != -1 and last < first):
        raise row.error(f"frames {first} to {last} are no time span")
    source = f"{row.text('url')} {first} {last}"
    if raw:
        youtube = YOUTUBE.search(row.text("url"))
        media = folder / "raw_videos" / f"{youtube.group(1) if youtube else video}.mp4"
        start_ms = (first - 1) * FRAME_MS if first > 1 else None
        end_ms = last * FRAME_MS if last != -1 else None  # -1 : the video's last frame
    return Sample(
        id=video,
        media=media,
        signer=row.name("signer_id"),
        split=row.split("split"),
        glosses=(gloss,),
        text="",
        language="ase",
        start_ms=start_ms,
        end_ms=end_ms,
        source=source,
    )


def _from_labels(path: Path, split: str, videos: Path) -> Iterator[Sample]:
    """Uni-Sign's labels have the gloss where sentences have their text."""
    for sample in read_labels(path, split, videos, "ase", ""):
        glosses = (sample.text,) if sample.text else ()
        yield Sample(sample.id, sample.media, "", split, glosses, "", "ase")
