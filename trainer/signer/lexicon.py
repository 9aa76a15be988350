"""The signs the rendered signer knows, by phonology.

**This lexicon approximates ASL and is no reference for it.** It was written down from general
descriptions by handshape, orientation, place and movement, so that a recogniser can be tested and
pre-trained without a camera; deaf signers sign otherwise, and better. Do not learn signs from it.

The names are those of WLASL where it has the sign; EVERYDAY names those that are rare there.
"""

from fingerpost.trainer.signer.phonology import Sign
from fingerpost.trainer.signer.signs_by_topic import BY_TOPIC
from fingerpost.trainer.signer.signs_one_handed import ONE_HANDED
from fingerpost.trainer.signer.signs_two_handed import BOTH_ALIKE, ON_THE_OTHER_HAND

LEXICON: dict[str, Sign] = dict(
    sorted((ONE_HANDED | BOTH_ALIKE | ON_THE_OTHER_HAND | BY_TOPIC).items())
)

EVERYDAY = (
    "appointment", "big", "bread", "bye", "child", "expensive", "hello", "hungry", "i", "love",
    "my", "near", "see", "slow", "sorry", "stop", "thank you", "think", "today", "tomorrow",
    "understand", "when",
)  # fmt: skip  # not among the first 300 glosses of WLASL
