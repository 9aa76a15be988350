"""How far to trust a hand that came without a confidence.

MediaPipe's hand landmarks are there or not there; when they are there they may be noise, a hand
that is somebody else's, or the other hand once more. ``HandsConfidence`` watches both hands frame
by frame and gives each of their points a confidence in (0, 1], the product of five grades:

- **motion**: the points' acceleration, in palms. A hand has a mass; a wrong detection has none.
- **bones**: each bone's length in palms, and the palm's own, against their medians over the last
  second and a half.
- **proportions**: palm and fingers within what hands can be.
- **wrist**: the hand's wrist is where the pose model has the wrist of that side, and not where it
  has the other one.
- **return**: the first frames after an absence count less.

Two slots that hold the same hand: the one further from its pose wrist loses. Lengths are measured
in units of the picture's width times aspect, that is of its height; nothing here needs pixels.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from fingerpost.edge_runtime.keypoints import (
    HAND_EDGES,
    HANDS,
    MEDIAPIPE_HOLISTIC,
    N_HAND,
    KeypointFrame,
)

FRAME_MS = 1000 / 30  # the tolerances below are for steps of this length
MOTION_TOLERANCE = 1.1  # palms per frame², of the whole hand: half the grade is lost there
SHAPE_TOLERANCE = 0.55  # palms per frame², of a point against its hand
BONE_TOLERANCE = 0.45  # ln(length / median length), mean over the bones
SIZE_TOLERANCE = 0.9  # ln(palm / median palm): nobody's hand comes that much nearer at once
WRIST_TOLERANCE = 1.6  # palms between the hand's wrist and the pose model's
SAME_HAND = 0.35  # palms between the points of both hands, mean
RETURN_GRADES = (0.6, 0.75, 0.9)  # first, second, third frame after an absence
LONGEST_GAP_MS = 250  # an absence longer than this forgets how the hand moved
BONE_MEMORY = 45  # frames
LOWEST = 0.02  # a hand that was reported never counts as not seen

_BONES = np.array(HAND_EDGES[:20])  # wrist to tips; the rest of the edges close the palm
_KNUCKLES = [5, 9, 13, 17]
_TIPS = [4, 8, 12, 16, 20]
_PALM_RANGE = (0.01, 1.0)  # of the picture's height
_REACH_RANGE = (0.25, 3.2)  # longest wrist-to-tip distance, in palms
_WIDTH_RANGE = (0.08, 1.6)  # index to pinky knuckle, in palms

_GROUPS = MEDIAPIPE_HOLISTIC.groups
_POSE_WRIST = {
    "left_hand": MEDIAPIPE_HOLISTIC.index("left_wrist"),
    "right_hand": MEDIAPIPE_HOLISTIC.index("right_wrist"),
}


class HandsConfidence:
    """Grades both hands of a stream of frames. aspect : width over height of the picture."""

    def __init__(self, aspect: float = 1.0) -> None:
        self._scale = np.array([aspect, 1.0, aspect], np.float32)
        self.reset()

    def reset(self) -> None:
        self._memory = {hand: _Memory() for hand in _POSE_WRIST}

    def push(self, frame: KeypointFrame) -> None:
        """Writes the hands' confidences into the frame (whose hands have 0 or 1: seen or not)."""
        xyz = frame.xyz * self._scale  # (543, 3)
        seen = {hand: bool(frame.confidence[_GROUPS[hand]].any()) for hand in _POSE_WRIST}
        wrists = {
            hand: xyz[point] if frame.confidence[point] > 0.1 else None
            for hand, point in _POSE_WRIST.items()
        }
        loser = _same_hand(xyz, wrists) if all(seen.values()) else None
        for hand, other in (("left_hand", "right_hand"), ("right_hand", "left_hand")):
            if not seen[hand]:
                continue
            points = xyz[_GROUPS[hand]]
            grade = self._memory[hand].grade(points, frame.time_ms)  # (21,)
            grade = grade * _wrist_grade(points, wrists[hand], wrists[other])
            if hand == loser:
                grade = grade * 0.2
            frame.confidence[_GROUPS[hand]] = np.clip(grade, LOWEST, 1)


