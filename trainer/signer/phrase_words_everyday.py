"""The words of the signer's everyday sentences: what may fill a ``{slot}`` of phrases_everyday.py.

Each is a gloss or more, and its English. Where one comes twice it is drawn twice as often.
"""

from fingerpost.trainer.signer.phrase_parts import OWNERS, Noun
from fingerpost.trainer.signer.phrase_words import COLOURS, KINSHIP, PERSONS

_PLURAL = 4


def _nouns(english: dict[str, str], person: int = 3) -> tuple[Noun, ...]:
    """Gloss or glosses, cut at spaces, to English."""
    return tuple(Noun(tuple(glosses.split()), text, person) for glosses, text in english.items())


def _named(glosses: str, article: str = "") -> tuple[Noun, ...]:
    """Glosses, cut at spaces, that are English words as they are."""
    return tuple(Noun((gloss,), f"{article} {gloss}".strip()) for gloss in glosses.split())


_I, _YOU = Noun(("i",), "I", 1), Noun(("you",), "you", 2)
_KIN = tuple(
    Noun((own, who), f"{own} {who}") for own in OWNERS for who in KINSHIP if who != "family"
)
_GROWN = ("brother", "daughter", "father", "friend", "mother", "son", "wife")
_OTHERS = tuple(Noun((who,), f"the {who}") for who in PERSONS if who not in KINSHIP)
_CLOTHES = Noun(("clothes",), "the clothes", _PLURAL)
_THINGS = _named("ball bed book computer hat house shirt table", "the")
_FOODS = _named("bread fish pizza") + _nouns(
    {"apple": "an apple", "orange": "an orange", "sandwich": "a sandwich"}
)
_DRINKS = _named("coffee milk tea water")
_BUILDINGS = _named("bathroom city house office room school", "the")

SLOTS: dict[str, tuple[Noun, ...]] = {
    # people
    "who": (_I,) * 16 + (_YOU,) * 8 + _KIN + _OTHERS,
    "me": (_I,) * 2 + (_YOU,) + _OTHERS,  # of one gloss, for long sentences
    "they": _KIN + _OTHERS,
    "kin": _KIN,
    "grown": tuple(who for who in _KIN if who.glosses[1] in _GROWN),
    "adult": (_I,) * 4
    + (_YOU,) * 2
    + tuple(who for who in _KIN + _OTHERS if who.glosses[-1] in _GROWN + ("man", "woman")),
    "mine": tuple(who for who in _KIN if who.glosses[0] == "my"),
    "owner": _named("my your"),
    "pro": _named("doctor teacher", "the"),
    "job": _named("doctor student teacher", "a"),
    "relative": _named("baby brother child daughter friend son", "a"),
    "relatives": _nouns(
        {
            "brother": "brothers",
            "child": "children",
            "daughter": "daughters",
            "friend": "friends",
            "son": "sons",
        },
        _PLURAL,
    ),  # fmt: skip
    # times
    "past": _named("before yesterday"),
    "future": _named("later tomorrow"),
    "today": _named("now today"),
    "soon": _named("later today tomorrow"),
    "often": _nouns({"day": "every day", "week": "every week", "year": "every year"}),
    "while": _nouns(
        {
            "day": "for a day",
            "week": "for a week",
            "year": "for a year",
            "yesterday": "since yesterday",
        }
    ),  # fmt: skip
    # places
    "building": _BUILDINGS,
    "house": _nouns({"house": "house", "office": "office", "room": "room", "school": "school"}),
    "to": _nouns(
        {
            "bathroom": "to the bathroom",
            "city": "to the city",
            "class": "to class",
            "home": "home",
            "house": "to the house",
            "office": "to the office",
            "school": "to school",
            "work": "to work",
        }
    ),  # fmt: skip
    "ride": _nouns(
        {
            "city": "to the city",
            "home": "home",
            "office": "to the office",
            "school": "to school",
            "work": "to work",
        }
    ),  # fmt: skip
    "line": _nouns({"city": "to the city", "office": "to the office", "school": "to the school"}),
    "at": _nouns(
        {
            "bathroom": "in the bathroom",
            "bed": "in bed",
            "city": "in the city",
            "class": "in class",
            "home": "at home",
            "office": "at the office",
            "school": "at school",
            "train": "on the train",
        }
    ),  # fmt: skip
    # things
    "food": _FOODS,
    "drink": _DRINKS,
    "treat": _FOODS + _DRINKS,
    "thing": (*_THINGS, _CLOTHES),
    "item": _THINGS,
    "goods": (
        *_THINGS,
        *_named("apple bread coffee fish flower medicine milk pizza sandwich tea", "the"),
        _CLOTHES,
    ),
    "load": _nouns(
        {
            "book": "the book",
            "medicine": "the medicine",
            "money": "money",
            "paper": "the paper",
            "bread": "the bread",
            "computer": "the computer",
            "ball": "the ball",
            "flower": "a flower",
            "sandwich": "a sandwich",
            "pizza": "the pizza",
        }
    ),  # fmt: skip
    "event": _nouns({"appointment": "an appointment", "class": "a class", "test": "a test"}),
    "the_event": _named("appointment class test", "the"),
    "our_event": _named("appointment class test"),
    # qualities
    "size": _named("big expensive new old small"),
    "more": _nouns({"big": "bigger", "new": "newer", "small": "smaller"}),
    "grade": _named("big new small"),
    "colour": _named(" ".join(COLOURS)),
    "far": _nouns({"far": "far away", "near": "nearby"}),
    "ill": _named("cold sick tired"),
    "feeling": _named("cold happy hungry sick sorry tired"),
    "sense": _named("deaf hearing"),
    # verbs, which follow their subject: {who:{verb}}
    "verb": _named("cook dance drive eat read sign walk work write"),
    "wish": _named("need want"),
    "deal": _named("buy have need see want"),
    "get": _named("bring buy need want"),
    "consume": _named("bring buy cook drink eat learn read see study write"),
}


def fits(filled: dict[str, Noun]) -> bool:
    """Whether no two slots say the same: "the school is near the school"."""
    return len({noun.glosses for noun in filled.values()}) == len(filled)
