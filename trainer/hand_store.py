"""Pictures of hands, cut out once and kept beside the shards that they belong to.

    cut_hands_of(shards, read_corpus("own_folder", folder), Path("my_hands"))
    store = open_hands(Path("my_hands"))
    store.hands(clip.id)  # ClipHands

    hands.json             what was made of what; it makes the folder valid, so it is written last
    part-00000.arrow       Arrow streams: a clip a row, its pictures as JPEG

To decode video in each epoch would take longer than to train. So the frames are sampled here, once
for each clip: where the authors draw anew in each epoch, a clip keeps its frames.
"""

import json
import os
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fingerpost.edge_runtime.keypoints import HANDS, N_HAND
from fingerpost.edge_runtime.video import import_cv2
from fingerpost.trainer.clip_rows import ClipRows, read_rows
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.hand_crops import SHARE, ClipHands, FrameCrops, cut_hands
from fingerpost.trainer.shards import Shards

ABOUT = "hands.json"
METADATA = b"fingerpost"  # of a part's Arrow schema: what hands.json will say
PARTS = "part-*.arrow"
PART_CLIPS = 256  # what is lost when it is killed
JPEG_QUALITY = 95
ROW = pa.schema(
    {"id": pa.string(), "problem": pa.string()}
    | {f"{hand}_frames": pa.list_(pa.int32()) for hand in HANDS}
    | {f"{hand}_points": pa.list_(pa.float32()) for hand in HANDS}  # (N * 21 * 2,)
    | {f"{hand}_pictures": pa.list_(pa.binary()) for hand in HANDS}
)


class HandStore(ClipRows):
    """The hands of a corpus by the ids of its clips; cheap to fork and to pickle."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, [_read(path) for path in sorted(folder.glob(PARTS))])

    @property
    def problems(self) -> dict[str, str]:
        """The clips whose media could not be read, with the reason."""
        return {
            name: problem
            for batch in self._batches
            for name, problem in zip(
                *(batch[c].to_pylist() for c in ("id", "problem")), strict=True
            )
            if problem
        }

    def __reduce__(self) -> tuple:
        return HandStore, (self.folder,)  # a worker process maps the files itself

    def hands(self, clip_id: str) -> ClipHands:
        """ValueError for a clip that is not in here; one that shows no hands is, with none."""
        if clip_id not in self._places:
            raise ValueError(
                f"{self.folder} has no hands of clip {clip_id!r}; make it of the same shards"
            )
        b, row = self._places[clip_id]
        fields = {name: self._batches[b].column(name)[row].as_py() for name in ROW.names[1:]}
        return ClipHands(*(_crops_of(fields, hand) for hand in HANDS))


def open_hands(folder: Path) -> HandStore:
    """Maps a folder that ``cut_hands_of`` made. ValueError or OSError where it is none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; make one with `fingerpost shards hands`")
    if not (folder / ABOUT).is_file():
        raise ValueError(
            f"{folder} is no folder of hands, or not complete: run `fingerpost shards hands`"
        )
    store = HandStore(folder)
    n_clips = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["n_clips"]
    if len(store) != n_clips:
        raise ValueError(f"{folder} holds {len(store)} clips, {n_clips} were made; copy it again")
    return store


