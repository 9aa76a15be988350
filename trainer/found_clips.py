"""What found learns from, cut out of longer clips: subtitles with their surroundings, single signs.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 4.1 and
4.2: subtitles of 1 to 20 seconds with at most 80 words; windows of 20 seconds that need not be
centred on the subtitle. So a clip holds half a window and more on both sides of the subtitle's
middle: training moves the window within it. Clips of neighbours overlap; a corpus so cut is as many
times larger as a window is longer than a subtitle.

    write_cue_clips(Path("shards/ssa"), [Subtitled("film", sequence, cues, "train")])

Where it is known when each gloss of a sentence is signed, its signs are clips to pre-train the
backbones on: of 24 frames (Sec. 4.1), around the middle of each sign. So they have the signs before
and after at their ends, as in a window of a long video.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.timed_text import Cue
from fingerpost.trainer.shards import Clip, Shards, ShardsAbout, ShardWriter
from fingerpost.trainer.subtitles.windows import part
from fingerpost.trainer.tasks.found_settings import CUE, SPOKEN_CUE

AROUND_S = 15.0  # on both sides of a subtitle's middle: half a window, and 5 s to move it
DURATION_MS = (1000, 20_000)  # Sec. 4.1
MOST_WORDS = 80
SIGN_FRAMES = 24  # of a single sign's clip, Sec. 4.1


@dataclass(frozen=True)
class Subtitled:
    """A video's keypoints, and its subtitles at the times at which they are signed.

    name : unique, as part of the clips' ids
    spoken : the same subtitles, in the same order, at the times at which they were spoken; () where
        nobody knows
    language : ISO 639-3 code of the sign language; text_language : of the subtitles
    """

    name: str
    sequence: PoseSequence
    cues: Sequence[Cue]
    split: str
    spoken: Sequence[Cue] = ()
    signer: str = ""
    language: str = "mis"
    text_language: str = "en"

    def __post_init__(self) -> None:
        if self.spoken and [cue.text for cue in self.spoken] != [cue.text for cue in self.cues]:
            raise ValueError(
                f"{self.name}: the subtitles as they were spoken are others than those to learn "
                "from; give both files with the same texts in the same order"
            )


def cue_clips(video: Subtitled, around_s: float = AROUND_S) -> Iterator[Clip]:
    """A clip for each subtitle that can be learned from, in their order.

    Left out are those that are empty, shorter or longer than ``DURATION_MS``, of more than
    ``MOST_WORDS`` words, or not wholly in the video. ValueError where ``around_s`` is not above 0.
    """
    if around_s <= 0:
        raise ValueError(f"a clip needs some seconds around a subtitle, got {around_s:g}")
    sequence = video.sequence
    for number, cue in enumerate(video.cues):
        start, end = cue.start_ms - sequence.start_ms, cue.end_ms - sequence.start_ms
        words = len(cue.text.split())
        if not (DURATION_MS[0] <= end - start <= DURATION_MS[1] and 0 < words <= MOST_WORDS):
            continue
        if start < 0 or end > sequence.duration_ms:
            continue
        middle = (start + end) / 2
        first, last = (
            round((middle + side * around_s * 1000) * sequence.fps / 1000) for side in (-1, 1)
        )
        part = slice(max(first, 0), min(last, len(sequence)))
        spans = [(start, end)]
        if video.spoken:
            spoken = video.spoken[number]
            times = (spoken.start_ms, spoken.end_ms)
            spans.append((times[0] - sequence.start_ms, times[1] - sequence.start_ms))
        before_ms = round(part.start * 1000 / sequence.fps)
        yield Clip(
            id=f"{video.name}-{number:05d}",
            signer=video.signer,
            split=video.split,
            glosses=(CUE, SPOKEN_CUE)[: len(spans)],
            text=cue.text,
            language=video.language,
            text_language=video.text_language,
            sequence=replace(
                sequence,
                xyz=sequence.xyz[part],
                confidence=sequence.confidence[part],
                start_ms=0,
            ),
            spans=tuple((a - before_ms, b - before_ms) for a, b in spans),
        )


def write_cue_clips(
    folder: Path, videos: Iterable[Subtitled], corpus: str, schema: str, around_s: float = AROUND_S
) -> Iterator[Clip]:
    """Writes the clips of all videos as shards, and yields each that was written.

    schema : of the keypoints, as they are kept. Goes on where it was stopped. ValueError where no
    video has a subtitle that can be learned from.
    """
    with ShardWriter(folder, ShardsAbout(corpus=corpus, schema=schema), resume=True) as writer:
        for video in videos:
            for clip in cue_clips(video, around_s):
                if clip.id not in writer.ids:
                    writer.add(clip)
                    yield clip


def sign_clips(clips: Iterable[Clip], most: int = 0, n_frames: int = SIGN_FRAMES) -> Iterator[Clip]:
    """A clip for each sign of each clip whose spans are known, in their order, without a text.

    most : so many of a gloss in a split, the first ones; 0 = all
    n_frames : of each, around the sign's middle; fewer where the sentence has not so many
    ValueError for numbers that cannot be.
    """
    if n_frames < 1 or most < 0:
        raise ValueError(f"a sign's clip has at least 1 frame, got {n_frames}; most is 0 or above")
    taken: Counter[tuple[str, str]] = Counter()
    for clip in clips:
        sequence = clip.sequence
        for number, ((start_ms, end_ms), gloss) in enumerate(
            zip(clip.spans, clip.glosses, strict=False)  # no spans: no signs
        ):
            taken[clip.split, gloss] += 1
            if most and taken[clip.split, gloss] > most:
                continue
            middle = (start_ms + end_ms) / 2 * sequence.fps / 1000
            last = min(max(round(middle + n_frames / 2), n_frames), len(sequence))
            cut = part(sequence, max(last - n_frames, 0), last)
            yield replace(
                clip,
                id=f"{clip.id}-{number:02d}",
                glosses=(gloss,),
                text="",
                text_language="",
                sequence=replace(cut, start_ms=0),
                spans=((0, round(cut.duration_ms)),),
            )


def write_sign_clips(folder: Path, shards: Shards, most: int = 0) -> Iterator[Clip]:
    """Writes the signs of shards as shards, and yields each that was written.

    Goes on where it was stopped. ValueError where no clip has spans of glosses.
    """
    if not any(shards.column("spans")):
        raise ValueError(f"{shards.folder}: no clip says when its glosses are signed")
    about = ShardsAbout(corpus=f"signs of {shards.about.corpus}", schema=shards.about.schema)
    with ShardWriter(folder, about, resume=True) as writer:
        for clip in sign_clips(shards, most):
            if clip.id not in writer.ids:
                writer.add(clip)
                yield clip
