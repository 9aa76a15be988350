"""What a teacher says of a clip as a row of an Arrow table: how it becomes one and comes back.

All lists are flat; their shapes follow from how many questions, tokens and frames there are, and
from the teacher's settings. Logarithms of probabilities and states are float16: near 0, where a
probability says most, that is finer than a thousandth, and -10 (one in 20,000) is to 0.008.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from fingerpost.distill.teacher import STATES, ClipReading, QuestionReading, Said, TeacherSettings
from fingerpost.distill.top_k import TopK

ROW = pa.schema(  # Q questions, L tokens in all, n answers each, T frames
    {
        "id": pa.string(),
        "kinds": pa.list_(pa.string()),  # (Q,)
        "lengths": pa.list_(pa.int32()),  # (Q,), which L is the sum of
        "tokens": pa.list_(pa.int32()),  # (L,)
        "ids": pa.list_(pa.int32()),  # (L, k)
        "log_probs": pa.list_(pa.float16()),  # (L, k)
        "rests": pa.list_(pa.float32()),  # (L, temperatures)
        "said_lengths": pa.list_(pa.int32()),  # (Q, n)
        "said": pa.list_(pa.int32()),
        "scores": pa.list_(pa.float32()),  # (Q, n)
        "n_frames": pa.int32(),  # T; 0 where nothing of frames is kept
        "frame_ids": pa.list_(pa.int32()),  # (T, frames)
        "frame_log_probs": pa.list_(pa.float16()),  # (T, frames)
        "frame_rests": pa.list_(pa.float32()),  # (T, temperatures)
        "encoder": pa.list_(pa.float16()),  # (Q, T, D)
        "decoder": pa.list_(pa.float16()),  # (L, D)
    }
)
OF_TOKENS = TopK._fields


def table_of(readings: Sequence[ClipReading], metadata: dict[bytes, bytes]) -> pa.RecordBatch:
    """Readings as one Arrow record batch with the columns of ``ROW``."""
    rows = [_row_of(reading) for reading in readings]
    columns = [pa.array([row[name] for row in rows], ROW.field(name).type) for name in ROW.names]
    return pa.RecordBatch.from_arrays(columns, schema=ROW.with_metadata(metadata))


def reading_of(table: pa.RecordBatch, row: int, settings: TeacherSettings) -> ClipReading:
    """A row of a table as it was read. settings : those that it was made with"""
    fields = {name: table.column(name)[row] for name in ROW.names}
    kinds, n_frames = fields["kinds"].as_py(), fields["n_frames"].as_py()
    lengths = fields["lengths"].as_py()
    tokens = _array(fields["tokens"]).long().split(lengths)
    few = [part.split(lengths) for part in _top_k_of(fields, "", sum(lengths))]
    said = _said_of(fields, len(kinds))
    encoder: list[Tensor | None] = [None] * len(kinds)
    decoder: list[Tensor | None] = [None] * len(kinds)
    if "encoder" in settings.states:
        encoder = list(_array(fields["encoder"]).float().reshape(len(kinds), n_frames, -1))
    if "decoder" in settings.states:
        states = _array(fields["decoder"]).float().reshape(sum(lengths), -1)
        decoder = list(states.split(lengths))
    questions = tuple(
        QuestionReading(
            kind, tokens[i], TopK(*(part[i] for part in few)), said[i], encoder[i], decoder[i]
        )
        for i, kind in enumerate(kinds)
    )
    frames = _top_k_of(fields, "frame_", n_frames) if settings.frames else None
    return ClipReading(fields["id"].as_py(), questions, frames)


def _row_of(reading: ClipReading) -> dict[str, Any]:
    """A reading as the columns of ``ROW``; an empty list is a column that was not asked for."""
    questions, frames = reading.questions, reading.frames
    said = [one for question in questions for one in question.said]
    row: dict[str, Any] = dict.fromkeys(ROW.names, [])
    row |= {"id": reading.id, "kinds": [question.kind for question in questions]}
    row["lengths"] = [len(question.tokens) for question in questions]
    row["tokens"] = _flat([question.tokens for question in questions], np.int32)
    row["said_lengths"] = [len(one.tokens) for one in said]
    row["said"] = _flat([one.tokens for one in said], np.int32)
    row["scores"] = [one.score for one in said]
    for i, name in enumerate(OF_TOKENS):
        kind = ROW.field(name).type.value_type.to_pandas_dtype()
        row[name] = _flat([question.few[i] for question in questions], kind)
        row[f"frame_{name}"] = _flat([] if frames is None else [frames[i]], kind)
    for name in STATES:
        states = [getattr(question, name) for question in questions]
        row[name] = _flat([part for part in states if part is not None], np.float16)
    of_frames = questions[0].encoder if frames is None else frames.ids
    row["n_frames"] = 0 if of_frames is None else len(of_frames)
    return row


def _flat(parts: Sequence[Tensor], kind: Any) -> np.ndarray:
    if not parts:
        return np.empty(0, kind)
    return np.concatenate([part.detach().cpu().numpy().reshape(-1) for part in parts]).astype(kind)


def _array(column: pa.Scalar) -> Tensor:
    """A flat list as a tensor of its own."""
    return torch.from_numpy(column.values.to_numpy(zero_copy_only=False).copy())


def _top_k_of(fields: dict[str, Any], prefix: str, n: int) -> TopK:
    ids, log_probs, rests = (_array(fields[prefix + name]) for name in OF_TOKENS)
    return TopK(ids.long().reshape(n, -1), log_probs.float().reshape(n, -1), rests.reshape(n, -1))


def _said_of(fields: dict[str, Any], n_questions: int) -> list[tuple[Said, ...]]:
    """The answers to each question, as many to each."""
    lengths, scores = fields["said_lengths"].as_py(), fields["scores"].as_py()
    tokens = _array(fields["said"]).long().split(lengths) if lengths else ()
    said = [Said(*one) for one in zip(tokens, scores, strict=True)]
    n = len(said) // n_questions
    return [tuple(said[i * n : (i + 1) * n]) for i in range(n_questions)]