def cut_hands_of(
    shards: Shards,
    samples: Iterable[Sample],
    folder: Path,
    share: float = SHARE,
    seed: int = 0,
    folder_fps: float = 25.0,
    tell: Callable[[int], None] = lambda n: None,
) -> HandStore:
    """Cuts out the hands of all clips of shards. Goes on where it was stopped.

    samples : of the corpus that the shards were extracted from
    share : of the frames that show a hand
    folder_fps : frames a second of media that are folders of frames
    tell : is called with how many clips are done, at first with those of an earlier run

    A clip whose media cannot be read is kept without hands: see ``HandStore.problems``. ValueError
    where the corpus is another one, or the folder was begun with other settings.
    """
    media = {sample.id: sample.media for sample in samples}
    ids = shards.column("id")
    unknown = [name for name in ids if name not in media]
    if unknown:
        raise ValueError(
            f"{len(unknown)} clips of {shards.folder} are not in the corpus, such as "
            f"{unknown[0]!r}; give the corpus that they were extracted from"
        )
    made = {"clips": shards.about.content_hash, "share": share, "seed": seed}
    done = _begin(folder, made)
    left = [(i, name) for i, name in enumerate(ids) if name not in done]
    n_done = len(ids) - len(left)
    tell(n_done)
    for start in range(0, len(left), PART_CLIPS):
        rows = []
        for i, name in left[start : start + PART_CLIPS]:
            # Draws of its own: the same, whichever clips were done before it.
            rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
            hands, problem = ClipHands.none(), ""
            try:
                hands = cut_hands(media[name], shards[i].sequence, rng, share, None, folder_fps)
            except (ValueError, OSError) as error:
                problem = " ".join(str(error).split())
            rows.append(_row_of(name, hands, problem))
            tell(n_done := n_done + 1)
        _write(folder, rows, made)
    partial = folder / f"{ABOUT}.{os.getpid()}.partial"
    about = made | {"n_clips": len(ids)}
    partial.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / ABOUT)
    return open_hands(folder)


def _begin(folder: Path, made: dict[str, Any]) -> set[str]:
    """The ids of the clips that the folder holds already."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.partial"):  # of one that was killed
        path.unlink()
    done: set[str] = set()
    for path in folder.glob(PARTS):
        batch = _read(path)
        if json.loads(batch.schema.metadata[METADATA]) != made:
            raise ValueError(f"{folder} was made of other shards or settings; give another folder")
        done |= set(batch.column("id").to_pylist())
    return done


def _write(folder: Path, rows: list[dict[str, Any]], made: dict[str, Any]) -> None:
    """A part, whole or not at all."""
    path = folder / f"part-{len(list(folder.glob(PARTS))):05d}.arrow"
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    schema = ROW.with_metadata({METADATA: json.dumps(made).encode()})
    with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_stream(file, schema) as out:
        out.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
    partial.replace(path)


def _read(path: Path) -> pa.RecordBatch:
    """The rows of a part, mapped."""
    try:
        batch = read_rows(path)
    except (pa.ArrowException, StopIteration) as error:
        raise ValueError(
            f"{path} is damaged; delete it and run `fingerpost shards hands` again"
        ) from error
    if not batch.schema.equals(ROW):
        raise ValueError(f"{path} is no part of a folder of hands")
    return batch


def _row_of(name: str, hands: ClipHands, problem: str) -> dict[str, Any]:
    row: dict[str, Any] = {"id": name, "problem": problem}
    for hand in HANDS:
        crops: FrameCrops = getattr(hands, hand)
        row[f"{hand}_frames"] = crops.frames
        row[f"{hand}_points"] = crops.points.reshape(-1)
        row[f"{hand}_pictures"] = [_as_jpeg(picture) for picture in crops.pictures]
    return row


def _crops_of(fields: dict[str, Any], hand: str) -> FrameCrops:
    pictures = [_from_jpeg(content) for content in fields[f"{hand}_pictures"]]
    return FrameCrops(
        np.stack(pictures) if pictures else FrameCrops.none().pictures,
        np.array(fields[f"{hand}_points"], np.float32).reshape(-1, N_HAND, 2),
        np.array(fields[f"{hand}_frames"], np.int64),
    )


def _as_jpeg(picture: np.ndarray) -> bytes:
    cv2 = import_cv2()
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, content = cv2.imencode(".jpg", picture[:, :, ::-1], options)
    return content.tobytes()


def _from_jpeg(content: bytes) -> np.ndarray:
    """Shape (112, 112, 3), uint8 RGB."""
    cv2 = import_cv2()
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
