"""A smaller vocabulary: the pieces of a pretrained tokenizer that a corpus and its language need.

mT5 knows 250,112 pieces, and its two matrices of them are most of its size; a corpus of captions
needs a few thousand. What stays:

- all special and added tokens, and the pieces that stand for single bytes;
- every piece that is part of a word of the corpus, single characters included: with them the
  corpus has every segmentation that it had, so the best one stays the best (Unigram), and every
  merge on the way to it is there (BPE);
- one piece of the lowest score, because Unigram derives an unknown character's cost from it.

Ids keep their order and close up. The model's matrices are cut to the same rows, so it gives the
same scores to the pieces that stay. Texts with characters that the corpus does not have need
`keep`: an alphabet, the prompt, names.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")
KINDS = ("Unigram", "BPE")  # what `tokenizers` calls them
LANGUAGE_MODELS = ("t5", "mt5")
CONFIG_IDS = (  # fields of configurations that hold piece ids
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
)
IDS_FILE = "old_ids.json"  # beside the tokenizer's own files


@dataclass(frozen=True)
class TrimmedVocabulary:
    """A tokenizer of ``transformers`` and what its ids were.

    old_ids : for each new id, from 0, the piece's id in the full vocabulary; ascending
    """

    tokenizer: Any
    old_ids: tuple[int, ...]

    @property
    def new_ids(self) -> dict[int, int]:
        """Old id to new id, of the pieces that stay."""
        return {old: new for new, old in enumerate(self.old_ids)}

    def save(self, folder: Path) -> None:
        """For ``from_pretrained``, with ``IDS_FILE`` beside it."""
        self.tokenizer.save_pretrained(folder)
        (folder / IDS_FILE).write_text(json.dumps(self.old_ids) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Savings:
    """What trimming saved. Bytes of the model: all its parameters; None where none was given."""

    n_texts: int
    old_pieces: int
    new_pieces: int
    old_tokenizer_bytes: int
    new_tokenizer_bytes: int
    old_model_bytes: int | None = None
    new_model_bytes: int | None = None

    def __str__(self) -> str:
        rows = [
            ("pieces", self.old_pieces, self.new_pieces, ""),
            ("tokenizer", self.old_tokenizer_bytes, self.new_tokenizer_bytes, " bytes"),
            ("model", self.old_model_bytes, self.new_model_bytes, " bytes"),
        ]
        lines = [f"{self.n_texts:,} texts: the same pieces before and after"]
        lines += [f"{n:10}{a:>15,} -> {b:>15,}{unit}" for n, a, b, unit in rows if a and b]
        return "\n".join(lines)


def trim_vocabulary(
    tokenizer: Any, texts: Iterable[str], keep: Iterable[str] = ()
) -> TrimmedVocabulary:
    """The vocabulary of a tokenizer, cut to texts and to what else to keep; both are checked.

    texts : the corpus, such as ``sample.text`` of its samples
    keep : texts that are not of the corpus but must be written or read too, such as the prompt
    """
    texts = [text for text in dict.fromkeys([*texts, *keep]) if text.strip()]
    if not texts:
        raise ValueError("no text to cut the vocabulary to: give a corpus that has sentences")
    old_ids = needed_ids(tokenizer, texts)
    trimmed = TrimmedVocabulary(_cut_tokenizer(tokenizer, old_ids), tuple(old_ids))
    _check_same(tokenizer, trimmed, texts)
    return trimmed


def needed_ids(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Ascending ids of the pieces that stay, as the module's docstring says which."""
    parts = _parts(tokenizer)
    id_of = _id_of_piece(parts["model"])
    ids = {token["id"] for token in parts["added_tokens"]}
    ids |= {i for piece, i in id_of.items() if BYTE_PIECE.fullmatch(piece)}
    ids |= {i for ids_of_text in _encode(tokenizer, texts) for i in ids_of_text}
    if parts["model"]["type"] == "Unigram":
        scores = [score for _, score in parts["model"]["vocab"]]
        ids |= {parts["model"]["unk_id"], scores.index(min(scores))} - {None}
    elif parts["model"].get("unk_token") in id_of:
        ids.add(id_of[parts["model"]["unk_token"]])
    longest = max(len(piece) for piece in id_of)
    for word in _words(tokenizer, texts):
        for start in range(len(word)):
            for end in range(start + 1, min(start + longest, len(word)) + 1):
                if (i := id_of.get(word[start:end])) is not None:
                    ids.add(i)
    return sorted(ids)


