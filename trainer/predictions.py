"""What a model said of each clip, and the table that keeps it: predictions.csv.

    id,signer,truth,said,ranked
    clip_01,anna,hello,bye,"[""bye"", ""hello""]"

``signer`` and ``ranked`` may be missing, so that the output of any other model can be evaluated.
``ranked`` is a JSON list, because a gloss may hold any character that could separate two.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fingerpost.trainer.corpora.tables import Row, read_table
from fingerpost.trainer.text import collapse_spaces

COLUMNS = ("id", "signer", "truth", "said", "ranked")


@dataclass(frozen=True)
class Prediction:
    """What a model said of one clip.

    signer : "" where the corpus does not say
    truth, said : a gloss, glosses with blanks between them, or a sentence; "" for none
    ranked : for isolated signs, the glosses from best to worst, the first one as in ``said``;
        () where there is no ranking
    """

    id: str
    signer: str
    truth: str
    said: str
    ranked: tuple[str, ...] = ()


def one_line(prediction: Prediction) -> Prediction:
    """The same without line breaks and doubled blanks, which no metric should see."""
    return Prediction(
        prediction.id,
        collapse_spaces(prediction.signer),
        collapse_spaces(prediction.truth),
        collapse_spaces(prediction.said),
        tuple(map(collapse_spaces, prediction.ranked)),
    )


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Writes the table whole or not at all; each clip in one line."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for p in map(one_line, predictions):
            ranked = json.dumps(p.ranked, ensure_ascii=False) if p.ranked else ""
            table.writerow((p.id, p.signer, p.truth, p.said, ranked))
    partial.replace(path)


def read_predictions(path: Path) -> list[Prediction]:
    """The rows of a predictions.csv, in its order.

    FileNotFoundError where there is none; ValueError, with the line, where a row is damaged.
    """
    return [_prediction(row) for row in read_table(path, ("id", "truth", "said"))]


def _prediction(row: Row) -> Prediction:
    signer = row.text("signer") if "signer" in row.fields else ""
    ranked = row.text("ranked") if "ranked" in row.fields else ""
    glosses: object = []
    if ranked:
        try:
            glosses = json.loads(ranked)
        except json.JSONDecodeError:
            glosses = None
    if not isinstance(glosses, list) or not all(isinstance(gloss, str) for gloss in glosses):
        raise row.error(f'ranked is {ranked!r}; write a JSON list such as ["bye", "hello"]')
    return Prediction(row.name("id"), signer, row.text("truth"), row.text("said"), tuple(glosses))
