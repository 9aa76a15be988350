"""Whether a corpus shows bodies, for tasks that read hands and face relative to one.

Hands alone, as those of ``wlasl_hands``, leave ``preprocess_uni_sign`` nothing: a training on them
would run to its end and learn nothing.
"""

from typing import Any

from fingerpost.edge_runtime.preprocess_uni_sign import preprocess_uni_sign

N_LOOKED_AT = 16  # clips, from all over the corpus


def check_bodies(clips: Any) -> None:
    """ValueError where none of some clips shows a body."""
    looked_at = range(0, len(clips), max(1, len(clips) // N_LOOKED_AT))
    if clips and not any(preprocess_uni_sign(clips[i].sequence).any() for i in looked_at):
        raise ValueError(
            "the clips show no body, and this task reads hands and face relative to it; extract "
            "them with a body, or train single signs from hands alone (ms_mae_wlasl100)"
        )
