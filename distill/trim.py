"""A checkpoint cut to the vocabulary of a corpus: the same answers, of a fraction of the size.

    report = trim_checkpoint(Path("uni_sign"), ["my_shards"], Path("uni_sign_trimmed"))

mT5-base as it ships has 582 M parameters, of which 384 M are its two matrices of 250,112 pieces; a
corpus of sign language needs a few thousand of these. ``trainer.trimmed_vocabulary`` says which
pieces stay and does the cutting; here a whole checkpoint is cut, and both are asked the same clips.

What stays the same, and what does not:

- the logits of the pieces that stay, to float rounding: neither a state nor a row has changed;
- the probabilities do not: each grows by the same factor, 1 / (the share that the pieces that stay
  had together). What was likeliest of them still is, so greedy answers of kept pieces stay;
- beam search adds up logarithms, and this factor differs from one beginning to the next. It is as
  if the full model had been forbidden the other pieces and its probabilities scaled to sum to 1
  again. A model that puts no mass there, as one that learned the corpus, answers as before.

So the answers to some clips are compared, beam search and all, and words of the full model's
answers that no text of the corpus has are kept too.
"""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from fingerpost.trainer.checkpoint import (
    WEIGHTS,
    load_checkpoint,
    resolve_checkpoint,
    save_checkpoint,
)
from fingerpost.trainer.evaluate import load_for_answers, predict
from fingerpost.trainer.feed import Clips, PreparedClips
from fingerpost.trainer.plain_tensors import sha256_of
from fingerpost.trainer.tasks import find_task
from fingerpost.trainer.tasks.task import Task
from fingerpost.trainer.trimmed_vocabulary import (
    CONFIG_IDS,
    IDS_FILE,
    TrimmedVocabulary,
    trim_embeddings,
    trim_vocabulary,
)
from fingerpost.trainer.vocabulary import prompts

Said = dict[tuple[str, str], str]  # by clip and kind of answer
BATCH = 4  # clips at once when answers are compared; the full model may be large


@dataclass(frozen=True)
class TrimReport:
    """What trimming saved. Bytes are those on disk.

    n_texts : different texts of the corpus that the vocabulary was cut to
    n_checked, n_same : answers that were compared, and those that stayed as they were
    differing : the ids of the clips of the others
    """

    n_texts: int
    old_pieces: int
    new_pieces: int
    old_parameters: int
    new_parameters: int
    old_weights_bytes: int
    new_weights_bytes: int
    old_tokenizer_bytes: int
    new_tokenizer_bytes: int
    n_checked: int
    n_same: int
    differing: tuple[str, ...] = ()


def trim_checkpoint(
    folder: Path,
    shards: Sequence[str],
    output: Path,
    splits: Sequence[str] = (),
    keep: Sequence[str] = (),
    n_clips: int = 16,
    changes: dict[str, Any] | None = None,
) -> TrimReport:
    """Writes a checkpoint with the corpus's vocabulary into a new folder, whole or not at all.

    folder : a checkpoint, or a training's folder; its network has a T5 or mT5
    shards : folders of the corpus; splits : of it, () for all
    keep : texts that it must be able to write too
    n_clips : so many of them are answered before and after; 0 = none
    changes : to the settings of its task, such as the folder of hands

    ValueError where there is nothing to cut, or the output is there already.
    """
    _check_new(output)
    checkpoint = resolve_checkpoint(folder)
    network, info, metrics = load_checkpoint(checkpoint)
    if not hasattr(network, "language_model"):
        raise ValueError(f"{checkpoint} has no language model, so there is nothing to trim")
    task = _task_of(checkpoint, info, changes or {})
    clips = [Clips(shards, split) for split in splits or ("",)]
    texts, codes = _texts_of(clips)
    before = _answers(network, task, clips[0], n_clips)
    asked = prompts([*codes, *getattr(task.settings, "prompts", {}).values()])
    old = _sizes(network, task, checkpoint)
    trimmed = trim_vocabulary(task.tokenizer, texts, [*asked, *keep, *before.values()])
    _cut(network, task, trimmed)
    partial = output.with_name(f".{output.name}.{os.getpid()}.part")
    partial.mkdir(parents=True)
    try:
        (partial / IDS_FILE).write_text(json.dumps(trimmed.old_ids) + "\n", encoding="utf-8")
        info |= {"trimmed_from": {"sha256": sha256_of(checkpoint / WEIGHTS)}}
        info |= task.save(partial) | {"settings": info["settings"]}  # without this run's changes
        save_checkpoint(partial, network, _beside_config(info), metrics)
        new = _sizes(network, task, partial)
        del network
        after = _answers(*load_for_answers(partial, changes or {}), clips[0], n_clips)
        os.replace(partial, output)  # a reader finds nothing, or all of it
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    differing = sorted({clip for (clip, kind) in before if before[clip, kind] != after[clip, kind]})
    n_same = sum(after[asked_of] == said for asked_of, said in before.items())
    sizes = {f"old_{k}": v for k, v in old.items()} | {f"new_{k}": v for k, v in new.items()}
    return TrimReport(
        n_texts=len(texts),
        **sizes,
        n_checked=len(before),
        n_same=n_same,
        differing=tuple(differing),
    )


