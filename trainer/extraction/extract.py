"""From a sample of a corpus to a clip with keypoints, or to the reason why there is none.

    clip = extract_clip(sample, finder, settings)  # a Clip, or Dropped(id, reason, detail)

The same landmarks module as on the device finds the keypoints. Every clip gets a landmarker of its
own: it tracks from picture to picture, and a clip must not depend on the one before it.
``jobs`` does this for a whole corpus. A new extractor is one more row in EXTRACTORS.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

import numpy as np

from fingerpost.edge_runtime.keypoint_files import load_keypoints
from fingerpost.edge_runtime.keypoints import (
    COCO_WHOLEBODY,
    MEDIAPIPE_HOLISTIC,
    VIEWS,
    KeypointFrame,
    KeypointSchema,
    PoseSequence,
    schema,
    to_view,
)
from fingerpost.edge_runtime.resample import Resampler
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.extraction.media import KEYPOINT_SUFFIXES, Pictures, open_pictures

UNLABELLED = "no label"
DUPLICATE = "duplicate id"
MISSING = "missing media"
UNREADABLE = "unreadable media"
TOO_SHORT = "too short"
NOBODY = "nobody seen"
CRASHED = "extractor crashed"
REASONS = (UNLABELLED, DUPLICATE, MISSING, UNREADABLE, TOO_SHORT, NOBODY, CRASHED)


@dataclass(frozen=True)
class Settings:
    """What decides about the keypoints that come out.

    extractor : a name of EXTRACTORS
    view : keep only the keypoints of this view; "" keeps all that the extractor finds
    folder_fps : frames a second of folders of frames
    min_frames : clips with fewer are dropped; 4 are 0.16 s at 25 fps, less than any sign
    keep_unlabelled : clips without gloss and text, for training that needs no labels
    landmarker : MediaPipe's ``.task`` bundle; None for the one that Fingerpost builds
    rtmpose_model, detector_model : ONNX files, for ``rtmpose``
    """

    extractor: str = "mediapipe"
    view: str = ""
    folder_fps: float = 25.0
    min_frames: int = 4
    keep_unlabelled: bool = False
    landmarker: Path | None = None
    rtmpose_model: Path | None = None
    detector_model: Path | None = None

    def __post_init__(self) -> None:
        if self.extractor not in EXTRACTORS:
            raise ValueError(f"no extractor {self.extractor!r}; known are {', '.join(EXTRACTORS)}")
        if self.view and self.view not in {view.name for view in VIEWS}:
            known = ", ".join(view.name for view in VIEWS)
            raise ValueError(f"no view {self.view!r}; known are {known}")
        if not 1 <= self.folder_fps <= 240 or self.min_frames < 1:
            raise ValueError(
                f"frames a second must be 1 to 240 and a clip's frames 1 or more, "
                f"got {self.folder_fps:g} and {self.min_frames}"
            )

    @property
    def schema(self) -> KeypointSchema:
        """What the clips have: the view, or all that the extractor finds."""
        return schema(self.view) if self.view else EXTRACTORS[self.extractor].schema


class Finder(Protocol):
    """What finds keypoints in the pictures of one clip (``Landmarker`` is one)."""

    def detect(self, rgb: np.ndarray, time_ms: int) -> KeypointFrame: ...


Tell = Callable[[str], None]  # is given a line of text before a slow step
OpenFinder = Callable[[int, int], AbstractContextManager[Finder]]  # of pictures' width and height


@dataclass(frozen=True)
class Extractor:
    """A kind of keypoint finder.

    schema : of the keypoints that it finds
    version : its name and version, without loading it
    load : makes ready what the clips share (models); ValueError or OSError where it cannot
    """

    schema: KeypointSchema
    version: Callable[[Settings], str]
    load: Callable[[Settings, Tell], OpenFinder]


class LazyFinders:
    """Opens finders, and loads the extractor at the first one: keypoint files need none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, width: int, height: int) -> AbstractContextManager[Finder]:
        return self._open(width, height)

    @cached_property
    def _open(self) -> OpenFinder:
        return EXTRACTORS[self._settings.extractor].load(self._settings, lambda line: None)


@dataclass(frozen=True)
class Dropped:
    """A sample that became no clip. reason : one of REASONS; detail : one line, or ""."""

    id: str
    reason: str
    detail: str = ""


def extract_clip(sample: Sample, open_finder: OpenFinder, settings: Settings) -> Clip | Dropped:
    """The sample with its keypoints, at the media's own frame rate.

    What is wrong with the media is a ``Dropped``; what is wrong with the extractor an error.
    """
    if not os.path.exists(sample.media):
        return Dropped(sample.id, MISSING, str(sample.media))
    if sample.media.suffix.lower() in KEYPOINT_SUFFIXES:
        found = _from_keypoint_file(sample, settings)
    else:
        found = _from_pictures(sample, open_finder, settings)
    if isinstance(found, Dropped):
        return found
    if len(found) < settings.min_frames:
        return Dropped(sample.id, TOO_SHORT, f"{len(found)} frames")
    if not _somebody(found):
        return Dropped(sample.id, NOBODY, str(sample.media))
    if settings.view:
        found = to_view(found, settings.schema)
    return Clip(
        id=sample.id,
        signer=sample.signer,
        split=sample.split,
        glosses=sample.glosses,
        text=sample.text,
        language=sample.language,
        text_language=sample.text_language,
        sequence=found,
    )


