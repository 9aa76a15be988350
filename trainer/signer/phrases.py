"""Sentences for the rendered signer: a row of glosses, and what it says in English.

**The grammar approximates ASL and is no reference for it**, as the lexicon is none. It has what
makes translation more than replacing words: time and topic come first, then subject and verb; can,
finish and negation follow the verb; question words come last; a question that asks for yes or no
repeats its "you"; an adjective follows its noun; there are no articles, no "to be", no verb forms.

    TOMORROW BOOK RED MY MOTHER BUY     My mother will buy a red book tomorrow.
    SHIRT RED YOUR FATHER WANT WHY      Why does your father want a red shirt?

A row of glosses has one text only. The words are in phrase_words.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fingerpost.trainer.signer.phrase_words import (
    ACTIONS,
    KINSHIP,
    MASS,
    OBJECTS,
    OPENINGS,
    PERSON_QUALITIES,
    PERSON_VERBS,
    PERSONS,
    PLACES,
    PLURALS,
    THING_QUALITIES,
    TIMES,
    VERBS,
)

MIN_SIGNS, MAX_SIGNS = 2, 6
_OWNERS = ("my", "your")
_ANY_VERB = (*VERBS, "go", "go", "go")  # the one that says a place, of which there are six


@dataclass(frozen=True)
class Phrase:
    """What is signed, 2 to 6 glosses of LEXICON, and the same in English, one sentence."""

    glosses: tuple[str, ...]
    text: str


def random_phrase(rng: np.random.Generator) -> Phrase:
    """A sentence of a kind drawn from KINDS by its weight, sometimes with an opening."""
    weights = np.array([weight for weight, _ in KINDS])
    while True:
        _, make = KINDS[rng.choice(len(KINDS), p=weights / weights.sum())]
        phrase = make(rng)
        if rng.random() < 0.12:
            phrase = _opened(phrase, rng)
        alone = all(phrase.glosses.count(person) < 2 for person in PERSONS)  # none calls herself
        if alone and MIN_SIGNS <= len(phrase.glosses) <= MAX_SIGNS:
            return replace(phrase, text=phrase.text[0].upper() + phrase.text[1:])


# ---- parts of a sentence


@dataclass(frozen=True)
class _Noun:
    """glosses; text : with its article or owner; person : 1, 2, 3, or 4 for several."""

    glosses: tuple[str, ...]
    text: str
    person: int = 3


@dataclass(frozen=True)
class _Verb:
    """What is done to what. topic : glosses that come before the subject; rest : English after the
    verb; after : glosses after the verb."""

    gloss: str
    topic: tuple[str, ...] = ()
    rest: str = ""
    after: tuple[str, ...] = ()

    def form(self, name: str) -> str:
        base, third, past, participle, ing = VERBS[self.gloss]
        forms = {"base": base, "third": third, "past": past, "done": participle, "ing": ing}
        return _join(forms[name], self.rest)


def _pick(rng: np.random.Generator, items: tuple[str, ...]) -> str:
    return items[rng.integers(len(items))]


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _with_article(words: str, noun: str) -> str:
    """ "red shirt" to "a red shirt"; what cannot be counted has no article."""
    if noun in MASS:
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _person(rng: np.random.Generator) -> _Noun:
    """Somebody who is spoken of: "my mother", "the doctor"."""
    who = _pick(rng, PERSONS)
    if who in KINSHIP:
        owner = _pick(rng, _OWNERS)
        return _Noun((owner, who), f"{owner} {who}")
    return _Noun((who,), f"the {who}")


def _subject(rng: np.random.Generator) -> _Noun:
    chance = rng.random()
    if chance < 0.35:
        return _Noun(("i",), "I", 1)
    if chance < 0.55:
        return _Noun(("you",), "you", 2)
    return _person(rng)


def _thing(rng: np.random.Generator, kinds: tuple[str, ...]) -> _Noun:
    """One of `kinds`: bare, of a colour or quality, of somebody, or many."""
    noun = _pick(rng, kinds)
    chance = rng.random()
    if chance < 0.45 or noun not in THING_QUALITIES:
        owned = noun in THING_QUALITIES and chance < 0.12
        owner = _pick(rng, _OWNERS)
        if owned:
            return _Noun((owner, noun), f"{owner} {noun}")
        text = "sign language" if noun == "language" else noun
        glosses = ("sign", "language") if noun == "language" else (noun,)
        return _Noun(glosses, _with_article(text, noun))
    if chance < 0.55 and noun in PLURALS:
        return _Noun((noun, "many"), f"many {PLURALS[noun]}")
    quality = _pick(rng, THING_QUALITIES[noun])
    return _Noun((noun, quality), _with_article(f"{quality} {noun}", noun))


def _deed(rng: np.random.Generator, verbs: tuple[str, ...] | None = None) -> _Verb:
    """A verb with what it is done to. verbs : of which it is one; None is any."""
    gloss = _pick(rng, verbs or _ANY_VERB)
    if gloss == "go":
        place, english = PLACES[rng.integers(len(PLACES))]
        return _Verb("go", (place,), english)
    if gloss in PERSON_VERBS and (gloss not in OBJECTS or rng.random() < 0.5):
        who = _person(rng)
        return _Verb(gloss, who.glosses, who.text)
    if gloss in OBJECTS:
        thing = _thing(rng, OBJECTS[gloss])
        return _Verb(gloss, thing.glosses, thing.text)
    return _Verb(gloss)


# ---- kinds of sentences


def _statement(rng: np.random.Generator) -> Phrase:
    """TOMORROW SCHOOL I GO: I will go to school tomorrow."""
    who, verb = _subject(rng), _deed(rng)
    chance = rng.random()
    if chance < 0.30:
        return _simple(who, verb, negated=rng.random() < 0.3)
    if chance < 0.65:
        return _timed(rng, who, verb)
    if chance < 0.75 and verb.gloss in ACTIONS:
        have = "has" if who.person == 3 else "have"
        return _said(who, verb, f"{have} already {verb.form('done')}", "finish")
    if chance < 0.87 and verb.gloss in ACTIONS:
        negated = rng.random() < 0.35
        english = f"{'cannot' if negated else 'can'} {verb.form('base')}"
        return _said(who, verb, english, *(("can", "no") if negated else ("can",)))
    if verb.gloss in ACTIONS:
        wish = _pick(rng, ("want", "need", "like"))
        third = who.person == 3
        return _said(who, verb, f"{VERBS[wish][third]} to {verb.form('base')}", wish)
    return _simple(who, verb, negated=True)


def _said(who: _Noun, verb: _Verb, english: str, *after: str, time: str = "") -> Phrase:
    glosses = ((time,) if time else ()) + verb.topic + who.glosses + (verb.gloss, *after)
    return Phrase(glosses, _join(who.text, english, TIMES.get(time, "")) + ".")


def _simple(who: _Noun, verb: _Verb, negated: bool) -> Phrase:
    third = who.person == 3
    if negated:
        return _said(who, verb, f"{'does' if third else 'do'} not {verb.form('base')}", "no")
    return _said(who, verb, verb.form("third" if third else "base"))


def _timed(rng: np.random.Generator, who: _Noun, verb: _Verb) -> Phrase:
    time = _pick(rng, tuple(TIMES))
    if time in ("tomorrow", "later"):
        negated = rng.random() < 0.2
        english = f"will {'not ' * negated}{verb.form('base')}"
        return _said(who, verb, english, *(("no",) if negated else ()), time=time)
    if time == "before":
        return _said(who, verb, verb.form("past"), time=time)
    if time == "now" and verb.gloss in ACTIONS:
        return _said(who, verb, f"{_be(who)} {verb.form('ing')}", time=time)
    return _said(who, verb, verb.form("third" if who.person == 3 else "base"), time=time)


def _be(who: _Noun) -> str:
    return {1: "am", 3: "is"}.get(who.person, "are")


def _to_you(rng: np.random.Generator) -> Phrase:
    """TOMORROW I VISIT YOU: I will visit you tomorrow."""
    third = rng.random() < 0.5
    who = _person(rng) if third else _Noun(("i",), "I", 1)
    verb = _Verb(_pick(rng, PERSON_VERBS), rest="you")
    said = _timed(rng, who, verb) if rng.random() < 0.6 else _simple(who, verb, rng.random() < 0.3)
    at = len(said.glosses) - (said.glosses[-1] == "no")  # the negation stays last
    return replace(said, glosses=(*said.glosses[:at], "you", *said.glosses[at:]))


def _asked(rng: np.random.Generator) -> Phrase:
    """COFFEE YOU WANT YOU: Do you want coffee?"""
    you, verb = _Noun(("you",), "you", 2), _deed(rng)
    if verb.gloss in ACTIONS and rng.random() < 0.3:
        can = _said(you, verb, "", "can", "you")
        return replace(can, text=f"can you {verb.form('base')}?")
    if rng.random() < 0.3:
        will = _said(you, verb, "", "you", time="tomorrow")
        return replace(will, text=f"will you {verb.form('base')} tomorrow?")
    return replace(_said(you, verb, "", "you"), text=f"do you {verb.form('base')}?")


def _asked_why(rng: np.random.Generator) -> Phrase:
    """FISH YOUR MOTHER COOK HOW: How does your mother cook fish?"""
    word = _pick(rng, ("why", "where", "how"))
    who = _subject(rng)
    verb = _deed(rng, None if word == "why" else (*ACTIONS, "live"))
    do = "does" if who.person == 3 else "do"
    said = _said(who, verb, "", word)
    return replace(said, text=f"{word} {do} {who.text} {verb.form('base')}?")


def _asked_who(rng: np.random.Generator) -> Phrase:
    """COFFEE WANT WHO: Who wants coffee?"""
    verb = _deed(rng)
    if rng.random() < 0.3:
        glosses = ("tomorrow", *verb.topic, verb.gloss, "who")
        return Phrase(glosses, f"who will {verb.form('base')} tomorrow?")
    return Phrase((*verb.topic, verb.gloss, "who"), f"who {verb.form('third')}?")


def _asked_what(rng: np.random.Generator) -> Phrase:
    """BOOK YOU HAVE HOW MANY: How many books do you have? And: YOU WANT WHAT."""
    who = _subject(rng)
    do = "does" if who.person == 3 else "do"
    if rng.random() < 0.5:
        verb = _pick(rng, ("have", "want", "need", "buy", "see"))
        noun = _pick(rng, tuple(n for n in OBJECTS[verb] if n in PLURALS))
        text = f"how many {PLURALS[noun]} {do} {who.text} {verb}?"
        return Phrase((noun, *who.glosses, verb, "how", "many"), text)
    verb = _pick(rng, ("think", *(v for v in OBJECTS if v != "go")))
    if rng.random() < 0.4:
        text = f"what will {who.text} {VERBS[verb][0]} tomorrow?"
        return Phrase(("tomorrow", *who.glosses, verb, "what"), text)
    return Phrase((*who.glosses, verb, "what"), f"what {do} {who.text} {VERBS[verb][0]}?")


def _asked_of(rng: np.random.Generator) -> Phrase:
    """YOUR FRIEND NAME WHAT: What is your friend's name? SHIRT COLOR WHAT. MOVIE TIME WHAT."""
    kind = rng.integers(5)
    owner = _pick(rng, _OWNERS)
    if kind == 0:
        who = _person(rng)
        return Phrase((*who.glosses, "name", "what"), f"what is {who.text}'s name?")
    if kind == 1:
        return Phrase(("movie", "time", "what"), "what time is the movie?")
    if kind == 2:
        who = _subject(rng)
        word = _pick(rng, ("how", "where", *(("who",) if who.person == 3 else ())))
        return Phrase((*who.glosses, word), f"{word} {_be(who)} {who.text}?")
    noun = _pick(rng, tuple(n for n in THING_QUALITIES if n in PLURALS))
    if kind == 3:
        return Phrase((owner, noun, "color", "what"), f"what color is {owner} {noun}?")
    return Phrase((owner, noun, "where"), f"where is {owner} {noun}?")


