"""Fits detector.py to MediaPipe: renders signing, looks at it with the landmarker, compares.

    python -m fingerpost.trainer.signer.fit --plot docs/signer_noise.png

Prints the figures of docs/signer.md and the DetectorModel to put into detector.py as FITTED. About
five minutes on two cores. `--keep FILE` saves what was measured, `--reuse FILE` starts from it.
"""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.optimize import minimize, nnls

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.signer.detector import FITTED, DetectorModel, Noise, observe
from fingerpost.trainer.signer.measure import (
    FPS,
    RIGHT_FIRST,
    Clip,
    covariance,
    load,
    losses,
    measure,
    residuals,
)


def fit(clips: list[Clip]) -> DetectorModel:
    """The model whose errors are like those measured."""
    edge, speed = _scale_slopes(clips)
    noises = {}
    for group in ("hand", "body", "face"):
        errors = []
        for clip in clips:
            for k, name in enumerate(RIGHT_FIRST if group == "hand" else (group,)):
                error = residuals(clip, name, clip.seen)
                if group == "hand":
                    features = clip.features[:, k]
                    by = 1 + edge * features[:, 2] + speed * np.minimum(features[:, 1], 20)
                    error = error / by[:, None, None]
                errors.append(error)
        noises[group] = _noise_of(errors)
    weights, memory_ms = _drop_of(clips)
    model = DetectorModel(
        hand=noises["hand"],
        body=noises["body"],
        face=noises["face"],
        edge=edge,
        speed=speed,
        drop=weights,
        drop_memory_ms=memory_ms,
    )
    return _fit_moments(clips, model)


def _fit_moments(clips: list[Clip], model: DetectorModel) -> DetectorModel:
    """How good and bad moments alternate: the spread and memories whose simulated hands have the
    same quantiles of the error and the same correlation over time. A grid: the sizes follow."""
    wanted, best = _hand_statistics(clips, [clip.seen for clip in clips]), (np.inf, model)
    for spread, spread_ms, memory_ms in itertools.product(
        (0.4, 0.55, 0.7, 0.85), (80, 160, 320), (120, 200, 330)
    ):
        trial = replace(
            model,
            spread=spread,
            spread_ms=spread_ms,
            hand=replace(model.hand, memory_ms=memory_ms),
        )
        for _ in range(2):  # bring the median to the measured one, then compare the rest
            got = _hand_statistics(clips, simulate(clips, trial, np.random.default_rng(1)))
            ratio = float(np.exp(wanted[2] - got[2]))
            hand = trial.hand
            sizes = {k: _rounded(getattr(hand, k) * ratio) for k in ("offset", "joint", "jitter")}
            trial = replace(trial, hand=replace(hand, **sizes))
        got = _hand_statistics(clips, simulate(clips, trial, np.random.default_rng(1)))
        miss = float(np.sum((got - wanted) ** 2))
        if miss < best[0]:
            best = (miss, trial)
    return best[1]


def _hand_statistics(clips: list[Clip], seen: list[tuple]) -> np.ndarray:
    """Logarithms of six quantiles of the hands' error; twice its correlation at 40 and 200 ms."""
    errors = [
        residuals(c, n, s)[..., :2] for c, s in zip(clips, seen, strict=True) for n in RIGHT_FIRST
    ]
    size = np.concatenate([np.linalg.norm(e, axis=-1).mean(axis=1) for e in errors])
    c0, c1, c5 = (covariance(errors, lag) for lag in (0, 1, 5))
    return np.array(
        [*np.log(np.nanquantile(size, (0.1, 0.3, 0.5, 0.7, 0.9, 0.95))), 2 * c1 / c0, 2 * c5 / c0]
    )


def _noise_of(errors: list[np.ndarray]) -> Noise:
    """Standard deviations and memory from the residuals' covariances over time.

    For AR(1) of variance a, memory r, plus white of variance w: c0 = a + w, c1 = a r, c4 = a r^4.
    """
    plane = [error[..., :2] for error in errors]
    offset = [_mean_of_points(error) for error in plane]
    own = [error - mean for error, mean in zip(plane, offset, strict=True)]
    c0, c1, c4 = (covariance(own, lag) for lag in (0, 1, 4))
    keep = float(np.clip((max(c4, 1e-9) / c1) ** (1 / 3), 0.3, 0.985))
    slow = min(c1 / keep, c0)
    depth = np.concatenate([error[..., 2].ravel() for error in errors])
    total = c0 + covariance(offset, 0)
    return Noise(
        offset=_rounded(np.sqrt(covariance(offset, 0))),
        joint=_rounded(np.sqrt(slow)),
        jitter=_rounded(np.sqrt(max(c0 - slow, 0))),
        depth=_rounded(np.nanstd(depth) / np.sqrt(total)),
        memory_ms=round(-1000 / FPS / np.log(keep)),
    )


