"""Pictures of hands for Uni-Sign's RGB branch: of which frames, and what is cut out of them.

"Uni-Sign: Toward Unified Sign Language Understanding at Scale" (ICLR 2025), Sec. 3.2 and 3.3
(score-aware sampling) and Appendix A.3. Where the authors' code differs from the paper, this is
what the code does, for their weights were trained on it:

- only frames in which a hand's mean confidence is above 0.3 are sampled;
- the chance of a frame rises with how far its least sure fingertip is below the best frame's,
  and no frame comes twice (Algorithm 1: one minus the mean, and frames may repeat);
- all crops of a clip, of both hands, are squares of one size: 1.2 times the largest hand.

What differs from the code: a crop that leaves the picture is black out there on every side (their
slices come out empty at the left and top edge); keypoints that were not seen do not stretch the
square; and draws come from a generator that is passed in, so that a clip gets the same ones again.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fingerpost.edge_runtime.keypoints import (
    HAND_POINTS,
    HANDS,
    N_HAND,
    SIGN69,
    PoseSequence,
    to_view,
)
from fingerpost.trainer.extraction.media import Pictures, open_pictures
from fingerpost.trainer.models.uni_sign_rgb import PICTURE, HandCrops, HandPictures

SHARE = 0.1  # of the frames that show a hand (paper: P_samp, Table 9)
MIN_CONFIDENCE = 0.3  # mean over a hand's keypoints; below, the square would be a guess
MARGIN = 1.2  # side of the square, in sizes of the largest hand
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's red, green and blue
FARTHEST = 2.0  # keypoints further out than that, in pictures, are nonsense of the extractor
TIPS = [HAND_POINTS.index(f"{f}_tip") for f in ("thumb", "index", "middle", "ring", "pinky")]


@dataclass(frozen=True)
class FrameCrops:
    """The pictures of one hand in a clip, N in all.

    pictures : shape (N, 112, 112, 3), uint8, RGB
    points : shape (N, 21, 2), float32, the hand's keypoints in the picture: x and y from 0 to 1
    frames : shape (N,), rising, which of the clip's frames as the model sees it
    """

    pictures: np.ndarray
    points: np.ndarray
    frames: np.ndarray

    @classmethod
    def none(cls) -> "FrameCrops":
        """Of a hand that is in no frame."""
        return cls(
            np.zeros((0, PICTURE, PICTURE, 3), np.uint8),
            np.zeros((0, N_HAND, 2), np.float32),
            np.zeros(0, np.int64),
        )


@dataclass(frozen=True)
class ClipHands:
    """Both hands of a clip."""

    left_hand: FrameCrops
    right_hand: FrameCrops

    @classmethod
    def none(cls) -> "ClipHands":
        """Of a clip without hands, or without pictures."""
        return cls(FrameCrops.none(), FrameCrops.none())


@dataclass(frozen=True)
class _Sampled:
    """frames : (N,); xy : (N, 21, 2) in pictures, NaN where a keypoint was not seen"""

    frames: np.ndarray
    xy: np.ndarray


def cut_hands(
    media: Path,
    sequence: PoseSequence,
    rng: np.random.Generator,
    share: float = SHARE,
    kept: np.ndarray | None = None,
    folder_fps: float = 25.0,
) -> ClipHands:
    """Samples frames of a clip and cuts the hands out of its pictures.

    media : a video, or a folder of frames, ``folder_fps`` of them a second
    sequence : of any schema that view sign69 can be made from, with the times of its media
    share : of the frames that show a hand, from 0 to 1; rounded up
    kept : numbers of the sequence's frames that the model sees, in order; None = all of them

    ValueError where the media does not last as long as the keypoints.
    """
    view = to_view(sequence, SIGN69)
    kept = np.arange(len(view)) if kept is None else kept
    hands = {name: _sample(view, SIGN69.groups[name], kept, rng, share) for name in HANDS}
    frames = np.unique(np.concatenate([hand.frames for hand in hands.values()]))
    times_ms = {int(t): view.time_ms(int(kept[t])) for t in frames}
    cut: dict[str, list[np.ndarray]] = {name: [] for name in HANDS}
    if not times_ms:
        return ClipHands.none()
    with open_pictures(media, max(min(times_ms.values()) - 1000, 0), None, folder_fps) as pictures:
        size = np.array([pictures.width, pictures.height])
        side = square_side([hand.xy * size for hand in hands.values()])
        if side == 0:
            return ClipHands.none()
        corners = {name: top_left(hand.xy * size, side) for name, hand in hands.items()}
        for t, rgb in nearest_pictures(pictures, times_ms, str(media)):
            for name, hand in hands.items():
                for i in np.flatnonzero(hand.frames == t):
                    cut[name].append(cut_square(rgb, corners[name][i], side))
    return ClipHands(
        *(
            FrameCrops(
                np.stack(cut[name]) if cut[name] else FrameCrops.none().pictures,
                points_in_square(hand.xy * size, corners[name], side),
                hand.frames,
            )
            for name, hand in hands.items()
        )
    )


def sample_frames(
    confidence: np.ndarray, rng: np.random.Generator, share: float = SHARE
) -> np.ndarray:
    """The frames whose picture is worth a look: of those that show the hand, the less sure ones.

    confidence : shape (T, 21), of one hand's keypoints

    Returns shape (N,), rising frame numbers; N is 0 where no frame shows the hand.
    """
    if confidence.shape[1:] != (N_HAND,):
        raise ValueError(f"expected confidence (T, {N_HAND}) of a hand, got {confidence.shape}")
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share} frames cannot be; give one from 0 to 1")
    shown = np.flatnonzero(confidence.mean(axis=1) > MIN_CONFIDENCE)
    if len(shown) == 0 or share == 0:
        return np.zeros(0, np.int64)
    worst_tip = confidence[shown][:, TIPS].min(axis=1).astype(np.float64)
    weights = worst_tip.max() - worst_tip + 1e-5  # the surest frame keeps a chance
    n = int(np.ceil(share * len(shown)))
    chosen = rng.choice(shown, size=n, replace=False, p=weights / weights.sum())
    return np.sort(chosen)


def square_side(hands: Sequence[np.ndarray]) -> int:
    """Side of the squares of a clip, in pixels, even; 0 where there is nothing to cut out.

    hands : for each, keypoints (N, 21, 2) in pixels; NaN where one was not seen
    """
    spans = [np.nanmax(xy, axis=1) - np.nanmin(xy, axis=1) for xy in hands if len(xy)]
    largest = max((float(span.max()) for span in spans), default=0.0)
    return int(largest * MARGIN / 2) * 2


def top_left(xy: np.ndarray, side: int) -> np.ndarray:
    """Shape (N, 2), int: the corners of squares around keypoints (N, 21, 2), in pixels."""
    middle = (np.nanmin(xy, axis=1) + np.nanmax(xy, axis=1)) / 2
    return np.trunc(middle - side / 2).astype(np.int64)


def points_in_square(xy: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    """Shape (N, 21, 2), float32, from 0 to 1; a keypoint that was not seen is in the middle."""
    placed = ((xy - corners[:, None]) / side).clip(0, 1)
    return np.where(np.isnan(placed), 0.5, placed).astype(np.float32)


def cut_square(rgb: np.ndarray, corner: np.ndarray, side: int) -> np.ndarray:
    """Shape (112, 112, 3) uint8: a square of a picture (H, W, 3), black where it leaves it.

    corner : x and y of its top left pixel, which may be outside
    """
    height, width = rgb.shape[:2]
    square = np.zeros((side, side, 3), np.uint8)
    x, y = (int(c) for c in corner)
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + side, width), min(y + side, height)
    if left < right and top < bottom:
        square[top - y : bottom - y, left - x : right - x] = rgb[top:bottom, left:right]
    pixels = torch.from_numpy(square).permute(2, 0, 1)[None]
    # Bicubic and smoothed, as Pillow's resize, which the authors use.
    small = F.interpolate(pixels, (PICTURE, PICTURE), mode="bicubic", antialias=True)
    return small[0].permute(1, 2, 0).numpy()


def hand_pictures(clips: Sequence[ClipHands]) -> HandPictures:
    """What the model takes, of the clips of a batch in order, normalised as ImageNet's."""
    if not clips:
        raise ValueError("a batch needs at least one clip")
    return HandPictures(
        _join([clip.left_hand for clip in clips]), _join([clip.right_hand for clip in clips])
    )


