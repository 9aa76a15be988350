"""Fits detector.py to MediaPipe: renders signing, looks at it with the landmarker, compares.

    python -m fingerpost.trainer.signer.fit --plot docs/signer_noise.png

Prints the figures of docs/signer.md and the DetectorModel to put into detector.py as FITTED. About
five minutes on two cores. `--keep FILE` saves what was measured, `--reuse FILE` starts from it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track
from scipy.optimize import minimize, nnls

from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame, PoseSequence, to_view
from fingerpost.trainer.signer.detector import (
    FITTED,
    DetectorModel,
    Noise,
    hand_features,
    observe,
    palm_width,
)
from fingerpost.trainer.signer.keypoints import project_keypoints
from fingerpost.trainer.signer.lexicon import LEXICON
from fingerpost.trainer.signer.motion import Skeleton
from fingerpost.trainer.signer.sentences import Performance, sign_sentence
from fingerpost.trainer.signer.variation import Camera, random_signer

FPS = 25
HANDS = ("right_hand", "left_hand")


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
    unit = clip.palm[:, HANDS.index(group)] if group in HANDS else clip.shoulder_width
    error = (seen[0][:, where] - clip.true[0][:, where]) / [1, clip.camera.aspect, 1]
    error = error / unit[:, None, None]
    both = (seen[1][:, where] > 0) & (clip.true[1][:, where] > 0.5)
    return np.where(both[..., None], np.clip(error, -1.5, 1.5), np.nan)


def fit(clips: list[Clip]) -> DetectorModel:
    """The model whose errors are like those measured."""
    edge, speed = _scale_slopes(clips)
    noises = {}
    for group in ("hand", "body", "face"):
        errors = []
        for clip in clips:
            for k, name in enumerate(HANDS if group == "hand" else (group,)):
                error = residuals(clip, name, clip.seen)
                if group == "hand":
                    features = clip.features[:, k]
                    by = 1 + edge * features[:, 2] + speed * np.minimum(features[:, 1], 20)
                    error = error / by[:, None, None]
                errors.append(error)
        noises[group] = _noise_of(errors)
    weights, memory_ms = _drop_of(clips)
    return DetectorModel(**noises, edge=edge, speed=speed, drop=weights, drop_memory_ms=memory_ms)


def _noise_of(errors: list[np.ndarray]) -> Noise:
    """Standard deviations and memory from the residuals' covariances over time.

    For AR(1) of variance a, memory r, plus white of variance w: c0 = a + w, c1 = a r, c4 = a r^4.
    """
    plane = [error[..., :2] for error in errors]
    offset = [np.nanmean(error, axis=1, keepdims=True) for error in plane]
    own = [error - mean for error, mean in zip(plane, offset, strict=True)]
    c0, c1, c4 = (_covariance(own, lag) for lag in (0, 1, 4))
    keep = float(np.clip((max(c4, 1e-9) / c1) ** (1 / 3), 0.3, 0.985))
    slow = min(c1 / keep, c0)
    depth = np.concatenate([error[..., 2].ravel() for error in errors])
    total = c0 + _covariance(offset, 0)
    return Noise(
        offset=_rounded(np.sqrt(_covariance(offset, 0))),
        joint=_rounded(np.sqrt(slow)),
        jitter=_rounded(np.sqrt(max(c0 - slow, 0))),
        depth=_rounded(np.nanstd(depth) / np.sqrt(total)),
        memory_ms=round(-1000 / FPS / np.log(keep)),
    )


def _covariance(errors: list[np.ndarray], lag: int) -> float:
    products = [(e[lag:] * e[: len(e) - lag]).ravel() for e in errors]
    return float(np.nanmean(np.concatenate(products)))


def _scale_slopes(clips: list[Clip]) -> tuple[float, float]:
    """How a hand's error grows with edge and speed: non-negative least squares."""
    rows, sizes = [], []
    for clip in clips:
        for k, name in enumerate(HANDS):
            size = np.linalg.norm(residuals(clip, name, clip.seen)[..., :2], axis=-1).mean(axis=1)
            ok = np.isfinite(size)
            features = clip.features[ok, k]
            rows.append(np.stack([features[:, 0], features[:, 2], features[:, 1].clip(0, 20)], 1))
            sizes.append(size[ok])
    x, y = np.concatenate(rows), np.concatenate(sizes)
    constant, edge, speed = nnls(x, y)[0]
    constant = max(constant, 0.3 * y.mean())  # a hand at its best is never without error
    return _rounded(edge / constant), _rounded(speed / constant)


