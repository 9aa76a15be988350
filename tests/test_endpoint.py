"""Where a sentence ends: hands lowered, at rest in view, lost; and which glosses are sure."""

import numpy as np
import pytest

from fingerpost.edge_runtime.endpoint import Endpoint, EndpointSettings
from fingerpost.edge_runtime.gloss_row import GlossRow, RowSettings
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame

UP, DOWN = 0.5, 0.95  # of the picture's height; shoulders are at 0.4, 0.4 wide: rest line at 0.86


def frame_of(time_ms, left=None, right=None, noise=0.0):
    """Both hands as points (x, y) of the picture, 1:1; None is not seen."""
    xyz, confidence = np.zeros((69, 3), np.float32), np.zeros(69, np.float32)
    for side, x in (("left", 0.7), ("right", 0.3)):
        k = SIGN69.index(f"{side}_shoulder")
        xyz[k, :2], confidence[k] = (x, 0.4), 1
    for group, place in (("left_hand", left), ("right_hand", right)):
        if place is not None:
            points = SIGN69.groups[group]
            xyz[points, :2], confidence[points] = np.array(place) + noise, 1
    return KeypointFrame(time_ms, xyz, confidence)


def push_all(endpoint, frames):
    """(time_ms, moves) of each frame."""
    moves = []
    for frame in frames:
        endpoint.push(frame)
        moves.append((frame.time_ms, endpoint.moves))
    return moves


