"""What begins a line: the judge of a translation pack, fitted on streams whose truth is known.

    python -m fingerpost.distill.fit_line_start PACK -o judged.fpk --signs shards/wlasl2000

Streams of held-back sentences and streams of idle hands are read with a pack that never begins a
line, and what is known of its first glosses (``edge_runtime/line_start.py``) is kept. Small
networks learn in which of the two it was. Each leaves a part of the streams out, and those say
above which score a line may begin, so that idle hands begin no more lines a minute than asked for.
The pack gets the mean of all the networks' scores.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from fingerpost.edge_runtime.line_start import LineStart
from fingerpost.edge_runtime.live_translator import LiveTranslator
from fingerpost.edge_runtime.pack import Pack, open_pack, write_pack
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.sentences.real_signs import read_real_signs
from fingerpost.trainer.sentences.real_streams import make_real_streams
from fingerpost.trainer.shards import open_shards
from fingerpost.trainer.streams import SignedSentence, Stream, make_streams

LINE_START_FILE = "line_start.json"
FOLDS = 4
LEAST = 100  # moments in sentences, and in idle parts, that a judge can be fitted on
N_HIDDEN = 32
STEPS, LR, DECAY = 1000, 0.02, 0.05
SOON_MS, EARLY = 600, 4.0  # what is known so soon after the first sign counts so many times
IDLE = 3.0  # what is known of idle hands counts so many times, for it is less
LATE_MS = 2000  # after the first sign: by then a line has long begun
APART_MS = 2500  # of two false lines: the rest that ends a line is hardly shorter
IDLE_ONLY = 1.0  # share of a stream's parts


@dataclass(frozen=True)
class Watched:
    """What was known in a stream whenever a line could have begun, N times.

    times_ms : (N,) of the stream; figures : (N, F)
    signed, weights : (N,) whether within a sentence, and how much that counts in the fit
    idle_minutes : of the stream
    """

    times_ms: np.ndarray
    figures: np.ndarray
    signed: np.ndarray
    weights: np.ndarray
    idle_minutes: float


class _Listener:
    """In the place of a ``LineStart``: begins no line, and keeps what is known."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.heard: list[tuple[int, np.ndarray]] = []

    def begins(self, figures: np.ndarray) -> bool:
        if not self.heard or not np.array_equal(self.heard[-1][1], figures):
            self.heard.append((self.now_ms, figures))
        return False


def watch(pack: Pack, streams: Sequence[Stream]) -> Iterator[Watched]:
    """Each stream as the pack sees it. ValueError where the pack does not translate."""
    translator = Translator(pack)
    try:
        for stream in streams:
            listener = _Listener()
            translator.line_start = listener  # type: ignore[assignment]
            live = LiveTranslator(pack, stream.schema, stream.aspect, translator=translator)
            for frame in stream.frames:
                listener.now_ms = frame.time_ms
                live.push(frame)
            yield _watched(listener.heard, stream)
    finally:
        translator.close()


def _watched(heard: Sequence[tuple[int, np.ndarray]], stream: Stream) -> Watched:
    times, figures, signed, weights = [], [], [], []
    for time_ms, known in heard:
        sentence = _sentence_at(stream.sentences, time_ms)
        late_ms = time_ms - sentence.signs[0][2] if sentence else 0
        if sentence is None or late_ms <= LATE_MS:
            times.append(time_ms)
            figures.append(known)
            signed.append(sentence is not None)
            soon = EARLY if late_ms < SOON_MS else 1.0
            weights.append(IDLE if sentence is None else soon)
    return Watched(
        np.array(times), np.array(figures), np.array(signed), np.array(weights),
        stream.idle_ms / 60_000,
    )  # fmt: skip


def _sentence_at(sentences: Sequence[SignedSentence], time_ms: int) -> SignedSentence | None:
    """That is signed then, or was until shortly before: glosses are seen late."""
    around = (s for s in sentences if s.start_ms <= time_ms <= s.end_ms + LATE_MS)
    return next(around, None)


