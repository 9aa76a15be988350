"""What tells signing from idle hands in a translation pack: fitted on motion it has not seen.

    python -m fingerpost.distill.fit_signing PACK -o judged.fpk
    python -m fingerpost.distill.fit_signing PACK -o judged.fpk --judge-of OTHER

The rendered signer signs sentences of the split val, and fidgets. The encoder reads both, with a
body and as hands alone, and small networks (``edge_runtime/signing_judge.py``) learn from its
states which is which. The idle parts come once more in pieces, in any order: hands that leap are
idle too, whether a landmarker errs or a film was cut. Of real motion there is none: of real idle
hands far too little is at hand, and then whatever is real would be signing. A pack of the same
network that does not run here, such as one for Core ML, takes the judge of one that does.
"""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame, PoseSequence
from fingerpost.edge_runtime.live_glosses import BLANK
from fingerpost.edge_runtime.live_translator import LiveTranslator
from fingerpost.edge_runtime.pack import Pack, open_pack, write_pack
from fingerpost.edge_runtime.preprocess import hands_alone
from fingerpost.edge_runtime.signing_judge import SigningJudge, read_signing_judge
from fingerpost.edge_runtime.translator import Sentence, Translator
from fingerpost.trainer.sentences.real_signs import in_one_picture
from fingerpost.trainer.signer_corpus import FPS
from fingerpost.trainer.streams import Stream, make_streams

SIGNING_FILE = "signing.npz"
IDLE_SHARE = 0.6  # chance that a part of a stream is idle
PIECE = (15, 40)  # frames of the pieces that idle parts are cut into
NO_LINE = {"least_glosses": 10_000}  # so many: sentences are read, and none is written
LEAST = 1000  # frames of signing, and of idle hands, that a judge can be fitted on
HELD_OUT = 10  # one stream in so many tells how good the judge is
N_NETWORKS, N_HIDDEN = 4, 64  # they differ most where they have to guess: their mean guesses less
STEPS, BATCH, LR, DECAY, DROPPED = 10_000, 1024, 1e-3, 0.1, 0.1
NOISE = 0.3  # of what a state differs by, that is added in the fit
SHOWS_GLOSS = 3.0  # a frame that does counts so many times, for there the judge is asked


@dataclass(frozen=True)
class Watched:
    """N frames as the encoder sees them.

    states : (N, D) float16; signing : (N,) bool, or else idle; gloss : (N,) bool, shows one
    """

    states: np.ndarray
    signing: np.ndarray
    gloss: np.ndarray


def watch(pack: Pack, streams: Sequence[Stream], seed: int = 0) -> Iterator[Watched]:
    """Each stream, with its body and as hands alone, and its idle parts in pieces, as they are read
    live. ValueError where the pack cannot translate."""
    translator = _Listening(pack)
    settings = {**pack.manifest.settings, **NO_LINE}
    silent = replace(pack, manifest=replace(pack.manifest, settings=settings))
    try:
        for number, stream in enumerate(streams):
            rng = np.random.default_rng([seed, number])
            heard: list[Watched] = []
            for one in (stream, of_hands(stream)):
                heard += _watched(silent, translator, one)
                if one.idle:
                    heard += _watched(silent, translator, in_pieces(one, rng))
            if heard:
                yield joined(heard)
    finally:
        translator.close()


class _Listening(Translator):
    """A translator that keeps its sentences."""

    def __init__(self, pack: Pack) -> None:
        super().__init__(pack)
        self.begun: list[_TimedSentence] = []

    def begin(self) -> "_TimedSentence":
        self.begun.append(_TimedSentence(self))
        return self.begun[-1]


class _TimedSentence(Sentence):
    """times_ms : of the frames that were pushed"""

    def __init__(self, translator: Translator) -> None:
        super().__init__(translator)
        self.times_ms: list[int] = []

    def push(self, part: PoseSequence) -> list[str]:
        self.times_ms += [part.time_ms(t) for t in range(len(part))]
        return super().push(part)


