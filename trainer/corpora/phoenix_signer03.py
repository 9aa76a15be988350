"""RWTH-PHOENIX-Weather Signer03 cut-out: German Sign Language, isolated signs of one signer, cut
from the weather forecasts (Forster et al., LREC 2014).

    RWTH-PHOENIX-Weather-Signer03-cutout.{train,test}.corpus     XML
    {train,test}/01May_2010_Saturday_tagesschau_default_wort-0/*.png

The recordings are numbered anew in each split: one name stands for two clips.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import find_splits, no_annotations


def read_phoenix_signer03(folder: Path) -> Iterator[Sample]:
    files = find_splits(folder, "RWTH-PHOENIX-Weather-Signer03-cutout.{split}.corpus")
    if not files:
        raise no_annotations(folder, "RWTH-PHOENIX-Weather-Signer03-cutout.train.corpus")
    for split, path in files.items():
        try:
            corpus = ET.parse(path).getroot()
        except ET.ParseError as error:
            raise ValueError(f"{path}, line {error.position[0]}: not XML: {error}") from None
        except (LookupError, ValueError) as error:  # an encoding that nobody knows
            raise ValueError(f"{path}, line 1: not XML: {error}") from None
        for number, recording in enumerate(corpus.iter("recording"), start=1):
            name, speaker = recording.get("name", ""), recording.find("segment/speaker")
            if not name or speaker is None:
                raise ValueError(f"{path}, recording {number}: no name or no speaker")
            yield Sample(
                id=f"{split}/{name}",
                media=folder / split / Path(recording.get("video", name + "/*")).parent,
                signer=speaker.get("name", ""),
                split=split,
                glosses=tuple((recording.findtext("segment/orth") or "").split()),
                text="",
                language="gsg",
            )
