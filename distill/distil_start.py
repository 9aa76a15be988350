"""A student that begins as a shallower teacher: some layers of its stacks, and all else that fits.

"Patient Knowledge Distillation for BERT Model Compression" (Sun et al., 2019), Sec. 3, and
"DistilBERT" (Sanh et al., 2019), Sec. 3, begin so. Ours are spread evenly over the teacher's stack,
its first and its last layer among them.
"""

import re
from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

LANGUAGE_MODEL = "language_model."
LAYER = re.compile(r"(language_model\..*?\.(?:block|layers)\.)(\d+)\.")
OF_PIECES = ("shared.weight", "embed_tokens.weight", "lm_head.weight")  # a row for each piece


def start_from_layers(
    student: nn.Module, teacher: nn.Module, n_pieces: int, only: str = ""
) -> list[str]:
    """Copies the teacher's weights into the student's language model, layer by layer.

    What is outside of the language models is taken over where name and shape are the same.

    n_pieces : of the tokenizer that both share; rows of embeddings beyond it stay as they are
    only : parameters whose names begin so; "" = all

    Returns what was copied, a line each. ValueError, in one line, where there are no layers, or
    they are of another width.
    """
    here, there = student.state_dict(), teacher.state_dict()
    chosen = _layers_for(_depths(here), _depths(there))
    if not chosen:
        raise ValueError('distil.start = "layers": student and teacher share no stack of layers')
    n_others = 0
    for name, weights in here.items():
        source = there.get(_name_in_teacher(name, chosen))
        if source is None or not name.startswith(only):
            continue
        if name.endswith(OF_PIECES) and source.shape[1:] == weights.shape[1:]:
            n = min(n_pieces, len(weights), len(source))
            weights[:n] = source[:n]
        elif source.shape == weights.shape:
            weights.copy_(source)
        elif name.startswith(LANGUAGE_MODEL):
            raise ValueError(
                f"distil.start: {name} of the student is {_size(weights)}, of the teacher "
                f"{_size(source)}; give its language model the teacher's widths and heads, or "
                'leave start = ""'
            )
        else:
            continue
        n_others += LAYER.match(name) is None
    student.load_state_dict(here)
    lines = [
        f"{stack.rstrip('.')}: layers {', '.join(map(str, layers))} of {_depths(there)[stack]}"
        for stack, layers in chosen.items()
    ]
    return [*lines, f"{n_others} parameters beside them"]


def _depths(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Of each stack of layers, by the beginning of its names, how many there are."""
    depths: dict[str, int] = {}
    for name in weights:
        if found := LAYER.match(name):
            depths[found[1]] = max(depths.get(found[1], 0), int(found[2]) + 1)
    return depths


def _layers_for(wanted: Mapping[str, int], given: Mapping[str, int]) -> dict[str, list[int]]:
    """Which of the teacher's layers each of the student's begins as."""
    return {
        stack: np.linspace(0, given[stack] - 1, n).round().astype(int).tolist()
        for stack, n in wanted.items()
        if stack in given
    }


def _name_in_teacher(name: str, chosen: Mapping[str, list[int]]) -> str:
    found = LAYER.match(name)
    if not found or found[1] not in chosen:
        return name
    return f"{found[1]}{chosen[found[1]][int(found[2])]}.{name[found.end() :]}"


def _size(weights: Tensor) -> str:
    return " x ".join(map(str, weights.shape))
