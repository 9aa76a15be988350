"""The lips of a corpus: what a lip reader makes of each clip's pictures, as files.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.1, 4.2
(features of a frozen lip reader, made before training). Pictures are read from the media that the
shards were extracted from; their crops are never written (``lip_crops``).

    samples = read_corpus("own_folder", media)
    for clip_id, problem in write_lips(shards, samples, folder, reader): ...
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.extraction.media import open_pictures
from fingerpost.trainer.hand_crops import nearest_pictures
from fingerpost.trainer.lip_crops import lip_features, write_lip_features
from fingerpost.trainer.models.found_lips import LipReader
from fingerpost.trainer.shards import Shards

FACE = "mesh_33"  # the corner of an eye: a keypoint of every schema that shows where lips are


def write_lips(
    shards: Shards,
    samples: Iterable[Sample],
    folder: Path,
    reader: LipReader,
    folder_fps: float = 25.0,
) -> Iterator[tuple[str, str]]:
    """Writes <clip id>.npy for each clip that has none yet, and yields its id and what was wrong.

    samples : of the corpus that the shards were extracted from
    folder_fps : frames a second of media that are folders of frames

    What was wrong is "" where it was written: media that cannot be read stop nobody. ValueError
    where the corpus is another one, or the keypoints have no face.
    """
    media = {sample.id: sample.media for sample in samples}
    ids = shards.column("id")
    if unknown := [name for name in ids if name not in media]:
        raise ValueError(
            f"{len(unknown)} clips of {shards.folder} are not in the corpus, such as "
            f"{unknown[0]!r}; give the corpus that they were extracted from"
        )
    for number, clip_id in enumerate(ids):
        if (folder / f"{clip_id}.npy").is_file():
            continue
        sequence = shards[number].sequence
        if FACE not in sequence.schema.points:
            raise ValueError(
                f"{shards.folder}: keypoints of {sequence.schema.name} have no lips; extract them "
                "again with all keypoints, or with the view found203"
            )
        problem = ""
        try:
            features = lip_features(
                _pictures(media[clip_id], sequence, folder_fps), sequence, reader
            )
            write_lip_features(folder, clip_id, features)
        except (ValueError, OSError) as error:
            problem = " ".join(str(error).split())
        yield clip_id, problem


def _pictures(media: Path, sequence: PoseSequence, folder_fps: float) -> Iterator[np.ndarray]:
    """The picture of each frame of a sequence, (H, W, 3) uint8, the nearest in time."""
    times_ms = {t: sequence.time_ms(t) for t in range(len(sequence))}
    start_ms = max(sequence.start_ms - 1000, 0)
    with open_pictures(media, start_ms, None, folder_fps) as pictures:
        for _, picture in nearest_pictures(pictures, times_ms, str(media)):
            yield picture
