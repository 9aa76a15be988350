"""Overlay and caption board: where things are drawn, how text is broken, what stays on show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerpost.app.caption_board import SHOWN_AFTER_MS, CaptionBoard, ShownLine
from fingerpost.app.overlay import (
    BAND,
    GROUP_COLOURS,
    Overlay,
    draw_skeleton,
    wrap,
)
from fingerpost.edge_runtime.captions import Line, LineChanged, LineCompleted, LineStarted
from fingerpost.edge_runtime.keypoints import (
    COCO_WHOLEBODY,
    MEDIAPIPE_HOLISTIC,
    SIGN69,
    KeypointFrame,
)

FINAL = ShownLine("HOW YOU", partial=False, unsure=False)
PARTIAL = ShownLine("HOW YOU", partial=True, unsure=False)


def somebody(schema, x=0.5):
    """All points seen, the right hand spread over a square left of the middle."""
    xyz = np.full((len(schema), 3), x, np.float32)
    hand = schema.groups["right_hand"]
    xyz[hand, 0] = np.linspace(0.2, 0.4, 21)
    xyz[hand, 1] = np.tile([0.2, 0.4, 0.3], 7)
    return KeypointFrame(0, xyz, np.ones(len(schema), np.float32))


def near(picture, colour):
    return (np.abs(picture.astype(int) - colour).max(axis=-1) < 12).sum()


def line(text, score=0.9):
    return Line(text, (), (), 0, 0, score, unsure=score < 0.5)


@pytest.mark.parametrize("size", [(640, 480), (360, 640), (1280, 720), (161, 121)])
def test_captions_go_below_the_picture_and_never_into_it(size):
    width, height = size
    overlay = Overlay(width, height, MEDIAPIPE_HOLISTIC)
    nobody = KeypointFrame(0, np.zeros((543, 3), np.float32), np.zeros(543, np.float32))
    rgb = np.full((height, width, 3), 77, np.uint8)
    drawn = overlay.draw(rgb, nobody, (FINAL,))
    assert drawn.shape == (overlay.size[1], overlay.size[0], 3)
    assert overlay.size[0] % 2 == overlay.size[1] % 2 == 0
    assert (drawn[:height, :width] == 77).all() and (rgb == 77).all()
    band = drawn[height + 1 :]
    assert near(band, BAND) > 0.5 * band[..., 0].size
    assert (band.max(axis=-1) > 180).sum() > 20  # letters
    edges = np.concatenate([band[:, 0], band[:, -1], band[-1]])
    assert near(edges[None], BAND) == len(edges)  # nothing is cut off


def test_partial_captions_are_dimmer_than_final_ones():
    overlay = Overlay(640, 480, SIGN69)
    frame = somebody(SIGN69)
    final, partial = (overlay.draw(None, frame, (each,))[481:560] for each in (FINAL, PARTIAL))
    assert final.max() > 230
    assert 130 < partial.max() < 190


@pytest.mark.parametrize("schema", [MEDIAPIPE_HOLISTIC, COCO_WHOLEBODY, SIGN69])
def test_the_skeleton_is_drawn_where_the_keypoints_are(schema):
    rgb = np.zeros((480, 640, 3), np.uint8)
    draw_skeleton(rgb, somebody(schema), schema)
    blue = np.argwhere(np.abs(rgb.astype(int) - GROUP_COLOURS["right_hand"]).max(axis=-1) < 12)
    assert len(blue) > 100
    inside = (blue >= (85, 115)) & (blue <= (205, 270))  # y 0.2 to 0.4, x 0.2 to 0.4
    assert inside.all()


def test_what_was_not_seen_or_is_far_outside_draws_nothing_and_harms_nothing():
    rgb = np.zeros((48, 64, 3), np.uint8)
    frame = somebody(SIGN69)
    draw_skeleton(rgb, KeypointFrame(0, frame.xyz, np.zeros(69, np.float32)), SIGN69)
    assert not rgb.any()
    draw_skeleton(
        rgb, KeypointFrame(0, np.full((69, 3), 1e30, np.float32), frame.confidence), SIGN69
    )
    assert not rgb.any()


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=40)), st.integers(5, 60))
def test_wrapping_loses_nothing_and_keeps_to_the_width(words, width):
    rows = wrap(" ".join(words), width, len)
    assert "".join(rows).replace(" ", "") == "".join(words)
    assert all(0 < len(row) <= width for row in rows)


def test_the_board_shows_partial_lines_until_completed_and_completed_ones_for_a_while():
    board = CaptionBoard(n_lines=2)
    board.push([LineStarted(0, line("HOW"))], 1000)
    board.push([LineChanged(0, line("HOW YOU"))], 1500)
    assert board.shown(90_000) == (PARTIAL,)
    board.push([LineCompleted(0, line("HOW YOU"))], 2000)
    assert board.shown(2000 + SHOWN_AFTER_MS) == (FINAL,)
    assert board.shown(2001 + SHOWN_AFTER_MS) == ()
    board.push([LineStarted(1, line("A")), LineStarted(2, line("B", score=0.1))], 2100)
    assert [shown.text for shown in board.shown(2200)] == ["A", "B"]
    assert [shown.unsure for shown in board.shown(2200)] == [False, True]
