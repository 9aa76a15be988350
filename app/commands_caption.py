"""``fingerpost caption`` and ``fingerpost landmarks``: from a source to captions and files."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerpost.app.caption_board import CaptionBoard
from fingerpost.app.observer import Observer, Sight
from fingerpost.app.output_files import check_destinations, write_text
from fingerpost.app.session import Session, Step, StreamingCaptioner, observe
from fingerpost.app.terminal import CaptionPrinter, tell
from fingerpost.edge_runtime.captions import Line, LineCompleted
from fingerpost.edge_runtime.keypoints import HANDS, KeypointFrame, PoseSequence
from fingerpost.edge_runtime.manifest import CAUTION, Manifest
from fingerpost.edge_runtime.pack import BUNDLED, SIGNS, Pack, PackStore, bundled_pack, open_pack

if TYPE_CHECKING:
    from fingerpost.edge_runtime.pack_check import CheckRow

UNCODED = {"mis": "no registered sign language"}  # ISO 639-3: uncoded
INTERRUPTED = 130  # the exit code of a command that Ctrl-C ended
CAMERA_LOST = 1


@dataclass(frozen=True)
class CaptionOutputs:
    """What to make besides the captions on stdout; None is "not wanted"."""

    json: bool = False
    srt: Path | None = None
    vtt: Path | None = None
    overlay: Path | None = None


def run_caption(
    source: str,
    outputs: CaptionOutputs,
    pack_name: str = BUNDLED,
    landmarker: Path | None = None,
    mirrored: bool = False,
    seconds: float | None = None,
    dominant_hand: str = "auto",
    language: str = "",
) -> int:
    """Captions a source to its end; returns the exit code.

    Files are written whole, at the end. Ctrl-C ends a camera as it should be ended, and its files
    are written, as they are when it is unplugged. What Ctrl-C interrupts of a video is worth no
    file, and neither is a video that breaks off (ValueError): its captions up to there are out.
    """
    check_destinations(source, outputs.srt, outputs.vtt, outputs.overlay)
    pack = load_pack(pack_name)
    wants_pictures = outputs.overlay is not None
    lines: list[Line] = []
    exit_code, cautioned, told_slow = 0, False, False
    with ExitStack() as stack:
        observer = stack.enter_context(observe(source, landmarker, mirrored, wants_pictures, tell))
        session = Session(observer, make_captioner(pack, observer, dominant_hand, language))
        drawing = stack.enter_context(OverlayVideo(outputs.overlay, observer))
        printer = stack.enter_context(CaptionPrinter(observer.n_frames, outputs.json))

        def take(step: Step) -> None:
            nonlocal cautioned, told_slow
            if step.events and not cautioned:
                printer.tell(notice(pack.manifest))
                cautioned = True
            if step.sight and step.sight.slow and not told_slow:
                printer.tell(step.sight.slow)
                told_slow = True
            printer.show(step)
            drawing.add(step)
            lines.extend(e.line for e in step.events if isinstance(e, LineCompleted))

        try:
            for step in session:
                take(step)
                if seconds is not None and step.sight and step.sight.time_ms >= seconds * 1000:
                    take(session.finish())
                    break
        except KeyboardInterrupt:
            if not observer.live:
                raise
            exit_code = INTERRUPTED
            take(session.finish())
        if observer.problem and not observer.live:
            raise ValueError(observer.problem)
    write_subtitles(outputs, lines, pack.manifest)
    if observer.problem:
        tell(f"fingerpost: {observer.problem}")
        exit_code = CAMERA_LOST
    if not any(line.text for line in lines):
        tell("No signs were recognised.")
    return exit_code


def run_landmarks(
    source: str, output: Path, landmarker: Path | None = None, mirrored: bool = False
) -> None:
    """Writes the keypoints of a video as an .npz file, at the video's own frame rate."""
    from fingerpost.edge_runtime.keypoint_files import save_npz

    if output.suffix.lower() != ".npz":
        raise ValueError(f"{output} must end in .npz")
    check_destinations(source, output)
    sequence = read_source(source, landmarker, mirrored)
    save_npz(output, sequence)
    hands = [sequence.schema.groups[hand] for hand in HANDS]
    shares = [(sequence.confidence[:, hand] > 0).any(axis=1).mean() for hand in hands]
    tell(
        f"{output}: {len(sequence)} frames of {len(sequence.schema)} points at {sequence.fps:g} a "
        f"second; left hand in {shares[0]:.0%} of them, right hand in {shares[1]:.0%}"
    )


def read_source(
    source: str, landmarker: Path | None = None, mirrored: bool = False
) -> PoseSequence:
    """The keypoints of a whole video or keypoint file, at its own rate; ValueError for a camera."""
    from fingerpost.edge_runtime.resample import Resampler

    with observe(source, landmarker, mirrored, tell=tell) as observer:
        if observer.live:
            raise ValueError("a camera has no end to wait for; record a video and give that")
        resampler, frames = Resampler(observer.fps), []
        with CaptionPrinter(observer.n_frames, what="landmarks") as printer:
            for sight in observer:
                frames += resampler.push(sight.keypoints)
                printer.show(Step(sight, ()))
        if observer.problem:
            raise ValueError(observer.problem)
        return _sequence(frames, observer)


