"""Keypoint schemas: mirror is an involution, views find the same-named points in both sources."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerpost.edge_runtime.keypoints import (
    COCO_WHOLEBODY,
    FOUND203,
    GROUPS,
    MEDIAPIPE_HOLISTIC,
    MSMAE,
    SCHEMAS,
    SIGN69,
    SOURCES,
    VIEWS,
    PoseSequence,
    mirrored,
    schema,
    select,
    to_view,
    view_indices,
)

schemas = st.sampled_from(list(SCHEMAS.values()))
sources = st.sampled_from(SOURCES)
views = st.sampled_from(VIEWS)
seeds = st.integers(0, 2**32 - 1)


def random_sequence(source, seed, frames=4):
    """Every keypoint somewhere, a third of them not seen."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.1, 1, (frames, len(source))).astype(np.float32)
    confidence[rng.random(confidence.shape) < 0.33] = 0
    xyz = rng.uniform(-0.2, 1.2, (*confidence.shape, 3)).astype(np.float32)
    xyz[confidence == 0] = 0
    return PoseSequence(xyz, confidence, fps=25, schema=source)


@given(schemas)
def test_names_are_unique_and_groups_cover_every_point_once(a_schema):
    assert len(set(a_schema.points)) == len(a_schema)
    members = [k for g in GROUPS for k in range(len(a_schema))[a_schema.groups[g]]]
    assert sorted(members) == list(range(len(a_schema)))
    assert all(0 <= a < len(a_schema) and 0 <= b < len(a_schema) for a, b in a_schema.edges)


@pytest.mark.parametrize(
    ("a_schema", "sizes"),
    [
        (MEDIAPIPE_HOLISTIC, (33, 21, 21, 468)),
        (COCO_WHOLEBODY, (23, 21, 21, 68)),
        (SIGN69, (9, 21, 21, 18)),
        (FOUND203, (33, 21, 21, 128)),
    ],
)
def test_group_sizes(a_schema, sizes):
    assert tuple(len(range(len(a_schema))[a_schema.groups[g]]) for g in GROUPS) == sizes


@given(schemas, seeds)
def test_mirroring_twice_changes_nothing(a_schema, seed):
    sequence = random_sequence(a_schema, seed)
    twice = mirrored(mirrored(sequence))
    np.testing.assert_array_equal(a_schema.mirror[a_schema.mirror], np.arange(len(a_schema)))
    np.testing.assert_allclose(twice.xyz, sequence.xyz, atol=1e-6)
    np.testing.assert_array_equal(twice.confidence, sequence.confidence)


@given(schemas, seeds)
def test_a_mirror_exchanges_hands_and_keeps_what_was_not_seen_at_zero(a_schema, seed):
    sequence = random_sequence(a_schema, seed)
    mirror = mirrored(sequence)
    left, right = a_schema.groups["left_hand"], a_schema.groups["right_hand"]
    np.testing.assert_array_equal(mirror.confidence[:, left], sequence.confidence[:, right])
    np.testing.assert_array_equal(mirror.xyz[:, left, 1:], sequence.xyz[:, right, 1:])
    seen = sequence.confidence[:, right] > 0
    np.testing.assert_allclose(
        mirror.xyz[:, left, 0][seen], 1 - sequence.xyz[:, right, 0][seen], atol=1e-6
    )
    assert not mirror.xyz[mirror.confidence == 0].any()


@given(views, sources, seeds)
def test_a_view_holds_the_points_of_the_same_name(view, source, seed):
    sequence = random_sequence(source, seed)
    seen = to_view(sequence, view)
    assert seen.schema is view
    for k, point in enumerate(view.points):
        if point in source.points:
            np.testing.assert_array_equal(seen.xyz[:, k], sequence.xyz[:, source.index(point)])
    unknown = view_indices(view.name, source.name) < 0
    assert not seen.xyz[:, unknown].any()
    assert not seen.confidence[:, unknown].any()


@given(views, seeds)
def test_both_sources_agree_on_the_points_they_share(view, seed):
    """The same person as both extractors see them: points by name, eyes by what they are."""
    rng = np.random.default_rng(seed)
    place = {p: rng.random(3) for source in SOURCES for p in source.points}
    for side in ("left", "right"):
        place[f"{side}_eye"] = place[f"{side}_eye_middle"]
        place[f"{side}_big_toe"] = place[f"{side}_foot_index"]
    found = []
    for source in SOURCES:
        xyz = np.array([[place[p] for p in source.points]], np.float32)
        found.append(select(xyz, np.ones(xyz.shape[:2], np.float32), source, view))
    (ours, our_confidence), (theirs, their_confidence) = found
    shared = (our_confidence > 0) & (their_confidence > 0)
    assert shared[:, view.groups["left_hand"]].all()
    assert shared[:, view.groups["right_hand"]].all()
    np.testing.assert_array_equal(ours[shared], theirs[shared])


@pytest.mark.parametrize("view", [SIGN69, MSMAE])
def test_body_and_hands_are_whole_from_both_sources(view):
    for source in SOURCES:
        order = view_indices(view.name, source.name)
        assert (order[: view.groups["face"].start] >= 0).all()


@given(views, sources, seeds)
def test_mirroring_and_selecting_may_change_places(view, source, seed):
    sequence = random_sequence(source, seed)
    one, other = to_view(mirrored(sequence), view), mirrored(to_view(sequence, view))
    np.testing.assert_array_equal(one.confidence, other.confidence)
    np.testing.assert_allclose(one.xyz, other.xyz, atol=1e-6)


def test_sign69_selects_uni_signs_indices_of_coco_wholebody():
    order = view_indices("sign69", "coco_wholebody")
    body, left, right, face = (order[SIGN69.groups[g]].tolist() for g in GROUPS)
    assert body == [0, *range(3, 11)]
    assert left == list(range(91, 112))
    assert right == list(range(112, 133))
    assert face == [*range(23, 40, 2), *range(83, 91), 53]


@given(schemas)
def test_schemas_are_singletons_through_pickle_and_by_name(a_schema):
    assert pickle.loads(pickle.dumps(a_schema)) is a_schema
    assert schema(a_schema.name) is a_schema


def test_unknown_names_and_shapes_are_named_in_the_error():
    with pytest.raises(ValueError, match="known: mediapipe_holistic"):
        schema("openpose")
    with pytest.raises(ValueError, match="no keypoint 'tail'"):
        SIGN69.index("tail")
    with pytest.raises(ValueError, match="cannot be made from 'msmae'"):
        view_indices("sign69", "msmae")
    with pytest.raises(ValueError, match=r"expected xyz \(T, 69, 3\)"):
        PoseSequence(np.zeros((2, 68, 3)), np.zeros((2, 68)), 25, SIGN69)
