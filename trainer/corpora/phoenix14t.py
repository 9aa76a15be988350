"""RWTH-PHOENIX-Weather 2014 T: German Sign Language, weather forecasts with glosses and sentences
(Camgoz et al., Neural Sign Language Translation, CVPR 2018). 7,096 train, 519 dev, 642 test.

    annotations/manual/PHOENIX-2014-T.{train,dev,test}.corpus.csv
                                         name|video|start|end|speaker|orth|translation
or the same lines apart: phoenix2014T.{train,dev,test}.{sign,gloss,de}
    features/fullFrame-210x260px/{train,dev,test}/01April_2010_Thursday_heute-6694/
"""

from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import (
    find_splits,
    no_annotations,
    read_lines,
    read_table,
)

FRAMES = Path("features/fullFrame-210x260px")
OWN_NAME = {"train": "train", "val": "dev", "test": "test"}


def read_phoenix14t(folder: Path) -> Iterator[Sample]:
    tables = find_splits(
        folder,
        "PHOENIX-2014-T.{split}.corpus.csv",
        "annotations/manual/PHOENIX-2014-T.{split}.corpus.csv",
    )
    lines = find_splits(folder, "phoenix2014T.{split}.sign")
    if not tables and not lines:
        raise no_annotations(folder, "PHOENIX-2014-T.train.corpus.csv", "phoenix2014T.train.sign")
    columns = ("name", "speaker", "orth", "translation")
    for split, path in tables.items():
        for row in read_table(path, columns, delimiter="|", quotes=False):
            name, speaker = row.name("name"), row.text("speaker")
            yield _sample(folder, split, name, speaker, row.words("orth"), row.text("translation"))
    for split, path in ({} if tables else lines).items():
        names = [Path(line.strip()).name for line in read_lines(path)]
        glosses = _parallel(path, ".gloss", len(names))
        texts = _parallel(path, ".de", len(names))
        for number, (name, gloss, text) in enumerate(zip(names, glosses, texts, strict=True), 1):
            if not name:
                raise ValueError(f"{path}, line {number}: no name of a video")
            yield _sample(folder, split, name, "", tuple(gloss.split()), text)


def _parallel(path: Path, suffix: str, n_lines: int) -> list[str]:
    """The lines that belong to those of another file."""
    path = path.with_suffix(suffix)
    lines = read_lines(path)
    if len(lines) != n_lines:
        raise ValueError(
            f"{path}, line {min(len(lines), n_lines) + 1}: has {len(lines)} lines, "
            f"and its .sign file has {n_lines}"
        )
    return lines


def _sample(
    folder: Path, split: str, name: str, signer: str, glosses: tuple[str, ...], text: str
) -> Sample:
    return Sample(
        id=name,
        media=folder / FRAMES / OWN_NAME[split] / name,
        signer=signer,
        split=split,
        glosses=glosses,
        text=text.strip(),
        language="gsg",
        text_language="de",
    )
