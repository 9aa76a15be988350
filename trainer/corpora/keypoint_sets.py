"""Corpora that are keypoints already, as clips for shards; and shards as keypoint files again.

    for clip in read_keypoint_set("wlasl_hands", Path("wlasl2000_hands_trainval_f16.npz"), 100): ...
    import_clips(read_keypoint_set("own_folder", Path("my_clips")), Path("shards"), "my_clips")
    export_clips(open_shards(Path("shards")), Path("my_clips"), "npz")

A new one is a reader and a row of ``KEYPOINT_CORPORA``. ``own_folder`` is a folder of .npz or .pose
files, with or without the table of docs/corpora.md ("Your own clips"):

    labels.csv             file,gloss,text,signer,split,...; hello_01.mp4 is hello_01.npz too
    clips/hello_01.npz
"""

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath

from fingerpost.edge_runtime.keypoint_files import load_keypoints, save_npz, save_pose
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, PoseSequence
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.corpora import holistic_arrays, wlasl_hands
from fingerpost.trainer.corpora.own_folder import read_own_folder
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.shards import ABOUT, Shards, ShardsAbout, ShardWriter, open_shards

SUFFIXES = (".npz", ".pose")
SAVERS = {"npz": save_npz, "pose": save_pose}
LABELS_CSV = "labels.csv"
COLUMNS = ("file", "gloss", "text", "signer", "split", "language", "text_language")
MAX_NAMED = 5  # files of a message
WEBCAM_FILES = "webcam_*.npz"


def read_keypoint_set(name: str, source: Path, n_glosses: int | None = None) -> Iterator[Clip]:
    """The clips of a corpus of ``KEYPOINT_CORPORA``.

    source : its file or folder
    n_glosses : only the first so many of WLASL's glosses: 100, 300, 1000 and 2000 are usual

    ValueError for a name that is none, and for a corpus whose glosses have no order.
    """
    if name not in KEYPOINT_CORPORA:
        known = ", ".join(KEYPOINT_CORPORA)
        raise ValueError(f"no corpus of keypoints {name!r}; known are {known}")
    if not source.exists():
        raise FileNotFoundError(f"there is no {source}: give the file or folder of {name}")
    if n_glosses is not None:
        if name != "wlasl_hands":
            raise ValueError(f"the glosses of {name} have no order: only wlasl_hands has subsets")
        if n_glosses < 1:
            raise ValueError(f"{n_glosses} glosses are none; give 100, 300, 1000 or 2000")
        return read_wlasl_hands(source, n_glosses)
    return KEYPOINT_CORPORA[name](source)


def read_wlasl_hands(source: Path, n_glosses: int | None = None) -> Iterator[Clip]:
    """WLASL's hand landmarks: the release's file, or the folder that it is in."""
    path = source / wlasl_hands.FILE if source.is_dir() else source
    yield from clips_of_wlasl(wlasl_hands.read_wlasl_hands(path, n_glosses))


def clips_of_wlasl(corpus: wlasl_hands.WlaslHands) -> Iterator[Clip]:
    """All of them, in the corpus's order."""
    for i, sequence in enumerate(corpus.sequences):
        yield Clip(
            id=str(corpus.video_id[i]),
            signer=str(corpus.signer[i]),
            split=str(corpus.split[i]),
            glosses=(corpus.glosses[corpus.label[i]],),
            text="",
            language="ase",
            text_language="",
            sequence=sequence,
        )


def read_wlasl50_holistic(source: Path) -> Iterator[Clip]:
    """377 of WLASL's clips with body and hands. The same videos are in wlasl_hands."""
    path = source / holistic_arrays.WLASL50 if source.is_dir() else source
    yield from _holistic(holistic_arrays.read_wlasl50(path), language="ase")


def read_webcam(source: Path) -> Iterator[Clip]:
    """Sets of one signer each: one file, or all of a folder. Nobody says which sign language."""
    paths = sorted(source.glob(WEBCAM_FILES)) if source.is_dir() else [source]
    if not paths:
        raise FileNotFoundError(f"no {WEBCAM_FILES} in {source}")
    for path in paths:
        signer = "_".join(path.stem.split("_")[:2])
        for clip in _holistic(holistic_arrays.read_webcam(path), language=""):
            yield replace(clip, id=f"{signer}.{clip.id}", signer=signer)


def _holistic(clips: holistic_arrays.HolisticClips, language: str) -> Iterator[Clip]:
    for i, sequence in enumerate(clips.sequences):
        glosses = (clips.label[i],)
        yield Clip(
            clips.id[i], clips.signer[i], clips.split[i], glosses, "", language, "", sequence
        )


