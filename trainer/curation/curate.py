"""Long captioned video becomes a corpus: clips of one sentence each, of the signer alone.

"Uni-Sign: Toward Unified Sign Language Understanding at Scale", Sec. 3.1 "Large-scale data
curation" and Fig. 4 (a): how CSL-News was made. Sentences come from ``words``, the box from
``crop``, the figures of Fig. 2 from ``statistics``. Clips of more than 512 frames are
left out, as in the paper's training.

One folder takes many videos, each with its record of what was kept and what was not:

    clips/news_00012300-00015840.mp4     from 12.3 s to 15.84 s of news.mp4
    labels.csv                           what the corpus `own_folder` reads
    curated/news.json                    settings, box, clips, and what was dropped and why
    curated/statistics.json, .png

Whatever is there is whole. A run that was stopped goes on where it was: its record is written
before its first clip, marked as unfinished, and clips that are there are not written again.
"""

import glob
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.video import Video, VideoInfo, open_video, write_video
from fingerpost.trainer.curation.crop import N_MOMENTS, Box, find_signer, parse_box, whole_picture
from fingerpost.trainer.curation.records import (
    CLIPS,
    Clip,
    Record,
    check_labels,
    finish,
    read_begun,
    write_labels,
    write_record,
)
from fingerpost.trainer.curation.statistics import write_statistics
from fingerpost.trainer.curation.words import (
    LONGEST_PAUSE_MS,
    SENTENCE_ENDS,
    Dropped,
    Sentence,
    cut_sentences,
    read_words,
)

MIN_FRAMES, MAX_FRAMES = 1, 512  # "shorter than 512 frames", Sec. 3.1
PAST_THE_END_MS = 500  # so much of a sentence may be after the last picture; it is cut off
FIND, WHOLE = "find", "whole"  # values of Settings.crop that are no box


@dataclass(frozen=True)
class Settings:
    """How a video is cut. Times are of the captions, before ``shift_ms``.

    crop : FIND the signer, keep the WHOLE picture, or "x,y,w,h" in pixels or fractions
    ends : characters after which a sentence ends
    longest_pause_ms : without speech, before a sentence ends without such a character
    shift_ms : added to the captions' times; interpreters sign after they hear
    min_frames, max_frames : of a clip
    fps : of the clips; None for the video's own
    signer, split, language, text_language : what the table says of every clip
    """

    crop: str = FIND
    ends: str = SENTENCE_ENDS
    longest_pause_ms: int = LONGEST_PAUSE_MS
    shift_ms: int = 0
    min_frames: int = MIN_FRAMES
    max_frames: int = MAX_FRAMES
    fps: float | None = None
    signer: str = ""
    split: str = ""
    language: str = ""
    text_language: str = ""

    def __post_init__(self) -> None:
        if not self.ends.strip():
            raise ValueError("no punctuation to cut at; give some, such as .?!")
        if not 1 <= self.min_frames <= self.max_frames:
            raise ValueError(f"no clip has {self.min_frames} to {self.max_frames} frames")
        if self.fps is not None and not 1 <= self.fps <= 240:
            raise ValueError(f"clips of {self.fps:g} pictures a second; give 1 to 240")
        if self.split not in ("", "train", "val", "test"):
            raise ValueError(f"no split {self.split!r}; there are train, val, test")


def curate(
    video: Path,
    captions: Path,
    folder: Path,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    progress: Callable[[int, int], None] = lambda done, total: None,
    find: Callable[[Path, Sequence[float]], Box] = find_signer,
) -> Record:
    """Cuts a video into clips of a corpus; returns the record of what was kept and what was not.

    folder : new, or that of other videos; ValueError where it holds something else
    progress : told before the first and after each clip how many of how many there are
    find : looks for the signer, at times in ms
    """
    words, dropped = read_words(captions)
    sentences, empty = cut_sentences(words, settings.ends, settings.longest_pause_ms)
    with open_video(video) as opened:
        clips, unfit = plan_clips(sentences, opened.info, settings, video.stem)
        record = Record(
            video=video.name,
            source=_fingerprint(video, captions),
            settings=asdict(settings),
            fps=settings.fps or opened.info.fps,
            clips=tuple(clips),
            dropped=tuple(sorted([*dropped, *empty, *unfit])),
        )
        if not clips:
            raise ValueError(f"no sentence of {captions} becomes a clip ({_why(record)})")
        check_labels(folder)  # before hours of work, not after them
        begun = read_begun(folder, record)
        if begun is None:
            box = _box(video, opened.info, clips, settings.crop, find)
            begun = replace(record, box=box)
            write_record(folder, begun)
        if not begun.finished:
            begun = _write_clips(opened, folder, begun, progress)
            write_record(folder, begun)
    write_labels(folder)
    write_statistics(folder)
    return begun


