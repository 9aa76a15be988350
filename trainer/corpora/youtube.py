"""YouTube-ASL (Uthus et al., NeurIPS 2023) and YouTube-SL-25 (Tanzer and Zhang, ICLR 2025): lists
of videos whose captions say what is signed. Every caption is a sample.

    youtube_asl_video_ids.txt            one id a line
    youtube-sl-25-metadata.csv           id,language of the signing; no header
    captions/dQw4w9WgXcQ.en.vtt          as yt-dlp names them
    videos/dQw4w9WgXcQ.mp4

A video whose captions are not there becomes one sample without text: check() lists it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from fingerpost.trainer.corpora.cues import read_cues
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import read_lines, read_table

VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")
CAPTIONS = re.compile(rf"({VIDEO.pattern})\.(.+)\.vtt")
LANGUAGE = re.compile(r"[a-z]{3}")


def read_youtube_asl(folder: Path) -> Iterator[Sample]:
    """One track a video: `en`, or where it has none, the first of en-GB, en-US, ..."""
    path = folder / "youtube_asl_video_ids.txt"
    captions = _captions(folder)
    for number, line in enumerate(read_lines(path), start=1):
        video = line.strip()
        if video:
            _expect_video(video, f"{path}, line {number}")
            tracks = captions.get(video, {})
            english = [track for track in tracks if track.split("-")[0] == "en"]
            yield from _samples(folder, video, "ase", {t: tracks[t] for t in english[:1]})


def read_youtube_sl25(folder: Path) -> Iterator[Sample]:
    """Every track of every video: the same signing can have captions in several languages."""
    path = folder / "youtube-sl-25-metadata.csv"
    captions = _captions(folder)
    for row in read_table(path, ("video", "language"), header=False):
        video, language = row.name("video"), row.name("language")
        _expect_video(video, row.where)
        if not LANGUAGE.fullmatch(language):
            raise row.error(f"language {language!r} is not an ISO 639-3 code")
        yield from _samples(folder, video, language, captions.get(video, {}))


def _expect_video(video: str, where: str) -> None:
    if not VIDEO.fullmatch(video):
        raise ValueError(f"{where}: {video!r} is not a YouTube id (11 letters, digits, - or _)")


def _captions(folder: Path) -> dict[str, dict[str, Path]]:
    """Caption files by video and by language code; a bare `en` comes before `en-GB`."""
    captions: dict[str, dict[str, Path]] = {}
    paths = (folder / "captions").glob("*.vtt")
    for path in sorted(paths, key=lambda path: path.name.removesuffix(".vtt")):
        match = CAPTIONS.fullmatch(path.name)
        if match:
            captions.setdefault(match.group(1), {})[match.group(2)] = path
    return captions


def _samples(folder: Path, video: str, language: str, tracks: dict[str, Path]) -> Iterator[Sample]:
    media = folder / "videos" / f"{video}.mp4"
    if not tracks:
        yield Sample(video, media, "", "train", (), "", language)
    for track, path in tracks.items():
        for number, cue in enumerate(read_cues(path)):
            yield Sample(
                id=f"{video}.{track}.{number:04d}",
                media=media,
                signer="",
                split="train",
                glosses=(),
                text=cue.text,
                language=language,
                start_ms=cue.start_ms,
                end_ms=cue.end_ms,
                text_language=track,
            )
