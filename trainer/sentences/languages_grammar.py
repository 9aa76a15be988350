"""What the artificial languages say: one meaning, its row of glosses, its text in four tongues.

    meaning = random_meaning(rng)
    glosses_of(meaning, order)  # ("yesterday", "mother", "book", "red", "buy")
    TEXTS["de"](meaning)  # "Gestern hat die Mutter ein rotes Buch gekauft."

The texts are correct sentences of their languages, of one plain pattern each. Their words stand in
another order in each: German puts the participle last and turns verb and subject round after the
time, Spanish leaves out pronouns, French wraps the verb in "ne ... pas".
"""

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from fingerpost.trainer.sentences.languages_words import (
    ASK,
    DEEDS,
    NOT,
    NUMBERS,
    PERSONS,
    PLACES,
    QUALITIES,
    SPOKEN,
    THINGS,
    TIMES,
    WHO,
)

SHARES = {"quality": 0.5, "number": 0.3, "time": 0.55, "place": 0.35, "negated": 0.15, "asked": 0.1}
SHARE_PERCENT = {"val": 10, "test": 10}  # of all meanings; the others are for training
_ASPECTS = {"yesterday": "past", "tomorrow": "future"}  # any other time is "present"
_EN, _DE, _ES, _FR = range(len(SPOKEN))


@dataclass(frozen=True)
class Meaning:
    """What is said, as keys of the tables of ``languages_words``; "" is not said."""

    who: str
    deed: str
    thing: str
    quality: str = ""
    number: str = ""
    time: str = ""
    place: str = ""
    negated: str = ""
    asked: str = ""

    @property
    def aspect(self) -> str:
        """past, present or future"""
        return _ASPECTS.get(self.time, "present")


SLOTS = tuple(field.name for field in fields(Meaning))


class _Parts(NamedTuple):
    """who : its text; person : 0 to 3, of the tables' forms; thing, time, place : their texts"""

    who: str
    person: int
    thing: str
    time: str
    place: str


def random_meaning(rng: np.random.Generator) -> Meaning:
    """One of 5,715,360. A number is not negated, and nobody asks what they do themselves."""

    def pick(table: Mapping[str, object]) -> str:
        return list(table)[rng.integers(len(table))]

    said = {name: bool(rng.random() < share) for name, share in SHARES.items()}
    who = pick(WHO)
    return Meaning(
        who=who,
        deed=pick(DEEDS),
        thing=pick(THINGS),
        quality=pick(QUALITIES) if said["quality"] else "",
        number=pick(NUMBERS) if said["number"] and not said["negated"] else "",
        time=pick(TIMES) if said["time"] else "",
        place=pick(PLACES) if said["place"] else "",
        negated=NOT if said["negated"] else "",
        asked=ASK if said["asked"] and who not in ("i", "we") else "",
    )


def split_of(meaning: Meaning) -> str:
    """The one split that a meaning may be in, the same in every language."""
    place = zlib.crc32("/".join(getattr(meaning, slot) for slot in SLOTS).encode()) % 100
    for split, percent in SHARE_PERCENT.items():
        if place < percent:
            return split
        place -= percent
    return "train"


def glosses_of(meaning: Meaning, order: Sequence[str]) -> tuple[str, ...]:
    """Its signs, as keys of ``languages_words.CONCEPTS``. order : of all SLOTS"""
    return tuple(sign for slot in order if (sign := getattr(meaning, slot)))


def english(meaning: Meaning) -> str:
    """ "Did the mother buy two red books at school yesterday?" """
    parts = _parts(meaning, _EN, _english_thing(meaning))
    base, third, past = DEEDS[meaning.deed][_EN].split()
    aux = {
        "past": "did",
        "future": "will",
        "present": "does" if parts.person == 2 else "do",
    }[meaning.aspect]
    if meaning.asked:
        words = [aux, parts.who, meaning.negated, base]
    elif meaning.negated or meaning.aspect == "future":
        words = [parts.who, aux, meaning.negated, base]
    else:
        present = third if parts.person == 2 else base
        words = [parts.who, past if meaning.aspect == "past" else present]
    return _sentence([*words, parts.thing, parts.place, parts.time], meaning)


def german(meaning: Meaning) -> str:
    """ "Hat die Mutter gestern in der Schule zwei rote Bücher gekauft?" """
    parts = _parts(meaning, _DE, _german_thing(meaning))
    infinitive, *present, participle = DEEDS[meaning.deed][_DE].split()
    have, will = "habe hast hat haben".split(), "werde wirst wird werden".split()
    verb, last = {
        "past": (have[parts.person], participle),
        "future": (will[parts.person], infinitive),
        "present": ([*present, infinitive][parts.person], ""),
    }[meaning.aspect]
    if meaning.asked:
        words = [verb, parts.who, parts.time]
    else:
        words = [parts.time, verb, parts.who] if parts.time else [parts.who, verb]
    return _sentence([*words, parts.place, parts.thing, last], meaning)


