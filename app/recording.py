"""Signing that is recorded on purpose: a corpus folder that ``fingerpost train`` takes as it is.

::

    labels.csv                            file,gloss,text,signer,language,may_be_shared,video
    clips/ANN_hello_20261121_140312.npz   keypoints: no picture
    clips/ANN_hello_20261121_140312.consent.json
    videos/ANN_hello_20261121_140312.mp4  only of who has agreed to it
    not_for_training/                     the same three, of who has not agreed to training

A signer agrees to training, to sharing and to video apart from each other, and can take it all
back: then every clip of theirs is deleted, with its row. A video has a picture for each frame of
the keypoints. It stands apart from the clips, where the corpus reader would take it for another.
"""

import csv
import io
import json
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fingerpost.app.history_export import file_stem
from fingerpost.app.observer import Observer, Sight
from fingerpost.app.output_files import write_text
from fingerpost.app.tape import NO_PICTURES, Tape
from fingerpost.edge_runtime.keypoint_files import save_npz
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.resample import Resampler, sequence_of

FPS = 25.0  # of what is written, however uneven the camera was
SHORTEST_S = 0.4  # of a clip
COLUMNS = ("file", "gloss", "text", "signer", "language", "may_be_shared", "video")
CONSENT = ".consent.json"
TRAINING, KEPT, VIDEOS = "clips", "not_for_training", "videos"


@dataclass(frozen=True)
class Consent:
    """What a signer has agreed to, each on its own. video : pictures are kept, so a face is"""

    signer: str
    training: bool = False
    sharing: bool = False
    video: bool = False


@dataclass(frozen=True)
class Label:
    """gloss : the signs in order, with spaces between them; text : the sentence; one may be ""

    language : ISO 639-3 code of the sign language
    """

    gloss: str
    text: str
    language: str