@dataclass
class _Memory:
    """What is known of one hand so far: its last two positions, and how long its bones are."""

    points: deque[np.ndarray] = field(default_factory=lambda: deque(maxlen=2))  # (21, 3) each
    times_ms: deque[int] = field(default_factory=lambda: deque(maxlen=2))
    bones: deque[np.ndarray] = field(default_factory=lambda: deque(maxlen=BONE_MEMORY))  # (20,)
    palms: deque[float] = field(default_factory=lambda: deque(maxlen=BONE_MEMORY))
    returned: int = 0  # frames since the last absence

    def grade(self, points: np.ndarray, time_ms: int) -> np.ndarray:
        """Shape (21,): the grade of each point of a hand, points (21, 3) in equal units."""
        palm = max(_palm(points), 1e-6)
        if self.times_ms and time_ms - self.times_ms[-1] > LONGEST_GAP_MS:
            self.points.clear()
            self.times_ms.clear()
        if not self.times_ms:
            self.returned = 0
        motion = self._motion(points, palm, time_ms)
        plausible = _proportions(points, palm)
        bones = np.linalg.norm(points[_BONES[:, 1]] - points[_BONES[:, 0]], axis=-1) / palm
        steady = self._bones(bones, palm)
        back = RETURN_GRADES[self.returned] if self.returned < len(RETURN_GRADES) else 1.0
        self.returned += 1
        self.points.append(points)
        self.times_ms.append(time_ms)
        if plausible * steady > 0.3:  # what is wrong must not become the measure
            self.bones.append(bones)
            self.palms.append(palm)
        return motion * plausible * steady * back

    def _motion(self, points: np.ndarray, palm: float, time_ms: int) -> np.ndarray:
        """Shape (21,): 1 where each point goes on as it went, less where it jumps."""
        if len(self.points) < 2:
            if not self.points:
                return np.ones(N_HAND)
            expected, step_ms = self.points[-1], time_ms - self.times_ms[-1]
        else:
            before_ms, step_ms = self.times_ms[1] - self.times_ms[0], time_ms - self.times_ms[1]
            velocity = (self.points[1] - self.points[0]) / max(before_ms, 1)
            expected = self.points[1] + velocity * min(step_ms, before_ms)
        error = (points - expected)[:, :2] / palm  # depth is too rough to tell anything here
        whole = error.mean(axis=0)
        longer = np.clip(step_ms / FRAME_MS, 0.5, 4)  # slow cameras see larger steps
        of_hand = _falling(np.linalg.norm(whole), MOTION_TOLERANCE * longer)
        return of_hand * _falling(np.linalg.norm(error - whole, axis=-1), SHAPE_TOLERANCE * longer)

    def _bones(self, bones: np.ndarray, palm: float) -> float:
        """1 where the hand is the one it was. bones : (20,), in palms."""
        if len(self.bones) < 5:
            return 1.0
        usual = np.median(np.array(self.bones), axis=0)
        change = np.abs(np.log((bones + 0.05) / (usual + 0.05)))  # + 0.05: short bones are noise
        resized = np.log(palm / np.median(self.palms))
        return float(_falling(change.mean(), BONE_TOLERANCE) * _falling(resized, SIZE_TOLERANCE))


def _palm(points: np.ndarray) -> float:
    """The hand's own unit: mean distance from wrist to knuckles."""
    return float(np.linalg.norm(points[_KNUCKLES] - points[0], axis=-1).mean())


def _proportions(points: np.ndarray, palm: float) -> float:
    """1 for what a hand can look like, falling with how far its lengths are out of range."""
    reach = np.linalg.norm(points[_TIPS] - points[0], axis=-1).max() / palm
    width = np.linalg.norm(points[5] - points[17]) / palm
    grade = 1.0
    for length, (low, high) in (
        (palm, _PALM_RANGE),
        (reach, _REACH_RANGE),
        (width, _WIDTH_RANGE),
    ):
        out = max(low / max(float(length), 1e-6), float(length) / high, 1.0)  # 1: within the range
        grade *= out**-3
    return grade


def _wrist_grade(points: np.ndarray, own: np.ndarray | None, other: np.ndarray | None) -> float:
    """Does the hand hang on the arm it claims to? 1 where the pose model does not see that arm."""
    if own is None:
        return 1.0
    palm = max(_palm(points), 1e-6)
    to_own = np.linalg.norm((points[0] - own)[:2]) / palm
    grade = _falling(to_own, WRIST_TOLERANCE)
    if other is not None:
        to_other = np.linalg.norm((points[0] - other)[:2]) / palm
        if to_other < 0.5 * to_own:
            grade *= 0.3
    return float(grade)


def _same_hand(xyz: np.ndarray, wrists: dict[str, np.ndarray | None]) -> str | None:
    """Which slot to doubt when both hold the same hand; None where they do not."""
    left, right = (xyz[_GROUPS[hand]] for hand in HANDS)
    apart = np.linalg.norm((left - right)[:, :2], axis=-1).mean()
    if apart > SAME_HAND * max(_palm(left), _palm(right)):
        return None
    far = {
        hand: np.inf if wrist is None else np.linalg.norm((xyz[_GROUPS[hand]][0] - wrist)[:2])
        for hand, wrist in wrists.items()
    }
    return max(far, key=lambda hand: far[hand])


def _falling(value: np.ndarray | np.floating | float, tolerance: float) -> np.ndarray:
    """1 at 0, a half at the tolerance, and steeply down beyond."""
    return 1 / (1 + (np.asarray(value) / tolerance) ** 4)