def _quality(rng: np.random.Generator) -> Phrase:
    """NOW MY MOTHER TIRED: My mother is tired now. YOUR SHIRT OLD NO: Your shirt is not old."""
    if rng.random() < 0.6:
        who, word = _subject(rng), _pick(rng, PERSON_QUALITIES)
    else:
        noun = _pick(rng, tuple(THING_QUALITIES))
        owner = _pick(rng, _OWNERS)
        who = _Noun((owner, noun), f"{owner} {noun}", 4 if noun == "clothes" else 3)
        word = _pick(rng, THING_QUALITIES[noun])
    glosses, be = (*who.glosses, word), _be(who)
    chance = rng.random()
    if chance < 0.15:
        return Phrase((*glosses, "why"), f"why {be} {who.text} {word}?")
    if chance < 0.3:
        return Phrase((*glosses, "no"), f"{who.text} {be} not {word}.")
    if chance < 0.4 and who.person == 2:
        return Phrase((*glosses, "you"), f"are you {word}?")
    time = _pick(rng, ("", "now", "before", "tomorrow"))
    past = "was" if be in ("am", "is") else "were"
    be = {"before": past, "tomorrow": "will be"}.get(time, be)
    text = _join(who.text, be, word, TIMES.get(time, ""))
    return Phrase((time, *glosses) if time else glosses, text + ".")


