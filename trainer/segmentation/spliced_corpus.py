"""Sentences spliced from the single signs of shards: a corpus whose spans are known.

Every sentence is of one signer, whose clips mostly show one camera. Seeded sentence by sentence:
sentence 17 is the same however many are made.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import HANDS
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.segmentation.splice import SpliceSettings, splice
from fingerpost.trainer.shards import Shards, ShardsAbout, ShardWriter

MIN_HAND_MS = 300  # a clip with a hand in fewer frames than this lasts is no sign to learn from


@dataclass(frozen=True)
class SentenceSettings:
    """signs : the fewest and the most of a sentence; splice : how they are joined"""

    signs: tuple[int, int] = (3, 7)
    splice: SpliceSettings = SpliceSettings()

    def __post_init__(self) -> None:
        if not 1 <= self.signs[0] <= self.signs[1]:
            raise ValueError(f"signs of a sentence are from 1 up, the fewest first: {self.signs}")


def spliced_sentences(
    shards: Shards, n: int, seed: int = 0, settings: SentenceSettings | None = None
) -> Iterator[Clip]:
    """n sentences of the clips of shards with one gloss each; clips without hands are left out.

    A signer is drawn by how many clips there are of them. ValueError where no signer has clips
    enough for the longest sentence.
    """
    settings = settings or SentenceSettings()
    of_signer = _clips_of_signers(shards, settings.signs[1])
    share = np.array([len(clips) for clips in of_signer], float)
    share /= share.sum()
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        numbers = of_signer[rng.choice(len(share), p=share)]
        wanted = int(rng.integers(settings.signs[0], settings.signs[1], endpoint=True))
        clips = _drawn(shards, numbers, wanted, rng)
        yield splice(clips, rng, settings.splice, f"spliced-{number:06d}")


def write_spliced(
    folder: Path,
    shards: Shards,
    n: int,
    seed: int = 0,
    settings: SentenceSettings | None = None,
) -> Iterator[Clip]:
    """Writes sentences as shards, and yields each that was not there. Goes on where it stopped."""
    about = ShardsAbout(f"{shards.about.corpus}, spliced, seed {seed}", shards.about.schema)
    with ShardWriter(folder, about, resume=True) as writer:
        for clip in spliced_sentences(shards, n, seed, settings):
            if clip.id not in writer.ids:
                writer.add(clip)
                yield clip


def _clips_of_signers(shards: Shards, enough: int) -> list[np.ndarray]:
    """The numbers of the clips with one gloss, of each signer who has enough of them."""
    signers, glosses = shards.column("signer"), shards.column("glosses")
    numbers: dict[str, list[int]] = {}
    for i, (signer, signed) in enumerate(zip(signers, glosses, strict=True)):
        if len(signed) == 1:
            numbers.setdefault(signer, []).append(i)
    found = [np.array(of) for _, of in sorted(numbers.items()) if len(of) >= enough]
    if not found:
        raise ValueError(
            f"{shards.folder} has no signer with {enough} clips of one gloss; give other shards or "
            "shorter sentences"
        )
    return found


def _drawn(
    shards: Shards, numbers: np.ndarray, wanted: int, rng: np.random.Generator
) -> list[Clip]:
    """So many clips with hands, none of them twice; ValueError where there are not so many."""
    clips: list[Clip] = []
    for i in rng.permutation(numbers):
        clip = shards[int(i)]
        if hand_ms(clip) >= MIN_HAND_MS:
            clips.append(replace(clip, spans=()))
        if len(clips) == wanted:
            return clips
    raise ValueError(
        f"{shards.folder}: signer {clips[0].signer if clips else ''!r} has only {len(clips)} clips "
        "with hands; make shorter sentences"
    )


def hand_ms(clip: Clip) -> float:
    """How long a hand is seen, ms."""
    sequence = clip.sequence
    seen = [sequence.confidence[:, sequence.schema.groups[h].start] > 0 for h in HANDS]
    return float((seen[0] | seen[1]).sum() * 1000 / sequence.fps)
