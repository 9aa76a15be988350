"""Reading tokens from a matrix that is also the output layer's, without a second gradient.

The gradient of a lookup has the matrix's size, though few of its rows are not zero: 768 MB for
mT5-base, once for the prompt and once for the decoder. Where the output layer makes a full gradient
of the same matrix anyway, lookups give theirs as a few rows, which autograd adds to it in place.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def read_tokens(language_model: Any, ids: Tensor) -> Tensor:
    """Token ids (B, L) of any T5 to the vectors (B, L, D) that it reads, for a loss of its logits.

    The loss has to go through the output layer: it is what makes the gradient a full matrix.
    """
    reader = language_model.get_input_embeddings()
    if not _shares_its_matrix(reader, language_model.get_output_embeddings()):
        return reader(ids)
    return F.embedding(ids, reader.weight, sparse=True)


def _shares_its_matrix(reader: nn.Module, writer: nn.Module) -> bool:
    """Whether it is safe: both plain layers of one trained matrix, on a CPU, with no hooks."""
    return (
        type(reader) is nn.Embedding
        and reader.padding_idx is None
        and not reader.scale_grad_by_freq
        and isinstance(writer, nn.Linear)
        and writer.weight is reader.weight
        and reader.weight.requires_grad
        and reader.weight.is_leaf  # not a view, as when a matrix is spread over processes
        and reader.weight.device.type == "cpu"
        and not reader._forward_hooks
        and not reader._forward_pre_hooks
        and not torch.compiler.is_compiling()
    )
