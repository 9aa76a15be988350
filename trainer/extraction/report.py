"""What became of every sample of a corpus: how many clips, and each that was dropped, with why."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fingerpost.trainer.extraction.extract import REASONS, Dropped
from fingerpost.trainer.shards import ShardsAbout

REPORT = "report.json"


@dataclass(frozen=True)
class ExtractionReport:
    """The same for the same result, so without times and places of the run.

    plan : what was to be made (Plan.identity)
    duration_ms : of all clips together
    dropped : in the corpus's order within each reason
    """

    plan: dict[str, Any]
    n_clips: int
    n_frames: int
    duration_ms: int
    dropped: tuple[Dropped, ...]

    @property
    def n_samples(self) -> int:
        return self.n_clips + len(self.dropped)

    def by_reason(self) -> dict[str, list[Dropped]]:
        """The dropped samples of each reason that there is, in the order of REASONS."""
        found = {reason: [d for d in self.dropped if d.reason == reason] for reason in REASONS}
        return {reason: dropped for reason, dropped in found.items() if dropped}

    def as_json(self) -> dict[str, Any]:
        return {
            "plan": self.plan,
            "samples": self.n_samples,
            "clips": self.n_clips,
            "frames": self.n_frames,
            "duration_ms": self.duration_ms,
            "dropped": {
                reason: [{"id": d.id, "detail": d.detail} for d in dropped]
                for reason, dropped in self.by_reason().items()
            },
        }

    def write(self, path: Path) -> None:
        """Writes ``report.json``."""
        write_json(path, self.as_json())


def report_of(
    plan: dict[str, Any], about: ShardsAbout | None, duration_ms: int, dropped: Iterable[Dropped]
) -> ExtractionReport:
    """about : of the shards that were made; None where no clip was left"""
    n_clips, n_frames = (about.n_clips, about.n_frames) if about else (0, 0)
    return ExtractionReport(plan, n_clips, n_frames, duration_ms, tuple(dropped))


def read_report(path: Path) -> ExtractionReport:
    """Reads what ``write`` wrote. ValueError where it is something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        dropped = [
            Dropped(d["id"], reason, d["detail"])
            for reason, group in content["dropped"].items()
            for d in group
        ]
        clips, frames, duration_ms = (content[name] for name in ("clips", "frames", "duration_ms"))
        return ExtractionReport(content["plan"], clips, frames, duration_ms, tuple(dropped))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is not the report of an extraction") from error


def read_dropped(path: Path) -> list[Dropped]:
    """The list that ``write_dropped`` wrote."""
    return [Dropped(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))]


def write_dropped(path: Path, dropped: Iterable[Dropped]) -> None:
    """What one job dropped."""
    write_json(path, [asdict(d) for d in dropped])


def write_json(path: Path, content: Any) -> None:
    """A JSON file, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