def _watched(pack: Pack, translator: _Listening, stream: Stream) -> list[Watched]:
    """One for each time that the hands moved."""
    translator.begun.clear()
    live = LiveTranslator(pack, stream.schema, stream.aspect, translator=translator)
    for frame in stream.frames:
        live.push(frame)
    live.flush()
    return [_told(sentence, stream) for sentence in translator.begun if sentence.states]


def _told(sentence: _TimedSentence, stream: Stream) -> Watched:
    """The frames of a sentence of which it is known whether they are signing, or idle."""
    times = np.array(sentence.times_ms[: len(sentence.states)])
    signing = _within(times, [(one.start_ms, one.end_ms) for one in stream.sentences])
    told = signing | _within(times, stream.idle)
    shows_gloss = np.stack(sentence.scores).argmax(axis=1) != BLANK
    states = np.stack(sentence.states).astype(np.float16)
    return Watched(states[told], signing[told], shows_gloss[told])


def _within(times_ms: np.ndarray, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """Which of the times are in a span, (T,)."""
    return np.any([(times_ms >= a) & (times_ms < b) for a, b in spans] or [times_ms < 0], axis=0)


def of_hands(stream: Stream) -> Stream:
    """As clips of WLASL show it: hands alone, where all clips have them."""
    whole = hands_alone(in_one_picture(_sequence(stream)))
    return replace(stream, frames=_frames(whole), schema=SIGN69, aspect=whole.aspect)


def in_pieces(stream: Stream, rng: np.random.Generator) -> Stream:
    """Its idle parts, cut into pieces that follow each other in any order."""
    times = np.array([frame.time_ms for frame in stream.frames])
    idle = np.flatnonzero(_within(times, stream.idle))
    pieces = np.array_split(idle, 1 + len(idle) // int(rng.integers(*PIECE)))
    order = np.concatenate([pieces[i] for i in rng.permutation(len(pieces))])
    whole = _sequence(stream)
    whole = replace(whole, xyz=whole.xyz[order], confidence=whole.confidence[order], start_ms=0)
    span = (0, whole.duration_ms)
    return replace(stream, frames=_frames(whole), sentences=(), idle=(span,))


def _sequence(stream: Stream) -> PoseSequence:
    xyz = np.stack([frame.xyz for frame in stream.frames])
    confidence = np.stack([frame.confidence for frame in stream.frames])
    start_ms = stream.frames[0].time_ms
    return PoseSequence(xyz, confidence, FPS, stream.schema, start_ms, stream.aspect)


def _frames(sequence: PoseSequence) -> tuple[KeypointFrame, ...]:
    return tuple(sequence.frames())


def joined(watched: Sequence[Watched]) -> Watched:
    """All their frames."""
    columns = zip(*(vars(one).values() for one in watched), strict=True)
    return Watched(*(np.concatenate(column) for column in columns))


def fit_signing(watched: Watched, seed: int = 0) -> SigningJudge:
    """ValueError where too little of it is signing, or idle."""
    n_signing = int(watched.signing.sum())
    if min(n_signing, len(watched.signing) - n_signing) < LEAST:
        raise ValueError("too little was seen to tell signing from idle hands by: more minutes")
    mean = watched.states.mean(axis=0, dtype=np.float32)
    scale = watched.states.std(axis=0, dtype=np.float32) + 1e-3
    networks = [_network(watched, mean, scale, seed + i) for i in range(N_NETWORKS)]
    hidden, hidden_bias, output, bias = zip(*networks, strict=True)
    return SigningJudge(  # the mean of what they say
        mean,
        scale,
        hidden=np.concatenate(hidden).T,
        hidden_bias=np.concatenate(hidden_bias),
        output=np.concatenate(output, axis=1)[0] / N_NETWORKS,
        bias=np.asarray(np.mean(bias)),
    )


def _network(watched: Watched, mean: np.ndarray, scale: np.ndarray, seed: int) -> list[np.ndarray]:
    """The weights of a network: (H, D), (H,), (1, H), (1,)"""
    weights = np.where(watched.gloss, SHOWS_GLOSS, 1.0)
    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Linear(len(mean), N_HIDDEN),
        torch.nn.SiLU(),
        torch.nn.Dropout(DROPPED),
        torch.nn.Linear(N_HIDDEN, 1),
    )
    optimizer = torch.optim.AdamW(network.parameters(), LR, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    rng = np.random.default_rng(seed)
    for _ in range(STEPS):
        rows = rng.integers(len(weights), size=BATCH)
        states = torch.from_numpy((watched.states[rows].astype(np.float32) - mean) / scale)
        said = network(states + NOISE * torch.randn_like(states))[:, 0]
        truth, weight = (torch.from_numpy(a[rows]).float() for a in (watched.signing, weights))
        optimizer.zero_grad()
        binary_cross_entropy_with_logits(said, truth, weight).backward()
        optimizer.step()
        schedule.step()
    return [one.detach().numpy() for one in network.parameters()]


def shares_right(judge: SigningJudge, watched: Watched) -> tuple[float, float]:
    """Of frames that show a gloss, percent called what they are: of signing, and of idle hands."""
    signing = judge.logits(watched.states[watched.gloss]) > 0
    truth = watched.signing[watched.gloss]
    return 100 * float(signing[truth].mean()), 100 * float((~signing[~truth]).mean())


def judge_of(pack: Pack) -> SigningJudge:
    """That a pack has. ValueError where it has none."""
    words = pack.manifest.translation
    if words is None or not words.signing:
        raise ValueError(f"pack {pack.manifest.name} has no judge of signing")
    return read_signing_judge(pack.read(words.signing))


def write_judged(pack: Pack, out: Path, judge: SigningJudge) -> Pack:
    """Writes the pack with a judge; ``out`` may be where it is from."""
    words = pack.manifest.translation
    if words is None:
        raise ValueError(f"pack {pack.manifest.name} writes no sentences: no line begins in it")
    width = pack.manifest.graphs["ctc"].inputs[0].shape[-1]
    if width != len(judge.mean):
        raise ValueError(f"a judge of states {len(judge.mean)} wide; the pack's are {width} wide")
    manifest = replace(pack.manifest, translation=replace(words, signing=SIGNING_FILE))
    contents = {name: pack.read(name) for name in pack.manifest.files}
    return write_pack(out, manifest, {**contents, SIGNING_FILE: judge.to_bytes()})


def watch_val(path: Path, minutes: float, seed: int) -> list[Watched]:
    """Streams of the rendered signer, as many minutes of them, with the pack of a file."""
    return list(watch(open_pack(path), make_streams(minutes, seed, "val", idle=IDLE_SHARE), seed))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="FILE.fpk, or a folder")
    parser.add_argument("--minutes", type=float, default=600, help="of stream")
    parser.add_argument("--workers", type=int, default=2, help="processes that watch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--judge-of", type=Path, help="a judged pack of the same network: no fit")
    given = parser.parse_args(arguments)
    try:
        pack = open_pack(given.pack)
        if pack.manifest.translation is None or given.workers < 1:
            raise ValueError("give a pack that writes sentences, and one worker or more")
        if given.judge_of is not None:
            write_judged(pack, given.output, judge_of(open_pack(given.judge_of)))
            return
        share = given.minutes / given.workers  # each has streams of its own, by its seed
        jobs = [(given.pack, share, 1000 * given.seed + i) for i in range(given.workers)]
        with ProcessPoolExecutor(given.workers, get_context("spawn")) as workers:
            heard = list(workers.map(watch_val, *zip(*jobs, strict=True)))
        watched = [one for part in heard for one in part]
        held_out = joined(watched[::HELD_OUT])
        judge = fit_signing(
            joined([one for i, one in enumerate(watched) if i % HELD_OUT]), given.seed
        )
        write_judged(pack, given.output, judge)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    signing, idle = shares_right(judge, held_out)
    print(
        f"{given.output}: of frames of other streams in which a gloss is seen, {signing:.1f} % of "
        f"signing and {idle:.1f} % of idle hands are told for what they are"
    )


if __name__ == "__main__":
    main()