def _check_new(output: Path) -> None:
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(f"{output} is there already: give another folder to write to")


def _task_of(checkpoint: Path, info: dict[str, Any], changes: dict[str, Any]) -> Any:
    if "task" not in info or "settings" not in info:
        raise ValueError(
            f"{checkpoint} has no tokenizer; if it was imported, import it again with --tokenizer "
            "google/mt5-base"
        )
    info = {**info, "settings": {**info["settings"], **changes}}
    return find_task(info["task"]).from_checkpoint(checkpoint, info)


def _texts_of(clips: Iterable[Clips]) -> tuple[list[str], list[str]]:
    """What a model of these clips writes, each once, and the codes of their languages.

    Every gloss is there in its row and on its own, for it can begin a text.
    """
    texts: dict[str, None] = {}
    codes: set[str] = set()
    for part in clips:
        rows = [list(row) for row in part.column("glosses")]
        single = [gloss for row in rows for gloss in row]
        texts |= dict.fromkeys([*part.column("text"), *map(" ".join, rows), *single])
        codes |= set(part.column("text_language"))
    found = [text for text in texts if text.strip()]
    if not found:
        raise ValueError("these clips have no text and no glosses to cut a vocabulary to")
    return found, sorted(codes - {""})


def _answers(network: nn.Module, task: Task, clips: Clips, n_clips: int) -> Said:
    """The answers to so many clips, from all over the corpus."""
    numbers = _clips_to_ask(task, clips, n_clips)
    prepared = PreparedClips(clips, task, cache=False)
    said = predict(task, network, prepared, numbers, BATCH, "cpu")
    return {(one.id, kind): one.said for kind, answers in said.items() for one in answers}


def _clips_to_ask(task: Task, clips: Clips, n_clips: int) -> list[int]:
    """So many numbers of clips that have a label for what the task asks, always the same."""
    found: list[int] = []
    for i in np.random.default_rng(0).permutation(len(clips)).tolist():
        if len(found) >= n_clips:
            break
        try:
            task.prepare(clips[i])
        except ValueError:  # such as a single sign, where it is sentences that are asked for
            continue
        found.append(i)
    return found


def _cut(network: Any, task: Any, trimmed: TrimmedVocabulary) -> None:
    """Network and task, with the trimmed vocabulary, in place."""
    trim_embeddings(network.language_model, trimmed.old_ids)
    now = network.language_model.config
    fields = {name: getattr(now, name, None) for name in ("vocab_size", *CONFIG_IDS)}
    known = {name: value for name, value in fields.items() if value is not None}
    kept = {**network.config.language_model, **known}
    network.config = replace(network.config, language_model=kept)
    task.tokenizer = trimmed.tokenizer


def _beside_config(info: dict[str, Any]) -> dict[str, Any]:
    """What config.json says beside the model's name and config, which are written anew."""
    return {name: value for name, value in info.items() if name not in ("model", "config")}


def _sizes(network: nn.Module, task: Any, folder: Path) -> dict[str, int]:
    """The numbers of a ``TrimReport``, before or after."""
    return {
        "pieces": len(task.tokenizer),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "weights_bytes": (folder / WEIGHTS).stat().st_size,
        "tokenizer_bytes": len(task.tokenizer.backend_tokenizer.to_str().encode()),
    }