def plan_clips(
    sentences: Sequence[Sentence], info: VideoInfo, settings: Settings, name: str
) -> tuple[list[Clip], list[Dropped]]:
    """The sentences that fit into the video and into the number of frames, and the others.

    name : what the clips' names begin with
    """
    clips, dropped = [], []
    fps = settings.fps or info.fps
    last_ms = info.duration_ms or float("inf")  # 0 is unknown: it shows when pictures run out
    for sentence in sentences:
        start_ms, end_ms = (t + settings.shift_ms for t in sentence[:2])
        reason = ""
        if start_ms < 0:
            reason = "before the video begins"
        elif start_ms >= last_ms or end_ms > last_ms + PAST_THE_END_MS:
            reason = "past the end of the video"
        end_ms = int(min(end_ms, last_ms))
        n_frames = round((end_ms - start_ms) * fps / 1000)
        if not reason and n_frames < settings.min_frames:
            reason = f"under {settings.min_frames} frames"
        elif not reason and n_frames > settings.max_frames:
            reason = f"over {settings.max_frames} frames"
        if reason:
            dropped.append(Dropped(*sentence[:3], reason))
        else:
            file = f"{name}_{start_ms:08d}-{end_ms:08d}.mp4"
            clips.append(Clip(file, start_ms, end_ms, n_frames, sentence.text, sentence.cut))
    return clips, dropped


def _why(record: Record) -> str:
    return ", ".join(f"{reason}: {n}" for reason, n in record.counts().items())


def _box(
    video: Path,
    info: VideoInfo,
    clips: Sequence[Clip],
    crop: str,
    find: Callable[[Path, Sequence[float]], Box],
) -> Box:
    if crop == WHOLE:
        return whole_picture(info.width, info.height)
    if crop != FIND:
        return parse_box(crop, info.width, info.height)
    chosen = np.linspace(0, len(clips) - 1, N_MOMENTS)  # one clip more than once where few are
    shares = (np.arange(N_MOMENTS) + 0.5) / N_MOMENTS
    times = [
        clip.start_ms + share * (clip.end_ms - clip.start_ms)
        for clip, share in zip((clips[round(i)] for i in chosen), shares, strict=True)
    ]
    return find(video, times)


def _write_clips(
    video: Video, folder: Path, record: Record, progress: Callable[[int, int], None]
) -> Record:
    """Writes the clips that are not there yet, and returns the finished record."""
    assert record.box is not None
    (folder / CLIPS).mkdir(parents=True, exist_ok=True)
    pictures = _Pictures(video)
    kept, missing = [], []
    for done, clip in enumerate(record.clips):
        progress(done, len(record.clips))
        path = folder / CLIPS / clip.file
        if path.exists() or _write_clip(path, pictures, clip, record.box, record.fps):
            kept.append(clip)
        else:
            why = "past the last picture of the video"
            missing.append(Dropped(clip.start_ms, clip.end_ms, clip.text, why))
    progress(len(record.clips), len(record.clips))
    return finish(record, kept, missing)


class _NoMorePictures(Exception):
    """The video ends before the clip does. Raised through the writer, which then leaves nothing."""


def _write_clip(path: Path, pictures: "_Pictures", clip: Clip, box: Box, fps: float) -> bool:
    """False, and no file, where the video has fewer pictures."""
    for killed in path.parent.glob(f".{glob.escape(path.stem)}.*.part{path.suffix}"):
        killed.unlink()  # a clip that a killed run has left half; readers would take it for one
    first_ms = pictures.move_to(clip.start_ms)
    try:
        with write_video(path, fps, (box.width, box.height)) as writer:
            for n in range(clip.n_frames):
                # From the first picture's own time, so that an even video gives each just once.
                rgb = pictures.at(first_ms + n * 1000 / fps)
                if rgb is None:
                    raise _NoMorePictures
                writer.write(box.of(rgb))
    except _NoMorePictures:
        return False
    _check_whole(path, clip.n_frames)
    return True


def _check_whole(path: Path, n_frames: int) -> None:
    """OpenCV says nothing when a disk is full."""
    try:
        with open_video(path) as written:
            found = written.info.frames
    except ValueError:
        found = 0
    if found != n_frames:
        os.unlink(path)
        raise OSError(f"{path} has {found} of {n_frames} frames on disk: is the disk full?")


class _Pictures:
    """The pictures of a video by time, for times that do not fall."""

    def __init__(self, video: Video) -> None:
        self._rest = iter(video)
        self._half_ms = 500 / video.info.fps
        self._now = next(self._rest)
        self._next = next(self._rest, None)

    def move_to(self, time_ms: float) -> float:
        """The time of the picture nearest to a time; past the last one, that time itself."""
        return time_ms if self.at(time_ms) is None else self._now[0]

    def at(self, time_ms: float) -> np.ndarray | None:
        """The picture nearest to a time; None past the last one."""
        while self._next is not None and self._next[0] <= time_ms + self._half_ms:
            self._now, self._next = self._next, next(self._rest, None)
        past = self._next is None and time_ms > self._now[0] + 1.5 * self._half_ms
        return None if past else self._now[1]


def _fingerprint(video: Path, captions: Path) -> str:
    """sha256 of the captions, of the video's size, and of its first and its last million bytes."""
    million = 1_000_000
    size = video.stat().st_size
    digest = hashlib.sha256(captions.read_bytes() + b"%d" % size)
    with video.open("rb") as file:
        digest.update(file.read(million))
        file.seek(max(0, size - million))
        digest.update(file.read(million))
    return digest.hexdigest()
