"""Trains the recogniser of single signs: first on all of WLASL, then on the pack's own vocabulary.

    python -m fingerpost.trainer.train_recogniser -o runs/pocket --research-data FOLDER
    python -m fingerpost.trainer.train_recogniser -o runs/pocket --no-research-data

The folder holds ``wlasl_hands/`` and, if it is to be used, ``wlasl50_holistic/``. Without research
data, the rendered signer is all there is.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.trainer.augment import AugmentSettings, augment, evenly
from fingerpost.trainer.checkpoint import save_checkpoint
from fingerpost.trainer.corpora import holistic_arrays, wlasl_hands
from fingerpost.trainer.corpora.holistic_arrays import HolisticClips
from fingerpost.trainer.corpora.wlasl_hands import WlaslHands
from fingerpost.trainer.models.pocket import Pocket, PocketConfig
from fingerpost.trainer.recogniser_data import (
    REJECT,
    Spans,
    holistic_spans,
    signer_spans,
    wlasl_spans,
)
from fingerpost.trainer.signer import LEXICON

WLASL_LICENCE = "WLASL (C-UDA 1.0: academic and computational use, not commercial)"
N_WLASL_GLOSSES = 100  # of WLASL, the most frequent: the benchmark's WLASL100


@dataclass(frozen=True)
class Recipe:
    """One stage of training. Shares are of a batch."""

    steps: int
    batch: int
    peak_lr: float
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    warmup: float = 0.1  # share of the steps
    average: float = 0.998  # decay of the weights' running mean, which is what is kept


@dataclass(frozen=True)
class ResearchData:
    """WLASL twice: hands of all clips, and body with hands of a few."""

    hands: WlaslHands
    holistic: HolisticClips


@dataclass(frozen=True)
class Pool:
    """Training spans with their share of each batch; part: cut a piece too small to be a sign."""

    spans: Spans
    share: float
    part: bool = False


FIRST = Recipe(steps=1500, batch=128, peak_lr=1.5e-3)
SECOND = Recipe(steps=3400, batch=96, peak_lr=1.2e-3)
PART_OF_CLIP = (0.15, 0.4)  # a piece of a real sign that short is no sign


def train(
    model: Pocket,
    pools: Sequence[Pool],
    recipe: Recipe,
    seed: int,
    reject: int = -1,
    note: str = "",
) -> Pocket:
    """One stage, with the running mean of the weights in the model at its end."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout
    optimizer = torch.optim.AdamW(_decay_groups(model, recipe.weight_decay), lr=recipe.peak_lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_lr, total_steps=recipe.steps, pct_start=recipe.warmup
    )
    mean = {name: value.clone() for name, value in model.state_dict().items()}
    start = time.monotonic()
    model.train()
    for step, (clips, label) in enumerate(_batches(pools, recipe, reject, generator)):
        keypoints = augment(clips, model.config.window, generator, AugmentSettings())
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(keypoints)
        loss = F.cross_entropy(logits.float(), label, label_smoothing=recipe.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        _average_in(mean, model, min(recipe.average, (step + 1) / (step + 10)))
        if step % 100 == 99:
            spent = time.monotonic() - start
            print(
                f"{note} step {step + 1}/{recipe.steps} loss {loss.item():.3f} {spent:.0f} s",
                flush=True,
            )
    model.load_state_dict(mean)
    return model.eval()


def accuracy(model: Pocket, spans: Spans, reject: int | None = None) -> dict[str, float]:
    """Top-1 and top-5; with ``reject``, that class does not take part (isolated signs)."""
    hits1 = hits5 = 0
    with torch.no_grad():
        for rows in torch.arange(len(spans)).split(128):
            clips = torch.from_numpy(spans.clips[rows.numpy()])
            logits = model(evenly(clips, model.config.window))
            if reject is not None:
                logits[:, reject] = -torch.inf
            best = logits.topk(min(5, logits.shape[1]), dim=-1).indices
            right = best == torch.from_numpy(spans.label[rows.numpy()])[:, None]
            hits1 += int(right[:, 0].sum())
            hits5 += int(right.any(dim=1).sum())
    return {"top1": hits1 / len(spans), "top5": hits5 / len(spans), "n": len(spans)}


def pretrain(corpus: WlaslHands, config: PocketConfig, recipe: Recipe, seed: int) -> Pocket:
    """All 2,000 glosses of WLASL: what signs look like, before which ones matter."""
    chosen = corpus.subset(len(corpus.glosses), "train")
    spans = wlasl_spans(corpus, chosen, corpus.glosses)
    return train(Pocket(config), [Pool(spans, 1.0)], recipe, seed, note="all of WLASL:")


def data_of(research: bool) -> list[str]:
    """What is trained on, with its licence."""
    return [WLASL_LICENCE] * research + ["rendered signer"]


def vocabulary_of(research: ResearchData | None) -> tuple[str, ...]:
    """ "No sign" first, then WLASL100 and the signer's lexicon, sorted."""
    glosses = set(LEXICON) | set(research.hands.glosses[:N_WLASL_GLOSSES] if research else ())
    return (REJECT, *sorted(glosses))


def vocabulary_pools(
    research: ResearchData | None, vocabulary: Sequence[str], n_sentences: int, seed: int
) -> list[Pool]:
    """The signer's spans and, with WLASL, real signs, other signs and pieces of signs."""
    signer = signer_spans(vocabulary, n_sentences, seed)
    if research is None:
        return [Pool(signer, 1.0)]
    corpus = research.hands
    clips = corpus.subset(len(corpus.glosses), "train")
    known = np.isin(np.array(corpus.glosses)[corpus.label[clips]], vocabulary)
    first = corpus.label[clips] < N_WLASL_GLOSSES
    signs = wlasl_spans(corpus, clips[first], vocabulary)
    more = wlasl_spans(corpus, clips[known & ~first], vocabulary)
    others = wlasl_spans(corpus, clips[~known], vocabulary)
    with_body = holistic_spans(research.holistic, vocabulary, "train")
    return [
        Pool(signs, 0.36),
        Pool(more, 0.1),
        Pool(with_body, 0.08),
        Pool(others, 0.06),
        Pool(signs, 0.04, part=True),
        Pool(with_body, 0.01, part=True),
        Pool(signer, 0.35),
    ]


def _batches(
    pools: Sequence[Pool], recipe: Recipe, reject: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches in which each pool has its share; a pool is used up before it is shuffled anew."""
    sizes = [max(1, round(pool.share * recipe.batch)) for pool in pools]
    rows = [_endless_rows(len(pool.spans), generator) for pool in pools]
    for _ in range(recipe.steps):
        clips, labels = [], []
        for pool, size, row in zip(pools, sizes, rows, strict=True):
            chosen = np.array([next(row) for _ in range(size)])
            part = torch.from_numpy(pool.spans.clips[chosen])
            clips.append(_pieces(part, generator) if pool.part else part)
            label = torch.from_numpy(pool.spans.label[chosen])
            labels.append(torch.full_like(label, reject) if pool.part else label)
        yield torch.cat(clips), torch.cat(labels)


def _endless_rows(n: int, generator: torch.Generator) -> Iterator[int]:
    while True:
        yield from torch.randperm(n, generator=generator).tolist()


def _pieces(clips: Tensor, generator: torch.Generator) -> Tensor:
    """(B, S, K, 4): of each clip a short piece, stretched to the full length."""
    low, high = PART_OF_CLIP
    length = torch.rand(len(clips), generator=generator) * (high - low) + low
    start = torch.rand(len(clips), generator=generator) * (1 - length)
    last = clips.shape[1] - 1
    at = start[:, None] + length[:, None] * torch.linspace(0, 1, clips.shape[1])
    return clips[torch.arange(len(clips))[:, None], (at * last).round().long()]


def _decay_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _average_in(mean: dict[str, Tensor], model: nn.Module, keep: float) -> None:
    for name, value in model.state_dict().items():
        mean[name].lerp_(value, 1 - keep)


def _start_from(model: Pocket, other: Pocket) -> Pocket:
    """Everything of another model but its head."""
    weights = {k: v for k, v in other.state_dict().items() if not k.startswith("head.")}
    model.load_state_dict(weights, strict=False)
    return model


def read_research_data(folder: Path) -> ResearchData:
    """Reads ``wlasl_hands/`` and ``wlasl50_holistic/`` of a folder."""
    hands = wlasl_hands.read_wlasl_hands(folder / "wlasl_hands" / wlasl_hands.FILE)
    holistic = holistic_arrays.read_wlasl50(folder / "wlasl50_holistic" / holistic_arrays.WLASL50)
    return ResearchData(hands, holistic)


def run(
    out: Path,
    research: ResearchData | None,
    seed: int,
    n_sentences: int,
    first: Recipe = FIRST,
    second: Recipe = SECOND,
) -> dict[str, dict[str, float]]:
    """Both stages; the checkpoint goes to ``out``. Returns what was measured."""
    vocabulary = vocabulary_of(research)
    torch.manual_seed(seed)
    model = Pocket(PocketConfig(n_labels=len(vocabulary)))
    if research:
        config = PocketConfig(n_labels=len(research.hands.glosses))
        model = _start_from(model, pretrain(research.hands, config, first, seed))
    pools = vocabulary_pools(research, vocabulary, n_sentences, seed)
    model = train(model, pools, second, seed, vocabulary.index(REJECT), note="vocabulary:")
    metrics = measure(model, research, vocabulary, n_sentences, seed)
    info = {
        "vocabulary": list(vocabulary),
        "reject": REJECT,
        "view": "sign69",
        "preprocess_version": PREPROCESS_VERSION,
        "data": data_of(research is not None),
        "seed": seed,
    }
    save_checkpoint(out, model, info, metrics)
    return metrics


def measure(
    model: Pocket,
    research: ResearchData | None,
    vocabulary: Sequence[str],
    n_sentences: int,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Accuracy on spans of unseen performances, and on the val part of WLASL100."""
    held_out = signer_spans(vocabulary, max(20, n_sentences // 10), seed + 1)
    metrics = {"signer spans": accuracy(model, held_out)}
    if research:
        clips = research.hands.subset(N_WLASL_GLOSSES, "val")
        val = wlasl_spans(research.hands, clips, vocabulary)
        metrics["WLASL100 val"] = accuracy(model, val, vocabulary.index(REJECT))
        metrics["WLASL100 val, or no sign"] = accuracy(model, val)
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the checkpoint")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--research-data", type=Path, help="folder with wlasl_hands/ ...")
    data.add_argument("--no-research-data", action="store_true", help="the rendered signer only")
    parser.add_argument("--sentences", type=int, default=3000, help="of the rendered signer")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        research = read_research_data(given.research_data) if given.research_data else None
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    for name, figures in run(given.out, research, given.seed, given.sentences).items():
        print(name, {k: round(v, 4) for k, v in figures.items()})


if __name__ == "__main__":
    main()