def spanish(meaning: Meaning) -> str:
    """ "¿Compró la madre dos libros rojos en la escuela ayer?" """
    parts = _parts(meaning, _ES, _romance_thing(meaning, _ES))
    infinitive = DEEDS[meaning.deed][_ES]
    stem = infinitive[:-2]
    past = [re.sub("c$", "qu", stem) + "é", *(stem + end for end in ("aste", "ó", "amos"))]
    verb = {
        "past": past[parts.person],
        "future": f"{('voy', 'vas', 'va', 'vamos')[parts.person]} a {infinitive}",
        "present": stem + ("o", "as", "a", "amos")[parts.person],
    }[meaning.aspect]
    who = parts.who if parts.person == 2 else ""
    no = "no" if meaning.negated else ""
    rest = [parts.thing, parts.place]
    if meaning.asked:
        return "¿" + _sentence([no, verb, who, *rest, parts.time], meaning)
    return _sentence([parts.time, who, no, verb, *rest], meaning)


def french(meaning: Meaning) -> str:
    """ "Est-ce que la mère a acheté deux livres rouges à l'école hier?" """
    parts = _parts(meaning, _FR, _romance_thing(meaning, _FR))
    stem, infinitive = DEEDS[meaning.deed][_FR].split()
    have, will = "ai as a avons".split(), "vais vas va allons".split()
    present = (f"{stem}e", f"{stem}es", f"{stem}e", f"{infinitive[:-2]}ons")
    verb, last = {
        "past": (have[parts.person], f"{infinitive[:-2]}é"),
        "future": (will[parts.person], infinitive),
        "present": (present[parts.person], ""),
    }[meaning.aspect]
    no, at_all = ("ne", "pas") if meaning.negated else ("", "")
    said = [parts.who, no, verb, at_all, last, parts.thing, parts.place]
    if meaning.asked:
        return _sentence(["est-ce que", *said, parts.time], meaning)
    return _sentence([parts.time and f"{parts.time},", *said], meaning)


TEXTS: dict[str, Callable[[Meaning], str]] = {
    "en": english, "de": german, "es": spanish, "fr": french
}  # fmt: skip


def _parts(meaning: Meaning, tongue: int, thing: str) -> _Parts:
    return _Parts(
        WHO[meaning.who][tongue],
        PERSONS.get(meaning.who, 2),
        thing,
        TIMES[meaning.time][tongue] if meaning.time else "",
        PLACES[meaning.place][tongue] if meaning.place else "",
    )


def _english_thing(meaning: Meaning) -> str:
    """ "a red book", "two red books" """
    one, several = THINGS[meaning.thing][_EN].split()
    return _joined([meaning.number or "a", meaning.quality, several if meaning.number else one])


def _german_thing(meaning: Meaning) -> str:
    """In the accusative: "einen roten Hut", "kein rotes Buch", "zwei rote Bücher"."""
    gender, one, several = THINGS[meaning.thing][_DE].split()
    quality = QUALITIES[meaning.quality][_DE] if meaning.quality else ""
    if meaning.number:
        return _joined([NUMBERS[meaning.number][_DE], quality and f"{quality}e", several])
    article, ending = {"m": ("einen", "en"), "f": ("eine", "e"), "n": ("ein", "es")}[gender]
    no = "k" if meaning.negated else ""
    return _joined([no + article, quality and quality + ending, one])


def _romance_thing(meaning: Meaning, tongue: int) -> str:
    """Spanish "un libro rojo", "dos camisas azules"; French "une lampe verte", "de lampe verte"."""
    gender, one, several = THINGS[meaning.thing][tongue].split()
    quality = ""
    if meaning.quality:
        quality = QUALITIES[meaning.quality][tongue].split()[gender == "f"]
    if meaning.number:
        ending = "es" if tongue == _ES and quality.endswith("l") else "s"
        return _joined([NUMBERS[meaning.number][tongue], several, quality and quality + ending])
    article = {_ES: {"m": "un", "f": "una"}, _FR: {"m": "un", "f": "une"}}[tongue][gender]
    if tongue == _FR and meaning.negated:
        article = "de"
    return _joined([article, one, quality])


def _sentence(words: Sequence[str], meaning: Meaning) -> str:
    """A great letter, French elisions (je achète: j'achète), a mark at the end."""
    text = re.sub(r"\b([jnd])e (?=[aeiouyàâéèê])", r"\1'", _joined(words))
    return text[0].upper() + text[1:] + ("?" if meaning.asked else ".")


def _joined(words: Sequence[str]) -> str:
    return " ".join(word for word in words if word)
