"""The network of a recipe whose [model] names a language model, or the shapes of a new one."""

from collections.abc import Callable, Mapping
from typing import Any

from fingerpost.trainer.text_tokenizer import check_pieces


def network_with_reader(
    network: Any,
    config: Any,
    fields: Mapping[str, Any],
    tokenizer: Any,
    token_numbers: Callable[[str | None], dict[str, int]],
    example: str,
) -> Any:
    """A network that reads signing by ``fields["language_model"]``; ValueError in one line.

    network : has ``with_language_model`` for a pretrained one, and is made of ``config``
    config : a dataclass with ``language_model`` first
    token_numbers : what a new language model of a type has to know of the tokenizer
    example : a name for the message to whoever gives none
    """
    rest = {name: value for name, value in fields.items() if name != "language_model"}
    reader = fields.get("language_model")
    if reader is None:
        raise ValueError(
            f"[model] needs language_model: a name such as {example}, a folder, or a table of the "
            "shapes of one with random weights"
        )
    known = [name for name in config.__dataclass_fields__ if name != "language_model"]
    unknown = [name for name in rest if name not in known]
    if unknown:
        raise ValueError(f"[model] has no {', '.join(unknown)}; known: {', '.join(known)}")
    if isinstance(reader, str):
        made = network.with_language_model(reader, **rest)
    else:
        numbers = token_numbers(reader.get("model_type"))
        made = network(config({**reader, **numbers}, **rest))
    check_pieces(tokenizer, made.language_model.config.vocab_size)
    return made
