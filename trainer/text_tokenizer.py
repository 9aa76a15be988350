"""Tokenizers: one that comes with a language model, or one learned from a corpus's own texts.

A language model with random weights needs no pieces but the corpus's. The learned tokenizer is
byte pair encoding, so with pieces to spare every frequent word becomes one piece; a mark of
punctuation is always a piece of its own, and spaces come back where they were.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

TOKENIZER = "tokenizer"  # the folder beside a checkpoint's weights
PAD, EOS, UNKNOWN = "<pad>", "</s>", "<unk>"  # ids 0, 1, 2, as in T5
LEARNED = "learned"  # the name of one that is made of the texts, whatever training starts from
MOST_UNKNOWN = 0.01  # of the texts that a checkpoint's tokenizer cannot write: a rare sign or two


def tokenizer_for(
    name: str, start: Path | None, texts: Callable[[], Iterable[str]], pieces: int
) -> Any:
    """The one that is named; else that of the checkpoint ``start``; else learned from the texts.

    ``LEARNED`` names the last. ValueError where the checkpoint's lacks letters of the texts: of
    English, say, where they are German.
    """
    if name and name != LEARNED:
        return load_tokenizer(name)
    if name != LEARNED and start is not None and (start / TOKENIZER).is_dir():
        tokenizer = load_tokenizer(str(start / TOKENIZER))
        _check_letters(tokenizer, sorted({*texts()} - {""}), start)
        return tokenizer
    return train_tokenizer(sorted({*texts()} - {""}), pieces)


def check_pieces(tokenizer: Any, rows: int) -> None:
    """ValueError where a tokenizer has more pieces than a language model's matrix has rows."""
    if len(tokenizer) > rows:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} pieces, the language model {rows}: give the "
            "tokenizer that belongs to it"
        )


def train_tokenizer(texts: Iterable[str], size: int = 2000) -> Any:
    """A tokenizer of ``transformers`` that ends every text with ``EOS``, as T5's does.

    texts : what a model shall read and write; prompts too, or they fall into characters
    size : the most pieces, with PAD, EOS, UNKNOWN and all characters

    ValueError where there is no text, or size is too small for its characters.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    texts = [text for text in texts if text.strip()]
    if not texts:
        raise ValueError("there is no text to learn a tokenizer from; the clips need texts")
    characters = {letter for text in texts for letter in text if not letter.isspace()}
    least = len(characters) + 4  # PAD, EOS, UNKNOWN and the space
    if size < least:
        raise ValueError(
            f"the texts have {len(characters)} characters; give at least {least} pieces, not {size}"
        )
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace(prepend_scheme="first")]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size, special_tokens=[PAD, EOS, UNKNOWN], show_progress=False
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", special_tokens=[(EOS, tokenizer.token_to_id(EOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )


def load_tokenizer(name_or_path: str) -> Any:
    """By its name at Hugging Face, or the folder it is in; ValueError where there is none."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name_or_path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"no tokenizer {name_or_path!r}: give a folder with tokenizer.json, or a name at "
            f"huggingface.co such as google/mt5-base ({reason})"
        ) from error


def _check_letters(tokenizer: Any, texts: Sequence[str], start: Path) -> None:
    rows = tokenizer(texts)["input_ids"] if texts else []
    lacking = [text for text, row in zip(texts, rows, strict=True) if tokenizer.unk_token_id in row]
    if len(lacking) > MOST_UNKNOWN * len(texts):
        raise ValueError(
            f"the tokenizer of {start} cannot write {len(lacking)} of {len(texts)} texts, such as "
            f"{lacking[0]!r}: set settings.tokenizer={LEARNED}, and name the language model in "
            "`fresh`"
        )
