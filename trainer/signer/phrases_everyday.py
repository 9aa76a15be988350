"""Everyday conversation for the rendered signer, by topic: what is signed, and its English.

A sentence is two patterns. In the first, a word is a gloss ("_" is a space in it) and a ``{slot}``
is filled from SLOTS (``{slot_2}`` is another of the same kind); the second is its English, where
``{who:need}`` is the form of "need" that goes with who. The order is that of phrases.py: time and
topic, subject, verb, then can, finish and no; question words last.
"""

import re
from math import prod

import numpy as np

from fingerpost.trainer.signer.phrase_parts import Phrase, drawn
from fingerpost.trainer.signer.phrase_words_everyday import SLOTS, fits

TOPICS: dict[str, dict[str, str]] = {
    "greetings": {
        "meet you good": "nice to meet you.",
        "{grown} meet you happy": "{grown} {grown:be} happy to meet you.",
        "you meet i happy": "I am happy to meet you.",
        "bye {future} see you": "goodbye, see you {future}.",
        "{future} see you": "see you {future}.",
        "{future} i see you happy": "I will be happy to see you {future}.",
        "you help thank_you": "thank you for helping.",
        "{treat} you bring thank_you": "thank you for bringing {treat}.",
        "i fine thank_you": "I am fine, thank you.",
        "you who": "who are you?",
        "{they} you know you": "do you know {they}?",
        "{mine} you meet finish you": "have you met {mine}?",
        "{they} you meet want you": "do you want to meet {they}?",
        "please sign slow": "please sign slowly.",
        "please sign slow again": "please sign slowly again.",
        "you sign slow can you": "can you sign slowly?",
        "{they} {sense}": "{they} {they:be} {sense}.",
        "{they} sign can": "{they} can sign.",
        "{they} sign can no": "{they} cannot sign.",
        "{they} sign slow": "{they} {they:sign} slowly.",
        "sorry {who} {ill}": "sorry, {who} {who:be} {ill}.",
        "{today} {who} {feeling}": "{who} {who:be} {feeling} {today}.",
        "yesterday {who} {feeling}": "{who} {who:was} {feeling} yesterday.",
    },
    "needs": {
        "help {who} need": "{who} {who:need} help.",
        "help you need you": "do you need help?",
        "bathroom {who} need": "{who} {who:need} the bathroom.",
        "please wait": "please wait.",
        "please stop": "please stop.",
        "slow please": "slowly, please.",
        "please {treat} bring i": "please bring me {treat}.",
        "{treat} you bring i can you": "can you bring me {treat}?",
        "{food} {drink} {who} {get}": "{who} {who:{get}} {food} and {drink}.",
        "{past} {food} {drink} {who} buy": "{who} bought {food} and {drink} {past}.",
        "{future} {food} {drink} {who} buy": "{who} will buy {food} and {drink} {future}.",
        "please {food} {drink} bring i": "please bring me {food} and {drink}.",
        "{food} {drink} you want you": "do you want {food} and {drink}?",
        "{who} hungry {food} want": "{who} {who:be} hungry and {who:want} {food}.",
        "{who} cold clothes need": "{who} {who:be} cold and {who:need} clothes.",
        "{who} tired home go want": "{who} {who:be} tired and {who:want} to go home.",
        "{who} hot {drink} drink want": "{who} {who:be} hot and {who:want} to drink {drink}.",
        "{who} {consume} want what": "what {who:do} {who} want to {consume}?",
        "{past} {who} {consume} what": "what did {who} {consume} {past}?",
        "today {who} {consume} what": "what {who:be} {who} {consume:ing} today?",
    },
    "family": {
        "{relative} {who} have": "{who} {who:have} {relative}.",
        "{relative} {who} have no": "{who} {who:do} not have {relative}.",
        "{relative} you have you": "do you have {relative}?",
        "{relatives} many {who} have": "{who} {who:have} many {relatives}.",
        "{relatives} {who} have how many": "how many {relatives} {who:do} {who} have?",
        "{adult} {job}": "{adult} {adult:be} {job}.",
        "{adult} {job} no": "{adult} {adult:be} not {job}.",
        "you {job} you": "are you {job}?",
        "before {adult} {job}": "{adult} {adult:was} {job} before.",
        "{they} old how": "how old {they:be} {they}?",
        "{who} {far} live": "{who} {who:live} {far}.",
        "{kin} {who} meet want": "{who} {who:want} to meet {kin}.",
        "{today} {who} {at}": "{who} {who:be} {at} {today}.",
        "{past} {who} {at}": "{who} {who:was} {at} {past}.",
        "{future} {who} {at}": "{who} will be {at} {future}.",
        "{who} {at} no": "{who} {who:be} not {at}.",
        "{they} {at} why": "why {they:be} {they} {at}?",
        "{today} {they} where": "where {they:be} {they} {today}?",
        "you {at} you": "are you {at}?",
    },
    "directions": {
        "{building} where": "where is {building}?",
        "{building} {far}": "{building} is {far}.",
        "{building} {far} no": "{building} is not {far}.",
        "{building} {far} you think you": "do you think {building} is {far}?",
        "{building} near {building_2}": "{building} is near {building_2}.",
        "{owner} {house} {building} near": "{owner} {house} is near {building}.",
        "{owner} {house} {building} far": "{owner} {house} is far from {building}.",
        "{ride} train {who} go": "{who} {who:go} {ride} by train.",
        "{past} {ride} train {who} go": "{who} went {ride} by train {past}.",
        "{soon} {ride} train {me} go": "{me} will go {ride} by train {soon}.",
        "{to} {who} walk no": "{who} {who:do} not walk {to}.",
        "{to} you walk can you": "can you walk {to}?",
        "{past} {to} {who} walk": "{who} walked {to} {past}.",
        "{line} train go when": "when does the train go {line}?",
        "{today} train {who} wait": "{who} {who:be} waiting for the train {today}.",
        "train when": "when is the train?",
        "train time what": "what time is the train?",
        "train slow": "the train is slow.",
        "train {size}": "the train is {size}.",
        "please drive slow": "please drive slowly.",
        "please walk slow": "please walk slowly.",
        "{who} {verb} slow": "{who} {who:{verb}} slowly.",
        "{who} {verb} slow why": "why {who:do} {who} {verb} slowly?",
        "you {verb} slow can you": "can you {verb} slowly?",
    },
    "shop": {
        "{goods} money how many": "how much {goods:be} {goods}?",
        "money {who} {get} how many": "how much money {who:do} {who} {get}?",
        "{goods} expensive": "{goods} {goods:be} expensive.",
        "{goods} expensive no": "{goods} {goods:be} not expensive.",
        "{goods} expensive why": "why {goods:be} {goods} expensive?",
        "{thing} {colour} expensive": "the {colour} {thing.bare} {thing:be} expensive.",
        "{thing} {size} you think you": "do you think {thing} {thing:be} {size}?",
        "{item} {colour} {grade} {who} {get}": "{who} {who:{get}} a {grade} {colour} {item.bare}.",
        "{item} {colour} {grade} money how many": "how much is the {grade} {colour} {item.bare}?",
        "{thing} {size}": "{thing} {thing:be} {size}.",
        "{thing} {size} no": "{thing} {thing:be} not {size}.",
        "{item} {more} more {who} want": "{who} {who:want} a {more} {item.bare}.",
        "{item} {more} more you have you": "do you have a {more} {item.bare}?",
        "{goods} same {who} {get}": "{who} {who:{get}} the same {goods.bare}.",
        "{goods} {who} see want": "{who} {who:want} to see {goods}.",
    },
    "doctor": {
        "{past} accident {who} have": "{who} had an accident {past}.",
        "{past} accident {who} see": "{who} saw an accident {past}.",
        "accident where": "where is the accident?",
        "{who} headache": "{who} {who:have} a headache.",
        "{who} headache bad": "{who} {who:have} a bad headache.",
        "{who} headache no": "{who} {who:do} not have a headache.",
        "{today} {who} headache": "{who} {who:have} a headache {today}.",
        "{past} {who} headache": "{who} had a headache {past}.",
        "{often} {who} headache": "{who} {who:have} a headache {often}.",
        "you headache you": "do you have a headache?",
        "{who} headache why": "why {who:do} {who} have a headache?",
        "{who} headache medicine need": "{who} {who:have} a headache and {who:need} medicine.",
        "{while} now {who} {ill}": "{who} {who:have} been {ill} {while}.",
        "{while} now {who} headache": "{who} {who:have} had a headache {while}.",
        "{while} now you {ill} you": "have you been {ill} {while}?",
        "medicine {who} {get}": "{who} {who:{get}} medicine.",
        "medicine you bring finish you": "have you brought the medicine?",
        "medicine {who} {get} what": "what medicine {who:do} {who} {get}?",
        "{pro} appointment {who} have": "{who} {who:have} an appointment with {pro}.",
        "{soon} {pro} appointment {me} have": "{me} {me:have} an appointment with {pro} {soon}.",
        "{pro} {who} see {wish}": "{who} {who:{wish}} to see {pro}.",
        "{pro} {who} see can when": "when can {who} see {pro}?",
        "appointment {who} change {wish}": "{who} {who:{wish}} to change the appointment.",
        "{owner} appointment when": "when is {owner} appointment?",
        "{me} sick {to} go can no": "{me} {me:be} sick and cannot go {to}.",
    },
    "school": {
        "{event} {who} have": "{who} {who:have} {event}.",
        "{event} {who} have no": "{who} {who:do} not have {event}.",
        "{soon} {event} {who} have": "{who} {who:have} {event} {soon}.",
        "{soon} {event} {who} have no": "{who} {who:do} not have {event} {soon}.",
        "{past} {event} {who} have": "{who} had {event} {past}.",
        "{often} {event} {who} have": "{who} {who:have} {event} {often}.",
        "{event} {who} have when": "when {who:do} {who} have {event}?",
        "{soon} {event} you have you": "do you have {event} {soon}?",
        "{the_event} when": "when is {the_event}?",
        "{owner} {our_event} when": "when is {owner} {our_event}?",
        "{owner} {our_event} where": "where is {owner} {our_event}?",
        "{owner} {our_event} time what": "what time is {owner} {our_event}?",
        "{soon} {owner} {our_event}": "{owner} {our_event} is {soon}.",
        "{past} {owner} {our_event}": "{owner} {our_event} was {past}.",
        "{past} {the_event} {who} forget": "{who} forgot {the_event} {past}.",
        "class finish when": "when is the class over?",
        "{owner} class finish": "{owner} class is over.",
        "class student many": "the class has many students.",
        "class student how many": "how many students are in the class?",
        "{owner} class {size}": "{owner} class is {size}.",
        "test {who} study": "{who} {who:study} for the test.",
        "test {who} study no": "{who} {who:do} not study for the test.",
        "{today} test {who} study": "{who} {who:be} studying for the test {today}.",
        "{past} {load} {who} bring forget": "{who} forgot to bring {load} {past}.",
        "{load} you bring finish you": "have you brought {load}?",
        "{while} now {who} {verb}": "{who} {who:have} been {verb:ing} {while}.",
        "{owner} teacher sign slow": "{owner} teacher signs slowly.",
        "year you study how many": "how many years have you studied?",
        "sign language you learn want you": "do you want to learn sign language?",
    },
}
_SLOT = re.compile(r"{(\w+)}")
FORMULAS = frozenset(  # that stand for themselves, as ``random_phrase`` writes them
    text[0].upper() + text[1:]
    for topic in TOPICS.values()
    for text in topic.values()
    if not _SLOT.search(text)
)


