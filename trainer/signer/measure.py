"""Looks at rendered signing with the landmarker, and sets what it saw beside the truth."""

from dataclasses import dataclass

import numpy as np
from rich.progress import track

from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame, PoseSequence, to_view
from fingerpost.trainer.signer.detector import hand_features, palm_width
from fingerpost.trainer.signer.keypoints import project_keypoints
from fingerpost.trainer.signer.lexicon import LEXICON
from fingerpost.trainer.signer.motion import Skeleton
from fingerpost.trainer.signer.sentences import Performance, sign_sentence
from fingerpost.trainer.signer.variation import Camera, random_signer

FPS = 25
RIGHT_FIRST = ("right_hand", "left_hand")


@dataclass(frozen=True)
class Clip:
    """One rendered clip: the truth, and what was measured. T frames.

    true, seen : (T, 69, 3) and (T, 69) as pairs of xyz and confidence
    """

    skeleton: Skeleton
    camera: Camera
    true: tuple[np.ndarray, np.ndarray]
    seen: tuple[np.ndarray, np.ndarray]

    @property
    def palm(self) -> np.ndarray:
        return palm_width(self.skeleton, self.camera)  # (T, 2)

    @property
    def features(self) -> np.ndarray:
        return hand_features(self.true[0], self.skeleton, self.camera, FPS)  # (T, 2, 6)

    @property
    def shoulder_width(self) -> np.ndarray:
        both = self.skeleton.shoulders
        metres = np.linalg.norm(both[:, 0] - both[:, 1], axis=-1)
        return metres / (self.camera.view * self.camera.aspect)  # (T,) in picture widths


def measure(n_clips: int, n_frames: int, height: int, seed: int) -> list[tuple]:
    """Renders and looks: for each clip the seed of its performance and the landmarker's view."""
    from fingerpost.edge_runtime.landmarks import Landmarker
    from fingerpost.trainer.signer.renderer import render_frame

    measured = []
    for clip in track(range(n_clips), "rendering"):
        performance, times = _performance(seed + clip, n_frames)
        skeleton, signer = performance.motion.skeleton(times), performance.motion.signer
        frames: list[KeypointFrame] = []
        with Landmarker(round(height * signer.camera.aspect), height) as landmarker:
            for t, time_ms in enumerate(times):
                picture = render_frame(skeleton, t, signer, height, seed=t)
                frames.append(landmarker.detect(picture, round(time_ms - times[0])))
            schema = landmarker.schema
        xyz = np.stack([frame.xyz for frame in frames])
        confidence = np.stack([frame.confidence for frame in frames])
        seen = to_view(PoseSequence(xyz, confidence, FPS, schema), SIGN69)
        measured.append((seed + clip, seen.xyz, seen.confidence))
    return measured


def _performance(seed: int, n_frames: int) -> tuple[Performance, np.ndarray]:
    """A sentence by a random signer, and the times (ms) of the frames to look at."""
    rng = np.random.default_rng(seed)
    names = list(LEXICON)
    glosses = [names[k] for k in rng.integers(len(names), size=3)]
    performance = sign_sentence(glosses, random_signer(rng), rng)
    first = max(performance.spans[0][1] - 240, 0)
    return performance, first + np.arange(n_frames) * 1000 / FPS


def load(measured: list[tuple]) -> list[Clip]:
    """The measurements with the truth beside them (which the seed gives again)."""
    clips = []
    for seed, xyz, confidence in measured:
        performance, times = _performance(seed, len(xyz))
        motion, camera = performance.motion, performance.motion.signer.camera
        skip = round(times[0] / 1000 * FPS)
        true = project_keypoints(motion, FPS, camera)
        picked = np.minimum(skip + np.arange(len(xyz)), len(true) - 1)
        skeleton = motion.skeleton(picked * 1000 / FPS)
        pair = (true.xyz[picked].astype(float), true.confidence[picked].astype(float))
        clips.append(Clip(skeleton, camera, pair, (xyz.astype(float), confidence.astype(float))))
    return clips


def residuals(clip: Clip, group: str, seen: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Measured minus true, (T, K of group, 3), in the group's unit; NaN where not seen."""
    where = SIGN69.groups[group]
    unit = clip.palm[:, RIGHT_FIRST.index(group)] if group in RIGHT_FIRST else clip.shoulder_width
    error = (seen[0][:, where] - clip.true[0][:, where]) / [1, clip.camera.aspect, 1]
    error = error / unit[:, None, None]
    both = (seen[1][:, where] > 0) & (clip.true[1][:, where] > 0.5)
    return np.where(both[..., None], np.clip(error, -1.5, 1.5), np.nan)


def losses(
    clips: list[Clip], seen: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each hand was lost, and whether it was there, (2 * clips, T) each."""
    lost, there = [], []
    for clip, (_, confidence) in zip(clips, seen, strict=True):
        for name in RIGHT_FIRST:
            wrist = SIGN69.groups[name].start
            there.append(clip.true[1][:, wrist] > 0.5)
            lost.append(confidence[:, wrist] <= 0)
    return np.array(lost), np.array(there)


def covariance(errors: list[np.ndarray], lag: int) -> float:
    products = [(e[lag:] * e[: len(e) - lag]).ravel() for e in errors]
    return float(np.nanmean(np.concatenate(products)))
