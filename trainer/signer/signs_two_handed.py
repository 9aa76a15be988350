"""Two-handed signs of the lexicon, as data. See lexicon.py for what they are and are not."""

from fingerpost.trainer.signer.phonology import Movement as M
from fingerpost.trainer.signer.phonology import Posture as P
from fingerpost.trainer.signer.phonology import Sign, tap

_PLATE = (P("flat", "center 0 -6 2", "in+fwd", "up"),)  # the other hand as a base, palm up
_FIST = (P("S", "center 0 -6 0", "in", "back"),)
_ARM = (P("flat", "center 6 -8 -2", "in", "down"),)  # the forearm lies across

BOTH_ALIKE: dict[str, Sign] = {  # symmetric, or alternating
    "what": Sign(
        (P("5", "neutral -3 -4 0", "2fwd+out", "up"),),
        "mirror",
        movement=M("shake", 5, 2.5),
        face="wh",
    ),
    "how": Sign(
        (
            P("bent", "center -5 2 -3", "in+down", "down+back", "knuckles"),
            P("bent", "center -6 3 4", "in+up", "up+back", "knuckles"),
        ),
        "mirror",
        face="wh",
    ),
    "want": Sign(
        (P("5", "front 2 -18 -4", "fwd", "up"), P("claw", "neutral 2 -4 -8", "fwd", "up")), "mirror"
    ),
    "have": Sign(tap(P("bent", "breast 2 0 1", "in", "back", "tips"), "-2 0 12"), "mirror"),
    "can": Sign(
        (P("S", "neutral 2 16 0", "2fwd+up", "down"), P("S", "neutral 2 0 0", "fwd", "down")),
        "mirror",
    ),
    "now": Sign(
        (P("Y", "neutral 0 8 0", "2fwd+up", "up"), P("Y", "neutral 0 -6 0", "2fwd+up", "up")),
        "mirror",
    ),
    "decide": Sign(
        (P("F", "neutral 4 18 0", "fwd+up", "in"), P("F", "neutral 4 2 0", "2fwd+up", "in")),
        "mirror",
    ),
    "give": Sign(
        (
            P("flat_O", "neutral 2 2 -8", "fwd+up", "up+in"),
            P("flat_O", "front 4 -10 0", "2fwd+up", "up"),
        ),
        "mirror",
    ),
    "go": Sign(
        (P("1", "neutral 2 12 -8", "up", "fwd"), P("1", "front 4 -6 0", "3fwd+up", "down")),
        "mirror",
    ),
    "more": Sign(
        tap(P("flat_O", "center -1 4 0", "in", "back", "tips"), "-8 0 0"), "mirror", repeat=2
    ),
    "meet": Sign(
        (P("1", "center -18 4 0", "up", "in"), P("1", "center -3 4 0", "up", "in")), "mirror"
    ),
    "different": Sign(
        (
            P("1", "center 1 6 0", "up+in", "fwd", "index_side"),
            P("1", "neutral -10 8 0", "2up+out", "fwd", "index_side"),
        ),
        "mirror",
    ),
    "family": Sign(
        (
            P("F", "center -2 4 4", "up", "fwd", "pinch"),
            P("F", "neutral -4 4 0", "up", "in", "pinch"),
            P("F", "center -3 4 -4", "up", "back", "pinky_edge"),
        ),
        "mirror",
    ),
    "book": Sign(
        (
            P("flat", "center -1 0 0", "2fwd+up", "in"),
            P("flat", "center -8 -2 0", "2fwd+up", "up+in", "palm"),
        ),
        "mirror",
        repeat=2,
    ),
    "teach": Sign(
        (
            P("flat_O", "temple 2 0 5", "up+in", "fwd", "tips"),
            P("flat_O", "temple -2 -1 18", "up+in", "fwd", "tips"),
        ),
        "mirror",
        repeat=2,
    ),
    "play": Sign((P("Y", "neutral -2 6 0", "up", "back"),), "mirror", movement=M("twist", 34, 3)),
    "finish": Sign(
        (P("5", "neutral 0 10 -2", "up", "back"), P("5", "neutral -6 8 4", "up", "fwd")), "mirror"
    ),
    "many": Sign(
        (P("S", "neutral 0 2 0", "fwd+up", "up"), P("5", "neutral 0 8 2", "fwd+up", "up")),
        "mirror",
        repeat=2,
    ),
    "wait": Sign(
        (P("5", "neutral -5 4 0", "2up+in", "back"),), "mirror", movement=M("flutter", 24, 4)
    ),
    "accident": Sign(
        (P("5", "neutral -4 4 2", "in", "back"), P("S", "center -4 4 2", "in", "back", "knuckles")),
        "mirror",
    ),
    "cold": Sign((P("S", "neutral 3 10 -2", "up", "in"),), "mirror", movement=M("shake", 3, 4)),
    "snow": Sign(
        (P("5", "high 2 6 0", "fwd+up", "down+fwd"), P("5", "neutral 0 0 2", "2fwd+up", "down")),
        "mirror",
        movement=M("flutter", 18, 4),
    ),
    "house": Sign(
        (
            P("flat", "center -1 22 0", "2up+in", "down+in", "tips"),
            P("flat", "center -12 10 0", "2up+in", "down+in", "tips"),
            P("flat", "center -12 -4 0", "up", "in", "tips"),
        ),
        "mirror",
    ),
    "clothes": Sign(
        (P("5", "breast 0 8 2", "in", "back"), P("5", "breast -1 -12 2", "2in+down", "back")),
        "mirror",
        repeat=2,
    ),
    "laugh": Sign(
        (
            P("L", "mouth -3 0 2", "2up+in", "back", "index"),
            P("L", "mouth -8 3 2", "2up+in", "back", "index"),
        ),
        "mirror",
        repeat=2,
        face="smile",
    ),
    "live": Sign(
        (P("thumb_up", "waist 2 4 3", "in", "back"), P("thumb_up", "breast 0 2 3", "in", "back")),
        "mirror",
    ),
    "love": Sign(
        tap(P("S", "far_breast -3 4 5", "2in+2up", "back", "wrist"), "-3 0 8"),
        "mirror",
        face="smile",
    ),
    "tired": Sign(
        (
            P("bent", "breast 2 3 1", "2in+up", "back", "tips"),
            P("bent", "breast 2 -4 1", "2in+2down", "back+up", "tips"),
        ),
        "mirror",
        face="down",
    ),
    "language": Sign(
        (
            P("L", "center -2 4 4", "up", "fwd", "thumb"),
            P("L", "neutral -8 4 2", "up", "fwd", "thumb"),
        ),
        "mirror",
        movement=M("twist", 20, 2.5),
    ),
    "ball": Sign(tap(P("claw", "center -5 2 0", "2up+fwd", "in"), "-6 0 0"), "mirror", repeat=2),
    "visit": Sign(
        (P("V", "neutral 2 10 0", "up", "back"),), "alternate", movement=M("circle", 6, 2, "in")
    ),
    "sign": Sign(
        (P("1", "center -9 8 2", "up+in", "fwd"),), "alternate", movement=M("circle", 6, 2, "in")
    ),
    "drive": Sign(
        (P("S", "neutral 2 6 2", "2up+fwd", "in"),), "alternate", movement=M("shake", 6, 2, "up")
    ),
    "baby": Sign(
        (P("flat", "center 4 -10 -4", "in", "up"),), "alternate", movement=M("shake", 5, 2, "in")
    ),
    "change": Sign(
        (P("X", "center -4 7 2", "2fwd+in", "down"), P("X", "center -4 -1 2", "2fwd+in", "up")),
        "alternate",
    ),
    "cry": Sign(
        (
            P("1", "eye 0 -2 2", "up", "back", "index"),
            P("1", "cheek 1 -4 3", "up", "back", "index"),
        ),
        "alternate",
        repeat=2,
    ),
}

