"""BOBSL: British Sign Language, interpreted television (Albanie et al., BBC-Oxford British Sign
Language Dataset, 2021). Releases 1.0 to 1.2 have the first layout, 1.4 the second.

    subset2episode.json                  {"train": [episodes], "val": ..., "test": ...}
    videos/5085344787448740525.mp4
    subtitles/manually-aligned/*.vtt     else subtitles/audio-aligned-heuristic-correction/*.vtt
    spottings/mouthing_spottings.json    {split: {word: {names, global_times, probs}}}
or
    original_data/metadata/subset2episode.json
    original_data/videos/mp4/*.mp4
    manual_annotations/signing_aligned_subtitles/*.vtt
    automatic_annotations/signing_aligned_subtitles/audio_aligned_heuristic_correction/*.vtt
    {manual,automatic}_annotations/isolated_signs/**/*_spottings*.json

Challenge episodes have no published annotations and are left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fingerpost.trainer.corpora.cues import read_cues
from fingerpost.trainer.corpora.sample import SPLITS, Sample
from fingerpost.trainer.corpora.tables import Row, no_annotations, read_json

FRAME_MS = 1000 // 25
WINDOWS = {  # what of the video belongs to a spotting at time 0, in frames (the corpus's own)
    "mouthing": (-15, 4),
    "dict": (-3, 22),
    "attention": (-8, 18),
}


class _Layout(NamedTuple):
    subsets: Path
    videos: Path
    subtitles: tuple[Path, ...]  # the best first
    spottings: tuple[Path, ...]


LAYOUTS = (
    _Layout(
        Path("subset2episode.json"),
        Path("videos"),
        (
            Path("subtitles/manually-aligned"),
            Path("subtitles/audio-aligned-heuristic-correction"),
        ),
        (Path("spottings"),),
    ),
    _Layout(
        Path("original_data/metadata/subset2episode.json"),
        Path("original_data/videos/mp4"),
        (
            Path("manual_annotations/signing_aligned_subtitles"),
            Path(
                "automatic_annotations/signing_aligned_subtitles/audio_aligned_heuristic_correction"
            ),
        ),
        (
            Path("manual_annotations/isolated_signs"),
            Path("automatic_annotations/isolated_signs"),
        ),
    ),
)


def read_bobsl(folder: Path) -> Iterator[Sample]:
    """Sentences: the subtitles of every episode; one without any becomes an empty sample."""
    layout = _layout(folder)
    for episode, split in _episodes(folder / layout.subsets).items():
        media = folder / layout.videos / f"{episode}.mp4"
        paths = [folder / place / f"{episode}.vtt" for place in layout.subtitles]
        path = next((p for p in paths if p.is_file()), None)
        if path is None:
            yield Sample(episode, media, "", split, (), "", "bfi")
            continue
        for number, cue in enumerate(read_cues(path)):
            yield Sample(
                id=f"{episode}.{number:05d}",
                media=media,
                signer="",
                split=split,
                glosses=(),
                text=cue.text,
                language="bfi",
                start_ms=cue.start_ms,
                end_ms=cue.end_ms,
                text_language="en",
            )


def read_bobsl_signs(folder: Path, min_probability: float = 0.8) -> Iterator[Sample]:
    """Isolated signs: the spottings, which are found by machine and can be wrong.

    min_probability : of mouthing and dictionary spottings; attention and those that were verified
    by people count whatever they have
    """
    layout = _layout(folder)
    splits = _episodes(folder / layout.subsets)
    files = [p for place in layout.spottings for p in (folder / place).rglob("*_spottings*.json")]
    if not files:
        raise no_annotations(folder, *(f"{place}/*_spottings*.json" for place in layout.spottings))
    for path in sorted(files):
        kind = next((kind for kind in WINDOWS if kind in path.name), None)
        if kind is None:
            raise ValueError(f"{path}: its name says none of {', '.join(WINDOWS)}")
        sure = kind == "attention" or "verified" in path.name
        for row in _spottings(path):
            if not sure and row.number("prob") < min_probability:
                continue
            episode = row.name("name").removesuffix(".mp4")
            if episode not in splits:
                raise row.error(f"episode {episode} is not in {layout.subsets}")
            time_ms = round(row.number("time") * 1000)
            first, last = WINDOWS[kind]
            yield Sample(
                id=f"{episode}.{time_ms}.{row.name('word')}.{path.stem}",
                media=folder / layout.videos / f"{episode}.mp4",
                signer="",
                split=splits[episode],
                glosses=(row.name("word"),),
                text="",
                language="bfi",
                start_ms=max(0, time_ms + first * FRAME_MS),
                end_ms=time_ms + last * FRAME_MS,
            )


def _layout(folder: Path) -> _Layout:
    for layout in LAYOUTS:
        if (folder / layout.subsets).is_file():
            return layout
    raise no_annotations(folder, *(str(layout.subsets) for layout in LAYOUTS))


def _episodes(path: Path) -> dict[str, str]:
    """Split by episode."""
    splits: dict[str, str] = {}
    subsets = Row(f"{path}, line 1", read_json(path))
    for name in subsets.fields:
        if "challenge" in name:
            continue
        split = SPLITS.get(name.removeprefix("public_"), "")
        if not split:
            raise subsets.error(f"subset {name!r} is none of train, val, test")
        for episode in subsets.words(name):
            if splits.setdefault(episode, split) != split:
                raise subsets.error(f"episode {episode} is in {splits[episode]} and in {split}")
    return splits


def _spottings(path: Path) -> Iterator[Row]:
    """Rows with word, name (the episode), time (seconds) and prob."""
    for split, words in Row(f"{path}, line 1", read_json(path)).fields.items():
        for word, fields in Row(f"{path}, {split}", words).fields.items():
            where = f"{path}, {split}, {word!r}"
            entry = Row(where, fields)
            columns = [entry.fields.get(name, "") for name in ("names", "global_times", "probs")]
            if not all(isinstance(c, list) and len(c) == len(columns[0]) for c in columns):
                raise entry.error("expected lists of one length: names, global_times, probs")
            for i, (name, time, prob) in enumerate(zip(*columns, strict=True), start=1):
                spotting = {"word": word, "name": name, "time": time, "prob": prob}
                yield Row(f"{where}, spotting {i}", spotting)
