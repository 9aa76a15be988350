"""Sentences for the rendered signer: a row of glosses, and what it says in English.

**The grammar approximates ASL and is no reference for it**, as the lexicon is none. It has what
makes translation more than replacing words: time and topic come first, then subject and verb; can,
finish and negation follow the verb; question words come last; a question that asks for yes or no
repeats its "you"; an adjective follows its noun; there are no articles, no "to be", no verb forms.

    TOMORROW BOOK RED MY MOTHER BUY     My mother will buy a red book tomorrow.
    SHIRT RED YOUR FATHER WANT WHY      Why does your father want a red shirt?

A row of glosses has one text only. The words are in phrase_words.py. About half of all sentences
are of everyday topics, see phrases_everyday.py; the others combine whatever goes together.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fingerpost.trainer.signer.phrase_parts import (
    OWNERS,
    Noun,
    Phrase,
    Verb,
    a_deed,
    a_person,
    a_subject,
    a_thing,
    drawn,
    join,
    pick,
)
from fingerpost.trainer.signer.phrase_words import (
    ACTIONS,
    LASTING,
    OBJECTS,
    OPENINGS,
    PERSON_QUALITIES,
    PERSON_VERBS,
    PERSON_VERBS_REST,
    PERSONS,
    PLACES,
    PLURALS,
    SERVED,
    THING_QUALITIES,
    TIMES,
    VERBS,
)
from fingerpost.trainer.signer.phrases_everyday import everyday_phrase

__all__ = ["KINDS", "MAX_SIGNS", "MIN_SIGNS", "Phrase", "random_phrase"]

MIN_SIGNS, MAX_SIGNS = 2, 6
_COUNTED = tuple(noun for noun in THING_QUALITIES if noun in PLURALS)


def random_phrase(rng: np.random.Generator) -> Phrase:
    """A sentence of a kind drawn from KINDS by its weight, sometimes with an opening."""
    while True:
        phrase = KINDS[drawn(rng, _ENDS)][1](rng)
        if rng.random() < 0.12:
            phrase = _opened(phrase, rng)
        alone = all(phrase.glosses.count(person) < 2 for person in PERSONS)  # none calls herself
        if alone and MIN_SIGNS <= len(phrase.glosses) <= MAX_SIGNS:
            return replace(phrase, text=phrase.text[0].upper() + phrase.text[1:])


# ---- kinds of sentences


def _statement(rng: np.random.Generator) -> Phrase:
    """TOMORROW SCHOOL I GO: I will go to school tomorrow."""
    who, verb = a_subject(rng), a_deed(rng)
    chance = rng.random()
    if chance < 0.30:
        return _simple(who, verb, negated=rng.random() < 0.3)
    if chance < 0.65:
        return _timed(rng, who, verb)
    if chance < 0.75 and verb.gloss in ACTIONS:
        return _said(who, verb, f"{who:have} already {verb.form('done')}", "finish")
    if chance < 0.87 and verb.gloss in ACTIONS:
        negated = rng.random() < 0.35
        english = f"{'cannot' if negated else 'can'} {verb.form('base')}"
        return _said(who, verb, english, *(("can", "no") if negated else ("can",)))
    if verb.gloss in ACTIONS:
        wish = pick(rng, ("want", "need", "like"))
        third = who.person == 3
        return _said(who, verb, f"{VERBS[wish][third]} to {verb.form('base')}", wish)
    return _simple(who, verb, negated=True)


def _said(who: Noun, verb: Verb, english: str, *after: str, time: str = "") -> Phrase:
    glosses = ((time,) if time else ()) + verb.topic + who.glosses + (verb.gloss, *after)
    return Phrase(glosses, join(who.text, english, TIMES.get(time, "")) + ".")


def _simple(who: Noun, verb: Verb, negated: bool) -> Phrase:
    third = who.person == 3
    if negated:
        return _said(who, verb, f"{'does' if third else 'do'} not {verb.form('base')}", "no")
    return _said(who, verb, verb.form("third" if third else "base"))


def _timed(rng: np.random.Generator, who: Noun, verb: Verb) -> Phrase:
    time = pick(rng, ("before", "now") if verb.gloss in LASTING else tuple(TIMES))
    negated = rng.random() < 0.2
    no = ("no",) if negated else ()
    if time in ("tomorrow", "later"):
        return _said(who, verb, f"will {'not ' * negated}{verb.form('base')}", *no, time=time)
    if time in ("before", "yesterday"):
        english = f"did not {verb.form('base')}" if negated else verb.form("past")
        return _said(who, verb, english, *no, time=time)
    if time in ("now", "today") and verb.gloss in ACTIONS:
        return _said(who, verb, f"{who:be} {verb.form('ing')}", time=time)
    return _said(who, verb, verb.form("third" if who.person == 3 else "base"), time=time)


def _to_you(rng: np.random.Generator) -> Phrase:
    """TOMORROW I VISIT YOU: I will visit you tomorrow."""
    third = rng.random() < 0.5
    who = a_person(rng) if third else Noun(("i",), "I", 1)
    gloss = pick(rng, PERSON_VERBS)
    verb = Verb(gloss, rest=join("you", PERSON_VERBS_REST.get(gloss, "")))
    said = _timed(rng, who, verb) if rng.random() < 0.6 else _simple(who, verb, rng.random() < 0.3)
    at = len(said.glosses) - (said.glosses[-1] == "no")  # the negation stays last
    return replace(said, glosses=(*said.glosses[:at], "you", *said.glosses[at:]))


def _asked(rng: np.random.Generator) -> Phrase:
    """COFFEE YOU WANT YOU: Do you want coffee?"""
    you, verb = Noun(("you",), "you", 2), a_deed(rng)
    if verb.gloss in ACTIONS and rng.random() < 0.3:
        can = _said(you, verb, "", "can", "you")
        return replace(can, text=f"can you {verb.form('base')}?")
    if rng.random() < 0.3:
        will = _said(you, verb, "", "you", time="tomorrow")
        return replace(will, text=f"will you {verb.form('base')} tomorrow?")
    return replace(_said(you, verb, "", "you"), text=f"do you {verb.form('base')}?")


def _asked_why(rng: np.random.Generator) -> Phrase:
    """FISH YOUR MOTHER COOK HOW: How does your mother cook fish?"""
    word = pick(rng, ("why", "where", "how", "when"))
    who = a_subject(rng)
    verb = a_deed(rng, None if word == "why" else ACTIONS)
    if word == "where" and (verb.gloss in PLACES or rng.random() < 0.2):
        verb = Verb("live")  # who asks where to does not say where to
    said = _said(who, verb, "", word)
    return replace(said, text=f"{word} {who:do} {who} {verb.form('base')}?")


def _asked_who(rng: np.random.Generator) -> Phrase:
    """COFFEE WANT WHO: Who wants coffee?"""
    verb = a_deed(rng)
    if rng.random() < 0.3:
        glosses = ("tomorrow", *verb.topic, verb.gloss, "who")
        return Phrase(glosses, f"who will {verb.form('base')} tomorrow?")
    return Phrase((*verb.topic, verb.gloss, "who"), f"who {verb.form('third')}?")


def _asked_what(rng: np.random.Generator) -> Phrase:
    """BOOK YOU HAVE HOW MANY: How many books do you have? And: YOU WANT WHAT."""
    who = a_subject(rng)
    if rng.random() < 0.5:
        verb = pick(rng, ("have", "want", "need", "buy", "see"))
        noun = pick(rng, tuple(n for n in OBJECTS[verb] if n in PLURALS))
        text = f"how many {PLURALS[noun]} {who:do} {who} {verb}?"
        return Phrase((noun, *who.glosses, verb, "how", "many"), text)
    verb = pick(rng, ("think", *OBJECTS))
    if rng.random() < 0.4:
        text = f"what will {who.text} {VERBS[verb][0]} tomorrow?"
        return Phrase(("tomorrow", *who.glosses, verb, "what"), text)
    return Phrase((*who.glosses, verb, "what"), f"what {who:do} {who} {VERBS[verb][0]}?")


def _asked_of(rng: np.random.Generator) -> Phrase:
    """YOUR FRIEND NAME WHAT: What is your friend's name? SHIRT COLOR WHAT. MOVIE TIME WHAT."""
    kind = rng.integers(5)
    owner = pick(rng, OWNERS)
    if kind == 0:
        who = a_person(rng)
        return Phrase((*who.glosses, "name", "what"), f"what is {who.text}'s name?")
    if kind == 1:
        return Phrase(("movie", "time", "what"), "what time is the movie?")
    if kind == 2:
        who = a_subject(rng)
        word = pick(
            rng, {1: ("where",), 2: ("how", "where")}.get(who.person, ("how", "where", "who"))
        )
        return Phrase((*who.glosses, word), f"{word} {who:be} {who}?")
    if kind == 3:
        noun = pick(rng, tuple(n for n in _COUNTED if "red" in THING_QUALITIES[n]))
        return Phrase((owner, noun, "color", "what"), f"what color is {owner} {noun}?")
    noun = pick(rng, _COUNTED)
    return Phrase((owner, noun, "where"), f"where is {owner} {noun}?")