def read_keypoint_folder(source: Path) -> Iterator[Clip]:
    """Keypoint files with their rows of labels.csv; files without a row have no labels.

    ValueError before anything is read where a row has no file, or there is no file at all.
    """
    if not source.is_dir():
        raise ValueError(f"{source} is a file; give the folder that it is in")
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"{source} holds no .npz and no .pose file; see `fingerpost landmarks`")
    table = source / LABELS_CSV
    # Videos without a row may lie beside their keypoints: those are found by their own file.
    samples = [s for s in read_own_folder(source) if _is_labelled(s)] if table.is_file() else []
    of_sample = [(sample, _keypoint_file(sample.media, source)) for sample in samples]
    missing = [sample.id for sample, path in of_sample if path is None]
    if missing:
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        named = ", ".join(missing[:MAX_NAMED])
        raise ValueError(f"{table}: no keypoint file for {named}{more}; add it or delete the row")
    labelled = {path for _, path in of_sample}
    for sample, path in of_sample:
        if path is not None:
            yield _labelled(sample, load_keypoints(path))
    clips = source / "clips"
    for path in found:
        if path not in labelled:
            home = clips if path.is_relative_to(clips) else source
            name = path.relative_to(home).as_posix()
            yield Clip(_without_suffix(name), "", "", (), "", "", "", load_keypoints(path))


def _is_labelled(sample: Sample) -> bool:
    return bool(sample.glosses or sample.text or sample.signer or sample.split)


def _keypoint_file(media: Path, source: Path) -> Path | None:
    """The keypoints of a row's file, which may name the video: in clips/ or beside the table."""
    beside = source / media.relative_to(source / "clips")
    candidates = [
        path
        for place in (media, beside)
        for path in (place, *(place.with_suffix(suffix) for suffix in SUFFIXES))
        if path.suffix.lower() in SUFFIXES
    ]
    return next((path for path in candidates if path.is_file()), None)


def _without_suffix(name: str) -> str:
    """hello.npz is hello, and part 3 of it, hello.npz.0003, is hello.0003."""
    return re.sub(r"\.(npz|pose)(?=(\.\d{4})?$)", "", name)


def _labelled(sample: Sample, sequence: PoseSequence) -> Clip:
    """A row's clip, cut to its start and end."""
    if sample.start_ms is not None and sample.end_ms is not None:
        a, b = (
            max(0, round((time_ms - sequence.start_ms) * sequence.fps / 1000))
            for time_ms in (sample.start_ms, sample.end_ms)
        )
        if a >= min(b, len(sequence)):
            raise ValueError(
                f"{sample.id}: no frame from {sample.start_ms} to {sample.end_ms} ms; the clip "
                f"ends at {sequence.start_ms + sequence.duration_ms} ms"
            )
        sequence = replace(
            sequence,
            xyz=sequence.xyz[a:b],
            confidence=sequence.confidence[a:b],
            start_ms=sequence.time_ms(a),
        )
    return Clip(
        _without_suffix(sample.id),
        sample.signer,
        sample.split,
        sample.glosses,
        sample.text,
        sample.language,
        sample.text_language,
        sequence,
    )


KEYPOINT_CORPORA: dict[str, Callable[[Path], Iterator[Clip]]] = {
    "own_folder": read_keypoint_folder,
    "wlasl_hands": read_wlasl_hands,
    "wlasl50_holistic": read_wlasl50_holistic,
    "webcam": read_webcam,
}


def import_clips(clips: Iterable[Clip], folder: Path, corpus: str, view: str = "") -> Shards:
    """Writes clips as shards into a new folder, or one in which the same import was stopped.

    view : keep only the keypoints of a view; "" = all, in the schema of the first clip
    """
    clips = iter(clips)
    first = next(clips, None)
    if first is None:
        raise ValueError(f"{corpus} has no clip; there is nothing to write into {folder}")
    about = ShardsAbout(corpus, view or first.sequence.schema.name)
    with ShardWriter(folder, about, resume=not (folder / ABOUT).exists()) as writer:
        written = frozenset(writer.ids)
        for clip in chain([first], clips):
            if clip.id not in written:
                writer.add(clip)
    return open_shards(folder)


def export_clips(clips: Iterable[Clip], folder: Path, kind: str) -> Iterator[Clip]:
    """Writes clips as keypoint files with a labels.csv; yields each once it is written.

    folder : a new one; labels.csv comes last and makes it complete
    kind : "npz" (any schema), "pose" (mediapipe_holistic; without start_ms and extractor)

    A space within a gloss becomes "_", for the table has spaces between glosses.
    """
    if kind not in SAVERS:
        raise ValueError(f"unknown format {kind!r}; known are {', '.join(SAVERS)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty; name a new folder")
    rows = []
    for clip in clips:
        file = PurePosixPath(f"{clip.id}.{kind}")
        if not clip.id.strip() or file.is_absolute() or set(file.parts) & {".."} or "\0" in clip.id:
            raise ValueError(f"clip {clip.id!r} cannot be a file's name")
        if kind == "pose" and clip.sequence.schema is not MEDIAPIPE_HOLISTIC:
            raise ValueError(
                f".pose files are for {MEDIAPIPE_HOLISTIC.name} keypoints, not for "
                f"{clip.sequence.schema.name}; take npz"
            )
        path = folder / "clips" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        SAVERS[kind](path, clip.sequence)
        glosses = " ".join("_".join(gloss.split()) for gloss in clip.glosses)
        labels = (
            " ".join(clip.text.split()),
            clip.signer,
            clip.split,
            clip.language,
            clip.text_language,
        )
        rows.append((str(file), glosses, *labels))
        yield clip
    partial = folder / f".{LABELS_CSV}.{os.getpid()}.partial"
    with partial.open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows([COLUMNS, *rows])
    partial.replace(folder / LABELS_CSV)