def _drop_of(clips: list[Clip]) -> tuple[tuple[float, ...], float]:
    """Logistic weights (with a little ridge) of a hand that is there and was not found."""
    features = np.concatenate([clip.features[:, k] for clip in clips for k in (0, 1)])
    features[:, 1] = features[:, 1].clip(0, 20)
    lost, there = _losses(clips, [clip.seen for clip in clips])
    x, y = features[there.ravel()], lost.ravel()[there.ravel()]

    def loss(w: np.ndarray) -> float:
        logits = x @ w
        return float(np.sum(np.logaddexp(0, logits) - y * logits) + 0.5 * np.sum(w[1:] ** 2))

    weights = minimize(loss, np.array([-3.0, 0, 0, 0, 0, 0]), method="BFGS").x
    runs = lost & there  # (series, T)
    mean = runs[there].mean()
    pair = (runs[:, 1:] & runs[:, :-1]).mean()
    keep = np.clip((pair - mean**2) / max(mean - mean**2, 1e-9), 0.1, 0.97)
    # A threshold weakens correlation: the latent process must remember longer than its runs.
    return tuple(_rounded(w) for w in weights), round(-1000 / FPS / np.log(keep) * 1.6)


def _losses(
    clips: list[Clip], seen: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each hand was lost, and whether it was there, (2 * clips, T) each."""
    lost, there = [], []
    for clip, (_, confidence) in zip(clips, seen, strict=True):
        for name in HANDS:
            wrist = SIGN69.groups[name].start
            there.append(clip.true[1][:, wrist] > 0.5)
            lost.append(confidence[:, wrist] <= 0)
    return np.array(lost), np.array(there)


def _rounded(x: float) -> float:
    return float(f"{x:.3g}")


def simulate(clips: list[Clip], model: DetectorModel, rng: np.random.Generator) -> list[tuple]:
    """What the model makes of the clips' true joints."""
    return [observe(*clip.true, clip.skeleton, clip.camera, FPS, rng, model) for clip in clips]


def compare(clips: list[Clip], seen: list[tuple]) -> dict[str, float]:
    """The figures of docs/signer.md, from what was measured or simulated."""
    figures = {}
    for label, names, unit in (("hand", HANDS, "palm"), ("body", ("body",), "shoulders"),
                               ("face", ("face",), "shoulders")):  # fmt: skip
        errors = [residuals(c, n, s) for c, s in zip(clips, seen, strict=True) for n in names]
        size = np.concatenate([np.linalg.norm(e[..., :2], axis=-1).mean(axis=1) for e in errors])
        plane = [e[..., :2] for e in errors]
        figures[f"{label} error, median, {unit}"] = np.nanmedian(size)
        figures[f"{label} error, 95 %, {unit}"] = np.nanpercentile(size, 95)
        c0, c1, c5 = (_covariance(plane, lag) for lag in (0, 1, 5))
        figures[f"{label} error, correlation after 40 ms"] = c1 / c0
        figures[f"{label} error, correlation after 200 ms"] = c5 / c0
    lost, there = _losses(clips, seen)
    speed = np.concatenate([c.features[:, k, 1] for c in clips for k in (0, 1)])
    missed, present = lost.ravel(), there.ravel()
    figures["hands lost"] = missed[present].mean()
    figures["hands lost, slow (< 2 palms/s)"] = missed[present & (speed < 2)].mean()
    figures["hands lost, fast (> 8 palms/s)"] = missed[present & (speed > 8)].mean()
    figures["hand confidence, mean"] = np.mean(
        [s[1][:, SIGN69.groups[n].start][s[1][:, SIGN69.groups[n].start] > 0].mean()
         for s in seen for n in HANDS if (s[1][:, SIGN69.groups[n].start] > 0).any()]
    )  # fmt: skip
    return figures


def plot(clips: list[Clip], simulated: list[tuple], path: Path) -> None:
    """Measured against simulated: error sizes, error by orientation, correlation, losses."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 4, figsize=(14, 3.2))
    measured = [clip.seen for clip in clips]
    edge = np.concatenate([c.features[:, k, 2] for c in clips for k in (0, 1)])
    speed = np.concatenate([c.features[:, k, 1] for c in clips for k in (0, 1)])
    for seen, label in ((measured, "MediaPipe"), (simulated, "model")):
        errors = [residuals(c, n, s) for c, s in zip(clips, seen, strict=True) for n in HANDS]
        size = np.concatenate([np.linalg.norm(e[..., :2], axis=-1).mean(axis=1) for e in errors])
        ok = np.isfinite(size)
        axes[0].plot(np.sort(size[ok]), np.linspace(0, 1, ok.sum()), label=label)
        bins = np.linspace(0, 1, 6)
        which = np.digitize(edge, bins[1:-1])
        means = [np.nanmedian(size[which == b]) for b in range(5)]
        axes[1].plot((bins[1:] + bins[:-1]) / 2, means, "o-", label=label)
        plane = [e[..., :2] for e in errors]
        c0 = _covariance(plane, 0)
        axes[2].plot(
            np.arange(16) * 1000 / FPS, [_covariance(plane, k) / c0 for k in range(16)], label=label
        )
        lost, there = _losses(clips, seen)
        pace = np.digitize(speed, (1, 3, 6, 10))
        rate = [
            lost.ravel()[there.ravel() & (pace == b)].mean()
            if (there.ravel() & (pace == b)).any() else np.nan
            for b in range(5)
        ]  # fmt: skip
        axes[3].plot(("<1", "1-3", "3-6", "6-10", ">10"), rate, "o-", label=label)
    for axis, x, y in zip(
        axes,
        ("error, palm lengths", "palm seen from its edge", "lag, ms", "speed, palm lengths/s"),
        ("share of hands", "median error", "correlation of the error", "share of hands lost"),
        strict=True,
    ):
        axis.set(xlabel=x, ylabel=y)
        axis.legend()
    axes[0].set_xlim(0, 0.6)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main(
    plot_to: Annotated[Path | None, typer.Option("--plot", help="picture to write")] = None,
    keep: Annotated[Path | None, typer.Option(help="save the measurements here")] = None,
    reuse: Annotated[Path | None, typer.Option(help="measurements to start from")] = None,
    clips: int = 9,
    frames: int = 44,
    height: int = 360,
    seed: int = 100,
) -> None:
    """Measure, fit, compare."""
    if reuse:
        saved = np.load(reuse)
        measured = list(zip(saved["seeds"], saved["xyz"], saved["confidence"], strict=True))
    else:
        measured = measure(clips, frames, height, seed)
    if keep:
        seeds, xyz, confidence = (np.stack(column) for column in zip(*measured, strict=True))
        np.savez_compressed(keep, seeds=seeds, xyz=xyz, confidence=confidence)
    loaded = load(measured)
    model = fit(loaded)
    simulated = simulate(loaded, model, np.random.default_rng(0))
    print(model)
    print("FITTED is this model" if model == FITTED else "differs from FITTED")
    theirs, ours = compare(loaded, [c.seen for c in loaded]), compare(loaded, simulated)
    print("| figure | MediaPipe | model |\n|---|---|---|")
    for name in theirs:
        print(f"| {name} | {theirs[name]:.3f} | {ours[name]:.3f} |")
    if plot_to:
        plot(loaded, simulated, plot_to)


if __name__ == "__main__":
    typer.run(main)
