"""One-handed signs of the lexicon, as data. See lexicon.py for what they are and are not."""

from fingerpost.trainer.signer.phonology import Movement as M
from fingerpost.trainer.signer.phonology import Posture as P
from fingerpost.trainer.signer.phonology import Sign, tap

ONE_HANDED: dict[str, Sign] = {
    # to the person
    "hello": Sign(
        (
            P("B", "temple 0 2 3", "2in+3up", "2fwd+down", "index"),
            P("B", "temple -15 5 12", "3up+in", "fwd", "index"),
        ),
        face="smile",
    ),
    "bye": Sign((P("open_b", "side 10 22 0", "up", "fwd"),), movement=M("wag", 24, 3)),
    "thank you": Sign(
        (
            P("flat", "chin 0 0 1", "2up+in", "back", "tips"),
            P("flat", "chin -4 -8 20", "2fwd+up", "2up+back", "tips"),
        ),
        face="smile",
    ),
    "please": Sign((P("flat", "chest 0 0 1", "in", "back"),), movement=M("circle", 5, 2, "fwd")),
    "sorry": Sign((P("A", "chest 0 0 3", "in", "back"),), movement=M("circle", 5, 2, "fwd")),
    "i": Sign(tap(P("1", "chest 0 0 1", "2back+2in", "down", "index"), "-2 1 9")),
    "my": Sign(tap(P("flat", "chest 0 0 1", "2in+up", "back"), "-1 0 9")),
    "you": Sign(
        (
            P("1", "neutral 4 8 -6", "up+fwd", "fwd+down", "index"),
            P("1", "front 4 -6 0", "3fwd+up", "down", "index"),
        )
    ),
    "your": Sign(
        (P("flat", "neutral 0 14 -8", "up", "fwd"), P("flat", "front 0 -2 0", "up", "fwd"))
    ),
    "yes": Sign((P("S", "neutral 0 14 0", "up", "fwd"),), movement=M("nod", 32, 2.5), face="nod"),
    "no": Sign(
        (P("3", "neutral 2 16 0", "2up+fwd", "fwd"), P("snap", "neutral 2 16 0", "2up+fwd", "fwd")),
        repeat=2,
        face="shake",
    ),
    "where": Sign((P("1", "neutral 0 20 0", "up", "fwd"),), movement=M("wag", 22, 3), face="wh"),
    "who": Sign(
        (P("L", "chin 0 0 1", "up", "in", "thumb"), P("bent_L", "chin 0 0 1", "up", "in", "thumb")),
        repeat=2,
        face="wh",
    ),
    "why": Sign(
        (
            P("flat", "forehead -3 0 1", "2up+in", "back", "tips"),
            P("Y", "neutral 0 22 2", "up", "back"),
        ),
        face="wh",
    ),
    # mind and speech
    "know": Sign(tap(P("bent", "brow 0 1 1", "up+in", "back+in", "tips"), "-3 -2 5"), repeat=2),
    "think": Sign(tap(P("1", "temple 2 0 1", "2in+up", "fwd+down", "index"), "-5 -2 4")),
    "understand": Sign(
        (P("S", "temple -5 2 5", "up", "back"), P("1", "temple -5 4 5", "up", "back", "fingers"))
    ),
    "forget": Sign(
        (
            P("flat", "forehead 3 0 1", "in", "back", "tips"),
            P("A", "temple -12 1 4", "in", "back"),
        )
    ),
    "see": Sign(
        (
            P("V", "eye 2 -1 2", "2up+in", "back", "two"),
            P("V", "eye 4 -1 20", "2up+in", "back", "two"),
        )
    ),
    "tell": Sign(
        (
            P("1", "chin 0 1 1", "up+in", "back", "index"),
            P("1", "chin -3 -4 20", "2fwd+up", "up", "index"),
        )
    ),
    "call": Sign((P("Y", "cheek -4 0 3", "2fwd+down", "in"),), movement=M("shake", 1.2, 2, "in")),
    "wrong": Sign(tap(P("Y", "chin 0 0 1", "up", "back", "fingers"), "0 -1 9")),
    "good": Sign(
        (
            P("flat", "chin 0 0 1", "2up+in", "back", "tips"),
            P("flat", "other:palm 0 1 0", "2fwd+in", "up+back", "back"),
        ),
        other=(P("flat", "center 0 -6 2", "in+fwd", "up"),),
        face="smile",
    ),
    "bad": Sign(
        (
            P("flat", "chin 0 0 1", "2up+in", "back", "tips"),
            P("flat", "chin -8 -20 14", "fwd", "down", "tips"),
        )
    ),
    "fine": Sign(
        (
            P("5", "chest 0 0 1", "up", "2in+fwd", "thumb"),
            P("5", "chest 0 1 13", "up", "2in+fwd", "thumb"),
        )
    ),
    "like": Sign(
        (
            P("open_8", "chest 0 0 1", "in", "back", "pinch"),
            P("8", "chest -4 1 17", "in", "back", "pinch"),
        )
    ),
    "need": Sign(
        (P("X", "neutral 0 12 0", "up", "fwd"), P("X", "neutral 0 2 4", "2fwd+down", "down")),
        repeat=2,
    ),
    "happy": Sign(
        (
            P("flat", "chest 0 -8 1", "in", "back"),
            P("flat", "chest 0 6 4", "2in+up", "back+up"),
        ),
        repeat=2,
        face="smile",
    ),
    "hungry": Sign(
        (P("C", "neck 0 -3 1", "in", "back", "tips"), P("C", "chest 0 -12 1", "in", "back", "tips"))
    ),
    "same": Sign((P("Y", "neutral 2 2 2", "fwd", "down"),), movement=M("shake", 7, 2, "in")),
    "bathroom": Sign((P("T", "neutral 0 14 0", "up", "fwd"),), movement=M("shake", 3, 3, "in")),
    # people
    "mother": Sign(tap(P("5", "chin 0 0 1", "up", "in+fwd", "thumb"), "0 0 5"), repeat=2),
    "father": Sign(tap(P("5", "forehead 0 0 1", "up", "in+fwd", "thumb"), "0 0 5"), repeat=2),
    "woman": Sign(
        (
            P("5", "chin 0 0 1", "up", "in+fwd", "thumb"),
            P("5", "chest 0 0 1", "up", "in+fwd", "thumb"),
        )
    ),
    "man": Sign(
        (
            P("5", "forehead 0 0 1", "up", "in+fwd", "thumb"),
            P("5", "chest 0 0 1", "up", "in+fwd", "thumb"),
        )
    ),
    "deaf": Sign(
        (
            P("1", "ear 1 0 3", "2in+up", "fwd+down", "index"),
            P("1", "mouth -4 -1 1", "2in+up", "fwd+down", "index"),
        )
    ),
    "hearing": Sign(
        (P("1", "mouth 0 -1 5", "in", "back", "index_side"),), movement=M("circle", 3, 2, "in")
    ),
    # food and animals
    "eat": Sign(tap(P("flat_O", "mouth 0 0 1", "up+in", "back", "tips"), "-2 -5 8"), repeat=2),
    "drink": Sign(
        (
            P("C", "chin -2 -3 7", "2fwd+up", "in", "thumb_edge"),
            P("C", "mouth -2 -3 6", "2up+2fwd", "in", "thumb_edge"),
        )
    ),
    "water": Sign(tap(P("W", "chin 0 0 1", "up", "in+fwd", "index"), "0 0 5"), repeat=2),
    "milk": Sign(
        (P("C", "neutral 0 10 2", "fwd+up", "in"), P("S", "neutral 0 10 2", "fwd+up", "in")),
        repeat=2,
    ),
    "orange": Sign(
        (
            P("C", "mouth 0 -1 3", "up+fwd", "in", "thumb_edge"),
            P("S", "mouth 0 -1 3", "up+fwd", "in", "thumb_edge"),
        ),
        repeat=2,
    ),
    "apple": Sign(
        (P("X", "cheek 0 0 1", "2in+up", "fwd+down", "index_side"),), movement=M("twist", 32, 2)
    ),
    "cat": Sign(
        (
            P("F", "cheek 2 -2 1", "up", "fwd+in", "pinch"),
            P("F", "cheek -9 -1 2", "up", "fwd+in", "pinch"),
        ),
        repeat=2,
    ),
    "dog": Sign(
        (P("3", "side 6 -12 6", "fwd+up", "up+in"), P("snap", "side 6 -12 6", "fwd+up", "up+in")),
        repeat=2,
    ),
    "bird": Sign(
        (
            P("G", "mouth -3 0 3", "2fwd+in", "down+in", "thumb_edge"),
            P("pinch", "mouth -3 0 3", "2fwd+in", "down+in", "thumb_edge"),
        ),
        repeat=2,
    ),
    "cow": Sign((P("Y", "temple 0 0 1", "up", "fwd", "thumb"),), movement=M("twist", 30, 2)),
    "fish": Sign(
        (P("B", "neutral -2 6 0", "2in+fwd", "back"), P("B", "neutral 12 6 2", "2in+fwd", "back")),
        movement=M("wag", 20, 3),
    ),
    "flower": Sign(
        (
            P("flat_O", "nose 4 -1 0", "2up+in", "back", "tips"),
            P("flat_O", "nose -4 -1 0", "2up+in", "back", "tips"),
        )
    ),
    # colours
    "black": Sign(
        (
            P("1", "brow 9 2 1", "in", "down", "index_side"),
            P("1", "brow -6 2 1", "in", "down", "index_side"),
        )
    ),
    "red": Sign(
        (
            P("1", "mouth 0 1 1", "up", "back", "index"),
            P("X", "mouth 0 -5 2", "up", "back", "index"),
        ),
        repeat=2,
    ),
    "yellow": Sign((P("Y", "neutral -2 16 0", "up", "in"),), movement=M("twist", 34, 2.5)),
    "blue": Sign((P("B", "neutral -2 16 0", "up", "in"),), movement=M("twist", 34, 2.5)),
    "green": Sign((P("G", "neutral -2 12 0", "up+in", "back"),), movement=M("twist", 34, 2.5)),
    "white": Sign(
        (
            P("5", "chest 0 0 1", "in", "back", "tips"),
            P("flat_O", "chest -2 0 15", "in", "back", "tips"),
        )
    ),
    "color": Sign((P("4", "chin 0 1 2", "up", "back", "tips"),), movement=M("flutter", 24, 3)),
    # places, things, time
    "home": Sign(
        (
            P("flat_O", "mouth -3 -2 1", "up+in", "back+in", "tips"),
            P("flat_O", "ear 1 -2 4", "up+in", "back+in", "tips"),
        )
    ),
    "shirt": Sign(
        (
            P("F", "shoulder 2 -4 1", "2in+up", "back", "pinch"),
            P("F", "shoulder 2 -4 6", "2in+up", "back", "pinch"),
        ),
        repeat=2,
    ),
    "hat": Sign(tap(P("flat", "crown 0 1 0", "in", "down", "fingers"), "-1 8 0"), repeat=2),
    "bed": Sign(
        (P("flat", "cheek -3 0 0", "3up+back", "in"),), movement=M("wag", 6, 1), face="down"
    ),
    "hot": Sign(
        (
            P("claw", "mouth 0 0 2", "up+in", "back", "tips"),
            P("claw", "neutral 2 10 8", "2fwd+in", "down"),
        )
    ),
    "old": Sign(
        (
            P("C", "chin 0 -2 2", "2in+fwd", "back", "thumb_edge"),
            P("S", "chin 0 -18 6", "2in+fwd", "back", "thumb_edge"),
        )
    ),
    "before": Sign(
        (
            P("flat", "neutral 0 26 6", "up", "back"),
            P("flat", "shoulder 0 12 4", "3up+back", "back+down"),
        )
    ),
    "tomorrow": Sign(
        (
            P("thumb_up", "jaw 0 1 1", "fwd", "in", "thumb"),
            P("thumb_up", "jaw 0 -2 24", "2fwd+down", "in", "thumb"),
        )
    ),
}