ON_THE_OTHER_HAND: dict[str, Sign] = {  # the other hand is a base, or does something of its own
    "help": Sign(
        (
            P("thumb_up", "other:palm 0 1 0", "2fwd+in", "in", "pinky_edge"),
            P("thumb_up", "other:palm 0 1 0", "2fwd+in", "in", "pinky_edge"),
        ),
        (P("flat", "center 0 -12 0", "in+fwd", "up"), P("flat", "center 0 4 4", "in+fwd", "up")),
    ),
    "learn": Sign(
        (
            P("5", "other:palm 0 3 0", "in+fwd", "down"),
            P("flat_O", "forehead -2 0 1", "up+in", "back", "tips"),
        ),
        _PLATE,
    ),
    "school": Sign(
        tap(P("flat", "other:palm 0 2 0", "in+fwd", "down"), "0 11 0"), _PLATE, repeat=2
    ),
    "read": Sign(
        (
            P("V", "other:palm -4 7 -3", "2in+fwd", "down", "two"),
            P("V", "other:palm -4 -7 -1", "2in+fwd", "down", "two"),
        ),
        (P("flat", "center 2 6 6", "up+in", "back"),),
    ),
    "write": Sign(
        (
            P("pinch", "other:palm -5 2 -1", "in+fwd", "down", "pinch"),
            P("pinch", "other:palm 6 2 2", "in+fwd", "down", "pinch"),
        ),
        _PLATE,
        repeat=2,
    ),
    "paper": Sign(
        (
            P("flat", "other:palm -5 2 5", "in+fwd", "down", "heel"),
            P("flat", "other:palm 6 3 -4", "in+fwd", "down", "heel"),
        ),
        _PLATE,
        repeat=2,
    ),
    "again": Sign(
        (
            P("bent", "neutral -2 2 0", "fwd", "up"),
            P("bent", "other:palm 0 1 0", "2in+fwd", "down", "tips"),
        ),
        _PLATE,
    ),
    "buy": Sign(
        (
            P("flat_O", "other:palm 0 3 0", "fwd+in", "up", "back"),
            P("flat_O", "other:palm -4 9 16", "2fwd+up", "up", "back"),
        ),
        _PLATE,
    ),
    "money": Sign(
        tap(P("flat_O", "other:palm 0 2 0", "fwd+in", "up", "back"), "0 7 0"), _PLATE, repeat=2
    ),
    "stop": Sign(
        tap(P("flat", "other:palm 0 1 0", "2fwd+up", "in", "pinky_edge"), "0 16 0"), _PLATE
    ),
    "cook": Sign(
        (
            P("flat", "other:palm 0 2 0", "fwd+in", "down"),
            P("flat", "other:palm 0 2 0", "fwd+in", "up", "back"),
        ),
        _PLATE,
        repeat=2,
    ),
    "week": Sign(
        (
            P("1", "other:heel -6 3 0", "2fwd+in", "down"),
            P("1", "other:tips -4 3 0", "2fwd+in", "down"),
        ),
        _PLATE,
    ),
    "study": Sign(
        (P("5", "other:palm -3 10 -2", "2in+2down+fwd", "down+back", "tips"),),
        _PLATE,
        movement=M("flutter", 24, 4),
    ),
    "dance": Sign(
        (P("V", "other:palm 0 3 0", "3down+in", "back", "two"),), _PLATE, movement=M("wag", 28, 2.5)
    ),
    "doctor": Sign(
        tap(P("bent", "other:wrist 0 2 0", "2in+fwd", "down", "tips"), "0 6 0"), _PLATE, repeat=2
    ),
    "later": Sign(
        (
            P("L", "other:palm -2 0 0", "up", "in", "thumb"),
            P("L", "other:palm -2 0 0", "fwd", "in", "thumb"),
        ),
        (P("flat", "center 0 6 2", "up+fwd", "in"),),
    ),
    "coffee": Sign(
        (P("S", "other:thumb_edge 0 4 0", "in", "back", "pinky_edge"),),
        _FIST,
        movement=M("circle", 4, 2, "up"),
    ),
    "tea": Sign(
        (P("F", "other:thumb_edge 0 4 0", "in+down", "down+back", "pinch"),),
        (P("O", "center 0 -6 0", "in", "back"),),
        movement=M("twist", 18, 3),
    ),
    "work": Sign(
        tap(P("S", "other:back 0 3 -6", "2in+2fwd", "down", "wrist"), "0 7 0"),
        (P("S", "center 2 -8 2", "2in+2fwd", "down"),),
        repeat=2,
    ),
    "time": Sign(
        tap(P("X", "other:wrist 0 3 0", "2in+down", "down+back", "index"), "0 6 0"),
        (P("S", "center 2 -6 0", "2in+fwd", "down"),),
        repeat=2,
    ),
    "name": Sign(
        tap(P("U", "other:middle_bone 0 2 0", "2in+fwd", "back", "middle_bone"), "0 6 0"),
        (P("U", "center 2 0 2", "2in+fwd", "back"),),
        repeat=2,
    ),
    "friend": Sign(
        (
            P("X", "other:index_side 0 2 0", "2in+fwd", "down", "index_side"),
            P("X", "other:index_side 0 -1 0", "2in+fwd", "up", "index_side"),
        ),
        (P("X", "center 2 2 2", "2in+fwd", "up"), P("X", "center 2 2 2", "2in+fwd", "down")),
    ),
    "enjoy": Sign(
        (P("flat", "chest 0 2 1", "in", "back"),),
        (P("flat", "belly 0 2 1", "in", "back"),),
        movement=M("circle", 5, 2, "fwd"),
        face="smile",
    ),
    "sick": Sign(
        tap(P("open_8", "forehead 0 0 1", "in+up", "back", "middle"), "-2 0 5"),
        (P("open_8", "belly 0 2 1", "in", "back", "middle"),),
        face="down",
    ),
    "door": Sign(
        (P("B", "center -5 8 3", "up", "fwd"), P("B", "center -12 8 -2", "up", "in")),
        (P("B", "center -5 8 3", "up", "fwd"),),
        repeat=2,
    ),
    "movie": Sign(
        (P("5", "other:palm -2 1 -4", "up", "fwd"),),
        (P("5", "center 2 4 2", "2in+up", "back"),),
        movement=M("wag", 16, 3),
    ),
    "day": Sign(
        (P("1", "side 12 28 6", "up", "in"), P("1", "other:wrist -8 5 -2", "2in+up", "down+in")),
        _ARM,
    ),
    "table": Sign(
        tap(P("flat", "other:wrist -2 5 0", "in", "down", "wrist"), "0 7 0"), _ARM, repeat=2
    ),
    "computer": Sign(
        (
            P("C", "other:wrist 2 5 0", "2up+fwd", "in", "thumb_edge"),
            P("C", "other:wrist -9 8 0", "2up+fwd", "in", "thumb_edge"),
        ),
        _ARM,
        repeat=2,
    ),
}
