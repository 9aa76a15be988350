"""A manifest's settings: which stage each of them is for."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

Settings = TypeVar("Settings")


def read_settings(kind: type[Settings], settings: Mapping[str, Any]) -> Settings:
    """The settings of one stage, out of the manifest's; what is not given keeps its default.

    kind : a dataclass
    """
    names = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: settings[name] for name in names if name in settings})


def check_settings(settings: Mapping[str, Any], stages: Sequence[Any]) -> None:
    """ValueError where a setting is for none of the stages, which are dataclasses."""
    known = {f.name for stage in stages for f in fields(stage)}
    if unknown := sorted(set(settings) - known):
        raise ValueError(
            f"the pack sets {', '.join(unknown)}, which no stage has; "
            f"known settings: {', '.join(sorted(known))}"
        )
