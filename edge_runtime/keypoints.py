"""Keypoint schemas, the views that models eat, and the two types that carry keypoints about.

Everything that knows an index lives here. A *source* is what an extractor gives
(``mediapipe_holistic`` or ``coco_wholebody``); a *view* is the selection that a model eats, and is
defined from both sources, so a model trained on one runs on the other.

"Left" and "right" are always the signer's own. Coordinates are fractions of the picture: x of its
width, y of its height (down); z is in x's scale and smaller is nearer. A keypoint that was not
seen is all zeros with confidence 0, never NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from fingerpost.edge_runtime.face_points import (
    COCO_FACE_TO_MESH,
    MESH_CONTOURS,
    MESH_MIRROR,
    MESH_MSMAE,
    N_MESH_POINTS,
)

GROUPS = ("body", "left_hand", "right_hand", "face")

HANDS = ("left_hand", "right_hand")  # groups of every schema with hands
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
HAND_POINTS = (
    "wrist",
    *(f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip")),
    *(f"{finger}_{joint}" for finger in _FINGERS[1:] for joint in ("mcp", "pip", "dip", "tip")),
)  # 21, in MediaPipe's and COCO-WholeBody's common order
HAND_EDGES = (
    *((0, 1), (1, 2), (2, 3), (3, 4)),
    *((5 + 4 * f + j, 6 + 4 * f + j) for f in range(4) for j in range(3)),
    *((0, 5), (5, 9), (9, 13), (13, 17), (0, 17)),
)
N_HAND = len(HAND_POINTS)  # 21

BLAZE_BODY_POINTS = (
    "nose",
    *(f"{side}_eye_{part}" for side in ("left", "right") for part in ("inner", "middle", "outer")),
    *("left_ear", "right_ear", "mouth_left", "mouth_right"),
    *(
        f"{side}_{joint}"
        for joint in ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
        for side in ("left", "right")
    ),
    *(
        f"{side}_{joint}"
        for joint in ("hip", "knee", "ankle", "heel", "foot_index")
        for side in ("left", "right")
    ),
)  # 33, MediaPipe's pose model
COCO_BODY_POINTS = (
    "nose",
    *(
        f"{side}_{joint}"
        for joint in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ),
    *(f"{side}_{toe}" for side in ("left", "right") for toe in ("big_toe", "small_toe", "heel")),
)  # 23: 17 of the body, 6 of the feet


@dataclass(frozen=True)
class KeypointSchema:
    """What each of K keypoints is called, which group it is in, and what its mirror image is.

    name : how packs and shards name the schema
    points : K names, unique
    groups : body, left_hand, right_hand, face to the slice of keypoints they are
    mirror : shape (K,), int; ``mirror[k]`` is the keypoint that k becomes in a mirrored picture
    edges : pairs of keypoints to join when a skeleton is drawn
    """

    name: str
    points: tuple[str, ...]
    groups: Mapping[str, slice]
    mirror: np.ndarray
    edges: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.points)

    def index(self, point: str) -> int:
        """The number of a keypoint, by name; ValueError where the schema has none of that name."""
        if point not in self.points:
            raise ValueError(f"schema {self.name} has no keypoint {point!r}")
        return self.points.index(point)

    def __reduce__(self) -> tuple:
        return schema, (self.name,)  # schemas are singletons: worker processes get them by name


@dataclass(frozen=True)
class KeypointFrame:
    """The keypoints of one picture. time_ms : since the start; xyz : (K, 3); confidence : (K,)."""

    time_ms: int
    xyz: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True)
class PoseSequence:
    """T frames of keypoints at an even rate.

    xyz : shape (T, K, 3), float32
    confidence : shape (T, K), float32, 0 to 1; 0 is "not seen"
    fps : frames a second
    start_ms : time of the first frame
    aspect : width over height of the picture that x and y are fractions of
    extractor : name and version of what made it, for instance ``mediapipe 1.2.2``
    """

    xyz: np.ndarray
    confidence: np.ndarray
    fps: float
    schema: KeypointSchema
    start_ms: int = 0
    aspect: float = 1.0
    extractor: str = "unknown"

    def __post_init__(self) -> None:
        t, k = self.xyz.shape[:2]
        if self.xyz.shape != (t, len(self.schema), 3) or self.confidence.shape != (t, k):
            raise ValueError(
                f"expected xyz (T, {len(self.schema)}, 3) and confidence (T, {len(self.schema)}) "
                f"for schema {self.schema.name}, got {self.xyz.shape} and {self.confidence.shape}"
            )

    def __len__(self) -> int:
        return len(self.xyz)

    @property
    def duration_ms(self) -> int:
        return round(len(self) * 1000 / self.fps)

    def time_ms(self, t: int) -> int:
        return self.start_ms + round(t * 1000 / self.fps)

    def frames(self) -> list[KeypointFrame]:
        return [
            KeypointFrame(self.time_ms(t), self.xyz[t], self.confidence[t])
            for t in range(len(self))
        ]


def mirrored(sequence: PoseSequence) -> PoseSequence:
    """The sequence as a mirror shows it: x flipped, left and right exchanged. An involution."""
    order = sequence.schema.mirror
    xyz, confidence = sequence.xyz[:, order].copy(), sequence.confidence[:, order]
    seen = confidence > 0
    xyz[..., 0] = np.where(seen, 1 - xyz[..., 0], xyz[..., 0])
    return replace(sequence, xyz=xyz, confidence=confidence.copy())


def to_view(sequence: PoseSequence, view: KeypointSchema) -> PoseSequence:
    """The keypoints that a view selects, from a sequence of either source (or of the view itself).

    A point that the source does not have is "not seen". Raises ValueError where no mapping from
    the sequence's schema to the view is known.
    """
    if sequence.schema.name == view.name:
        return sequence
    xyz, confidence = select(sequence.xyz, sequence.confidence, sequence.schema, view)
    return replace(sequence, xyz=xyz, confidence=confidence, schema=view)


def select(
    xyz: np.ndarray, confidence: np.ndarray, source: KeypointSchema, view: KeypointSchema
) -> tuple[np.ndarray, np.ndarray]:
    """``to_view`` on bare arrays: (..., K, 3) and (..., K) of source to those of the view."""
    if source.name == view.name:
        return xyz, confidence
    order = view_indices(view.name, source.name)
    xyz = xyz.take(order, axis=-2).astype(np.float32, copy=False)  # take: 5 times as fast as [...]
    confidence = confidence.take(order, axis=-1).astype(np.float32, copy=False)
    xyz[..., order < 0, :] = 0
    confidence[..., order < 0] = 0
    return xyz, confidence


def view_indices(view: str, source: str) -> np.ndarray:
    """Shape (K of view,), int: for each point of the view its number in the source, -1 = none."""
    if (view, source) not in _VIEW_INDICES:
        known = sorted({s for v, s in _VIEW_INDICES if v == view})
        raise ValueError(f"view {view!r} cannot be made from {source!r}; it can from {known}")
    return _VIEW_INDICES[view, source]


def schema(name: str) -> KeypointSchema:
    """A source or view by name; ValueError lists the known ones."""
    if name not in SCHEMAS:
        raise ValueError(f"unknown keypoint schema {name!r}; known: {', '.join(SCHEMAS)}")
    return SCHEMAS[name]


def _swap_side(point: str) -> str:
    for one, other in (("left", "right"), ("right", "left")):
        if one in point.split("_"):
            return "_".join(other if word == one else word for word in point.split("_"))
    return point


def _make_schema(
    name: str,
    body: tuple[str, ...],
    face: tuple[str, ...],
    order: tuple[str, ...] = GROUPS,
) -> KeypointSchema:
    """Assembles the groups in the order given, and derives the mirror from the points' names."""
    members = {
        "body": body,
        "left_hand": tuple(f"left_hand_{p}" for p in HAND_POINTS),
        "right_hand": tuple(f"right_hand_{p}" for p in HAND_POINTS),
        "face": face,
    }
    points = tuple(point for group in order for point in members[group])
    ends = np.cumsum([len(members[group]) for group in order]).tolist()
    spans = {g: slice(end - len(members[g]), end) for g, end in zip(order, ends, strict=True)}
    groups = {g: spans[g] for g in GROUPS}
    number = {point: k for k, point in enumerate(points)}
    mirror = np.array([number[_MESH_MIRROR_NAMES.get(p) or _swap_side(p)] for p in points])
    edges = [(number[a], number[b]) for a, b in _ARMS if a in number and b in number]
    for hand in HANDS:
        edges += [(groups[hand].start + a, groups[hand].start + b) for a, b in HAND_EDGES]
    return KeypointSchema(name, points, MappingProxyType(groups), mirror, tuple(edges))


