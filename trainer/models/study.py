"""What a network that learns from a teacher shows of itself.

Such a network has a method ``study``, which answers a batch and gives all there is to compare with
a teacher; ``gloss_scores``; ``losses_of``, the terms that it learns from by itself, of the same
pass; and ``study_widths``. What it is compared with is not its business (``fingerpost.distill``).
"""

from typing import NamedTuple

from torch import Tensor


class Studied(NamedTuple):
    """Of R questions about B clips.

    logits : for each of the given answers (R, L), shape (R, L, V): its tokens, given those before
    decoder : likewise, shape (R, L, width), the decoder's last states
    encoder : shape (R, N, width), the language model's last states of the frames
    mask : shape (R, N), 1 for a state that counts
    frames : shape (B, T, width), what the network's ``gloss_scores`` makes scores of glosses of
    """

    logits: tuple[Tensor, ...]
    decoder: tuple[Tensor, ...]
    encoder: Tensor
    mask: Tensor
    frames: Tensor