def _size(pattern: str) -> int:
    """How many sentences a pattern of glosses stands for."""
    return prod(len(SLOTS[name.removesuffix("_2")]) for name in _SLOT.findall(pattern))


_PATTERNS = [
    (glosses.split(), text) for topic in TOPICS.values() for glosses, text in topic.items()
]
# A pattern of many sentences is drawn more often, but not so often that fixed phrases are rare.
_WEIGHTS = [
    weight / sum(weights)
    for weights in ([_size(glosses) ** (1 / 3) for glosses in topic] for topic in TOPICS.values())
    for weight in weights
]
_ENDS = np.cumsum(_WEIGHTS) / sum(_WEIGHTS)


def everyday_phrase(rng: np.random.Generator) -> Phrase:
    """A sentence of TOPICS, each topic as likely as the others; in English without its capital."""
    words, text = _PATTERNS[drawn(rng, _ENDS)]
    slots = {word: word[1:-1] for word in words if _SLOT.fullmatch(word)}
    while True:
        filled = {}
        for name in slots.values():
            nouns = SLOTS[name.removesuffix("_2")]
            filled[name] = nouns[rng.integers(len(nouns))]
        if fits(filled):
            break
    row: list[str] = []
    for word in words:
        row += filled[slots[word]].glosses if word in slots else (word.replace("_", " "),)
    return Phrase(tuple(row), text.format(**filled))
