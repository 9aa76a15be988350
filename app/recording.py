"""Signing that is recorded on purpose: a corpus folder that ``fingerpost train`` takes as it is.

::

    labels.csv                            file,gloss,text,signer,language,may_be_shared
    clips/ANN_hello_20261121_140312.npz   keypoints: no picture
    clips/ANN_hello_20261121_140312.consent.json
    not_for_training/                     the same, of who has not agreed to training

A signer agrees to training and to sharing apart from each other, and can take it all back: then
every clip of theirs is deleted, with its row.
"""

import csv
import io
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fingerpost.app.history_export import file_stem
from fingerpost.app.observer import Observer, Sight
from fingerpost.app.output_files import write_text
from fingerpost.edge_runtime.keypoint_files import save_npz
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.resample import Resampler, sequence_of

FPS = 25.0  # of what is written, however uneven the camera was
SHORTEST_S = 0.4  # of a clip
COLUMNS = ("file", "gloss", "text", "signer", "language", "may_be_shared")
CONSENT = ".consent.json"
TRAINING, KEPT = "clips", "not_for_training"


@dataclass(frozen=True)
class Consent:
    """What a signer has agreed to, each on its own."""

    signer: str
    training: bool = False
    sharing: bool = False


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

    def add(self, sequence: PoseSequence, label: Label, consent: Consent, now_ms: int) -> Path:
        """Writes a clip, its consent, its row; returns the clip's path.

        ValueError where nobody is named, nothing is said, or nobody is seen.
        """
        signer = " ".join(consent.signer.split())
        gloss, text = (" ".join(words.split()) for words in (label.gloss, label.text))
        if not signer:
            raise ValueError("name the signer first: a name, or a number that you know them by")
        if not gloss and not text:
            raise ValueError("say what is signed first: the sign, or the sentence")
        if not sequence.confidence.any():
            raise ValueError("nobody was seen; the signer's face, arms and hands must be in view")
        folder = self.root / (TRAINING if consent.training else KEPT)
        folder.mkdir(parents=True, exist_ok=True)
        path = _free(folder, f"{signer}_{gloss or text}", now_ms)
        about = asdict(consent) | {"signer": signer, "gloss": gloss, "text": text}
        about |= {"language": label.language, "recorded_ms": now_ms, "holds": "keypoints"}
        write_text(
            path.with_name(path.stem + CONSENT), json.dumps(about, ensure_ascii=False, indent=1)
        )
        save_npz(path, sequence)
        if consent.training:
            shared = "yes" if consent.sharing else "no"
            row = dict(
                zip(COLUMNS, (path.name, gloss, text, signer, label.language, shared), strict=True)
            )
            self._write_rows([*self._rows(), row])
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
