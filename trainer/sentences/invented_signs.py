"""Signs for glosses that nobody has written down: invented, and no sign of any language.

    lexicon = invent_signs(["REGEN", "SONNE", "SÜD"])
    sign_sentence(["SÜD", "REGEN"], signer, rng, lexicon=lexicon)

They stand for signs where the machinery is tried out with glosses of a real corpus. They say
nothing about how anybody signs.
"""

import zlib
from collections.abc import Iterable

import numpy as np

from fingerpost.trainer.signer import FIDGETS, Sign, Signer, sign_sentence
from fingerpost.trainer.signer.fidgets import nonsense
from fingerpost.trainer.signer.variation import Style

APART = 1.2  # of ``movement``: as far as half of the lexicon's signs are from their nearest
LASTS_MS = (400, 1200)  # as the lexicon's signs do; a longer one leaves less room for sentences
N_MOMENTS = 12  # of a sign that is compared with others
_CALM = Signer(style=Style(jitter=0.0))
_MOST_DRAWS = 200  # for one gloss


def invent_signs(glosses: Iterable[str]) -> dict[str, Sign]:
    """A sign for each gloss, apart from those before it and from ``FIDGETS``.

    The draws are seeded by the gloss's name, so the same glosses in the same order get the same
    signs. ValueError where they are too many for so many signs to be told apart.
    """
    lexicon: dict[str, Sign] = {}
    taken = [found for sign in FIDGETS.values() if (found := movement(sign)) is not None]
    for gloss in dict.fromkeys(glosses):
        rng = np.random.default_rng(zlib.crc32(gloss.encode()))
        for _ in range(_MOST_DRAWS):
            sign = nonsense(rng)
            found = movement(sign)
            if found is not None and np.linalg.norm(taken - found, axis=1).min() >= APART:
                break
        else:
            raise ValueError(f"no sign is left for {gloss}: {len(lexicon)} glosses are too many")
        lexicon[gloss] = sign
        taken.append(found)
    return lexicon


def movement(sign: Sign) -> np.ndarray | None:
    """What tells a sign from others: the joints of both hands, world metres, as one row (D,).

    Of ``N_MOMENTS`` moments from its first to its last; the wrists' places weigh half as much
    again. None for a sign that is shorter or longer than ``LASTS_MS``.
    """
    performance = sign_sentence([""], _CALM, np.random.default_rng(0), lexicon={"": sign})
    _, start, end = performance.spans[0]
    if not LASTS_MS[0] <= end - start <= LASTS_MS[1]:
        return None
    moments = np.linspace(start, end - 20, N_MOMENTS)  # at the end the hand has left
    joints = performance.motion.skeleton(moments).hands  # (N_MOMENTS, 2, 21, 3)
    wrists = joints[:, :, :1]
    return np.concatenate([1.5 * wrists, joints - wrists], axis=2).ravel()