def trim_embeddings(model: Any, old_ids: Sequence[int]) -> None:
    """Cuts a T5 or mT5 of ``transformers`` to the pieces of a trimmed vocabulary, in place.

    Matrices for reading and for writing that are one matrix stay one; two stay two. The ids in
    the model's configurations become the new ones. Build optimizers afterwards.

    old_ids : of ``TrimmedVocabulary``
    """
    if model.config.model_type not in LANGUAGE_MODELS:
        raise ValueError(
            f"cannot cut a model of type {model.config.model_type!r}; "
            f"give one of type {' or '.join(LANGUAGE_MODELS)}"
        )
    read, write = model.get_input_embeddings(), model.get_output_embeddings()
    n_rows = len(read.weight)
    if old_ids[-1] >= n_rows:
        raise ValueError(
            f"the tokenizer has a piece {old_ids[-1]} but the model only {n_rows} rows: "
            "give the model and the tokenizer of the same name"
        )
    configs = [model.config, model.encoder.config, model.decoder.config, model.generation_config]
    renumbered = [_renumbered_ids(config, old_ids) for config in configs]

    tied = write.weight is read.weight
    new_read = nn.Embedding.from_pretrained(
        _rows(read.weight, old_ids), freeze=not read.weight.requires_grad
    )
    new_write = nn.Linear(read.embedding_dim, len(old_ids), bias=False, device="meta")
    new_write.weight = new_read.weight if tied else _rows(write.weight, old_ids)
    model.set_input_embeddings(new_read)
    model.set_output_embeddings(new_write)
    for config, fields in zip(configs, renumbered, strict=True):
        for field, value in fields.items():
            setattr(config, field, value)
        if hasattr(config, "vocab_size"):
            config.vocab_size = len(old_ids)


def _rows(weight: Tensor, old_ids: Sequence[int]) -> nn.Parameter:
    rows = weight.detach()[torch.tensor(old_ids, device=weight.device)]  # (V, D)
    return nn.Parameter(rows, requires_grad=weight.requires_grad)


def _renumbered_ids(config: Any, old_ids: Sequence[int]) -> dict[str, int | list[int]]:
    """The fields of a configuration that name pieces, with the new ids."""
    new_ids = {old: new for new, old in enumerate(old_ids)}
    fields: dict[str, int | list[int]] = {}
    for field in CONFIG_IDS:
        value = getattr(config, field, None)
        if value is None:
            continue
        for i in value if isinstance(value, list) else [value]:
            if i not in new_ids:
                raise ValueError(
                    f"the model's {field} is {i}, which is no special piece of the tokenizer: "
                    "give the model and the tokenizer of the same name"
                )
        fields[field] = [new_ids[i] for i in value] if isinstance(value, list) else new_ids[value]
    return fields