def _from_keypoint_file(sample: Sample, settings: Settings) -> PoseSequence | Dropped:
    try:
        sequence = load_keypoints(sample.media)
        if settings.view:  # may be the view already, or of either source
            to_view(sequence, settings.schema)
        elif sequence.schema.name != settings.schema.name:
            return Dropped(
                sample.id,
                UNREADABLE,
                f"{sample.media} holds {sequence.schema.name} keypoints, the others are "
                f"{settings.schema.name}; choose a view that both have",
            )
    except (ValueError, OSError) as error:
        return Dropped(sample.id, UNREADABLE, _one_line(error))
    times_ms = np.array([sequence.time_ms(t) for t in range(len(sequence))])
    end_ms = np.inf if sample.end_ms is None else sample.end_ms
    inside = np.flatnonzero((times_ms >= (sample.start_ms or 0)) & (times_ms < end_ms))
    return replace(
        sequence,
        xyz=sequence.xyz[inside],
        confidence=sequence.confidence[inside],
        start_ms=int(times_ms[inside[0]]) if len(inside) else 0,
    )


def _from_pictures(
    sample: Sample, open_finder: OpenFinder, settings: Settings
) -> PoseSequence | Dropped:
    try:
        pictures = open_pictures(sample.media, sample.start_ms, sample.end_ms, settings.folder_fps)
    except (ValueError, OSError) as error:
        return Dropped(sample.id, UNREADABLE, _one_line(error))
    with pictures, open_finder(pictures.width, pictures.height) as finder:
        resampler, frames = Resampler(pictures.fps), []
        source = iter(pictures)
        while True:
            try:  # of the media alone: an error of the finder is none of this clip
                read = next(source, None)
            except (ValueError, OSError) as error:
                return Dropped(sample.id, UNREADABLE, _one_line(error))
            if read is None:
                break
            frames += resampler.push(finder.detect(read[1], read[0]))
        if pictures.problem:  # its label is for a whole that is not there
            return Dropped(sample.id, UNREADABLE, pictures.problem)
    extractor = EXTRACTORS[settings.extractor]
    return _sequence(frames, pictures, extractor.schema, extractor.version(settings))


def _sequence(
    frames: list[KeypointFrame], pictures: Pictures, found: KeypointSchema, extractor: str
) -> PoseSequence:
    """Frames of the even grid as a sequence; T may be 0."""
    k = len(found)
    return PoseSequence(
        np.array([f.xyz for f in frames], np.float32).reshape(-1, k, 3),
        np.array([f.confidence for f in frames], np.float32).reshape(-1, k),
        pictures.fps,
        found,
        frames[0].time_ms if frames else 0,
        pictures.width / pictures.height,
        extractor,
    )


def _somebody(sequence: PoseSequence) -> bool:
    """Was there a body or a hand in any frame?"""
    groups = (sequence.schema.groups[group] for group in ("body", "left_hand", "right_hand"))
    return any(bool(sequence.confidence[:, group].any()) for group in groups)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _mediapipe_version(settings: Settings) -> str:
    try:
        name = f"mediapipe {version('mediapipe')} holistic"
    except PackageNotFoundError:  # a corpus of keypoint files does without
        return "mediapipe holistic"
    return f"{name}, {_fingerprint(settings.landmarker)}" if settings.landmarker else name


def _load_mediapipe(settings: Settings, tell: Tell) -> OpenFinder:
    from fingerpost.edge_runtime.landmarker_bundle import landmarker_bundle
    from fingerpost.edge_runtime.landmarks import Landmarker
    from fingerpost.edge_runtime.mediapipe_alone import import_mediapipe

    import_mediapipe()  # where it is missing: before the first video, not with it
    bundle = settings.landmarker or landmarker_bundle(tell)
    return lambda width, height: Landmarker(width, height, bundle)


def _rtmpose_version(settings: Settings) -> str:
    models = [settings.rtmpose_model, settings.detector_model]
    return " ".join(["rtmpose", *(_fingerprint(path) for path in models if path)])


def _load_rtmpose(settings: Settings, tell: Tell) -> OpenFinder:
    from fingerpost.trainer.extraction.rtmpose import load_rtmpose

    return load_rtmpose(settings.rtmpose_model, settings.detector_model)


@cache
def _fingerprint(path: Path) -> str:
    """A model file's name and the start of its SHA-256: the same file, wherever it is."""
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


EXTRACTORS: dict[str, Extractor] = {
    "mediapipe": Extractor(MEDIAPIPE_HOLISTIC, _mediapipe_version, _load_mediapipe),
    "rtmpose": Extractor(COCO_WHOLEBODY, _rtmpose_version, _load_rtmpose),
}