def _compared(rng: np.random.Generator) -> Phrase:
    """YOUR HAT MY HAT SAME: Your hat and my hat are the same."""
    noun = _pick(rng, tuple(PLURALS))
    first, second = rng.permutation(_OWNERS).tolist()
    gloss, english = ("same", "the same") if rng.random() < 0.5 else ("different", "different")
    text = f"{first} {noun} and {second} {noun} are {english}."
    return Phrase((first, noun, second, noun, gloss), text)


def _requested(rng: np.random.Generator) -> Phrase:
    """PLEASE BOOK GIVE I: Please give me a book. STOP CRY. PLEASE SIGN AGAIN. WATER MORE PLEASE."""
    kind = rng.integers(4)
    if kind == 0:
        thing = _thing(rng, OBJECTS["want"])
        return Phrase(("please", *thing.glosses, "give", "i"), f"please give me {thing.text}.")
    if kind == 1:
        verb = _deed(rng, ACTIONS)
        glosses = ("please", "stop", *verb.topic, verb.gloss)
        return Phrase(glosses, f"please stop {verb.form('ing')}.")
    if kind == 2:
        verb = _deed(rng, ACTIONS)
        glosses = ("please", *verb.topic, verb.gloss, "again")
        return Phrase(glosses, f"please {verb.form('base')} again.")
    noun = _pick(rng, tuple(n for n in OBJECTS["want"] if n in PLURALS or n in MASS))
    return Phrase((noun, "more", "please"), f"more {PLURALS.get(noun, noun)}, please.")


