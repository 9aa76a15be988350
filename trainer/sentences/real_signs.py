"""Sentences of a phrasebook in real motion: clips of single signs, spliced.

    signs = read_real_signs(open_shards(Path("shards/wlasl2000")))
    clip = make_real_sentence(signs, "test", number=7)

The clips come from any shards with one gloss a clip. Nobody in them signs a whole sentence, so the
signs of a sentence are of several people: each is brought to one place and size in the picture,
and to the right hand, or a sentence would change its signer's size and hand with every sign.

No clip and no sentence is in two parts. Train and val share the clips of the split train: of a
gloss that has enough of them, one in ``HELD_OUT`` is for val. Test has those of the split val, for
the corpora's own test parts are kept back.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence, to_view
from fingerpost.edge_runtime.preprocess import (
    NOMINAL_SHOULDERS,
    normalise,
    right_handed,
)
from fingerpost.edge_runtime.preprocess_live import NOMINAL_WIDTH
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.segmentation.splice import SpliceSettings, active_part, splice
from fingerpost.trainer.segmentation.spliced_corpus import MIN_HAND_MS, hand_ms
from fingerpost.trainer.shards import Shards, ShardsAbout, ShardWriter
from fingerpost.trainer.signer import LEXICON
from fingerpost.trainer.signer.phrases import Phrase
from fingerpost.trainer.signer_corpus import FPS, LANGUAGE, TEXT_LANGUAGE, random_sentence

SPLITS = ("train", "val", "test")
HELD_OUT, ENOUGH = 10, 5
ASPECT = 4 / 3  # of the picture that all clips are brought into
ALONE = 0.1  # share of the training clips that are one sign, with no text
_SETTINGS = SpliceSettings(fps=FPS)
_MOST_DRAWS = 10_000  # of sentences, until all signs of one have a clip


@dataclass(frozen=True)
class RealSigns:
    """Clips of single signs. of_gloss : by split, then gloss"""

    of_gloss: Mapping[str, Mapping[str, tuple[Clip, ...]]]

    def can_sign(self, phrase: Phrase, split: str) -> bool:
        return all(gloss in self.of_gloss[split] for gloss in phrase.glosses)


def read_real_signs(shards: Shards) -> RealSigns:
    """The clips of the lexicon's glosses in which a hand is seen for long enough.

    ValueError where a part has none.
    """
    found: dict[str, dict[str, list[Clip]]] = {"train": {}, "val": {}}
    for number, signed in enumerate(shards.column("glosses")):
        if len(signed) != 1 or signed[0] not in LEXICON:
            continue
        clip = shards[number]
        if clip.split in found and hand_ms(clip) >= MIN_HAND_MS:
            placed = replace(clip, sequence=in_one_picture(clip.sequence), spans=())
            if _has_sign(placed):
                found[clip.split].setdefault(signed[0], []).append(placed)
    parts: dict[str, dict[str, tuple[Clip, ...]]] = {split: {} for split in SPLITS}
    for gloss, clips in found["train"].items():
        enough = len(clips) >= ENOUGH
        held = tuple(clip for clip in clips if enough and _is_held_out(clip))
        parts["train"][gloss] = tuple(c for c in clips if not (enough and _is_held_out(c)))
        if held:
            parts["val"][gloss] = held
    parts["test"] = {gloss: tuple(clips) for gloss, clips in found["val"].items()}
    for split, of_gloss in parts.items():
        if not of_gloss:
            raise ValueError(
                f"{shards.folder} has no clip of a sign of the lexicon for {split}; make one with "
                "`fingerpost shards import wlasl_hands`"
            )
    return RealSigns(parts)


def make_real_sentence(signs: RealSigns, split: str, number: int, seed: int = 0) -> Clip:
    """Sentence `number` of a part: the same however many are made.

    ValueError where the clips of the part are too few for any sentence.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), number])
    alone = split == "train" and rng.random() < ALONE
    phrase = _sign_alone(signs, rng) if alone else None
    return make_sentence(signs, split, rng, phrase, _name(split, number))


def make_sentence(
    signs: RealSigns,
    split: str,
    rng: np.random.Generator,
    phrase: Phrase | None = None,
    name: str = "real",
) -> Clip:
    """A phrase whose signs all have clips in the part; None is any. name : the clip's id"""
    phrase = phrase or _sentence(signs, split, rng)
    of_gloss = signs.of_gloss[split]
    chosen = [of_gloss[gloss][rng.integers(len(of_gloss[gloss]))] for gloss in phrase.glosses]
    return replace(
        splice(chosen, rng, _SETTINGS, name),
        signer="",  # several people
        split=split,
        text=phrase.text,
        language=LANGUAGE,
        text_language=TEXT_LANGUAGE if phrase.text else "",
    )


def write_real_sentences(
    folder: Path, signs: RealSigns, counts: Mapping[str, int], corpus: str, seed: int = 0
) -> Iterator[Clip]:
    """Writes shards, and yields each sentence that was not there. Goes on where it was stopped.

    counts : sentences by split; corpus : the name of where the signs are from
    """
    about = ShardsAbout(f"{corpus}, phrasebook, seed {seed}", SIGN69.name)
    with ShardWriter(folder, about, resume=True) as writer:
        for split in SPLITS:
            for number in range(counts.get(split, 0)):
                if _name(split, number) not in writer.ids:
                    clip = make_real_sentence(signs, split, number, seed)
                    writer.add(clip)
                    yield clip


def in_one_picture(sequence: PoseSequence) -> PoseSequence:
    """The same signing by the right hand, with the shoulders where they usually are.

    Shoulders that were not seen are guessed, as ``preprocess.normalise`` does.
    """
    sequence = right_handed(to_view(sequence, SIGN69))
    widths = normalise(sequence)[..., :3]  # (T, 69, 3), shoulder widths from their middle
    origin = np.array([*NOMINAL_SHOULDERS, 0])
    xyz = origin + widths * NOMINAL_WIDTH / [ASPECT, 1, ASPECT]
    seen = sequence.confidence[..., None] > 0
    xyz = np.where(seen, xyz, 0).astype(np.float32)
    return replace(sequence, xyz=xyz, aspect=ASPECT)


def _is_held_out(clip: Clip) -> bool:
    return zlib.crc32(clip.id.encode()) % HELD_OUT == 0


def _has_sign(clip: Clip) -> bool:
    first, last = active_part(clip.sequence, _SETTINGS)
    return last > first


def _sentence(signs: RealSigns, split: str, rng: np.random.Generator) -> Phrase:
    for _ in range(_MOST_DRAWS):
        phrase = random_sentence(split, rng)
        if signs.can_sign(phrase, split):
            return phrase
    raise ValueError(f"the {split} clips are of too few glosses for any sentence; add more clips")


def _sign_alone(signs: RealSigns, rng: np.random.Generator) -> Phrase:
    """Of the training part."""
    glosses = sorted(signs.of_gloss["train"])
    return Phrase((glosses[rng.integers(len(glosses))],), "")


def _name(split: str, number: int) -> str:
    return f"real-{split}-{number:06d}"
