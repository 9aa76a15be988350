"""The kiosk's machine of states: a day in fast motion, faults one by one, the way out."""

import numpy as np
import pytest

from fingerpost.app.kiosk import (
    ATTRACT,
    CHOOSE_PIN,
    DOWN,
    LOCKED_MS,
    MOST_HANGS,
    MOST_TRIES,
    RUNNING,
    STARTING,
    TALK,
    Action,
    AskedToLeave,
    Finished,
    Kiosk,
    KioskTimes,
    LanguageChosen,
    Lost,
    PackReplaced,
    PinChosen,
    PinGiven,
    PinPutAway,
    Replying,
    Seen,
    Touched,
    stands_here,
)
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame

STEP_MS = 40  # from picture to picture
LONG_STEP_MS = 200  # for whole hours


class Day:
    """A kiosk and its clock. camera : gives a picture every step, once the pipeline runs"""

    def __init__(self, has_pin=True, step_ms=STEP_MS):
        self.kiosk = Kiosk(has_pin)
        self.step_ms = step_ms
        self.now_ms = 1_000_000
        self.done = []
        self.somebody = self.other = False
        self.camera = True

    def run(self, seconds):
        for _ in range(round(seconds * 1000 / self.step_ms)):
            self.now_ms += self.step_ms
            self.do(self.kiosk.tick(self.now_ms))
            if self.camera and self.kiosk.pipeline != DOWN:
                self.push(Seen(self.somebody, self.other))
                self.other = False
        return self.kiosk

    def push(self, event):
        self.do(self.kiosk.push(event, self.now_ms))

    def do(self, actions):
        self.done += [(action, self.now_ms) for action in actions]

    def count(self, action):
        return sum(one == action for one, _ in self.done)


@pytest.fixture
def day():
    day = Day()
    day.run(1)
    assert day.kiosk.view == ATTRACT and day.kiosk.pipeline == RUNNING
    return day


def test_somebody_steps_in_and_leaves(day):
    day.somebody = True
    assert day.run(0.44).view == ATTRACT  # not yet half a second
    assert day.run(0.2).view == TALK and day.count(Action.WIPE) == 1
    day.run(60)
    day.somebody = False
    left_ms = day.now_ms
    assert day.run(29.9).view == TALK
    assert day.run(0.2).view == ATTRACT
    assert day.done[-1][0] == Action.WIPE
    assert 30_000 <= day.done[-1][1] - left_ms <= 30_000 + STEP_MS
    assert (day.kiosk.n_visitors, day.kiosk.n_wipes) == (1, 1)


def test_a_blink_of_the_landmarker_is_no_absence_and_a_passer_by_no_visitor(day):
    for _ in range(20):
        day.somebody = True
        day.run(0.3)
        day.somebody = False
        assert day.run(0.5).view == ATTRACT  # 0.3 s each: longer gaps than a blink
    day.somebody = True
    day.run(0.3)
    day.somebody = False
    day.run(0.2)
    day.somebody = True
    assert day.run(0.2).view == TALK


def test_who_comes_back_in_time_finds_the_conversation_and_absence_counts_anew(day):
    day.somebody = True
    day.run(5)
    for _ in range(3):
        day.somebody = False
        day.run(29)
        day.somebody = True
        assert day.run(1).view == TALK
    assert day.count(Action.WIPE) == 1  # on the way in


def test_somebody_else_in_the_same_place_finds_nothing(day):
    day.somebody = True
    day.run(5)
    day.other = True
    day.run(0.1)
    assert day.kiosk.view == TALK and day.kiosk.n_visitors == 2 and day.count(Action.WIPE) == 2


def test_finished_forgets_at_once(day):
    day.push(Finished())
    assert day.count(Action.WIPE) == 0  # nobody was here
    day.somebody = True
    day.run(5)
    day.push(Finished())
    assert day.kiosk.view == ATTRACT and day.count(Action.WIPE) == 2


def test_a_touch_wakes_and_keeps_awake(day):
    day.push(Touched())
    assert day.kiosk.view == TALK
    day.run(20)
    day.push(Touched())
    assert day.run(29).view == TALK
    assert day.run(2).view == ATTRACT


def test_a_lost_camera_is_shown_at_once_tried_again_and_shown_no_longer(day):
    day.somebody = True
    day.run(2)
    day.camera = False
    day.push(Lost("camera 0 is gone"))
    lost_ms = day.now_ms
    assert (day.kiosk.pipeline, day.kiosk.trouble) == (DOWN, "camera 0 is gone")
    assert day.done[-1] == (Action.STOP, lost_ms)
    assert day.run(1.2).pipeline == STARTING and day.kiosk.trouble == "camera 0 is gone"
    assert day.done[-1][0] == Action.START and 1000 <= day.done[-1][1] - lost_ms < 1100
    day.camera = True
    assert day.run(0.1).trouble == "" and day.kiosk.view == TALK
    assert day.kiosk.n_losses == 1


