"""WLASL hand landmarks (MediaPipe Hands on the WLASL clips), read as two known hands.

The file stores up to two hands a frame in *detection order*: a hand changes slot inside a clip, and
nothing says which is the left one. The first frames of a clip can hold a ghost of the clip before.
Here the ghosts are dropped, slots are linked to hands by nearness, and each hand is named by a
small classifier of hand shape, fitted on the frames in which both hands are clearly apart.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fingerpost.edge_runtime.keypoints import N_HAND, SIGN69, PoseSequence

FILE = "wlasl2000_hands_trainval_f16.npz"
EXTRACTOR = "mediapipe hands (legacy), WLASL release"
ASPECT = 4 / 3  # the release does not say; training varies it
GHOST_FRAMES = 4  # a ghost is gone by then
MAX_STEP = 0.18  # a hand does not move further between two frames, in picture widths
APART = 0.12  # hands are clearly apart, in picture widths


@dataclass(frozen=True)
class WlaslHands:
    """The whole release: N clips. label : (N,) 0 to 1999; below 100 is WLASL100, and so on."""

    sequences: list[PoseSequence]  # view sign69; body and face are not seen
    label: np.ndarray
    signer: np.ndarray
    split: np.ndarray
    video_id: np.ndarray
    glosses: tuple[str, ...]

    def subset(self, n_glosses: int, split: str) -> np.ndarray:
        """Numbers of the clips of the first n glosses in a split (train, val, ...)."""
        chosen = np.flatnonzero((self.label < n_glosses) & (self.split == split))
        if len(chosen) == 0:
            raise ValueError(f"split {split!r} is empty; splits: {sorted(set(self.split))}")
        return chosen


def read_wlasl_hands(
    path: Path, n_glosses: int | None = None, split: str | None = None
) -> WlaslHands:
    """Reads the release's .npz, or a file of the same layout (a test part, say).

    n_glosses, split : keep only the clips of the first n glosses, of one split
    """
    if not path.is_file():
        raise FileNotFoundError(f"no WLASL hands at {path}: give the release's .npz file")
    data = np.load(path)
    offsets, slots = data["offsets"], data["X"]
    clips = [slots[a:b].astype(np.float32) for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
    leftness = fit_leftness(clips)
    label, splits, fps = data["label"].astype(int), data["split"], data["fps"]
    kept = np.ones(len(clips), bool) if n_glosses is None else label < n_glosses
    if split is not None:
        kept &= splits == split
    if not kept.any():
        raise ValueError(f"{path} has no clips of split {split!r}; splits: {sorted(set(splits))}")
    return WlaslHands(
        [_as_sequence(clips[i], leftness, float(fps[i])) for i in np.flatnonzero(kept)],
        label[kept],
        data["signer"][kept],
        splits[kept],
        data["video_id"][kept],
        tuple(str(g) for g in data["gloss_names"]),
    )


def fit_leftness(clips: list[np.ndarray], n_frames: int = 40_000, seed: int = 0) -> nn.Module:
    """A classifier of hand shapes: (n, 63) features to (n,) logits, above 0 = a left hand.

    The labels are free: of two hands that are clearly apart and not crossed, the one further to
    the right of the picture is the signer's left. 97 % of held-out frames, 95 to 98 % of clips.
    """
    frames = np.concatenate(clips)
    both = (frames[:, :, 0, 0] >= 0).all(axis=1)
    wrist, knuckle = frames[:, :, 0, 0], frames[:, :, 9, 0]
    gap = wrist[:, 0] - wrist[:, 1]
    clear = both & (np.abs(gap) > APART) & (gap * (knuckle[:, 0] - knuckle[:, 1]) > 0)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(np.flatnonzero(clear))[:n_frames]
    shapes = np.concatenate([_hand_shape(frames[chosen, slot]) for slot in (0, 1)])
    is_left = np.concatenate([gap[chosen] > 0, gap[chosen] < 0]).astype(np.float32)
    return _fit_classifier(torch.from_numpy(shapes), torch.from_numpy(is_left), seed)


def _fit_classifier(x: torch.Tensor, y: torch.Tensor, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Linear(x.shape[1], 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1)
        )
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for so small a network, waking a second one takes longer
    for _ in range(4):
        for batch in torch.randperm(len(x), generator=generator).split(512):
            loss = nn.functional.binary_cross_entropy_with_logits(net(x[batch])[:, 0], y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    torch.set_num_threads(threads)
    return net.eval()


def _hand_shape(hands: np.ndarray) -> np.ndarray:
    """(n, 21, 3) to (n, 63): relative to the wrist, in palm lengths."""
    local = hands - hands[:, :1]
    palm = np.linalg.norm(local[:, 9, :2], axis=1)[:, None, None] + 1e-4
    return np.clip(local / palm, -4, 4).reshape(len(hands), -1).astype(np.float32)


def _as_sequence(slots: np.ndarray, leftness: nn.Module, fps: float) -> PoseSequence:
    """Slots (T, 2, 21, 3), -1 = not seen, to a sequence with named hands."""
    seen = slots[:, :, 0, 0] >= 0
    seen &= ~_ghosts(slots, seen)[:, None]
    swap, stretch = _link(slots[:, :, 0, :2], seen)
    with torch.no_grad():
        logits = leftness(torch.from_numpy(_hand_shape(slots.reshape(-1, N_HAND, 3))))[:, 0]
    logits = np.where(seen, logits.numpy().reshape(-1, 2), 0)
    # Of a stretch in which the hands could be followed, all frames vote together.
    slot0_left = np.where(swap, logits[:, 1] - logits[:, 0], logits[:, 0] - logits[:, 1])
    votes = np.bincount(stretch, weights=slot0_left)[stretch]
    left_slot = np.where((votes > 0) ^ swap, 0, 1)

    t = np.arange(len(slots))
    xyz = np.zeros((len(slots), len(SIGN69), 3), np.float32)
    confidence = np.zeros((len(slots), len(SIGN69)), np.float32)
    for hand, slot in (("left_hand", left_slot), ("right_hand", 1 - left_slot)):
        points, there = SIGN69.groups[hand], seen[t, slot]
        xyz[there, points] = slots[t, slot][there]
        confidence[there, points] = 1
    return PoseSequence(xyz, confidence, fps, SIGN69, aspect=ASPECT, extractor=EXTRACTOR)


def _ghosts(slots: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Shape (T,), bool: first frames whose hand is then gone, or jumps away."""
    ghost = np.zeros(len(slots), bool)
    for t in range(1, min(GHOST_FRAMES + 1, len(slots))):
        before, now = slots[t - 1, seen[t - 1], 0, :2], slots[t, seen[t], 0, :2]
        if len(before) == 0:
            continue
        step = np.linalg.norm(before[:, None] - now[None], axis=-1)
        if len(now) == 0 or step.min() > MAX_STEP:
            ghost[:t] = True
    return ghost