def _quality(rng: np.random.Generator) -> Phrase:
    """NOW MY MOTHER TIRED: My mother is tired now. YOUR SHIRT OLD NO: Your shirt is not old."""
    if rng.random() < 0.6:
        who, word = a_subject(rng), pick(rng, PERSON_QUALITIES)
    else:
        noun = pick(rng, tuple(THING_QUALITIES))
        owner = pick(rng, OWNERS)
        who = Noun((owner, noun), f"{owner} {noun}", 4 if noun == "clothes" else 3)
        word = pick(rng, THING_QUALITIES[noun])
    glosses, be = (*who.glosses, word), f"{who:be}"
    chance = rng.random()
    if chance < 0.15 and who.person != 1:
        return Phrase((*glosses, "why"), f"why {be} {who.text} {word}?")
    if chance < 0.3:
        return Phrase((*glosses, "no"), f"{who.text} {be} not {word}.")
    if chance < 0.4 and who.person == 2:
        return Phrase((*glosses, "you"), f"are you {word}?")
    time = pick(rng, ("", "now", "before", "tomorrow"))
    past = "was" if be in ("am", "is") else "were"
    be = {"before": past, "tomorrow": "will be"}.get(time, be)
    text = join(who.text, be, word, TIMES.get(time, ""))
    return Phrase((time, *glosses) if time else glosses, text + ".")


