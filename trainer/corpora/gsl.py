"""GSL: Greek Sign Language, dialogues with glosses (Adaloglou et al., A Comprehensive Study on Deep
Learning-based Methods for Sign Language Recognition, 2021). Signer-independent split: 8,821 train,
588 dev, 881 test; 7 signers.

    gsl_split_SI_{train,dev,test}.csv    path|glosses; no header
    GSL_continuous/police1/police1_signer1_rep1_sentences/sentences0000/*.jpg
"""

import re
from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import find_splits, no_annotations, read_table

NAME = re.compile(r".+_(signer\d+)_rep\d+_sentences/sentences\d+")


def read_gsl(folder: Path) -> Iterator[Sample]:
    files = find_splits(folder, "gsl_split_SI_{split}.csv")
    if not files:
        raise no_annotations(folder, "gsl_split_SI_train.csv")
    for split, path in files.items():
        for row in read_table(path, ("path", "glosses"), "|", header=False, quotes=False):
            match = NAME.fullmatch(row.name("path"))
            if not match:
                raise row.error(f"{row.name('path')!r} names no signer, repetition and sentence")
            yield Sample(
                id=match.group(),
                media=folder / "GSL_continuous" / match.group(),
                signer=match.group(1),
                split=split,
                glosses=row.words("glosses"),
                text="",
                language="gss",
            )