_ARMS = (
    ("left_shoulder", "right_shoulder"),
    *((f"{s}_shoulder", f"{s}_elbow") for s in ("left", "right")),
    *((f"{s}_elbow", f"{s}_wrist") for s in ("left", "right")),
    *((f"{s}_shoulder", f"{s}_hip") for s in ("left", "right")),
    ("left_hip", "right_hip"),
)
_MESH_NAMES = tuple(f"mesh_{i}" for i in range(N_MESH_POINTS))
_MESH_MIRROR_NAMES = {f"mesh_{a}": f"mesh_{b}" for a, b in enumerate(MESH_MIRROR)}
_COCO_FACE_NAMES = tuple(f"mesh_{i}" for i in COCO_FACE_TO_MESH)  # the mesh point nearest to each

# Uni-Sign (Sec. 3.1; shared by Sigma and SIGNET): every second jaw point, the inner lips, nose tip.
_COCO_FACE_OF_SIGN69 = (*range(0, 17, 2), *range(60, 68), 30)
_BODY_OF_SIGN69 = ("nose", *COCO_BODY_POINTS[3:11])
_BODY_OF_MSMAE = COCO_BODY_POINTS[5:11]  # shoulders, elbows, wrists: MS-MAE, appendix A


def _view(name: str, body: tuple[str, ...], mesh: tuple[int, ...]) -> KeypointSchema:
    face = tuple(f"mesh_{i}" for i in mesh)
    return _make_schema(name, body, face)


_SIGN69_FACE = tuple(COCO_FACE_TO_MESH[i] for i in _COCO_FACE_OF_SIGN69)

MEDIAPIPE_HOLISTIC = _make_schema("mediapipe_holistic", BLAZE_BODY_POINTS, _MESH_NAMES)
COCO_WHOLEBODY = _make_schema(  # in COCO-WholeBody's own order: body, feet, face, left, right hand
    "coco_wholebody",
    COCO_BODY_POINTS,
    _COCO_FACE_NAMES,
    order=("body", "face", "left_hand", "right_hand"),
)
SIGN69 = _view("sign69", _BODY_OF_SIGN69, _SIGN69_FACE)
FOUND203 = _view("found203", BLAZE_BODY_POINTS, MESH_CONTOURS)
MSMAE = _view("msmae", _BODY_OF_MSMAE, MESH_MSMAE)

SOURCES = (MEDIAPIPE_HOLISTIC, COCO_WHOLEBODY)
VIEWS = (SIGN69, FOUND203, MSMAE)
SCHEMAS: Mapping[str, KeypointSchema] = MappingProxyType({s.name: s for s in (*SOURCES, *VIEWS)})

# The two body models call the same joint by different names in one case.
_SAME_JOINT = {f"{side}_eye_middle": f"{side}_eye" for side in ("left", "right")} | {
    f"{side}_foot_index": f"{side}_big_toe" for side in ("left", "right")
}
# Shards are often kept as sign69, which holds all of msmae but most of the face, and of found203
# the arms, the hands and a few points of the face.
_ALSO_FROM = {"msmae": (SIGN69,), "found203": (SIGN69,)}
_VIEW_INDICES = {}
for _v in VIEWS:
    for _s in (*SOURCES, *_ALSO_FROM.get(_v.name, ())):
        _number = {p: k for k, p in enumerate(_s.points)}
        _VIEW_INDICES[_v.name, _s.name] = np.array(
            [_number.get(p, _number.get(_SAME_JOINT.get(p, ""), -1)) for p in _v.points]
        )