def test_a_camera_unplugged_for_an_hour_is_tried_every_second_and_the_visitor_forgotten():
    day = Day(step_ms=LONG_STEP_MS)
    day.somebody = True
    day.run(2)
    day.camera = False
    before = day.count(Action.START)
    for _ in range(3600):
        if day.kiosk.pipeline != DOWN:
            day.push(Lost("there is no camera 0"))
        day.run(1)
    assert day.kiosk.view == ATTRACT and day.kiosk.trouble and not day.count(Action.GIVE_UP)
    assert 1500 < day.count(Action.START) - before <= 3600
    day.camera = True
    assert day.run(3).trouble == "" and day.kiosk.view == TALK


def test_a_camera_that_hangs_is_restarted_within_five_seconds(day):
    day.camera = False
    silent_ms = day.now_ms
    day.run(5)
    (start_ms,) = [ms for action, ms in day.done if action == Action.START and ms > silent_ms]
    assert start_ms - silent_ms <= 5000 and "3 s" in day.kiosk.trouble
    assert day.kiosk.n_hangs == 1
    day.camera = True
    day.run(1)
    assert day.kiosk.trouble == ""


def test_after_too_many_hangs_the_program_is_to_be_started_anew(day):
    day.camera = False
    day.run(120)  # once it falls silent, then with every start of 30 s, a second between them
    assert (day.kiosk.n_hangs, day.count(Action.GIVE_UP)) == (MOST_HANGS - 1, 0)
    day.run(10)
    assert (day.kiosk.n_hangs, day.count(Action.GIVE_UP)) == (MOST_HANGS, 1)


def test_hangs_of_long_ago_are_forgiven():
    day = Day(step_ms=LONG_STEP_MS)
    day.run(1)
    for _ in range(3 * MOST_HANGS):
        day.camera = False
        day.run(3.2)
        day.camera = True
        day.run(5 * 60)
    assert day.kiosk.n_hangs == 3 * MOST_HANGS and not day.count(Action.GIVE_UP)


def test_a_replaced_pack_waits_until_nobody_is_here(day):
    day.somebody = True
    day.run(2)
    day.push(PackReplaced())
    day.run(10)
    assert day.count(Action.START) == 1
    day.somebody = False
    day.run(31)
    assert [action for action, _ in day.done[-2:]] == [Action.STOP, Action.START]
    assert day.count(Action.START) == 2 and day.kiosk.n_losses == 0
    day.run(100)
    assert day.count(Action.START) == 2


def test_the_first_start_asks_for_a_pin_and_nothing_ends_it_before():
    day = Day(has_pin=False)
    day.somebody = True
    assert day.run(60).view == CHOOSE_PIN
    day.push(Touched())
    day.push(AskedToLeave())
    day.push(PinGiven(right=True))
    assert day.kiosk.view == CHOOSE_PIN and not day.kiosk.asking and not day.count(Action.LEAVE)
    day.push(PinChosen())
    assert day.run(1).view == TALK


def test_there_is_no_way_out_without_the_pin(day):
    day.push(PinGiven(right=True))  # nobody asked
    assert not day.count(Action.LEAVE)
    day.push(AskedToLeave())
    assert day.kiosk.asking
    day.push(PinGiven(right=False))
    assert day.kiosk.asking and not day.count(Action.LEAVE)
    day.push(PinGiven(right=True))
    assert day.count(Action.LEAVE) == 1


def test_the_question_for_the_pin_goes_by_itself_or_is_put_away(day):
    day.push(AskedToLeave())
    assert day.run(19).asking
    day.push(Touched())
    assert day.run(19).asking and day.kiosk.view == ATTRACT  # a touch of the pad wakes nobody
    assert not day.run(2).asking
    day.push(AskedToLeave())
    day.push(PinPutAway())
    assert not day.kiosk.asking


def test_too_many_wrong_pins_lock_it_for_a_minute(day):
    day.push(AskedToLeave())
    for _ in range(MOST_TRIES):
        day.push(PinGiven(right=False))
    assert not day.kiosk.asking and day.kiosk.locked_ms(day.now_ms) == LOCKED_MS
    day.push(AskedToLeave())
    day.push(PinGiven(right=True))
    assert not day.count(Action.LEAVE)
    day.run(61)
    day.push(AskedToLeave())
    day.push(PinGiven(right=True))
    assert day.count(Action.LEAVE) == 1


