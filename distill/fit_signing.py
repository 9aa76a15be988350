"""What tells signing from idle hands in a translation pack: fitted on motion it has not seen.

    python -m fingerpost.distill.fit_signing PACK -o judged.fpk

The rendered signer signs sentences of the split val, and fidgets. The encoder reads both, with a
body and as hands alone, and a small network (``edge_runtime/signing_judge.py``) learns from its
states which is which. The idle parts come once more in pieces, in any order: hands that leap are
idle too, whether a landmarker errs or a film was cut. Of real motion there is none: of real idle
hands far too little is at hand, and then whatever is real would be signing.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence, to_view
from fingerpost.edge_runtime.live_glosses import BLANK
from fingerpost.edge_runtime.pack import Pack, open_pack, write_pack
from fingerpost.edge_runtime.preprocess import hands_alone, right_handed
from fingerpost.edge_runtime.signing_judge import SigningJudge
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.sentences.real_signs import in_one_picture
from fingerpost.trainer.signer_corpus import FPS
from fingerpost.trainer.streams import Stream, make_streams

SIGNING_FILE = "signing.npz"
IDLE_SHARE = 0.6  # chance that a part of a stream is idle
AROUND_MS = 600  # before a sentence and after it: the encoder reads that too
PIECE = (15, 40)  # frames of the pieces that idle parts are cut into
NEITHER = -1  # of a frame: on the way to a sentence, or from it
LEAST = 1000  # frames of signing, and of idle hands, that a judge can be fitted on
HELD_OUT = 10  # one stream in so many tells how good the judge is
N_HIDDEN = 128
STEPS, BATCH, LR, DECAY = 10_000, 1024, 1e-3, 0.1
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
    """Each stream, with its body and as hands alone. ValueError where the pack cannot translate."""
    translator = Translator(pack)
    try:
        for number, stream in enumerate(streams):
            rng = np.random.default_rng([seed, number])
            body = _sequence(stream)
            parts = [*_parts(body, stream, rng), *_parts(_hands(body), stream, rng)]
            yield joined([_watched(translator, sequence, truth) for sequence, truth in parts])
    finally:
        translator.close()


def _sequence(stream: Stream) -> PoseSequence:
    frames = stream.frames
    xyz, confidence = (
        np.stack([getattr(f, name) for f in frames]) for name in ("xyz", "confidence")
    )
    whole = PoseSequence(xyz, confidence, FPS, stream.schema, frames[0].time_ms, stream.aspect)
    return right_handed(to_view(whole, SIGN69))


def _hands(sequence: PoseSequence) -> PoseSequence:
    """Where WLASL's clips have them."""
    return hands_alone(in_one_picture(sequence))


def _parts(
    sequence: PoseSequence, stream: Stream, rng: np.random.Generator
) -> Iterator[tuple[PoseSequence, np.ndarray]]:
    """Its sentences, its idle parts, and all of these in pieces. With each the truth of its frames,
    (T,): 1 signing, 0 idle, or ``NEITHER``."""
    times = np.array([frame.time_ms for frame in stream.frames])
    for sentence in stream.sentences:
        start, end = sentence.start_ms, sentence.end_ms
        (frames,) = np.nonzero((times >= start - AROUND_MS) & (times < end + AROUND_MS))
        signed = (times[frames] >= start) & (times[frames] <= end)
        yield _at(sequence, frames), np.where(signed, 1, NEITHER)
    idle = [np.flatnonzero((times >= start) & (times < end)) for start, end in stream.idle]
    if idle:
        all_idle = np.concatenate(idle)
        pieces = np.array_split(all_idle, 1 + len(all_idle) // int(rng.integers(*PIECE)))
        idle.append(np.concatenate([pieces[i] for i in rng.permutation(len(pieces))]))
    for frames in idle:
        yield _at(sequence, frames), np.zeros(len(frames), int)


def _at(sequence: PoseSequence, frames: np.ndarray) -> PoseSequence:
    return replace(
        sequence, xyz=sequence.xyz[frames], confidence=sequence.confidence[frames], start_ms=0
    )


def _watched(translator: Translator, sequence: PoseSequence, truth: np.ndarray) -> Watched:
    """As many frames as the pack reads of a sentence."""
    n = min(len(truth), translator.words.max_frames)
    sentence = translator.begin()
    sentence.push_keypoints(translator.keypoints_of(_at(sequence, np.arange(n))))
    sentence.end()
    told = truth[:n] != NEITHER
    scores = np.stack(sentence.scores)[told]
    states = np.stack(sentence.states)[told].astype(np.float16)
    return Watched(states, truth[:n][told] == 1, scores.argmax(axis=1) != BLANK)


def joined(watched: Sequence[Watched]) -> Watched:
    columns = zip(*(vars(one).values() for one in watched), strict=True)
    return Watched(*(np.concatenate(column) for column in columns))


def fit_signing(watched: Watched, seed: int = 0) -> SigningJudge:
    """ValueError where too little of it is signing, or idle."""
    n_signing = int(watched.signing.sum())
    if min(n_signing, len(watched.signing) - n_signing) < LEAST:
        raise ValueError("too little was seen to tell signing from idle hands by: more minutes")
    mean = watched.states.mean(axis=0, dtype=np.float32)
    scale = watched.states.std(axis=0, dtype=np.float32) + 1e-3
    weights = np.where(watched.gloss, SHOWS_GLOSS, 1.0)
    torch.manual_seed(seed)
    hidden, output = torch.nn.Linear(len(mean), N_HIDDEN), torch.nn.Linear(N_HIDDEN, 1)
    network = torch.nn.Sequential(hidden, torch.nn.ReLU(), torch.nn.Dropout(0.1), output)
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
    values = [one.detach().numpy() for one in (hidden.weight, hidden.bias, output.weight)]
    return SigningJudge(
        mean, scale, values[0].T, values[1], values[2][0], output.bias[0].detach().numpy()
    )


def shares_right(judge: SigningJudge, watched: Watched) -> tuple[float, float]:
    """Of frames that show a gloss, percent called what they are: of signing, and of idle hands."""
    signing = judge.logits(watched.states[watched.gloss]) > 0
    truth = watched.signing[watched.gloss]
    return 100 * float(signing[truth].mean()), 100 * float((~signing[~truth]).mean())


def write_judged(pack: Pack, out: Path, judge: SigningJudge) -> Pack:
    """Writes the pack with a judge; ``out`` may be where it is from."""
    words = pack.manifest.translation
    if words is None:
        raise ValueError(f"pack {pack.manifest.name} writes no sentences: no line begins in it")
    manifest = replace(pack.manifest, translation=replace(words, signing=SIGNING_FILE))
    contents = {name: pack.read(name) for name in pack.manifest.files}
    return write_pack(out, manifest, {**contents, SIGNING_FILE: judge.to_bytes()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="FILE.fpk, or a folder")
    parser.add_argument("--minutes", type=float, default=400, help="of stream, at most 600")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        pack = open_pack(given.pack)
        streams = make_streams(given.minutes, given.seed, "val", idle=IDLE_SHARE)
        watched = list(watch(pack, streams, given.seed))
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
