"""The signer's movement: lexicon, sentences, fidgets, keypoints. No pictures here."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import HAND_EDGES, SIGN69, mirrored
from fingerpost.trainer.signer import (
    FIDGETS,
    LEXICON,
    Camera,
    Signer,
    concatenate,
    fidget,
    random_signer,
    sign_sentence,
)
from fingerpost.trainer.signer.body import anchor
from fingerpost.trainer.signer.hands import HANDSHAPES, hand_joints, handshape
from fingerpost.trainer.signer.lexicon import EVERYDAY
from fingerpost.trainer.signer.phonology import Posture, parse_direction, parse_place
from fingerpost.trainer.signer.signs_by_topic import BY_TOPIC
from fingerpost.trainer.signer.variation import Style

CALM = Signer(style=Style(jitter=0.0))
DATA = Path(os.environ.get("FINGERPOST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def at_end(gloss: str, joint: int, side: int = 0, signer: Signer = CALM) -> np.ndarray:
    """A hand's joint (world metres) at the end of a sign; side 0 is the signer's right."""
    performance = sign_sentence([gloss], signer, rng())
    return performance.motion.skeleton(np.array([performance.spans[0][2] - 20])).hands[
        0, side, joint
    ]


# ---- lexicon


def test_lexicon_has_161_signs_and_every_shape_and_place_is_known():
    assert len(LEXICON) == 161
    for sign in LEXICON.values():
        others = sign.other if isinstance(sign.other, tuple) else ()
        for posture in (*sign.path, *others):
            assert posture.shape in HANDSHAPES
            name, _ = parse_place(posture.at)
            assert name.startswith("other:") or anchor(name, CALM.body).shape == (3,)


def test_most_glosses_are_wlasl_names():
    file = DATA / "wlasl_hands" / "wlasl2000_hands_trainval_f16.npz"
    if not file.exists():
        pytest.skip(f"no WLASL gloss list: {file} is absent")
    names = {str(name) for name in np.load(file)["gloss_names"][:300]}
    assert {gloss for gloss in LEXICON if gloss not in names} == set(EVERYDAY)


def test_signs_of_other_signers_are_told_apart_by_their_nearest_neighbour():
    glosses = sorted({*list(LEXICON)[::3], *BY_TOPIC})
    random = rng(1)

    def features(gloss: str) -> np.ndarray:
        signer = replace(random_signer(random), left_handed=False)
        performance = sign_sentence([gloss], signer, random, lead_ms=100, tail_ms=100)
        _, start, end = performance.spans[0]
        joints = performance.motion.skeleton(np.linspace(start, end - 20, 12)).hands
        wrists = joints[:, :, :1]
        return np.concatenate([1.5 * wrists, joints - wrists], axis=2).ravel()

    known = np.array([[features(gloss) for _ in range(5)] for gloss in glosses])
    asked = np.array([features(gloss) for gloss in glosses])
    every = ((asked[:, None, None] - known[None]) ** 2).sum(-1).min(-1)  # (asked, known)
    assert (every.argmin(1) == np.arange(len(glosses))).mean() > 0.85


@pytest.mark.parametrize(
    ("gloss", "joint", "place"),
    [
        ("mother", 4, "chin"),
        ("father", 4, "forehead"),
        ("eat", 12, "mouth"),
        ("think", 8, "temple"),
    ],
)
def test_a_sign_touches_where_it_should(gloss, joint, place):
    target = anchor(place, CALM.body)
    assert np.linalg.norm(at_end(gloss, joint) - target) < 0.045


def test_book_is_symmetric_and_hello_has_one_hand():
    book = sign_sentence(["book"], CALM, rng()).motion
    assert np.allclose(book.wrists[:, 0], book.wrists[:, 1], atol=0.03)
    hello = sign_sentence(["hello"], CALM, rng()).motion
    assert np.ptp(hello.wrists[:, 0, 1]) > 0.4 > 0.05 > np.ptp(hello.wrists[:, 1, 1])


# ---- kinematics


def test_bones_keep_their_length_while_hands_move():
    skeleton = sign_sentence(["finish", "milk"], CALM, rng()).motion.skeleton(
        np.arange(0, 2500, 40)
    )
    for a, b in HAND_EDGES[:16]:
        length = np.linalg.norm(skeleton.hands[:, :, a] - skeleton.hands[:, :, b], axis=-1)
        if (a, b) not in ((5, 9), (9, 13)):
            assert np.ptp(length) < 1e-9
    upper = np.linalg.norm(skeleton.shoulders - skeleton.elbows, axis=-1)
    fore = np.linalg.norm(skeleton.elbows - skeleton.hands[:, :, 0], axis=-1)
    assert np.allclose(upper, CALM.body.upper_arm) and np.allclose(fore, CALM.body.forearm)


def test_handshapes_point_where_they_say():
    assert hand_joints(handshape("1"))[8, 1] > 0.17  # the index finger is straight
    assert hand_joints(handshape("1"))[12, 1] < 0.10  # the middle finger is not
    pinch = hand_joints(handshape("F"))
    assert np.linalg.norm(pinch[4] - pinch[8]) < 0.04


def test_directions_and_places():
    assert np.allclose(parse_direction("2fwd+up"), np.array([0, 1, 2]) / np.sqrt(5))
    assert np.allclose(parse_place("chin 1 -2 3")[1], [0.01, -0.02, 0.03])
    for wrong in ("upp", "up+", ""):
        with pytest.raises(ValueError, match="direction"):
            parse_direction(wrong)
    with pytest.raises(ValueError, match="three centimetres"):
        parse_place("chin 1 2")
    with pytest.raises(ValueError, match="unknown handshape 'Q'"):
        handshape("Q")
    assert Posture("flat", "chin", "up", "fwd").contact == "palm"


# ---- sentences


def test_spans_are_in_order_and_within_the_performance():
    glosses = ["hello", "you", "want", "coffee"]
    performance = sign_sentence(glosses, random_signer(rng(3)), rng(4), lead_ms=500, tail_ms=700)
    assert [gloss for gloss, _, _ in performance.spans] == glosses
    edges = [ms for _, start, end in performance.spans for ms in (start, end)]
    assert edges == sorted(edges) and edges[0] > 500 and edges[-1] < performance.duration_ms - 700
    assert all(end - start >= 180 for _, start, end in performance.spans)


def test_it_begins_and_ends_at_rest():
    motion = sign_sentence(["work"], CALM, rng()).motion
    assert np.allclose(motion.wrists[0], motion.wrists[-1], atol=0.02)
    assert (motion.wrists[0, :, 1] < -0.4).all()


def test_movement_is_smooth():
    motion = sign_sentence(["family", "dance", "no"], CALM, rng()).motion
    speed = np.linalg.norm(np.diff(motion.wrists, axis=0), axis=-1) / 0.02  # metres a second
    assert speed.max() < 4
    dots = np.sum(motion.rotations[1:] * motion.rotations[:-1], axis=-1)
    assert dots.min() > 0.9


def test_same_seed_same_movement_and_other_seed_another():
    one, same, other = (
        sign_sentence(["happy"], random_signer(rng(k)), rng(k)).keypoints(noise=rng(k))
        for k in (5, 5, 6)
    )
    assert np.array_equal(one.xyz, same.xyz)
    assert one.xyz.shape != other.xyz.shape or not np.allclose(one.xyz, other.xyz)


def test_unknown_gloss_says_what_is_known():
    with pytest.raises(ValueError, match="no sign for xyzzy; it knows: accident"):
        sign_sentence(["hello", "xyzzy"], CALM, rng())
    with pytest.raises(ValueError, match="an empty sentence"):
        sign_sentence([], CALM, rng())


def test_concatenation_moves_the_spans():
    one, two = (sign_sentence(["book"], CALM, rng(k)) for k in (1, 2))
    both = concatenate([one, two], pause_ms=1000)
    assert both.duration_ms == one.duration_ms + 1000 + two.duration_ms
    assert both.spans[1][1] == two.spans[0][1] + one.duration_ms + 1000
    step = np.linalg.norm(np.diff(both.motion.wrists, axis=0), axis=-1)
    assert step.max() < 0.08
    with pytest.raises(ValueError, match="same signer"):
        concatenate([one, sign_sentence(["book"], random_signer(rng()), rng())])


@pytest.mark.parametrize("kind", [*FIDGETS, "still", "nonsense", None])
def test_fidgets_say_nothing(kind):
    performance = fidget(kind, random_signer(rng(7)), rng(8))
    assert performance.spans == [] and performance.duration_ms > 500
    assert np.isfinite(performance.keypoints().xyz).all()


def test_unknown_fidget():
    with pytest.raises(ValueError, match="unknown fidget 'juggle'; known: scratch_nose"):
        fidget("juggle", CALM, rng())


# ---- keypoints


def test_right_hand_is_at_the_left_of_the_picture_and_of_the_view():
    keypoints = sign_sentence(["hello"], CALM, rng()).keypoints(fps=25)
    assert keypoints.schema is SIGN69 and keypoints.aspect == pytest.approx(4 / 3)
    right, left = (SIGN69.index(f"{side}_wrist") for side in ("right", "left"))
    raised = keypoints.xyz[:, right, 1].argmin()
    assert keypoints.xyz[raised, right, 0] < 0.45 and keypoints.xyz[raised, right, 1] < 0.45
    assert keypoints.xyz[raised, left, 1] > 0.7
    assert keypoints.xyz[raised, SIGN69.index("nose"), 1] < 0.4


def test_a_left_handed_signer_is_the_mirror_image():
    right = sign_sentence(["hello", "book"], CALM, rng()).keypoints()
    left = sign_sentence(["hello", "book"], replace(CALM, left_handed=True), rng()).keypoints()
    turned = mirrored(left)
    assert np.array_equal(turned.confidence, right.confidence)
    assert np.allclose(turned.xyz, right.xyz, atol=2e-3)


def test_what_is_not_seen_is_zero_and_hands_at_rest_are_outside():
    keypoints = sign_sentence(["hello"], CALM, rng()).keypoints(camera=Camera(view=0.9, y=0.05))
    for sequence in (keypoints, sign_sentence(["hello"], CALM, rng()).keypoints(noise=rng())):
        assert (sequence.xyz[sequence.confidence == 0] == 0).all()
    assert (keypoints.confidence[0, SIGN69.groups["right_hand"]] == 0).all()
    assert (keypoints.confidence[:, SIGN69.groups["right_hand"]] > 0).any()


def test_depth_is_relative_to_the_wrist_and_smaller_when_nearer():
    keypoints = sign_sentence(["you"], CALM, rng()).keypoints()
    hand = SIGN69.groups["right_hand"]
    shown = keypoints.confidence[:, hand.start] > 0
    assert np.abs(keypoints.xyz[shown, hand.start, 2]).max() < 1e-6
    assert keypoints.xyz[shown, hand.start + 8, 2].min() < -0.03  # the index points to the camera


def test_noise_is_small_and_hands_are_seldom_lost():
    errors, lost, there = [], 0, 0
    for seed in range(12):
        performance = sign_sentence(["want", "more", "water"], CALM, rng(seed))
        true, seen = performance.keypoints(), performance.keypoints(noise=rng(seed))
        hand = SIGN69.groups["right_hand"]
        both = (true.confidence[:, hand.start] > 0) & (seen.confidence[:, hand.start] > 0)
        errors.append(np.abs(true.xyz[both, hand, :2] - seen.xyz[both, hand, :2]).mean())
        there += (true.confidence[:, hand.start] > 0).sum()
        lost += both.sum()
    assert 1e-4 < np.mean(errors) < 0.03
    assert 0.7 < lost / there <= 1


def test_about_one_signer_in_ten_is_left_handed():
    random = rng(0)
    share = np.mean([random_signer(random).left_handed for _ in range(600)])
    assert 0.06 < share < 0.14


# ---- the wall inside the room


def test_movement_and_lexicon_know_nothing_of_the_renderer():
    code = (
        "import sys, fingerpost.trainer.signer as s, numpy as n; r = n.random.default_rng(0);"
        "s.sign_sentence(['hello'], s.random_signer(r), r).keypoints(noise=r);"
        "print([m for m in ('numba', 'cv2', 'torch', 'fingerpost.trainer.signer.scene') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