def _link(wrists: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Follows two hands through the slots by nearness of the wrists (T, 2, 2).

    Returns swap (T,), bool: the slots are the other way round than at the stretch's start; and
    stretch (T,), int: a new number wherever the hands could not be followed.
    """
    swap = np.zeros(len(wrists), bool)
    stretch = np.zeros(len(wrists), int)
    last: list[list[float] | None] = [None, None]  # of hand 0 and hand 1: where it was seen last
    number = 0
    for t, (wrist, there) in enumerate(zip(wrists.tolist(), seen.tolist(), strict=True)):
        straight, crossed = (_cost(wrist, there, last, order) for order in ((0, 1), (1, 0)))
        swap[t] = crossed < straight
        followed = last[0] or last[1]
        if followed and min(straight, crossed) > MAX_STEP * max(1, sum(there)):
            number += 1
            last = [None, None]
            swap[t] = False
        stretch[t] = number
        for hand, slot in enumerate((1, 0) if swap[t] else (0, 1)):
            if there[slot]:
                last[hand] = wrist[slot]
    return swap, stretch


def _cost(
    wrist: list[list[float]],
    there: list[bool],
    last: list[list[float] | None],
    order: tuple[int, int],
) -> float:
    """How far the hands would have moved; one not seen before counts as the longest step."""
    cost = 0.0
    for hand, slot in enumerate(order):
        if there[slot]:
            before = last[hand]
            cost += MAX_STEP if before is None else math.dist(before, wrist[slot])
    return cost