class OverlayVideo:
    """The video with skeleton and captions drawn on it. Does nothing where no path is given.

    It has an even rate: what comes late (a slow camera) is repeated, what comes early left out.
    """

    def __init__(self, path: Path | None, observer: Observer) -> None:
        self._stack = ExitStack()
        self._path = path
        if path is None:
            return
        from fingerpost.app.overlay import Overlay
        from fingerpost.edge_runtime.video import write_video

        self._board = CaptionBoard()
        self._overlay = Overlay(*observer.size, observer.schema)
        self._writer = write_video(path, observer.fps, self._overlay.size)
        self._fps = observer.fps
        self._start_ms: int | None = None
        self._n_written = 0

    def __enter__(self) -> "OverlayVideo":
        if self._path is not None:
            self._stack.enter_context(self._writer)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def add(self, step: Step) -> None:
        if self._path is None or step.sight is None:
            return
        sight: Sight = step.sight
        self._board.push(step.events, sight.time_ms)
        lines = self._board.shown(sight.time_ms)
        if self._start_ms is None:
            self._start_ms = sight.time_ms
        n_due = round((sight.time_ms - self._start_ms) * self._fps / 1000) + 1
        if n_due > self._n_written:
            picture = self._overlay.draw(sight.rgb, sight.keypoints, lines)
            for _ in range(n_due - self._n_written):
                self._writer.write(picture)
            self._n_written = n_due


def load_pack(name_or_path: str = BUNDLED) -> Pack:
    """Opens an installed pack by name, or any by its path."""
    if name_or_path in (BUNDLED, SIGNS) and bundled_pack(name_or_path) is None:
        raise ValueError(
            f"this copy of Fingerpost was built without its pack {name_or_path}; name another with "
            "--pack"
        )
    return open_pack(PackStore().find(name_or_path))


def make_captioner(
    pack: Pack, observer: Observer, dominant_hand: str = "auto", language: str = ""
) -> StreamingCaptioner:
    """A captioner for what the observer sees: of glosses, or of sentences, as the pack has it.

    dominant_hand : of the signer: auto, left, right
    language : of the sentences, such as German; by default the first that the pack writes
    """
    if pack.manifest.translation is not None:
        from fingerpost.edge_runtime.live_translator import LiveTranslator
        from fingerpost.edge_runtime.teaching import taught_signs
        from fingerpost.edge_runtime.translator import Translator

        translator = Translator(pack)
        own_signs = taught_signs(pack, translator)
        return LiveTranslator(
            *(pack, observer.schema, observer.aspect, language, translator),
            dominant_hand=dominant_hand,
            own_signs=own_signs,
        )
    from fingerpost.edge_runtime.captioner import Captioner

    if dominant_hand != "auto":
        raise ValueError(
            f"pack {pack.manifest.name} names single signs, and finds the hand of each by itself; "
            "leave --dominant-hand out"
        )
    if language:
        raise ValueError(
            f"pack {pack.manifest.name} names single signs, and writes no sentences; leave "
            "--language out"
        )
    if "reject" not in pack.manifest.special:
        raise ValueError(
            f"pack {pack.manifest.name} names single signs and cannot caption: see fingerpost "
            "lookup, or choose another pack"
        )
    return Captioner(pack, observer.schema, observer.aspect)


def verified(pack: Pack) -> "list[CheckRow]":
    """What the pack's own test inputs give on this machine."""
    from fingerpost.edge_runtime.pack import verify_pack

    return verify_pack(pack)


def notice(manifest: Manifest) -> str:
    """What everybody who reads captions of a pack is told, once."""
    caution = "" if "can be wrong" in manifest.notice.lower() else CAUTION + " "
    languages = ", ".join(UNCODED.get(code, code) for code in manifest.languages)
    if manifest.translation is not None:
        languages += f" to {', '.join(manifest.translation.languages)}"
    return f"{caution}{manifest.notice} (pack {manifest.name} {manifest.version}, {languages})"


def write_subtitles(outputs: CaptionOutputs, lines: list[Line], manifest: Manifest) -> None:
    """Writes the subtitle files that are wanted."""
    from fingerpost.app.subtitles import cues
    from fingerpost.edge_runtime.timed_text import srt, vtt

    shown = cues(lines)
    if outputs.srt is not None:
        write_text(outputs.srt, srt(shown))
    if outputs.vtt is not None:
        write_text(outputs.vtt, vtt(shown, notice(manifest)))


def _sequence(frames: list[KeypointFrame], observer: Observer) -> PoseSequence:
    """Frames of the even grid as a sequence."""
    return PoseSequence(
        np.stack([frame.xyz for frame in frames]),
        np.stack([frame.confidence for frame in frames]),
        observer.fps,
        observer.schema,
        frames[0].time_ms,
        observer.aspect,
        observer.extractor,
    )
