"""What the signer's sentences are made of: somebody, a thing, a deed: signed, and in English."""

from dataclasses import dataclass

import numpy as np

from fingerpost.trainer.signer.phrase_words import (
    KINSHIP,
    LIKED,
    MASS,
    MEANT,
    OBJECTS,
    PERSON_VERBS,
    PERSON_VERBS_REST,
    PERSONS,
    PLACES,
    PLURALS,
    THING_QUALITIES,
    VERBS,
)

OWNERS = ("my", "your")
_ANY_VERB = (*VERBS, "go", "go", "go")  # the one that says a place, of which there are many
_AGREE = {"be": ("am", "are", "is", "are"), "was": ("was", "were", "was", "were"),
          "do": ("do", "do", "does", "do")}  # fmt: skip  # persons 1, 2, 3 and several
_FORMS = {"past": 2, "done": 3, "ing": 4}  # columns of VERBS


@dataclass(frozen=True)
class Phrase:
    """What is signed, 2 to 6 glosses of LEXICON, and the same in English, one sentence."""

    glosses: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Noun:
    """Whoever or whatever a sentence is about.

    glosses : may be none
    text : with its article or owner
    person : 1, 2, 3, or 4 for several

    In a format string ``{who}`` is its text, ``{who:need}`` the verb's form that goes with it, and
    ``{verb:past}``, of a verb that stands for itself, its past.
    """

    glosses: tuple[str, ...]
    text: str
    person: int = 3

    @property
    def bare(self) -> str:
        """Without its article or owner."""
        return self.glosses[-1]

    def __format__(self, verb: str) -> str:
        if not verb:
            return self.text
        if verb in _FORMS:
            return VERBS[self.glosses[0]][_FORMS[verb]]
        return _AGREE[verb][self.person - 1] if verb in _AGREE else VERBS[verb][self.person == 3]


@dataclass(frozen=True)
class Verb:
    """What is done to what. topic : glosses that come before the subject; rest : English after the
    verb; after : glosses after the verb."""

    gloss: str
    topic: tuple[str, ...] = ()
    rest: str = ""
    after: tuple[str, ...] = ()

    def form(self, name: str) -> str:
        base, third, past, participle, ing = VERBS[self.gloss]
        forms = {"base": base, "third": third, "past": past, "done": participle, "ing": ing}
        return join(forms[name], self.rest)


def pick(rng: np.random.Generator, items: tuple[str, ...]) -> str:
    return items[rng.integers(len(items))]


def join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def with_article(words: str, noun: str) -> str:
    """ "red shirt" to "a red shirt"; what cannot be counted has no article."""
    if noun in MASS:
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def drawn(rng: np.random.Generator, ends: np.ndarray) -> int:
    """A random index, by weights. ends : their running sum, (N,), the last is 1"""
    return int(np.searchsorted(ends[:-1], rng.random(), side="right"))


def a_person(rng: np.random.Generator) -> Noun:
    """Somebody who is spoken of: "my mother", "the doctor"."""
    who = pick(rng, PERSONS)
    if who in KINSHIP:
        owner = pick(rng, OWNERS)
        return Noun((owner, who), f"{owner} {who}")
    return Noun((who,), f"the {who}")


def a_subject(rng: np.random.Generator) -> Noun:
    chance = rng.random()
    if chance < 0.35:
        return Noun(("i",), "I", 1)
    if chance < 0.55:
        return Noun(("you",), "you", 2)
    return a_person(rng)


def a_thing(rng: np.random.Generator, kinds: tuple[str, ...], verb: str = "want") -> Noun:
    """One of `kinds`: bare, of a colour or quality, of somebody, or many.

    verb : what is done to it, which decides between a red shirt, the red shirt and red shirts
    """
    noun = pick(rng, kinds)
    chance = rng.random()

    def english(words: str) -> str:
        if verb in LIKED:
            return words.removesuffix(noun) + PLURALS.get(noun, noun)
        return f"the {words}" if verb in MEANT else with_article(words, noun)

    if noun == "language":
        return Noun(("sign", "language"), "sign language")
    if noun in THING_QUALITIES and chance < 0.12:
        owner = pick(rng, OWNERS)
        return Noun((owner, noun), f"{owner} {noun}")
    if noun not in THING_QUALITIES or chance < 0.45:
        return Noun((noun,), english(noun))
    if noun in PLURALS and chance < 0.55:
        return Noun((noun, "many"), f"many {PLURALS[noun]}")
    quality = pick(rng, THING_QUALITIES[noun])
    return Noun((noun, quality), english(f"{quality} {noun}"))


def a_deed(rng: np.random.Generator, verbs: tuple[str, ...] | None = None) -> Verb:
    """A verb with what it is done to. verbs : of which it is one; None is any."""
    gloss = pick(rng, verbs or _ANY_VERB)
    if gloss in PLACES:
        place, english = PLACES[gloss][rng.integers(len(PLACES[gloss]))]
        return Verb(gloss, (place,), english)
    if gloss in PERSON_VERBS and (gloss not in OBJECTS or rng.random() < 0.5):
        who = a_person(rng)
        return Verb(gloss, who.glosses, join(who.text, PERSON_VERBS_REST.get(gloss, "")))
    if gloss in OBJECTS:
        thing = a_thing(rng, OBJECTS[gloss], gloss)
        return Verb(gloss, thing.glosses, thing.text)
    return Verb(gloss)