def signing(start, end):
    """A right hand that goes to and fro by half a shoulder width."""
    times = range(start, end, 40)
    return [frame_of(t, right=(0.3 + 0.2 * (i // 4 % 2), UP)) for i, t in enumerate(times)]


def first_end(endpoint, frames, something_read, last_sign=None):
    """The time of the frame that ends it. last_sign : when one was last seen; None = never"""
    for frame in frames:
        endpoint.push(frame)
        quiet_ms = 0 if last_sign is None else frame.time_ms - last_sign
        if endpoint.ended(something_read, quiet_ms):
            return frame.time_ms
    return None


@pytest.mark.parametrize(("something_read", "rest_ms"), [(True, 1200), (False, 2400)])
def test_hands_at_rest_in_view_end_it_after_a_while(something_read, rest_ms):
    endpoint = Endpoint(1.0)
    push_all(endpoint, [*signing(0, 2000), frame_of(2000, right=(0.9, UP))])
    rest = [frame_of(t, right=(0.9, UP)) for t in range(2040, 9000, 40)]
    ended = first_end(endpoint, rest, something_read)
    assert 2000 + rest_ms <= ended <= 2000 + rest_ms + 80  # a median of three frames comes later


@pytest.mark.parametrize(
    ("something_read", "last_sign", "ended_after"),
    [
        (True, 1600, 1600 + 1200),  # the way to where the hands rest is part of the rest
        (True, 700, 2000 + 800),  # but hands that have just come there may go on
        (True, 2000, 2000 + 1200),
        (False, 700, 2000 + 2400),
    ],
)
def test_the_rest_begins_when_the_last_sign_is_over(something_read, last_sign, ended_after):
    endpoint = Endpoint(1.0)
    push_all(endpoint, [*signing(0, 2000), frame_of(2000, right=(0.9, UP))])
    rest = [frame_of(t, right=(0.9, UP)) for t in range(2040, 9000, 40)]
    ended = first_end(endpoint, rest, something_read, last_sign)
    assert ended_after <= ended <= ended_after + 80


@pytest.mark.parametrize("something_read", [True, False])
def test_lowered_hands_end_it_whatever_was_read(something_read):
    endpoint = Endpoint(1.0)
    push_all(endpoint, signing(0, 2000))
    down = [frame_of(t, right=(0.5, DOWN)) for t in range(2000, 9000, 40)]
    assert first_end(endpoint, down, something_read) == 2400


def test_a_hand_that_left_at_the_picture_s_lower_edge_is_down():
    endpoint = Endpoint(1.0)
    push_all(endpoint, [*signing(0, 2000), frame_of(2000, right=(0.4, 0.83))])
    assert first_end(endpoint, [frame_of(t) for t in range(2040, 9000, 40)], True) == 2440


def test_a_hand_that_was_lost_high_up_is_waited_for():
    endpoint = Endpoint(1.0)
    push_all(endpoint, signing(0, 2000))
    assert first_end(endpoint, [frame_of(t) for t in range(2000, 9000, 40)], True) == 3000
    endpoint.reset()
    push_all(endpoint, signing(0, 2000))
    assert first_end(endpoint, [frame_of(t) for t in range(2000, 2800, 40)], True) is None
    back = [frame_of(t, right=(0.3 + 0.2 * (t // 160 % 2), UP)) for t in range(2800, 4000, 40)]
    assert first_end(endpoint, back, True) is None


def test_one_hand_up_is_not_lowered():
    endpoint = Endpoint(1.0)
    push_all(endpoint, signing(0, 2000))
    frames = [
        frame_of(t, (0.6, DOWN), (0.3 + 0.2 * (t // 160 % 2), UP)) for t in range(2000, 5000, 40)
    ]
    assert first_end(endpoint, frames, True) is None and endpoint.down_ms == 0


def test_folded_hands_that_tremble_do_not_move():
    endpoint, rng = Endpoint(1.0), np.random.default_rng(0)
    frames = [
        frame_of(t, (0.55, 0.7), (0.45, 0.7), rng.normal(0, 0.008, 2)) for t in range(0, 4000, 40)
    ]
    assert not any(moves for _, moves in push_all(endpoint, frames))
    assert endpoint.rest_ms == 3960 and endpoint.down_ms == 0
    lost = [frame_of(4000, None, (0.45, 0.7)), frame_of(4040, (0.55, 0.7), (0.45, 0.7))]
    assert not any(moves for _, moves in push_all(endpoint, lost))
    assert endpoint.rest_ms == 4040
    moved = push_all(endpoint, [frame_of(t, (0.8, 0.5), (0.45, 0.7)) for t in (4080, 4120)])
    assert moved[-1] == (4120, True) and endpoint.rest_ms == 0


def test_hands_that_come_up_move_and_are_down_no_more():
    endpoint = Endpoint(1.0)
    push_all(endpoint, [frame_of(t) for t in range(0, 1000, 40)])
    assert endpoint.down_ms == 960 and endpoint.rest_ms == 960
    assert push_all(endpoint, [frame_of(1000, right=(0.3, 0.6))]) == [(1000, True)]
    assert endpoint.down_ms == 0


def test_without_shoulders_a_palm_gives_the_size():
    endpoint, frame = Endpoint(1.0), frame_of(0, right=(0.5, UP))
    frame.confidence[SIGN69.groups["body"]] = 0
    endpoint.push(frame)
    assert endpoint.down_ms == 0 and not endpoint.ended(False)
    assert EndpointSettings().longest_ms == 20_000


SHORT = RowSettings(alone_ms=200)


def scores_of(text, share=0.99):
    """Logits of frames, one for each letter: "." is blank, "a" label 1. share : of the label"""
    rows = np.full((len(text), 4), np.log((1 - share) / 3))
    for t, letter in enumerate(text):
        rows[t, ".abc".index(letter)] = np.log(share)
    return rows.astype(np.float32)


def row_of(text, share=0.99, settings=SHORT, order=None, ends=True):
    """The labels of a row. ends : whether it is known that no frame comes any more"""
    row = GlossRow(25.0, settings, order)
    row.push(scores_of(text, share))
    if ends:
        row.end()
    return [sign.label for sign in row.signs]


def test_one_sure_gloss_begins_a_line_and_a_flash_does_not():
    assert row_of("..aaaaa") == [1]
    assert row_of("..aaaa.") == []  # 160 ms
    assert row_of("..aaaaa", share=0.7) == []  # likely, and alone
    assert row_of("..aaaaa..bbbb", share=0.7) == []
    assert row_of("..aaaaa..bbbbb", share=0.7) == [1, 2]
    assert row_of("") == []


def test_a_gloss_begins_a_line_alone_when_it_is_over_and_was_not_too_long():
    assert row_of("..aaaaa", ends=False) == []  # it may go on, like a hand that lies on a face
    assert row_of("..aaaaa.", ends=False) == [1]
    assert row_of("..aaaaabb", ends=False) == [1, 2]
    long = RowSettings(alone_ms=200, longest_alone_ms=400)
    assert row_of(10 * "a", settings=long) == [1]
    assert row_of(11 * "a", settings=long) == []
    assert row_of(11 * "a" + "bbbbb", settings=long) == [1, 2]  # another says that it was one


def test_glosses_far_apart_do_not_begin_a_line_together():
    gap = "." * 25  # a second
    assert row_of(f"aaaaa{gap}bbbbb", share=0.7) == [1, 2]
    assert row_of(f"aaaaa{gap}.bbbbb", share=0.7) == []
    assert row_of(f"aaaaa{gap}.bbbbb.ccccc", share=0.7) == [2, 3]
    assert row_of(f"aaaaa{gap}.bb") == [1, 2]  # the line has begun


def test_in_a_line_short_glosses_count_too_and_one_frame_does_not():
    assert row_of("aaaaa..b..cc") == [1, 3]
    assert row_of("cc..aaaaa") == [3, 1]  # it has waited


def test_a_label_that_comes_back_at_once_is_the_same_sign():
    assert row_of("aaaaa.aa") == [1]
    assert row_of("aaaaabbaabb") == [1, 2]
    assert row_of("aaaaa.....aa") == [1]  # 200 ms between
    assert row_of("aaaaa......aa") == [1, 1]


def test_the_row_only_grows_however_the_frames_come():
    text = "..aaa.aab.bb.ccccccc..a.aaa...bbb"
    row, before = GlossRow(25.0, SHORT), []
    for scores in scores_of(text):
        row.push(scores[None])
        labels = [sign.label for sign in row.signs]
        assert labels[: len(before)] == before
        before = labels
    assert before == row_of(text)
    frames = [sign.frames for sign in row.signs]
    assert frames[0] == [2, 3, 4, 6, 7] and row.signs[0].share == pytest.approx(0.99)
    row.reset()
    assert row.signs == []


def test_settings_of_a_row():
    assert row_of("aa", settings=RowSettings(alone_ms=80)) == [1]
    assert row_of(7 * "a", settings=RowSettings()) == []  # 280 ms
    assert row_of(8 * "a", settings=RowSettings()) == [1]
    assert row_of(8 * "a", share=0.91, settings=RowSettings()) == []
    assert row_of("aaaaaaa", settings=RowSettings(min_gloss_ms=400)) == []


def test_a_gloss_that_often_begins_a_sentence_begins_a_line_sooner():
    usual = order_with((0, 1), -3.0)
    assert row_of(7 * "a", settings=RowSettings(), order=usual, ends=False) == [1]  # 280 ms
    assert row_of(6 * "a", settings=RowSettings(), order=usual, ends=False) == []
    assert row_of(7 * "a", 0.94, settings=RowSettings(), order=usual, ends=False) == []
    assert row_of(7 * "b", settings=RowSettings(), order=usual, ends=False) == []
    assert row_of(60 * "a", settings=RowSettings(), order=usual, ends=False) == [1]


def order_with(pair, log_chance):
    """All pairs are neither usual nor odd, but one."""
    order = np.full((4, 4), -5.0)
    order[pair] = log_chance
    return order


def test_two_glosses_that_often_follow_each_other_begin_a_line_at_once():
    assert row_of("aa.bb", order=order_with((1, 2), -3.0)) == [1, 2]
    assert row_of("bb.aa", order=order_with((1, 2), -3.0)) == []  # it is the other way round
    assert row_of("aa.bb", order=order_with((1, 2), -5.0)) == []
    assert row_of("a..bb", order=order_with((1, 2), -3.0)) == []  # a frame is no gloss


def test_what_hardly_ever_follows_is_believed_later():
    odd = order_with((1, 2), -9.0)
    assert row_of("aaaaa.bbb", order=odd) == [1]
    assert row_of("aaaaa.bbbb", order=odd) == [1, 2]  # 160 ms
    assert row_of("aaaaa.ccc", order=odd) == [1, 3]
    assert row_of("aaaaa.bbbbbbbb", share=0.75, order=odd) == []
    assert row_of("aaaaa.cccccccc", share=0.75, order=odd) == [1, 3]


def test_a_line_hardly_ever_begins_with_some_glosses():
    odd = order_with((0, 1), -9.0)
    short = RowSettings(alone_ms=80)
    assert row_of("aaa", settings=short, order=odd) == []
    assert row_of("aaaa", settings=short, order=odd) == [1]
    assert row_of("bb", settings=short, order=odd) == [2]


def test_two_glosses_that_hardly_ever_begin_a_sentence_wait_for_a_third():
    odd = order_with((0, 1), -9.5)  # with the second after it, -7.25 on the mean
    assert row_of("aaaaa.bbbbb", share=0.85, order=odd) == []
    assert row_of("aaaaa.bbbbb.ccccc", share=0.85, order=odd) == [1, 2, 3]
    assert row_of("aaaaa.bbbbb", share=0.85, order=order_with((0, 1), -8.5)) == [1, 2]
    assert row_of("aaaaa.bbbbb", order=odd) == [1, 2]  # each is beyond doubt
