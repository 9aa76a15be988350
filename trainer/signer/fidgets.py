"""Movements of the hands that say nothing: what a recogniser must be silent about."""

import numpy as np

from fingerpost.trainer.signer.body import ANCHORS
from fingerpost.trainer.signer.hands import HANDSHAPES
from fingerpost.trainer.signer.phonology import Movement as M
from fingerpost.trainer.signer.phonology import Other, Sign, tap
from fingerpost.trainer.signer.phonology import Posture as P

FIDGETS: dict[str, Sign] = {
    "scratch_nose": Sign(
        (P("X", "nose 0 0 1", "2up+in", "back", "index"),), movement=M("shake", 0.8, 4, "up")
    ),
    "scratch_head": Sign(
        (P("claw", "temple 0 5 -1", "2up+in", "back+in", "tips"),),
        movement=M("shake", 1.5, 4, "up"),
    ),
    "rub_eye": Sign((P("S", "eye 0 0 2", "up+in", "back", "fingers"),), movement=M("twist", 12, 3)),
    "adjust_glasses": Sign(
        (
            P("pinch", "temple -1 -4 3", "up+in", "in+back", "pinch"),
            P("pinch", "temple -1 -2 2", "up+in", "in+back", "pinch"),
        )
    ),
    "push_glasses": Sign(tap(P("1", "nose 0 3 1", "2up+in", "back", "index"), "0 0 5")),
    "touch_hair": Sign(
        (
            P("relaxed", "brow 0 4 1", "2up+in", "back", "tips"),
            P("relaxed", "ear -1 1 -2", "up+back", "in", "tips"),
        )
    ),
    "rest_chin": Sign((P("S", "chin 0 -2 0", "up+in", "back", "knuckles"),)),
    "touch_neck": Sign(
        (P("relaxed", "neck -4 2 1", "2in+up", "back", "tips"),), movement=M("shake", 1.5, 3)
    ),
    "cross_arms": Sign((P("relaxed", "far_breast 2 -8 3", "3in+up", "back", "fingers"),), "mirror"),
    "hands_together": Sign((P("relaxed", "belly -2 4 8", "2in+fwd", "back", "fingers"),), "mirror"),
    "rub_hands": Sign(
        (P("flat", "center -1 -8 -4", "2fwd+in", "in"),),
        "alternate",
        movement=M("shake", 3, 3, "fwd"),
    ),
    "point": Sign(
        (P("1", "side 2 4 8", "out+fwd", "down"), P("1", "side -6 8 10", "2out+fwd", "down"))
    ),
    "check_watch": Sign((P("S", "center 2 4 -2", "2in+up", "down+fwd"),), face="down"),
    "stretch": Sign((P("S", "high -6 12 -6", "2up+in", "fwd"),), "mirror"),
    "straighten_shirt": Sign(
        (
            P("pinch", "breast 0 0 2", "2in+down", "back", "pinch"),
            P("pinch", "waist 2 4 3", "2in+down", "back", "pinch"),
        ),
        "mirror",
    ),
    "cover_mouth": Sign(
        (P("S", "mouth 0 -1 1", "2up+in", "back", "thumb_edge"),), movement=M("nod", 8, 2)
    ),
    "wave_away": Sign(
        (
            P("relaxed", "side 6 8 4", "2up+fwd", "in+fwd"),
            P("relaxed", "side -4 2 8", "fwd+out", "down"),
        )
    ),
    "fold_lower": Sign((P("relaxed", "center 0 -14 -6", "2in+down", "back+up"),), "mirror"),
}


def nonsense(rng: np.random.Generator) -> Sign:
    """Random phonology: a movement that looks like a sign and is none of the lexicon's."""

    def posture(shape: str, place: str) -> P:
        offset = " ".join(f"{x:.1f}" for x in rng.normal(0, 4, 2)) + f" {rng.uniform(1, 8):.1f}"
        way = str(rng.choice(["up", "2up+in", "in", "fwd+up", "2fwd+in", "in+up"]))
        palm = str(rng.choice(["back+in", "fwd+down", "in+down", "fwd+out"]))
        return P(shape, f"{place} {offset}", way, palm)

    def pick(items: tuple[str, ...]) -> str:
        return items[rng.integers(len(items))]

    places = tuple(a for a in ANCHORS if a not in ("hip", "hang", "lap", "high"))
    shape, place = pick(HANDSHAPES), pick(places)
    path = [posture(shape, place)]
    if rng.random() < 0.6:
        same = rng.random() < 0.6
        path.append(posture(shape if same else pick(HANDSHAPES), pick(places)))
    moves = (
        None,
        M("shake", rng.uniform(2, 6), 2, pick(("in", "up", "fwd"))),
        M("circle", rng.uniform(3, 6), 2, pick(("in", "up", "fwd"))),
        M("twist", rng.uniform(15, 35), 2),
        M("wag", rng.uniform(10, 25), 2),
    )
    movement = moves[rng.integers(len(moves))]
    others: tuple[Other, ...] = ("mirror", "alternate", None, None)
    other = others[rng.integers(4)]
    return Sign(tuple(path), other, int(rng.integers(1, 3)), movement)
