"""Tokenizers: of a pretrained language model by name, or learned from a corpus's own words.

A model that starts from nothing does not need 250,000 pieces: a corpus of a few thousand words
needs a few hundred.
"""

from collections.abc import Sequence
from typing import Any

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"  # with T5's numbers 0, 1, 2


def load_tokenizer(name_or_path: str) -> Any:
    """A tokenizer of ``transformers``, by its name at huggingface.co or its folder."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name_or_path)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no tokenizer {name_or_path!r}: give a folder that save_pretrained wrote, or a name "
            f"at huggingface.co such as google/mt5-base ({str(error).splitlines()[0]})"
        ) from error


def train_tokenizer(texts: Sequence[str], pieces: int) -> Any:
    """A unigram tokenizer of the texts, for ``transformers``; every text ends in ``</s>``.

    pieces : at most so many; a small corpus gets fewer

    What the texts never have (other letters, say) becomes ``<unk>``. ValueError without a text.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    if not any(text.strip() for text in texts):
        raise ValueError("no clip has a text to learn a tokenizer from")
    tokenizer: Any = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=pieces,
        special_tokens=[PAD, END, UNKNOWN],
        unk_token=UNKNOWN,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    end = (END, tokenizer.token_to_id(END))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[end]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )
