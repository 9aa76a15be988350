"""``fingerpost shards hands``: what became of the clips."""

from collections.abc import Mapping

from fingerpost.app.terminal import tell

MAX_SHOWN = 5  # clips; ``HandStore.problems`` has them all


def tell_hands(n_clips: int, problems: Mapping[str, str], folder: str) -> None:
    """problems : of each clip whose media could not be read, the reason"""
    tell(f"{folder}: hands of {n_clips - len(problems):,} clips")
    if not problems:
        return
    tell(f"{len(problems):,} clips stay without, for their media cannot be read:")
    for name, problem in list(problems.items())[:MAX_SHOWN]:
        tell(f"  {name}: {problem}")
    if len(problems) > MAX_SHOWN:
        tell(f"  and {len(problems) - MAX_SHOWN:,} more")