def _parts(tokenizer: Any) -> dict[str, Any]:
    """A tokenizer as the JSON that the `tokenizers` library reads and writes."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    parts = json.loads(backend.to_str()) if backend is not None else {"model": {}}
    kind = parts["model"].get("type")
    if kind not in KINDS or any(
        parts["model"].get(field) for field in ("continuing_subword_prefix", "end_of_word_suffix")
    ):
        raise ValueError(
            f"cannot cut a tokenizer of kind {kind or type(tokenizer).__name__}; "
            f"give one of kind {' or '.join(KINDS)}, such as that of google/mt5-base"
        )
    return parts


def _id_of_piece(model: dict[str, Any]) -> dict[str, int]:
    if model["type"] == "Unigram":
        return {piece: i for i, (piece, _) in enumerate(model["vocab"])}
    return model["vocab"]


def _words(tokenizer: Any, texts: Iterable[str]) -> set[str]:
    """What the tokenizer divides into pieces, each once: normalised, and cut at spaces or not."""
    backend = tokenizer.backend_tokenizer
    words: set[str] = set()
    for text in texts:
        if backend.normalizer is not None:
            text = backend.normalizer.normalize_str(text)
        if backend.pre_tokenizer is None:
            words.add(text)
        else:
            words.update(word for word, _ in backend.pre_tokenizer.pre_tokenize_str(text))
    return words


def _encode(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    return tokenizer(list(texts), truncation=False, padding=False, verbose=False)["input_ids"]


def _cut_tokenizer(tokenizer: Any, old_ids: Sequence[int]) -> Any:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    parts = _parts(tokenizer)
    new_ids = {old: new for new, old in enumerate(old_ids)}
    model = parts["model"]
    if model["type"] == "Unigram":
        kept = [i for i in old_ids if i < len(model["vocab"])]
        model["vocab"] = [model["vocab"][i] for i in kept]
        if model["unk_id"] is not None:
            model["unk_id"] = new_ids[model["unk_id"]]
    else:
        model["vocab"] = {p: new_ids[i] for p, i in model["vocab"].items() if i in new_ids}
        model["merges"] = [merge for merge in model["merges"] if _possible(merge, model["vocab"])]
    for token in parts["added_tokens"]:
        token["id"] = new_ids[token["id"]]
    _renumber_post_processor(parts["post_processor"] or {}, new_ids)
    # Not the tokenizer's own class: T5's builds itself anew with <unk> as 2, wherever it was.
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(parts)),
        model_max_length=tokenizer.model_max_length,
        **tokenizer.special_tokens_map,
    )


def _possible(merge: Sequence[str], vocabulary: dict[str, int]) -> bool:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left in vocabulary and right in vocabulary and left + right in vocabulary


def _renumber_post_processor(processor: dict[str, Any], new_ids: dict[int, int]) -> None:
    """What adds </s> and its like names them by id, in one of three ways."""
    for token in processor.get("special_tokens", {}).values():
        token["ids"] = [new_ids[i] for i in token["ids"]]
    for name in ("sep", "cls"):
        if name in processor:
            processor[name][1] = new_ids[processor[name][1]]
    for part in processor.get("processors", ()):
        _renumber_post_processor(part, new_ids)


def _check_same(tokenizer: Any, trimmed: TrimmedVocabulary, texts: Sequence[str]) -> None:
    both = zip(_encode(tokenizer, texts), _encode(trimmed.tokenizer, texts), strict=True)
    for text, (old, new) in zip(texts, both, strict=True):
        if [trimmed.old_ids[i] for i in new] != old:
            raise ValueError(
                f"the vocabulary cannot be cut: {text!r} would be divided otherwise than before; "
                "keep the full one, and report this tokenizer"
            )


def trim(
    texts: Sequence[str],
    tokenizer_name: str,
    output: Path,
    keep: Sequence[str] = (),
    model_name: str | None = None,
) -> Savings:
    """Trims by name, writes tokenizer and model into a new folder, and says what it saved."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    output = output.resolve()
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(f"{output} is there already: give another folder to write to")
    tokenizer = _pretrained(AutoTokenizer, "tokenizer", tokenizer_name)
    trimmed = trim_vocabulary(tokenizer, texts, keep)
    model = _pretrained(AutoModelForSeq2SeqLM, "model", model_name) if model_name else None
    old_model_bytes = _parameter_bytes(model)
    if model is not None:
        trim_embeddings(model, trimmed.old_ids)
    partial = output.with_name(f".{output.name}.{os.getpid()}.part")
    partial.mkdir(parents=True)
    try:
        trimmed.save(partial)
        if model is not None:
            model.save_pretrained(partial)
        os.replace(partial, output)  # a reader finds nothing, or all of it
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Savings(
        n_texts=sum(bool(text.strip()) for text in texts),
        old_pieces=len(tokenizer),
        new_pieces=len(trimmed.old_ids),
        old_tokenizer_bytes=len(tokenizer.backend_tokenizer.to_str().encode()),
        new_tokenizer_bytes=len(trimmed.tokenizer.backend_tokenizer.to_str().encode()),
        old_model_bytes=old_model_bytes,
        new_model_bytes=_parameter_bytes(model),
    )


def _pretrained(kind: Any, what: str, name: str) -> Any:
    try:
        return kind.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no {what} {name!r}: give a folder that save_pretrained wrote, or a name at "
            f"huggingface.co such as google/mt5-base ({str(error).splitlines()[0]})"
        ) from error


def _parameter_bytes(model: nn.Module | None) -> int | None:
    return None if model is None else sum(p.numel() * p.element_size() for p in model.parameters())