class RecordingFolder:
    """The folder. It is made with the first clip."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(
        self,
        sequence: PoseSequence,
        label: Label,
        consent: Consent,
        now_ms: int,
        tape: Tape | None = None,
    ) -> Path:
        """Writes a clip, its consent, its row; returns the clip's path.

        tape : what the sequence was made of; its pictures are kept where the consent has video

        ValueError where nobody is named, nothing is said, nobody is seen, or pictures are agreed
        to and there are none.
        """
        signer = " ".join(consent.signer.split())
        gloss, text = (" ".join(words.split()) for words in (label.gloss, label.text))
        if not signer:
            raise ValueError("name the signer first: a name, or a number that you know them by")
        if not gloss and not text:
            raise ValueError("say what is signed first: the sign, or the sentence")
        if not sequence.confidence.any():
            raise ValueError("nobody was seen; the signer's face, arms and hands must be in view")
        if consent.video and (tape is None or not tape.has_pictures):
            raise ValueError(NO_PICTURES)
        folder = self.root / (TRAINING if consent.training else KEPT)
        folder.mkdir(parents=True, exist_ok=True)
        path = _free(folder, f"{signer}_{gloss or text}", now_ms)
        about = asdict(consent) | {"signer": signer, "gloss": gloss, "text": text}
        holds = "keypoints and video" if consent.video else "keypoints"
        about |= {"language": label.language, "recorded_ms": now_ms, "holds": holds}
        write_text(
            path.with_name(path.stem + CONSENT), json.dumps(about, ensure_ascii=False, indent=1)
        )
        video = ""
        try:
            save_npz(path, sequence)
            if consent.video and tape is not None:
                write_pictures(video_of(path), tape, sequence)
                video = video_of(path).relative_to(self.root).as_posix()
        except (ValueError, OSError):  # a full disk: no clip is better than a part of one
            self._remove([path])
            raise
        if consent.training:
            shared = "yes" if consent.sharing else "no"
            values = (path.name, gloss, text, signer, label.language, shared, video)
            self._write_rows([*self._rows(), dict(zip(COLUMNS, values, strict=True))])
        return path

    def signers(self) -> dict[str, int]:
        """Who was recorded, and in how many clips."""
        found: dict[str, int] = {}
        for _, about in self._consents():
            found[str(about["signer"])] = found.get(str(about["signer"]), 0) + 1
        return dict(sorted(found.items()))

    def remove(self, clip: Path) -> None:
        """Deletes one clip."""
        self._remove([clip])

    def withdraw(self, signer: str) -> int:
        """Deletes every clip of a signer; returns how many."""
        consents = [path for path, about in self._consents() if about["signer"] == signer]
        self._remove([clip_of(path) for path in consents])
        return len(consents)

    def _remove(self, clips: Sequence[Path]) -> None:
        """Rows first: a row without a clip would stop a training, a clip without a row does not."""
        names = {clip.name for clip in clips if clip.parent.name == TRAINING}
        self._write_rows([row for row in self._rows() if row.get("file") not in names])
        for clip in clips:
            video = video_of(clip)  # and what of it a crash may have left by halves
            for path in (video, *video.parent.glob(f".{video.stem}.*.part{video.suffix}")):
                path.unlink(missing_ok=True)
            clip.unlink(missing_ok=True)
            clip.with_name(clip.stem + CONSENT).unlink(missing_ok=True)

    def _consents(self) -> list[tuple[Path, dict[str, object]]]:
        found = []
        for path in sorted(self.root.glob(f"*/*{CONSENT}")):
            try:
                about = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{path} is damaged; delete it and its clip by hand") from error
            found.append((path, {"signer": "", **about}))
        return found

    def _rows(self) -> list[dict[str, str]]:
        """Of the table, with whatever columns a developer has added."""
        path = self.root / "labels.csv"
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def _write_rows(self, rows: Sequence[dict[str, str]]) -> None:
        if not self.root.is_dir():
            return
        others = dict.fromkeys(key for row in rows for key in row if key not in COLUMNS)
        text = io.StringIO()
        writer = csv.DictWriter(text, [*COLUMNS, *others], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.root / "labels.csv", text.getvalue())


def clip_of(consent: Path) -> Path:
    """The clip that a consent is for."""
    return consent.with_name(consent.name.removesuffix(CONSENT) + ".npz")


def video_of(clip: Path) -> Path:
    """Where the pictures of a clip are, if they were agreed to."""
    folder = clip.parent
    return (folder.parent / VIDEOS if folder.name == TRAINING else folder) / f"{clip.stem}.mp4"


def write_pictures(path: Path, tape: Tape, sequence: PoseSequence) -> None:
    """Writes a video (.mp4), whole or not at all: for each frame of the keypoints, which were made
    even, the picture that was taken nearest to its time."""
    from fingerpost.edge_runtime.video import open_video, write_video

    path.parent.mkdir(parents=True, exist_ok=True)
    times_ms = [sight.time_ms for sight in tape.sights]
    height, width = tape.picture(0).shape[:2]
    size = width // 2 * 2, height // 2 * 2  # mp4 wants even numbers
    with write_video(path, sequence.fps, size) as writer:
        for t in range(len(sequence)):
            nearest = _nearest(times_ms, sequence.start_ms + t * 1000 / sequence.fps)
            writer.write(tape.picture(nearest)[: size[1], : size[0]])
    try:  # OpenCV says nothing of a full disk
        with open_video(path) as video:
            is_whole = video.info.frames == len(sequence)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise OSError(f"{path} could not be written whole; is the disk full?")


def _nearest(times_ms: Sequence[int], time_ms: float) -> int:
    """The number of the time, of those that rise, that is nearest to another one."""
    after = min(bisect_left(times_ms, time_ms), len(times_ms) - 1)
    before = max(after - 1, 0)
    return before if time_ms - times_ms[before] <= times_ms[after] - time_ms else after


def sequence_of_sights(sights: Iterable[Sight], observer: Observer) -> PoseSequence:
    """Sights at an even rate. ValueError where they are too short for a sign."""
    resampler = Resampler(FPS)
    frames = [even for sight in sights for even in resampler.push(sight.keypoints)]
    if len(frames) < SHORTEST_S * FPS:
        raise ValueError(f"that was too short: a sign takes longer than {SHORTEST_S:g} seconds")
    first = frames[0]
    like = PoseSequence(
        first.xyz[None],
        first.confidence[None],
        FPS,
        observer.schema,
        aspect=observer.aspect,
        extractor=observer.extractor,
    )
    return sequence_of(frames, FPS, like)


def _free(folder: Path, name: str, now_ms: int) -> Path:
    """A path that is not taken. Names begin with no dot and hold nothing that a table minds."""
    moment = time.strftime("%Y%m%d_%H%M%S", time.localtime(now_ms / 1000))
    stem = f"{file_stem(name.replace(' ', '_').replace(',', '-'))}_{moment}"
    path, number = folder / f"{stem}.npz", 2
    while path.exists():
        path, number = folder / f"{stem}_{number}.npz", number + 1
    return path
