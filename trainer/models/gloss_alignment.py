"""Which frames show which gloss: a second term of the loss, where glosses are at hand.

Ours, after no paper. Uni-Sign learns from the text alone (Sec. 3.2), which takes a pretrained
language model and hundreds of hours. With hours, the pose encoder gets no hold: the language model
finds no use for poses that mean nothing yet. So each frame is asked directly for its gloss, in the
language model's own terms: the score of a gloss is the product of the frame's features with that
token's embedding, which is not moved by this. Connectionist temporal classification (Graves et
al., 2006) sums over all ways to spread the row of glosses over the frames; the embedding of the
padding token says "none".
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SHARPNESS = 10.0  # features as long as an embedding are sure of their gloss
NONE = 0  # the padding token
NO_TOKEN = -1  # fills up rows of glosses


def alignment_loss(
    features: Tensor, frame_mask: Tensor, embeddings: Tensor, glosses: Tensor
) -> Tensor:
    """The mean over all glosses of the negative logarithm of their probability.

    features : shape (B, T, D); frame_mask : (B, T), 1 for a frame of the clip
    embeddings : shape (V, D), of the language model's tokens
    glosses : shape (B, N), tokens in order, ``NO_TOKEN`` after the last one

    A clip with fewer frames than its glosses need counts as 0. A batch without a gloss is 0.
    """
    lengths = (glosses != NO_TOKEN).sum(dim=1)
    with torch.autocast(features.device.type, enabled=False):
        scores = SHARPNESS * features.to(embeddings.dtype) @ embeddings.detach().T  # (B, T, V)
        total = F.ctc_loss(
            scores.log_softmax(dim=-1).transpose(0, 1),
            glosses.clamp(min=0),
            frame_mask.sum(dim=1),
            lengths,
            blank=NONE,
            reduction="sum",
            zero_infinity=True,
        )
    return total / lengths.sum().clamp(min=1)