def _greeting(rng: np.random.Generator) -> Phrase:
    """HELLO MY FRIEND: Hello, my friend. TOMORROW SNOW: It will snow tomorrow."""
    if rng.random() < 0.2:
        time = _pick(rng, ("tomorrow", "later", "now", "before"))
        it = {"now": "it is snowing", "before": "it snowed"}.get(time, "it will snow")
        return Phrase((time, "snow"), f"{it} {TIMES[time]}.")
    opening = _pick(rng, tuple(OPENINGS))
    who = _person(rng)
    return Phrase((opening, *who.glosses), f"{OPENINGS[opening]}, {who.text.removeprefix('the ')}.")


def _opened(phrase: Phrase, rng: np.random.Generator) -> Phrase:
    """HELLO before the sentence: "Hello, ..."."""
    opening = _pick(rng, tuple(OPENINGS))
    if phrase.glosses[0] in OPENINGS or phrase.glosses[0] == "please":
        return phrase
    return Phrase((opening, *phrase.glosses), f"{OPENINGS[opening]}, {phrase.text}")


KINDS: tuple[tuple[float, Callable[[np.random.Generator], Phrase]], ...] = (
    (8, _statement),
    (1.5, _to_you),
    (2, _asked),
    (2, _asked_why),
    (1, _asked_who),
    (1.5, _asked_what),
    (1, _asked_of),
    (3, _quality),
    (0.7, _compared),
    (1.5, _requested),
    (0.4, _greeting),
)
