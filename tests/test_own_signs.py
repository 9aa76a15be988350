"""Signs that a user has taught: from a recording to a file and back, whatever they are called."""

import json

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.edge_runtime.own_signs import (
    FPS,
    LONGEST_NAME,
    OwnSign,
    OwnSigns,
    read_signs,
    sign_name,
    write_signs,
)
from fingerpost.edge_runtime.pack_files import pack_files, write_zip
from fingerpost.edge_runtime.teaching import (
    ExampleCutter,
    frames_up,
    learn,
    remarks_on,
    sign_frames,
)
from fingerpost.trainer.signer import concatenate, random_camera, random_signer, sign_sentence


def example(n_frames=10, aspect=1.0, seed=0):
    rng = np.random.default_rng(seed)
    xyz = rng.uniform(0.2, 0.8, (n_frames, 69, 3)).astype(np.float32)
    seen = np.ones((n_frames, 69), np.float32)
    return PoseSequence(xyz, seen, FPS, SIGN69, aspect=aspect)


@pytest.fixture
def store(tmp_path):
    return OwnSigns(tmp_path / "signs")


@pytest.fixture(scope="module")
def recording():
    """One sign three times."""
    rng = np.random.default_rng(4)
    signer = random_signer(rng)
    performance = concatenate([sign_sentence(["book"], signer, rng) for _ in range(3)], 600)
    return performance, performance.keypoints(25.0, random_camera(rng), noise=rng)


def cut(sequence, **options):
    cutter = ExampleCutter(sequence.schema, sequence.aspect, **options)
    return [e for frame in sequence.frames() for e in cutter.push(frame)] + cutter.flush()


NAMES = ["Anna", "../../etc", "José  María", "👋🏽", "a/b\\c:d*?", "书", "x" * LONGEST_NAME, "."]


@pytest.mark.parametrize("name", NAMES)
def test_a_sign_of_any_name_comes_back_and_goes(store, name):
    sign = OwnSign(sign_name(name), (example(7), example(12, seed=1)))
    store.add(sign)
    (back,) = store.list()
    assert back.name == " ".join(name.split())
    for before, after in zip(sign.examples, back.examples, strict=True):
        assert np.array_equal(before.xyz, after.xyz)
        assert np.array_equal(before.confidence, after.confidence)
    assert [path.parent for path in store.root.iterdir()] == [store.root]
    store.remove(name)
    assert store.list() == () and list(store.root.iterdir()) == []


