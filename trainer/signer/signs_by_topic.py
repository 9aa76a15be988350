"""Signs of family, doctor's desk, town, shop, table, school and calendar, as data.

See lexicon.py for what they are and are not. A compound (TEACH and a person, NOW and DAY) is one
sign with a longer path.
"""

from fingerpost.trainer.signer.phonology import Movement as M
from fingerpost.trainer.signer.phonology import Posture as P
from fingerpost.trainer.signer.phonology import Sign, tap

_PLATE = (P("flat", "center 0 -6 2", "in+fwd", "up"),)  # the other hand as a base, palm up
_FIST = (P("S", "center 0 -6 0", "in", "back"),)
_ARM = (P("flat", "center 6 -8 -2", "in", "down"),)  # the forearm lies across
_CRADLE = (P("flat", "center 6 -10 -2", "in", "up"),)  # the forearm lies so, palm up
_PERSON = (P("flat", "neutral 4 -10 0", "fwd", "in"),)

BY_TOPIC: dict[str, Sign] = {
    # family
    "brother": Sign(
        (
            P("L", "forehead 0 0 1", "up", "in", "thumb"),
            P("L", "other:index_side 0 4 0", "2fwd+in", "in+down", "pinky_edge"),
        ),
        (P("L", "center 0 -4 2", "2fwd+in", "in"),),
    ),
    "son": Sign(
        (
            P("flat", "forehead -4 1 2", "2in+up", "fwd+down", "tips"),
            P("flat", "center 8 -6 0", "in", "up"),
        ),
        _CRADLE,
    ),
    "daughter": Sign(
        (P("A", "jaw 0 0 1", "up+in", "in+fwd", "thumb"), P("flat", "center 8 -6 0", "in", "up")),
        _CRADLE,
    ),
    "wife": Sign(
        (
            P("C", "chin -3 0 3", "up+in", "in+fwd", "thumb"),
            P("C", "other:palm 0 2 0", "in+fwd", "down"),
        ),
        (P("C", "center 0 -6 2", "in+fwd", "up"),),
    ),
    "child": Sign(tap(P("flat", "side 4 -24 8", "fwd", "down"), "-3 9 0"), repeat=2),
    # doctor's desk
    "medicine": Sign(
        (P("open_8", "other:palm 0 1 0", "2in+fwd+down", "down", "middle"),),
        _PLATE,
        movement=M("wag", 22, 3),
    ),
    "headache": Sign(
        (
            P("1", "brow -10 2 3", "in", "back", "index"),
            P("1", "brow -1 2 3", "in", "down", "index"),
        ),
        "mirror",
        repeat=2,
        face="down",
    ),
    "appointment": Sign(
        (
            P("5", "other:wrist -6 20 0", "2in+fwd", "down"),
            P("claw", "other:wrist 6 18 0", "2in+fwd", "down"),
            P("S", "other:wrist 0 3 0", "2in+fwd", "down", "wrist"),
        ),
        (P("S", "center 2 -10 2", "2in+fwd", "down"),),
    ),
    # town
    "city": Sign(
        tap(P("open_b", "center -1 16 0", "2up+in", "in+fwd", "tips"), "-5 -2 0"),
        "mirror",
        repeat=3,
    ),
    "room": Sign(
        (
            P("open_b", "neutral -2 4 0", "fwd", "in"),
            P("open_b", "center 0 0 -4", "in", "back"),
        ),
        (P("open_b", "neutral -2 4 0", "fwd", "in"), P("open_b", "center 0 10 6", "in", "back")),
    ),
    "office": Sign(
        (P("O", "neutral 4 12 2", "up+fwd", "in"), P("O", "center -3 12 0", "up+in", "back")),
        "mirror",
    ),
    "train": Sign(
        (
            P("U", "other:middle_bone -4 2 -4", "2in+fwd", "down", "middle_bone"),
            P("U", "other:middle_bone 7 2 3", "2in+fwd", "down", "middle_bone"),
        ),
        (P("U", "center 0 -2 2", "2in+fwd", "down"),),
        repeat=2,
    ),
    "walk": Sign(
        (P("flat", "neutral -1 -2 2", "2fwd+up", "down"),), "alternate", movement=M("nod", 34, 2.5)
    ),
    "far": Sign(
        (
            P("thumb_up", "center -3 0 0", "2fwd+in", "in"),
            P("thumb_up", "front -8 20 2", "2fwd+up", "in"),
        ),
        (P("thumb_up", "center 0 -2 -2", "2fwd+in", "in"),),
    ),
    "near": Sign(
        (
            P("bent", "neutral -8 22 4", "in", "back"),
            P("bent", "other:back 0 2 3", "in", "back"),
        ),
        (P("bent", "center 2 2 2", "in", "back"),),
    ),
    "bring": Sign(
        (P("flat", "side 2 -6 4", "fwd", "up"), P("flat", "center 2 -2 0", "fwd", "up")),
        (P("flat", "center 2 -6 2", "fwd", "up"), P("flat", "side 2 -2 2", "fwd", "up")),
    ),
    # shop
    "expensive": Sign(
        (
            P("flat_O", "other:palm 0 2 0", "fwd+in", "up", "back"),
            P("flat_O", "other:palm -6 16 6", "fwd+in", "up", "back"),
            P("5", "side 2 -4 6", "2fwd+out", "down"),
        ),
        _PLATE,
    ),
    "small": Sign(tap(P("open_b", "center -4 0 2", "2fwd+up", "in"), "-7 0 0"), "mirror", repeat=2),
    "big": Sign(
        (
            P("bent_L", "center -3 4 4", "fwd+up", "fwd+in"),
            P("bent_L", "neutral -18 10 2", "fwd+up", "fwd+in"),
        ),
        "mirror",
    ),
    "new": Sign(
        (
            P("relaxed", "other:tips 0 4 2", "in+fwd", "up", "back"),
            P("relaxed", "other:heel 6 14 -4", "2in+up", "back+up", "back"),
        ),
        _PLATE,
    ),
    "slow": Sign(
        (
            P("flat", "other:tips 0 2 0", "2in+fwd", "down", "tips"),
            P("flat", "other:wrist -5 5 -4", "2in+fwd", "down", "tips"),
        ),
        (P("flat", "center 2 -8 4", "2in+fwd", "down"),),
    ),
    # table
    "bread": Sign(
        (
            P("bent", "other:back 0 10 2", "in", "back", "tips"),
            P("bent", "other:back 0 -3 2", "in+down", "back", "tips"),
        ),
        (P("flat", "center 2 2 4", "in", "back"),),
        repeat=2,
    ),
    "sandwich": Sign(
        tap(P("flat", "mouth -2 -5 10", "2up+back", "in", "tips"), "0 -5 5"), "mirror", repeat=2
    ),
    "pizza": Sign(
        (
            P("bent_V", "neutral -6 22 2", "up+fwd", "fwd", "two"),
            P("bent_V", "neutral 8 22 2", "up+fwd", "fwd", "two"),
            P("bent_V", "neutral -6 6 2", "up+fwd", "fwd", "two"),
            P("bent_V", "neutral 8 6 2", "up+fwd", "fwd", "two"),
        )
    ),
    # school
    "teacher": Sign(
        (
            P("flat_O", "temple 2 0 5", "up+in", "fwd", "tips"),
            P("flat_O", "temple -2 -1 18", "up+in", "fwd", "tips"),
            *_PERSON,
        ),
        "mirror",
    ),
    "student": Sign(
        (
            P("5", "other:palm 0 3 0", "in+fwd", "down"),
            P("flat_O", "forehead -2 0 1", "up+in", "back", "tips"),
            *_PERSON,
        ),
        (*_PLATE, *_PLATE, *_PERSON),
    ),
    "class": Sign(
        (
            P("C", "center -3 2 4", "up", "fwd"),
            P("C", "neutral -8 2 4", "up", "in"),
            P("C", "center -4 0 -2", "up", "back"),
        ),
        "mirror",
    ),
    "test": Sign(
        (
            P("1", "neutral 0 22 2", "up", "fwd", "index"),
            P("X", "neutral 0 12 2", "up+fwd", "fwd", "index"),
            P("5", "neutral 0 -8 2", "2fwd+up", "down"),
        ),
        "mirror",
    ),
    # calendar
    "yesterday": Sign(
        (
            P("Y", "chin -4 0 1", "up", "fwd", "thumb"),
            P("Y", "ear -1 -1 3", "up", "fwd", "thumb"),
        )
    ),
    "today": Sign(
        (
            P("Y", "neutral 0 -4 0", "2fwd+up", "up"),
            P("1", "side 12 28 6", "up", "in"),
            P("1", "other:wrist -8 5 -2", "2in+up", "down+in"),
        ),
        (
            P("Y", "neutral 0 -4 0", "2fwd+up", "up"),
            *_ARM,
            *_ARM,
        ),
    ),
    "when": Sign(
        (
            P("1", "other:index -8 2 0", "in+up", "in+down", "index"),
            P("1", "other:index -2 10 0", "in", "down", "index"),
            P("1", "other:index 0 1 0", "2in+down", "down+back", "index"),
        ),
        (P("1", "center 0 2 2", "up+in", "back"),),
        face="wh",
    ),
    "year": Sign(
        (
            P("S", "other:thumb_edge 0 16 0", "in", "back", "pinky_edge"),
            P("S", "other:thumb_edge 0 -8 10", "in", "back", "pinky_edge"),
            P("S", "other:thumb_edge 0 2 0", "in", "back", "pinky_edge"),
        ),
        _FIST,
    ),
}