def _compared(rng: np.random.Generator) -> Phrase:
    """YOUR HAT MY HAT SAME: Your hat and my hat are the same."""
    noun = pick(rng, _COUNTED)
    first, second = rng.permutation(OWNERS).tolist()
    gloss, english = ("same", "the same") if rng.random() < 0.5 else ("different", "different")
    text = f"{first} {noun} and {second} {noun} are {english}."
    return Phrase((first, noun, second, noun, gloss), text)


def _requested(rng: np.random.Generator) -> Phrase:
    """PLEASE BOOK GIVE I: Please give me a book. STOP CRY. PLEASE SIGN AGAIN. WATER MORE PLEASE."""
    kind = rng.integers(4)
    if kind == 0:
        thing = a_thing(rng, OBJECTS["want"])
        return Phrase(("please", *thing.glosses, "give", "i"), f"please give me {thing.text}.")
    if kind == 1:
        verb = a_deed(rng, ACTIONS)
        glosses = ("please", "stop", *verb.topic, verb.gloss)
        return Phrase(glosses, f"please stop {verb.form('ing')}.")
    if kind == 2:
        verb = a_deed(rng, ACTIONS)
        glosses = ("please", *verb.topic, verb.gloss, "again")
        return Phrase(glosses, f"please {verb.form('base')} again.")
    noun = pick(rng, SERVED)
    return Phrase((noun, "more", "please"), f"more {PLURALS.get(noun, noun)}, please.")


def _greeting(rng: np.random.Generator) -> Phrase:
    """HELLO MY FRIEND: Hello, my friend. TOMORROW SNOW: It will snow tomorrow."""
    if rng.random() < 0.2:
        time = pick(rng, ("tomorrow", "later", "now", "before"))
        it = {"now": "it is snowing", "before": "it snowed"}.get(time, "it will snow")
        return Phrase((time, "snow"), f"{it} {TIMES[time]}.")
    opening = pick(rng, tuple(OPENINGS))
    who = a_person(rng)
    return Phrase((opening, *who.glosses), f"{OPENINGS[opening]}, {who.text.removeprefix('the ')}.")


def _opened(phrase: Phrase, rng: np.random.Generator) -> Phrase:
    """HELLO before the sentence: "Hello, ..."."""
    if phrase.glosses[0] in OPENINGS or phrase.glosses[0] == "please":
        return phrase
    if phrase.text.endswith("?"):  # no answer is asked
        openings: tuple[str, ...] = ("hello", "sorry")
    else:  # who says goodbye speaks of later
        going = phrase.glosses[0] in ("later", "tomorrow")
        openings = tuple(word for word in OPENINGS if going or word != "bye")
    opening = pick(rng, openings)
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
    (22, everyday_phrase),
)
_ENDS = np.cumsum([weight for weight, _ in KINDS]) / sum(weight for weight, _ in KINDS)