def test_a_day_of_visitors_and_faults():
    """From 8 to 20 o'clock: 200 people, and every fault a few times. After each visit it attracts,
    forgets as many as came, and a fault is never on the screen for longer than it lasts."""
    day, rng = Day(step_ms=LONG_STEP_MS), np.random.default_rng(8)
    day.run(2)
    for visitor in range(200):
        day.somebody = True
        day.run(1)
        assert day.kiosk.view == TALK
        fault = visitor % 10
        if fault == 3:
            day.push(Lost("the captions crashed"))
        elif fault == 5:
            day.camera = False
            day.run(4)
            day.camera = True
        elif fault == 7:
            day.push(PackReplaced())
        day.run(float(rng.uniform(3, 120)))
        assert day.kiosk.pipeline == RUNNING and day.kiosk.trouble == ""
        day.somebody = False
        day.run(31)
        assert day.kiosk.view == ATTRACT
    kiosk = day.kiosk
    assert kiosk.n_visitors == kiosk.n_wipes == 200
    assert (kiosk.n_losses, kiosk.n_hangs) == (40, 20)
    assert kiosk.n_starts == 1 + 40 + 20 and not day.count(Action.GIVE_UP)
    assert len(kiosk._hangs_ms) <= MOST_HANGS  # nothing grows


def body(width, neck=0.0, seen=True):
    """Shoulders so far apart, in fractions of a square picture, and the nose so high above."""
    xyz, confidence = np.zeros((69, 3), np.float32), np.zeros(69, np.float32)
    for name, x, y in (
        ("left_shoulder", 0.5 + width / 2, 0.5),
        ("right_shoulder", 0.5 - width / 2, 0.5),
        ("nose", 0.5, 0.5 - neck),
    ):
        xyz[SIGN69.index(name), :2] = x, y
        confidence[SIGN69.index(name)] = float(seen and (name != "nose" or neck > 0))
    return KeypointFrame(0, xyz, confidence)


@pytest.mark.parametrize(
    ("frame", "aspect", "here"),
    [
        (body(0.3), 1.0, True),
        (body(0.1), 1.0, False),  # far behind
        (body(0.1), 16 / 9, True),  # 0.18 picture heights
        (body(0.02, neck=0.2), 1.0, True),  # sideways
        (body(0.3, seen=False), 1.0, False),
    ],
)
def test_who_stands_near_is_here(frame, aspect, here):
    assert stands_here(frame, SIGN69, aspect) is here


def test_times_can_be_set():
    kiosk = Kiosk(True, KioskTimes(absent_ms=5_000))
    kiosk.push(Touched(), 100)
    assert kiosk.view == TALK
    assert Action.WIPE not in kiosk.tick(5_099)
    assert Action.WIPE in kiosk.tick(5_100)


def test_a_language_is_the_visitors_own_and_gone_with_them(day):
    day.push(LanguageChosen("de"))
    assert day.kiosk.language == ""  # nobody is here
    day.push(Touched())
    day.push(LanguageChosen("de"))
    day.somebody = True
    assert day.run(60).language == "de"
    day.push(Finished())
    assert day.kiosk.language == ""
    day.push(Touched())
    day.push(LanguageChosen("es"))
    day.somebody = False
    assert day.run(31).view == ATTRACT and day.kiosk.language == ""
    day.push(Touched())
    day.push(LanguageChosen("de"))
    day.somebody = day.other = True  # in the same place
    assert day.run(0.1).view == TALK and day.kiosk.language == ""


def test_who_leans_in_to_type_is_not_somebody_else(day):
    day.somebody = True
    day.run(1)
    visitors, wipes = day.kiosk.n_visitors, day.count(Action.WIPE)
    day.push(Replying())
    day.other = True
    day.run(0.2)
    assert (day.kiosk.n_visitors, day.count(Action.WIPE)) == (visitors, wipes)
    day.run(KioskTimes().reply_ms / 1000 - 0.5)
    day.other = True  # the signer, back in the picture
    day.run(0.1)
    assert day.kiosk.n_visitors == visitors
    day.run(1)
    day.other = True
    day.run(0.1)
    assert day.kiosk.n_visitors == visitors + 1


def test_a_reply_to_nobody_is_none(day):
    day.push(Replying())
    day.push(Touched())
    day.somebody = day.other = True
    day.run(0.1)
    assert day.kiosk.n_visitors == 2  # the next visitor is somebody else at once


def test_nobody_stays_because_of_a_reply_that_is_over(day):
    """Letters are touches: they keep a visitor here for as long as any touch, and no longer."""
    day.push(Touched())
    day.push(Replying())
    assert day.run(29.9).view == TALK and day.run(0.3).view == ATTRACT
    day.push(Touched())
    day.somebody = day.other = True  # the next visitor, at once: what was typed is of before
    day.run(0.1)
    assert day.kiosk.n_visitors == 3