@pytest.mark.parametrize("name", ["", "   ", "x" * (LONGEST_NAME + 1), "a\x00b", "a\u202eb"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match="a sign's name") as error:
        sign_name(name)
    assert "\n" not in str(error.value)


def test_a_name_is_there_once_until_it_is_replaced(store):
    store.add(OwnSign("Anna", (example(7),)))
    with pytest.raises(ValueError, match="there is a sign 'ANNA' already.*--replace"):
        store.add(OwnSign("ANNA", (example(9),)))
    assert [len(s.examples[0]) for s in store.list()] == [7]
    store.add(OwnSign("ANNA", (example(9),)), replacing=True)
    assert [(s.name, len(s.examples[0])) for s in store.list()] == [("ANNA", 9)]
    with pytest.raises(ValueError, match="there is no sign 'Ben'; taught: ANNA"):
        store.remove("Ben")


def test_wide_and_high_pictures_are_joined_as_shapes_not_fractions(store):
    wide = example(5, aspect=16 / 9)
    store.add(OwnSign("Anna", (wide, example(5, aspect=0.75, seed=1))))
    back = store.list()[0].examples[0]
    assert back.aspect == 1.0
    a, b = wide.xyz[0, 3], wide.xyz[0, 9]
    lengths = (b - a) * [16 / 9, 1, 16 / 9]
    assert back.xyz[0, 9] - back.xyz[0, 3] == pytest.approx(lengths, abs=1e-6)


def test_signs_go_to_another_machine_all_or_none(store, tmp_path):
    with pytest.raises(ValueError, match="no sign was taught yet"):
        store.write(tmp_path / "mine.zip")
    for name in ("Ben", "anna"):
        store.add(OwnSign(name, (example(7),)))
    assert [sign.name for sign in store.write(tmp_path / "mine.zip")] == ["anna", "Ben"]
    first = (tmp_path / "mine.zip").read_bytes()
    store.write(tmp_path / "mine.zip")
    assert (tmp_path / "mine.zip").read_bytes() == first
    other = OwnSigns(tmp_path / "other")
    other.add(OwnSign("BEN", (example(9),)))
    with pytest.raises(ValueError, match="there are signs Ben already"):
        other.read(tmp_path / "mine.zip")
    assert [sign.name for sign in other.list()] == ["BEN"]
    other.read(tmp_path / "mine.zip", replacing=True)
    assert [sign.name for sign in other.list()] == ["anna", "Ben"]


def test_a_damaged_file_says_which_and_what_to_do(store):
    store.add(OwnSign("Anna", (example(7),)))
    (path,) = store.root.iterdir()
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(
        ValueError, match=f"delete .*{path.name}, and teach its sign again"
    ) as error:
        store.list()
    assert "\n" not in str(error.value)
    store.remove("Anna")
    assert store.list() == ()


@pytest.mark.parametrize(
    "change",
    [
        {"signs": 3},
        {"signs": [3]},
        {"signs": [{"name": "a", "file": "0.npz"}]},
        {"signs": [{"name": "a", "file": "0.npz", "lengths": [3]}]},
        {"signs": [{"name": "a", "file": "0.npz", "lengths": [8, -1]}]},
        {"signs": [{"name": "", "file": "0.npz", "lengths": [7]}]},
        {"signs": [{"name": "a", "file": "1.npz", "lengths": [7]}]},
        {"signs": [{"name": n, "file": "0.npz", "lengths": [7]} for n in ("a", "A")]},
        {"format_version": 2, "signs": []},
        [],
    ],
)
def test_an_index_that_does_not_fit_is_refused(tmp_path, change):
    path = tmp_path / "a.signs"
    write_signs(path, [OwnSign("a", (example(7),))])
    files = pack_files(path)
    content = {name: files.read(name) for name in files.sizes}
    index = json.loads(content["signs.json"])
    content["signs.json"] = json.dumps(index | change if change else change).encode()
    write_zip(path, content)
    with pytest.raises(ValueError, match="a.signs (is damaged|has format version)"):
        read_signs(path)


def test_what_is_no_file_of_signs_is_refused(tmp_path):
    write_zip(tmp_path / "other.zip", {"a": b"b"})
    with pytest.raises(ValueError, match="is no file of signs"):
        read_signs(tmp_path / "other.zip")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_signs(tmp_path / "none.zip")
    with pytest.raises(ValueError, match="has no examples"):
        OwnSign("Anna", ())


def test_a_recording_is_cut_into_its_examples(recording):
    performance, sequence = recording
    examples = cut(sequence)
    assert len(examples) == 3
    for one, (_, start, end) in zip(examples, performance.spans, strict=True):
        frames = sign_frames(one)
        first, last = (one.start_ms + t * 40 for t in (frames.start, frames.stop - 1))
        assert abs(first - start) <= 200 and abs(last - end) <= 200
        assert frames_up(one).start < frames.start < frames.stop < frames_up(one).stop


def test_somebody_who_does_nothing_gives_no_example(recording):
    _, sequence = recording
    still = PoseSequence(
        np.repeat(sequence.xyz[:1], 100, axis=0),
        np.repeat(sequence.confidence[:1], 100, axis=0),
        25.0,
        sequence.schema,
        aspect=sequence.aspect,
    )
    assert cut(still) == []


def test_more_than_a_sign_is_no_example():
    rng = np.random.default_rng(0)
    row = ["book", "coffee", "want", "you", "mother", "book", "coffee", "want", "you", "book"]
    sequence = sign_sentence(row, random_signer(rng), rng).keypoints()
    with pytest.raises(ValueError, match="sign one sign, and lower the hands"):
        cut(sequence)


class Reader:
    """Of each frame the state and the scores are given, by the number of the example's frames."""

    fps = FPS
    glosses = ("hot", "cold")

    def __init__(self, states, label=0):
        self.given, self.label = states, label

    def begin(self):
        return self

    def push(self, clip):
        n = len(clip)
        self.states = list(np.tile(self.given[n % len(self.given)], (n, 1)))
        self.scores = list(np.tile(np.eye(3)[self.label], (n, 1)))

    def end(self):
        pass


def test_what_a_user_is_told_of_a_sign(recording):
    one, *_ = cut(recording[1])
    n = len(one)
    shorter = PoseSequence(one.xyz[1:], one.confidence[1:], FPS, SIGN69, aspect=one.aspect)
    anna, ben = OwnSign("Anna", (one, one, shorter)), OwnSign("Ben", (one,))
    alike = Reader({k: np.array([1.0, 0.0]) for k in (0, 1)})
    assert remarks_on(alike, anna, [anna], 0.2) == []
    assert remarks_on(alike, anna, [anna, ben], 0.2) == [
        "Anna is much like your sign Ben: they may be confused"
    ]
    apart = Reader({n % 2: np.array([1.0, 0.0]), (n - 1) % 2: np.array([0.0, 1.0])})
    assert remarks_on(apart, anna, [], 0.2) == [
        "example 3 is unlike the others: teach Anna again if it is missed"
    ]
    known = Reader(alike.given, label=2)
    assert remarks_on(known, anna, [], 0.2) == [
        "this pack knows Anna as COLD, and will show Anna for it"
    ]
    (taught,) = learn(alike, [anna], 0.2)
    assert [len(states) for states in taught.examples] == [
        len(sign_frames(e)) for e in anna.examples
    ]
    assert taught.name == "Anna" and taught.limit == 0.2
