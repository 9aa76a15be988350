"""Clips as rows of an Arrow table: what is in a row, how a clip becomes one and comes back.

A row holds the labels of a clip and two flat lists. ``coordinates`` is float16, (T, K, 2) as x, y,
or (T, K, 3) as x, y, z where the extractor gave any z: half a pixel of a picture 1,000 wide.
``confidence`` is a byte, (T, K), in steps of 1/255: two bytes would be a third of all the bytes of
a clip, for digits that no extractor means. What was seen never becomes 0, "not seen".

Every row names its schema and its extractor, so that a row on its own (of a stream, or from a hub)
is a whole clip. Rows that were written before there were spans have none.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fingerpost.edge_runtime.keypoints import PoseSequence, schema

if TYPE_CHECKING:
    import torch

FLOAT16_MAX = float(np.finfo(np.float16).max)  # 65504
CONFIDENCE_STEPS = 255
LABELS = ("id", "signer", "split", "glosses", "text", "language", "text_language")
ROW = pa.schema(
    {
        "id": pa.string(),
        "signer": pa.string(),
        "split": pa.string(),
        "glosses": pa.list_(pa.string()),
        "spans": pa.list_(pa.int32()),  # start, end, start, end, ...
        "text": pa.string(),
        "language": pa.string(),
        "text_language": pa.string(),
        "schema": pa.string(),
        "extractor": pa.string(),
        "start_ms": pa.int64(),
        "fps": pa.float64(),
        "aspect": pa.float64(),
        "n_frames": pa.int64(),
        "coordinates": pa.list_(pa.float16()),
        "confidence": pa.list_(pa.uint8()),
    }
)
KEYPOINTS = ("coordinates", "confidence")
NEWER: dict[str, list[int]] = {"spans": []}  # columns that older shards lack, and what stands there


@dataclass(frozen=True)
class Clip:
    """A sample with its keypoints: what training eats.

    id : unique within its shards
    signer : "" where nobody said
    split : train, val or test; "" where there are no parts
    glosses : the signs in order; () where there are none
    text : the sentence; "" where there is none
    language : ISO 639-3 code of the sign language (ase, csl, gsg, ...)
    text_language : code of the text's language (en, zh, de, ...)
    sequence : the keypoints
    spans : start and end of each gloss, ms from the first frame; () where nobody knows
    """

    id: str
    signer: str
    split: str
    glosses: tuple[str, ...]
    text: str
    language: str
    text_language: str
    sequence: PoseSequence
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Row:
    """A clip as it is stored. coordinates : (T * K * C,) float16; confidence : (T * K,) uint8."""

    fields: dict[str, Any]
    coordinates: np.ndarray
    confidence: np.ndarray

    @property
    def n_bytes(self) -> int:
        """Of the keypoints; the labels hardly weigh."""
        return self.coordinates.nbytes + self.confidence.nbytes

    def digest(self) -> int:
        """SHA-256 of all that the row says, as a number."""
        said = {k: v for k, v in self.fields.items() if k not in NEWER or v != NEWER[k]}
        hashed = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        hashed.update(self.coordinates.tobytes())
        hashed.update(self.confidence.tobytes())
        return int.from_bytes(hashed.digest(), "big")


def row_of(clip: Clip) -> Row:
    """A clip as a row. ValueError names the clip that has no frames, or numbers that cannot be."""
    sequence = clip.sequence
    xyz, confidence = sequence.xyz, sequence.confidence
    if len(sequence) == 0:
        raise ValueError(f"clip {clip.id!r} has no frames; leave it out")
    if not (np.isfinite(xyz).all() and np.isfinite(confidence).all()):
        raise ValueError(f"clip {clip.id!r} has keypoints that are NaN or infinite; 0 is unseen")
    if confidence.min() < 0 or confidence.max() > 1:
        raise ValueError(f"clip {clip.id!r} has confidences outside 0 to 1; scale them first")
    if not (0 < sequence.fps < 1000 and sequence.aspect > 0):
        raise ValueError(f"clip {clip.id!r}: fps {sequence.fps}, aspect {sequence.aspect} can't be")
    if clip.spans and len(clip.spans) != len(clip.glosses):
        raise ValueError(f"clip {clip.id!r} has {len(clip.spans)} spans; give one for each gloss")
    if any(start > end for start, end in clip.spans):
        raise ValueError(f"clip {clip.id!r} has a span that ends before it starts")
    if not xyz[..., 2].any():
        xyz = xyz[..., :2]
    steps = np.rint(confidence * CONFIDENCE_STEPS)
    return Row(
        {
            **{name: getattr(clip, name) for name in LABELS if name != "glosses"},
            "glosses": list(clip.glosses),
            "spans": [int(ms) for span in clip.spans for ms in span],
            "schema": sequence.schema.name,
            "extractor": sequence.extractor,
            "start_ms": int(sequence.start_ms),
            "fps": float(sequence.fps),
            "aspect": float(sequence.aspect),
            "n_frames": len(sequence),
        },
        np.clip(xyz, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16).reshape(-1),
        np.where(confidence > 0, np.maximum(steps, 1), 0).astype(np.uint8).reshape(-1),
    )


def table_of(rows: Sequence[Row]) -> pa.RecordBatch:
    """Rows as one Arrow record batch with the columns of ``ROW``."""
    columns = {
        name: pa.array([row.fields[name] for row in rows], ROW.field(name).type)
        for name in ROW.names
        if name not in KEYPOINTS
    }
    for name in KEYPOINTS:
        parts = [getattr(row, name) for row in rows]
        offsets = np.cumsum([0, *map(len, parts)])
        if offsets[-1] > np.iinfo(np.int32).max:
            raise ValueError(f"a clip before {rows[-1].fields['id']!r} has too many frames; cut it")
        values = pa.array(np.concatenate(parts))
        columns[name] = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)
    return pa.RecordBatch.from_arrays([columns[name] for name in ROW.names], schema=ROW)


def with_newer_columns(rows: Any) -> Any:
    """A record batch or table of any age, with the columns that it lacks of ``NEWER``."""
    for name in NEWER:
        if name not in rows.schema.names:
            empty = pa.array([NEWER[name]] * rows.num_rows, ROW.field(name).type)
            rows = rows.append_column(ROW.field(name), empty)
    return rows


class ClipTable:
    """Random access to the clips of one record batch; keypoints are read only when asked for.

    ValueError where the columns are not those of ``ROW``, or do not fit each other.
    """

    def __init__(self, batch: pa.RecordBatch) -> None:
        batch = with_newer_columns(batch)
        wanted = {field.name: field.type for field in ROW}
        found = {field.name: field.type for field in batch.schema}
        wrong = sorted(name for name, kind in wanted.items() if found.get(name) != kind)
        if wrong:
            raise ValueError(f"it has no column {', '.join(wrong)} as clips have it")
        batch.validate(full=True)  # of labels and offsets: the keypoints are not read
        self.batch = batch
        self.n_frames = batch.column("n_frames").to_numpy()  # (rows,)
        self._fields = {name: batch.column(name) for name in ROW.names if name not in KEYPOINTS}
        self._lists = {name: _flat(batch.column(name)) for name in KEYPOINTS}
        points = np.array([len(schema(name)) for name in self.column("schema")], np.int64)
        numbers = {name: np.diff(offsets) for name, (offsets, _) in self._lists.items()}
        per_point, rest = np.divmod(numbers["coordinates"], np.maximum(numbers["confidence"], 1))
        fits = (numbers["confidence"] == self.n_frames * points) & (self.n_frames > 0)
        if not (fits & (rest == 0) & np.isin(per_point, (2, 3))).all():
            raise ValueError("its keypoints do not fit its frames")

    def __len__(self) -> int:
        return self.batch.num_rows

    def column(self, name: str) -> list[Any]:
        """One value a row, of any column but the keypoints."""
        return self.batch.column(name).to_pylist()

    def clip(self, i: int) -> Clip:
        """Clip i, float32, in arrays of its own."""
        fields = {name: column[i].as_py() for name, column in self._fields.items()}
        named = schema(fields["schema"])
        t, k = fields["n_frames"], len(named)
        # torch turns float16 into float32 with the processor's own instruction, numpy does not.
        stored = self._stored("coordinates", i).float().numpy()
        if len(stored) == t * k * 3:
            xyz = stored.reshape(t, k, 3)
        else:
            xyz = np.zeros((t, k, 3), np.float32)
            # A pair x, y moves as one number of 8 bytes: numpy is slow at an innermost axis of 2.
            pairs: np.ndarray = np.ndarray((t * k,), np.complex64, xyz, strides=(12,))
            pairs[:] = stored.view(np.complex64)
        confidence = self._stored("confidence", i).numpy() * np.float32(1 / CONFIDENCE_STEPS)
        sequence = PoseSequence(
            xyz,
            confidence.reshape(t, k),
            fields["fps"],
            named,
            fields["start_ms"],
            fields["aspect"],
            fields["extractor"],
        )
        labels = {name: fields[name] for name in LABELS}
        labels["glosses"] = tuple(fields["glosses"])
        ms = iter(fields["spans"])
        return Clip(**labels, sequence=sequence, spans=tuple(zip(ms, ms, strict=True)))

    def row(self, i: int) -> Row:
        """Row i as it is stored."""
        fields = {name: column[i].as_py() for name, column in self._fields.items()}
        return Row(fields, *(self._stored(name, i).numpy() for name in KEYPOINTS))

    def _stored(self, name: str, i: int) -> "torch.Tensor":
        """A view into the file, which must not be written to: nothing is copied."""
        offsets, values = self._lists[name]
        return values[offsets[i] : offsets[i + 1]]


def _flat(column: pa.ListArray) -> tuple[np.ndarray, "torch.Tensor"]:
    """Offsets (rows + 1,) and all values of a column of lists, both without copying."""
    import torch  # here, for who only writes clips need not wait for it

    return column.offsets.to_numpy(), torch.from_dlpack(column.values)
