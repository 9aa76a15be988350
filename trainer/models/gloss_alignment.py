"""Which frames show which gloss: a second term of the loss, where glosses are at hand.

Ours, after no paper. Uni-Sign learns from the text alone (Sec. 3.2), which takes a pretrained
language model and hundreds of hours. With hours, the pose encoder gets no hold: the language model
finds no use for poses that mean nothing yet. So each frame is asked directly for its gloss, in the
language model's own terms: the score of a gloss is the cosine between the frame's features and
that token's embedding, which is not moved by this. The embedding of the padding token says "none".

Where it is known when each gloss was signed, each frame has an answer. Where only their row is
known, connectionist temporal classification (Graves et al., 2006) sums over all ways to spread it
over the frames. That learns far more slowly.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

SHARPNESS = 12.0  # a frame that points as an embedding does is sure of its gloss
NONE = 0  # the padding token
NO_TOKEN = -1  # fills up rows of glosses
NOT_KNOWN = -1  # what a frame shows, where nobody said


class Glosses(NamedTuple):
    """tokens : shape (B, N), in order, ``NO_TOKEN`` after the last one
    of_frame : shape (B, T), the token that each frame shows, ``NONE`` between two glosses;
        ``NOT_KNOWN`` in all frames of a clip without spans, and in those that fill up a batch
    """

    tokens: Tensor
    of_frame: Tensor


def alignment_loss(
    features: Tensor, frame_mask: Tensor, embeddings: Tensor, glosses: Glosses
) -> Tensor:
    """The mean over all glosses of the negative logarithm of their probability.

    features : shape (B, T, D); frame_mask : (B, T), 1 for a frame of the clip
    embeddings : shape (V, D), of the language model's tokens

    A clip whose frames are known counts with their mean, times its glosses. Of the others, a clip
    of one gloss is asked as a whole, by the mean of its frames: there is nothing to align, and it
    is learned far sooner. A clip with fewer frames than its glosses need counts as 0.
    """
    lengths = (glosses.tokens != NO_TOKEN).sum(dim=1)
    if not lengths.any():
        return features.sum() * 0
    known = (glosses.of_frame != NOT_KNOWN).any(dim=1)
    with torch.autocast(features.device.type, enabled=False):
        tokens = F.normalize(embeddings.detach(), dim=-1)
        frames = F.normalize(features.to(tokens.dtype), dim=-1)
        single = ~known & (lengths == 1)
        rows = lengths.masked_fill(known | single, 0)
        total = _of_rows(frames, frame_mask, tokens, glosses.tokens, rows)
        if known.any():
            scores = frame_scores(frames[known], tokens)
            total = total + _of_frames(scores, glosses.of_frame[known], lengths[known])
        if single.any():
            mask = frame_mask[single, :, None].to(frames.dtype)
            whole = F.normalize((frames[single] * mask).sum(dim=1), dim=-1)  # (S, D)
            scores = frame_scores(whole, tokens)
            total = total + F.cross_entropy(scores, glosses.tokens[single, 0], reduction="sum")
    return total / lengths.sum()


def frame_scores(frames: Tensor, tokens: Tensor) -> Tensor:
    """(..., D) and embeddings (V, D), all of length 1, to (..., V): before the softmax."""
    return SHARPNESS * frames @ tokens.T


def _of_frames(scores: Tensor, shown: Tensor, lengths: Tensor) -> Tensor:
    """The sum over clips of their frames' mean, times their glosses; scores : (K, T, V)."""
    per_frame = F.cross_entropy(
        scores.transpose(1, 2), shown, ignore_index=NOT_KNOWN, reduction="none"
    )
    return (per_frame.sum(dim=1) / (shown != NOT_KNOWN).sum(dim=1) * lengths).sum()


def _of_rows(
    frames: Tensor, frame_mask: Tensor, tokens: Tensor, glosses: Tensor, lengths: Tensor
) -> Tensor:
    """The sum over clips of which the row of glosses is known; lengths : (B,), 0 for the others."""
    rows = torch.nonzero(lengths)[:, 0]
    if len(rows) == 0:
        return frames.sum() * 0
    scores = frame_scores(frames[rows], tokens)  # (R, T, V)
    return F.ctc_loss(
        scores.log_softmax(dim=-1).transpose(0, 1),
        glosses[rows].clamp(min=0),
        frame_mask[rows].sum(dim=1),
        lengths[rows],
        blank=NONE,
        reduction="sum",
        zero_infinity=True,
    )
