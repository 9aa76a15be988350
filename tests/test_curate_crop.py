"""Where the signer is: boxes by hand, by a fake landmarker of known points, by the real one."""

from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime import landmarker_bundle as bundles
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame
from fingerpost.edge_runtime.video import import_cv2, open_video, write_video
from fingerpost.trainer.curation.crop import Box, find_signer, parse_box, whole_picture

DEMO = Path(__file__).parents[1] / "assets" / "demo" / "demo.mp4"
N = len(MEDIAPIPE_HOLISTIC)
SIDE = 400  # pixels of the fake videos' pictures


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("960,480,320,240", Box(960, 480, 320, 240)),
        (".75,.6,.25,.4", Box(960, 432, 320, 288)),
        ("0,0,1,1", Box(0, 0, 1280, 720)),
        ("11,21,100.5,99", Box(10, 20, 102, 100)),
    ],
)
def test_boxes_by_hand(text: str, box: Box) -> None:
    """Of a picture of 1280x720: odd sides grow to even ones."""
    assert parse_box(text, 1280, 720) == box


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "is not x,y,w,h"),
        ("a,b,c,d", "is not x,y,w,h"),
        ("nan,0,1,1", "is not x,y,w,h"),
        ("1200,0,100,100", "is not inside the picture of 1280x720"),
        ("-0.1,0,1,1", "is not inside"),
        ("0,0,30,100", "would be 30x100 pixels: no hand"),
        ("0,0,-200,100", "no hand can be made out"),
    ],
)
def test_boxes_by_hand_that_are_none(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_box(text, 1280, 720)


def test_the_whole_of_an_odd_picture() -> None:
    assert whole_picture(641, 481) == Box(0, 0, 640, 480)


def test_a_box_cuts_its_part() -> None:
    picture = np.arange(100 * 80 * 3).reshape(100, 80, 3)
    part = Box(10, 20, 30, 40).of(picture)
    assert part.shape == (40, 30, 3) and (part[0, 0] == picture[20, 10]).all()


def person(time_ms: int, centre: float, swing: float, seen: float = 1.0) -> KeypointFrame:
    """Shoulders at y 0.4, 0.2 apart; hands at y 0.5 that swing to both sides, by turns."""
    points = {"left_shoulder": (centre + 0.1, 0.4), "right_shoulder": (centre - 0.1, 0.4)}
    side = swing if time_ms // 1000 % 2 else -swing
    points |= {"left_wrist": (centre + side, 0.5), "right_wrist": (centre - side, 0.5)}
    points |= {"nose": (centre, 0.3), "left_ankle": (centre, 0.95)}
    xyz, confidence = np.zeros((N, 3), np.float32), np.zeros(N, np.float32)
    for name, xy in points.items():
        xyz[MEDIAPIPE_HOLISTIC.index(name), :2] = xy
        confidence[MEDIAPIPE_HOLISTIC.index(name)] = seen
    hand = MEDIAPIPE_HOLISTIC.groups["left_hand"]
    xyz[hand, :2], confidence[hand] = points["left_wrist"], 0.5
    return KeypointFrame(time_ms, xyz, confidence)


def fake(people: dict[tuple[int, int], tuple[float, float]], seen: float = 1.0) -> type:
    """A landmarker that sees a person in windows of these sizes: centre and swing of the hands."""

    class Fake:
        def __init__(self, width: int, height: int) -> None:
            self._person = people.get((width, height), (0.5, 0.0))
            self._seen = seen if (width, height) in people else 0.0

        def __enter__(self) -> "Fake":
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def detect(self, rgb: np.ndarray, time_ms: int) -> KeypointFrame:
            return person(time_ms, *self._person, self._seen)

    return Fake


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("still") / "still.mp4"
    with write_video(path, 10, (SIDE, SIDE)) as writer:
        for _ in range(20):
            writer.write(np.zeros((SIDE, SIDE, 3), np.uint8))
    return path


TIMES = [0, 500, 1000, 1500]


def test_the_signing_space_of_known_points(still: Path) -> None:
    """Shoulders 80 pixels apart: hands reach x 160 and 240, arms 1.3 x 80 from 200; y is 120 to
    200, 0.25 x 80 of margin on all sides of that, half of 80 of hair where no face was seen."""
    box = find_signer(still, TIMES, fake({(SIDE, SIDE): (0.5, 0.1)}))
    assert box == Box(96, 60, 208, 160)


def test_hands_that_reach_further_are_kept_in(still: Path) -> None:
    """Hands at x 80 and 320 and 20 pixels of margin."""
    box = find_signer(still, TIMES, fake({(SIDE, SIDE): (0.5, 0.3)}))
    assert (box.x, box.width) == (60, 280)


def test_who_moves_the_hands_is_the_signer_and_not_who_is_larger(still: Path) -> None:
    """The quarters all show the same person here: the first, with x 0 to 200, wins."""
    quarter = (SIDE // 2, SIDE // 2)
    people = {(SIDE, SIDE): (0.5, 0.05), quarter: (0.5, 0.3)}
    assert find_signer(still, TIMES, fake(people)) == Box(30, 30, 140, 80)
    people = {(SIDE, SIDE): (0.5, 0.25), quarter: (0.5, 0.3)}  # not clearly more: the whole one
    assert find_signer(still, TIMES, fake(people)).width > 200


@pytest.mark.parametrize(
    ("swing", "seen"), [(0.0, 1.0), (0.2, 0.3), (0.2, 0.0)], ids=["idle", "unsure", "nobody"]
)
def test_nobody_who_signs(swing: float, seen: float, still: Path) -> None:
    with pytest.raises(ValueError, match="nobody who signs was found in 4 pictures.*--crop"):
        find_signer(still, TIMES, fake({(SIDE, SIDE): (0.5, swing)}, seen))


def test_no_picture_at_these_times(still: Path) -> None:
    with pytest.raises(ValueError, match="no picture at the times of its captions"):
        find_signer(still, [60_000], fake({}))


@pytest.fixture(scope="module")
def bundle() -> Path:
    try:
        return bundles.landmarker_bundle()
    except ValueError as error:
        if "could not fetch" not in str(error) and "no pip" not in str(error):
            raise
        pytest.skip(f"no landmarker bundle: {error}")


def test_the_signer_in_the_corner_of_news(bundle: Path, tmp_path: Path) -> None:
    """The demo's signer at 320x240 in a corner, beside herself, large, with idle hands.

    What is true is in the pixels: where the demo's picture is darker or redder than its wall.
    """
    cv2 = import_cv2()
    signs, idles = range(17, 330, 44), range(360, 472, 15)  # 8 pictures of each
    with open_video(DEMO) as video:
        demo = {n: rgb for n, (_, rgb) in enumerate(video) if n in signs or n in idles}
    signing, idle = np.array([demo[n] for n in signs]), [demo[n] for n in idles]
    with write_video(tmp_path / "news.mp4", 1, (1280, 720)) as writer:
        for small, large in zip(signing, idle, strict=True):
            studio = np.full((720, 1280, 3), (40, 60, 90), np.uint8)
            studio[:, 100:1060] = cv2.resize(large, (960, 720))
            studio[480:, 960:] = cv2.resize(small, (320, 240), interpolation=cv2.INTER_AREA)
            writer.write(studio)
    box = find_signer(tmp_path / "news.mp4", [1000 * i for i in range(8)])

    wall = np.median(signing[0, :, :30].reshape(-1, 3), axis=0)
    signer = (np.abs(signing.astype(int) - wall).max(axis=3) > 40).any(axis=0)  # (480, 640)
    y, x = np.nonzero(signer)
    x, y = 960 + x / 2, 480 + y / 2
    inside = (x >= box.x) & (x < box.x + box.width) & (y >= box.y) & (y < box.y + box.height)
    assert inside.mean() > 0.99
    assert box.x > 960 - 16 and box.y > 480 - 12  # 5 % of the corner's width and height
    assert box.width * box.height < 1.8 * np.ptp(x) * np.ptp(y)