def fit_line_start(watched: Sequence[Watched], false_lines: float, seed: int = 0) -> LineStart:
    """The judge by which idle hands begin so many lines a minute in streams that it has not seen.

    ValueError where hardly anything was known in sentences, or in idle parts.
    """
    watched = [one for one in watched if len(one.times_ms)]
    of_stream = np.concatenate([np.full(len(one.times_ms), i) for i, one in enumerate(watched)])
    figures, signed, weights = (
        np.concatenate([getattr(one, name) for one in watched])
        for name in ("figures", "signed", "weights")
    )
    if min(signed.sum(), (~signed).sum()) < LEAST:
        raise ValueError("too few first glosses were seen to fit what begins a line: more minutes")
    mean, scale = figures.mean(axis=0), figures.std(axis=0) + 1e-3
    rows = [
        torch.tensor(x, dtype=torch.float32) for x in ((figures - mean) / scale, signed, weights)
    ]
    networks = [_network(rows, of_stream % FOLDS != fold, seed) for fold in range(FOLDS)]
    unseen = np.zeros(len(signed))
    for fold, network in enumerate(networks):
        out = of_stream % FOLDS == fold
        with torch.no_grad():
            unseen[out] = network(rows[0][out])[:, 0].numpy()
    times = np.concatenate([one.times_ms for one in watched])
    tops = _tops(unseen[~signed], of_stream[~signed], times[~signed])
    n_allowed = int(false_lines * sum(one.idle_minutes for one in watched))
    limit = tops[n_allowed] if n_allowed < len(tops) else tops[-1] - 1
    return _together(networks, mean, scale, float(limit))


def _network(rows: Sequence[Tensor], used: np.ndarray, seed: int) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    figures, signed, weights = (row[used] for row in rows)
    network = torch.nn.Sequential(
        torch.nn.Linear(figures.shape[1], N_HIDDEN), torch.nn.Tanh(), torch.nn.Linear(N_HIDDEN, 1)
    )
    optimizer = torch.optim.AdamW(network.parameters(), LR, weight_decay=DECAY)
    for _ in range(STEPS):
        optimizer.zero_grad()
        said = network(figures)[:, 0]
        binary_cross_entropy_with_logits(said, signed, weights).backward()
        optimizer.step()
    return network


def _tops(scores: np.ndarray, of_stream: np.ndarray, times_ms: np.ndarray) -> list[float]:
    """The highest score of each line that idle hands could begin, the highest first.

    scores, of_stream, times_ms : (N,), in order of stream and time
    """
    breaks = (np.diff(of_stream) != 0) | (np.diff(times_ms) > APART_MS)
    parts = np.split(scores, np.flatnonzero(breaks) + 1)
    return sorted((float(part.max()) for part in parts), reverse=True)


def _together(
    networks: Sequence[torch.nn.Sequential], mean: np.ndarray, scale: np.ndarray, limit: float
) -> LineStart:
    """One judge whose score is the mean of theirs, less the limit."""
    weights = [[one.detach().numpy() for one in network.parameters()] for network in networks]
    hidden, hidden_bias, output, bias = zip(*weights, strict=True)
    return LineStart(
        mean=mean,
        scale=scale,
        hidden=np.concatenate(hidden).T,
        hidden_bias=np.concatenate(hidden_bias),
        output=np.concatenate(output, axis=1)[0] / len(networks),
        bias=float(np.mean(bias)) - limit,
    )


def write_judged(pack: Pack, out: Path, start: LineStart) -> Pack:
    """Writes the pack with a judge; ``out`` may be where it is from."""
    words = pack.manifest.translation
    if words is None:
        raise ValueError(f"pack {pack.manifest.name} writes no sentences: no line begins in it")
    manifest = replace(pack.manifest, translation=replace(words, line_start=LINE_START_FILE))
    contents = {name: pack.read(name) for name in pack.manifest.files}
    return write_pack(out, manifest, {**contents, LINE_START_FILE: start.to_json()})


def held_back_streams(minutes: float, seed: int, signs: Path | None) -> list[Stream]:
    """Of the split val, half of the time sentences and half idle, all of it by each kind of signer.

    signs : shards of single signs, to be spliced; without them the rendered signer alone
    """
    streams = make_streams(minutes, seed, "val")
    streams += make_streams(minutes, seed + 1, "val", idle=IDLE_ONLY)
    if signs is not None:
        real = read_real_signs(open_shards(signs))
        streams += make_real_streams(real, minutes, seed, "val")
        streams += make_real_streams(real, minutes, seed + 1, "val", IDLE_ONLY)
    return streams


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="FILE.fpk, or a folder")
    parser.add_argument("--signs", type=Path, help="shards of single signs, to be spliced too")
    parser.add_argument("--minutes", type=float, default=100, help="of each kind of stream")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--false-lines", type=float, default=0.15, help="an idle minute")
    given = parser.parse_args()
    try:
        pack = open_pack(given.pack)
        streams = held_back_streams(given.minutes, given.seed, given.signs)
        start = fit_line_start(list(watch(pack, streams)), given.false_lines, given.seed)
        write_judged(pack, given.output, start)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"{given.output}: what begins a line is judged by {len(start.output)} hidden numbers")


if __name__ == "__main__":
    main()