def _mean_of_points(error: np.ndarray) -> np.ndarray:
    """(T, K, C) to (T, 1, C); a frame's points are seen together or not at all (or NaN is kept)."""
    seen = np.isfinite(error)
    total = np.where(seen, error, 0).sum(axis=1, keepdims=True)
    count = seen.sum(axis=1, keepdims=True)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _scale_slopes(clips: list[Clip]) -> tuple[float, float]:
    """How a hand's error grows with edge and speed: non-negative least squares."""
    rows, sizes = [], []
    for clip in clips:
        for k, name in enumerate(RIGHT_FIRST):
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
    lost, there = losses(clips, [clip.seen for clip in clips])
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


def _rounded(x: float) -> float:
    return float(f"{x:.3g}")


def simulate(clips: list[Clip], model: DetectorModel, rng: np.random.Generator) -> list[tuple]:
    """What the model makes of the clips' true joints."""
    return [observe(*clip.true, clip.skeleton, clip.camera, FPS, rng, model) for clip in clips]


def compare(clips: list[Clip], seen: list[tuple]) -> dict[str, float]:
    """The figures of docs/signer.md, from what was measured or simulated."""
    figures = {}
    for label, names, unit in (("hand", RIGHT_FIRST, "palm"), ("body", ("body",), "shoulders"),
                               ("face", ("face",), "shoulders")):  # fmt: skip
        errors = [residuals(c, n, s) for c, s in zip(clips, seen, strict=True) for n in names]
        size = np.concatenate([np.linalg.norm(e[..., :2], axis=-1).mean(axis=1) for e in errors])
        plane = [e[..., :2] for e in errors]
        figures[f"{label} error, median, {unit}"] = np.nanmedian(size)
        figures[f"{label} error, 95 %, {unit}"] = np.nanpercentile(size, 95)
        c0, c1, c5 = (covariance(plane, lag) for lag in (0, 1, 5))
        figures[f"{label} error, correlation after 40 ms"] = c1 / c0
        figures[f"{label} error, correlation after 200 ms"] = c5 / c0
    lost, there = losses(clips, seen)
    speed = np.concatenate([c.features[:, k, 1] for c in clips for k in (0, 1)])
    missed, present = lost.ravel(), there.ravel()
    figures["hands lost"] = missed[present].mean()
    figures["hands lost, slow (< 2 palms/s)"] = missed[present & (speed < 2)].mean()
    figures["hands lost, fast (> 8 palms/s)"] = missed[present & (speed > 8)].mean()
    figures["hand confidence, mean"] = np.mean(
        [s[1][:, SIGN69.groups[n].start][s[1][:, SIGN69.groups[n].start] > 0].mean()
         for s in seen for n in RIGHT_FIRST if (s[1][:, SIGN69.groups[n].start] > 0).any()]
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
        errors = [residuals(c, n, s) for c, s in zip(clips, seen, strict=True) for n in RIGHT_FIRST]
        size = np.concatenate([np.linalg.norm(e[..., :2], axis=-1).mean(axis=1) for e in errors])
        ok = np.isfinite(size)
        axes[0].plot(np.sort(size[ok]), np.linspace(0, 1, ok.sum()), label=label)
        bins = np.linspace(0, 1, 6)
        which = np.digitize(edge, bins[1:-1])
        means = [np.nanmedian(size[which == b]) for b in range(5)]
        axes[1].plot((bins[1:] + bins[:-1]) / 2, means, "o-", label=label)
        plane = [e[..., :2] for e in errors]
        c0 = covariance(plane, 0)
        axes[2].plot(
            np.arange(16) * 1000 / FPS, [covariance(plane, k) / c0 for k in range(16)], label=label
        )
        lost, there = losses(clips, seen)
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
    clips: int = 10,
    frames: int = 42,
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
    again = loaded * 5  # of chance, the model is asked five times
    simulated = simulate(again, model, np.random.default_rng(0))
    print(model)
    print("FITTED is this model" if model == FITTED else "differs from FITTED")
    theirs, ours = compare(loaded, [c.seen for c in loaded]), compare(again, simulated)
    print("| figure | MediaPipe | model |\n|---|---|---|")
    for name in theirs:
        print(f"| {name} | {theirs[name]:.3f} | {ours[name]:.3f} |")
    if plot_to:
        plot(again, simulated, plot_to)


if __name__ == "__main__":
    typer.run(main)