def only_frames(hands: ClipHands, kept: np.ndarray) -> ClipHands:
    """The pictures in frames that are kept, numbered as the kept ones. kept : shape (T,), rising"""
    return ClipHands(*(_only_frames(getattr(hands, name), kept) for name in HANDS))


def normalise(pictures: np.ndarray) -> Tensor:
    """(N, 112, 112, 3) uint8 to (N, 3, 112, 112) float32."""
    scaled = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return (scaled - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def _only_frames(crops: FrameCrops, kept: np.ndarray) -> FrameCrops:
    rows = np.flatnonzero(np.isin(crops.frames, kept))
    frames = np.searchsorted(kept, crops.frames[rows])
    return FrameCrops(crops.pictures[rows], crops.points[rows], frames)


def _join(hands: Sequence[FrameCrops]) -> HandCrops:
    clip = np.repeat(np.arange(len(hands)), [len(crops.frames) for crops in hands])
    return HandCrops(
        normalise(np.concatenate([crops.pictures for crops in hands])),
        torch.from_numpy(np.concatenate([crops.points for crops in hands])),
        torch.from_numpy(clip),
        torch.from_numpy(np.concatenate([crops.frames for crops in hands])),
    )


def _sample(
    view: PoseSequence, points: slice, kept: np.ndarray, rng: np.random.Generator, share: float
) -> _Sampled:
    confidence = view.confidence[kept, points]
    frames = sample_frames(confidence, rng, share)
    xy = view.xyz[kept, points, :2][frames].astype(np.float64).clip(1 - FARTHEST, FARTHEST)
    xy[confidence[frames] == 0] = np.nan
    return _Sampled(frames, xy)


def nearest_pictures(
    pictures: Pictures, times_ms: dict[int, int], name: str
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields each frame with the picture nearest in time. times_ms : of frames, both rising.

    name : of the media, for the ValueError where they end before the last frame
    """
    wanted = deque(times_ms.items())
    before: tuple[int, np.ndarray] | None = None
    for now in pictures:
        while wanted and wanted[0][1] <= now[0]:
            t, time_ms = wanted.popleft()
            earlier = before is not None and time_ms - before[0] < now[0] - time_ms
            yield t, before[1] if before is not None and earlier else now[1]
        if not wanted:
            return
        before = now
    for t, time_ms in wanted:
        if before is None or time_ms - before[0] > 1500 / pictures.fps:  # one frame and a half
            raise ValueError(
                f"{name} ends before its keypoints do, at {time_ms} ms: they are of other media, "
                "or it was cut since; extract them again"
            )
        yield t, before[1]
