"""Lexica of four artificial sign languages, which say the same in other places and movements.

    lexicons = make_lexicons(match="b", share=0.6, seed=0)
    lexicons["a"]["book"]  # a Sign

**They are invented, and none is of any language of deaf people.** A meaning has one handshape in
all four. Language a signs it at the head with one hand, b on the trunk, with one or both, c in the
space before the signer, along a path, with one or both. The fourth, d, draws on the places and
movements of all three in equal parts; of the language that it is like, it has a share of the very
signs as well. So one of three experts may know much of it (``match``), or none more than the
others (NO_MATCH).
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import numpy as np

from fingerpost.trainer.sentences.invented_signs import movement
from fingerpost.trainer.sentences.languages_words import CONCEPTS
from fingerpost.trainer.signer import Sign
from fingerpost.trainer.signer.phonology import Movement, Other, Posture

NO_MATCH = "none"
SHARE = 0.6  # of d's signs that are its match's
SHAPES = ("5", "flat", "1", "V", "S", "Y", "L", "F", "C", "W", "bent", "ILY")
_FINGERS = ("up", "2up+in", "in", "fwd+up", "2fwd+in", "in+up")
_PALMS = ("back+in", "fwd+down", "in+down", "fwd+out")
APART = 0.8  # of ``movement``: three quarters of the lexicon's signs are as far from their nearest
_SEED = 10  # apart from the other corpora's random numbers
_MOST_DRAWS = 400  # for one sign


@dataclass(frozen=True)
class Inventory:
    """Of what a language makes its signs.

    places : anchors of the body, or of the space before it
    movements : kinds of repeated movement on top; "" is none
    others : what the other hand may do
    path_cm : length of the way that the hand goes, from and to; (0, 0) is none
    """

    places: tuple[str, ...]
    movements: tuple[str, ...]
    others: tuple[Other, ...]
    path_cm: tuple[float, float]


SEEN = {
    "a": Inventory(
        ("temple", "cheek", "chin", "forehead", "ear", "mouth"), ("shake", "twist"), (None,), (0, 0)
    ),
    "b": Inventory(
        ("chest", "breast", "belly", "far_shoulder", "neck", "shoulder"),
        ("circle", "wag"),
        (None, "mirror"),
        (0, 0),
    ),
    "c": Inventory(
        ("neutral", "center", "side", "front", "low"), ("", "nod"), (None, "mirror"), (8, 22)
    ),
}
UNSEEN = "d"
MATCHES = (*SEEN, NO_MATCH)
Lexicon = dict[str, Sign]
Item = TypeVar("Item")


@lru_cache(maxsize=4)
def make_lexicons(match: str = "b", share: float = SHARE, seed: int = 0) -> dict[str, Lexicon]:
    """A sign for every meaning in each language, a to d; within a language they are told apart.

    match : of MATCHES, the language that d is like
    share : 0 to 1, of d's signs; with NO_MATCH it counts for nothing

    ValueError for a match or share that cannot be.
    """
    if match not in MATCHES:
        raise ValueError(f"unknown match {match!r}; known: {', '.join(MATCHES)}")
    if not 0 <= share <= 1:
        raise ValueError(f"the share of common signs is from 0 to 1, got {share:g}")
    if seed < 0:
        raise ValueError(f"a seed is 0 or above, got {seed}")
    lexicons = {name: _seen_lexicon(name, seed) for name in SEEN}
    common: Lexicon = {}
    if match != NO_MATCH:
        order = np.random.default_rng([_SEED, seed]).permutation(len(CONCEPTS))
        names = [list(CONCEPTS)[k] for k in order[: round(share * len(CONCEPTS))]]
        common = {name: lexicons[match][name] for name in names}
    return {**lexicons, UNSEEN: _invent(UNSEEN, common, seed)}


@lru_cache(maxsize=len(SEEN))
def _seen_lexicon(language: str, seed: int) -> Lexicon:
    return _invent(language, {}, seed)


def shape_of(concept: str) -> str:
    """The handshape of a meaning in every language."""
    return SHAPES[list(CONCEPTS).index(concept) % len(SHAPES)]


def _invent(language: str, common: Lexicon, seed: int) -> Lexicon:
    """A sign for every meaning, in their order. common : those that are there already"""
    lexicon = dict(common)
    taken = [found for sign in common.values() if (found := movement(sign)) is not None]
    for concept in CONCEPTS:
        if concept in lexicon:
            continue
        rng = np.random.default_rng([_SEED, seed, zlib.crc32(f"{language}/{concept}".encode())])
        for _ in range(_MOST_DRAWS):
            inventory = SEEN.get(language) or list(SEEN.values())[rng.integers(len(SEEN))]
            sign = _draw(shape_of(concept), inventory, rng)
            found = movement(sign)
            if found is not None and all(np.linalg.norm(found - t) >= APART for t in taken):
                break
        else:
            raise ValueError(f"no sign is left for {concept!r} in {language}; give another seed")
        lexicon[concept] = sign
        taken.append(found)
    return {concept: lexicon[concept] for concept in CONCEPTS}


def _draw(shape: str, inventory: Inventory, rng: np.random.Generator) -> Sign:
    """Any sign of a handshape that the inventory allows."""
    place = _pick(inventory.places, rng)
    at = rng.normal(0, 2.5, 3) + [0, 0, 4]  # (in, up, fwd) centimetres from the place
    first = Posture(shape, _place(place, at), _pick(_FINGERS, rng), _pick(_PALMS, rng))
    path: tuple[Posture, ...] = (first,)
    if inventory.path_cm[1]:
        way = rng.normal(0, 1, 3) * [1, 1, 0.5]
        way *= rng.uniform(*inventory.path_cm) / np.linalg.norm(way)
        path = (first, replace(first, at=_place(place, at + way)))
    kind = _pick(inventory.movements, rng)
    return Sign(
        path,
        other=_pick(inventory.others, rng),
        repeat=int(rng.integers(1, 3)) if len(path) > 1 else 1,
        movement=_MOVEMENTS[kind](rng) if kind else None,
    )


_MOVEMENTS: dict[str, Callable[[np.random.Generator], Movement]] = {
    "shake": lambda rng: Movement(
        "shake", float(rng.uniform(2, 6)), 2, _pick(("in", "up", "fwd"), rng)
    ),
    "twist": lambda rng: Movement("twist", float(rng.uniform(20, 40)), 2),
    "circle": lambda rng: Movement(
        "circle", float(rng.uniform(3, 7)), 2, _pick(("in", "up", "fwd"), rng)
    ),
    "wag": lambda rng: Movement("wag", float(rng.uniform(15, 30)), 2),
    "nod": lambda rng: Movement("nod", float(rng.uniform(15, 30)), 2),
}


def _pick(items: tuple[Item, ...], rng: np.random.Generator) -> Item:
    return items[rng.integers(len(items))]


def _place(anchor: str, offset_cm: np.ndarray) -> str:
    return f"{anchor} " + " ".join(f"{x:.1f}" for x in offset_cm)
