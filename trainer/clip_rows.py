"""What is kept of clips in Arrow files, found by the clip's id: mapped, not read into memory."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa


class ClipRows:
    """Rows by the ids of their clips; cheap to fork. Who pickles one opens it by its folder again.

    batches : of the folder's files, each with a column ``id``
    """

    def __init__(self, folder: Path, batches: Sequence[pa.RecordBatch]) -> None:
        self.folder = folder
        self._batches = batches
        self._places = {
            name: (b, row)
            for b, batch in enumerate(batches)
            for row, name in enumerate(batch.column("id").to_pylist())
        }

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, clip_id: str) -> bool:
        return clip_id in self._places

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all clips, as they lie."""
        return tuple(self._places)


def read_rows(path: Path) -> pa.RecordBatch:
    """The rows of one file, mapped; pa.ArrowException, OSError or StopIteration if damaged."""
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return stream.read_next_batch()
