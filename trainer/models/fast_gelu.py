"""T5's activation as one operator instead of eight.

transformers writes the tanh form of GELU out ("Gaussian Error Linear Units", Hendrycks and Gimpel,
Sec. 2): eight operators, each with a tensor of its own that is kept for the derivative, and a power
whose derivative is another power. PyTorch has the very same function, and its derivative, as one
operator. A graph that is being compiled or exported gets what transformers writes, which all
backends know.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROOT = math.sqrt(2 / math.pi)


class FastGelu(nn.Module):
    """(...) to (...), elementwise."""

    def forward(self, input: Tensor) -> Tensor:  # the parent's name for it
        if torch.compiler.is_compiling():
            return 0.5 * input * (1 + torch.tanh(ROOT * (input + 0.044715 * torch.pow(input, 3))))
        return F.gelu(input, approximate="tanh")


def fast_gelus(module: nn.Module) -> None:
    """Make each ``NewGELUActivation`` of a module, or of its children, a ``FastGelu``, in place."""
    from transformers.activations import NewGELUActivation

    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if type(layer) is NewGELUActivation:
                setattr(parent, name, FastGelu())
