"""A rendered signer: movement from a lexicon of signs, to keypoints (fast) or to pixels (slow).

Its lexicon approximates ASL and is no reference for it: see lexicon.py and docs/signer.md.
"""

from fingerpost.trainer.signer.fidgets import FIDGETS
from fingerpost.trainer.signer.lexicon import LEXICON
from fingerpost.trainer.signer.phonology import Sign
from fingerpost.trainer.signer.sentences import Performance, concatenate, fidget, sign_sentence
from fingerpost.trainer.signer.variation import Camera, Signer, random_camera, random_signer

__all__ = [
    "FIDGETS",
    "LEXICON",
    "Camera",
    "Performance",
    "Sign",
    "Signer",
    "concatenate",
    "fidget",
    "random_camera",
    "random_signer",
    "sign_sentence",
]
