"""ASL Citizen: American Sign Language, isolated signs filmed by deaf signers with their own cameras
(Desai et al., ASL Citizen, NeurIPS 2023). 40,154 train, 10,304 val, 32,941 test; 2,731 signs.

    splits/{train,val,test}.csv          Participant ID,Video file,Gloss,ASL-LEX Code
    videos/4729912950-APPLE.mp4

The gloss is the csv's: the one in the file name can be another.
"""

from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import find_splits, no_annotations, read_table


def read_asl_citizen(folder: Path) -> Iterator[Sample]:
    files = find_splits(folder, "splits/{split}.csv", "{split}.csv")
    if not files:
        raise no_annotations(folder, "splits/train.csv")
    for split, path in files.items():
        for row in read_table(path, ("Participant ID", "Video file", "Gloss")):
            video = row.name("Video file")
            yield Sample(
                id=Path(video).stem,
                media=folder / "videos" / video,
                signer=row.name("Participant ID"),
                split=split,
                glosses=(row.name("Gloss"),),
                text="",
                language="ase",
            )
