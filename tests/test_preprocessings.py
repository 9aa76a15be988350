"""What a pack's manifest says of its preprocessing, and that the device does as it says."""

import dataclasses
import json

import numpy as np
import pytest

from fingerpost.edge_runtime.captioner import Captioner
from fingerpost.edge_runtime.captions import LineCompleted
from fingerpost.edge_runtime.keypoints import MSMAE, SIGN69, PoseSequence, to_view, view_indices
from fingerpost.edge_runtime.manifest import (
    GraphSpec,
    Licences,
    Manifest,
    Parent,
    TensorSpec,
)
from fingerpost.edge_runtime.pack import bundled_pack, open_pack, write_pack
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION, hands_alone, preprocess
from fingerpost.edge_runtime.preprocessings import find_preprocessing, one_sign_ms_mae
from fingerpost.edge_runtime.recogniser import Recogniser
from fingerpost.trainer.signer import random_signer, sign_sentence

WINDOW = 8
MANIFEST = Manifest(
    name="tiny",
    version="1",
    task="isolated-signs",
    languages=("ase",),
    view="msmae",
    preprocess_version=PREPROCESS_VERSION,
    fps=25,
    window=WINDOW,
    graphs={
        "recogniser": GraphSpec(
            file="net.tflite",
            backend="tflite",
            backend_version="2.3.0",
            inputs=(TensorSpec("keypoints", (1, WINDOW, 48, 4), "float32"),),
            outputs=(TensorSpec("logits", (1, 2), "float32"),),
        )
    },
    vocabulary="vocabulary.json",
    special={},
    quantization="int8",
    parent=Parent("0" * 64),
    licences=Licences("Apache-2.0", "Apache-2.0", "none"),
    measured={},
    preprocess="ms_mae",
)
FILES = {"net.tflite": b"none", "vocabulary.json": b'["BOOK", "DRINK"]'}


@pytest.fixture
def clip():
    """20 frames, view sign69: both hands move, and the right one is not seen in the first 5."""
    rng = np.random.default_rng(0)
    xyz = rng.uniform(0.2, 0.8, (20, 69, 3)).astype(np.float32)
    seen = np.ones((20, 69), np.float32)
    for hand, frames in (("right_hand", slice(0, 5)), ("left_hand", slice(0, 3))):
        xyz[frames, SIGN69.groups[hand]] = 0
        seen[frames, SIGN69.groups[hand]] = 0
    return PoseSequence(xyz, seen, 25.0, SIGN69, aspect=4 / 3)


class Shown:
    """A backend that keeps what it was given, and likes the second gloss."""

    def run(self, inputs):
        self.keypoints = inputs["keypoints"]
        return {"logits": np.array([[0.0, 9.0]], np.float32)}

    def close(self):
        pass


def test_ms_mae_eats_the_numbers_of_the_one_preprocessing(clip):
    """As the task isolated trains it: the same points, picked out of what ``preprocess`` gives."""
    picked = preprocess(clip, WINDOW)[:, :, view_indices("msmae", "sign69")[:48]]
    made = one_sign_ms_mae(to_view(clip, MSMAE), WINDOW)
    assert made.shape == (1, WINDOW, 48, 4) and made.dtype == np.float32
    assert np.allclose(made, picked, atol=1e-6)
    # Trimmed to the first hand; which is the left one, does more, and so becomes the right one.
    assert (made[0, 0, 27:, 3] == 1).all() and not made[0, 0, 6:27].any()


def test_the_recogniser_does_what_the_manifest_says(clip, tmp_path):
    backend = Shown()
    pack = write_pack(tmp_path / "tiny", MANIFEST, FILES)
    assert Recogniser(pack, backend).probabilities(clip)[1] > 0.99
    assert np.array_equal(backend.keypoints, one_sign_ms_mae(to_view(clip, MSMAE), WINDOW))

    other = dataclasses.replace(MANIFEST, view="sign69", preprocess="sign")
    Recogniser(write_pack(tmp_path / "other", other, FILES), backend).probabilities(clip)
    assert np.array_equal(backend.keypoints, preprocess(clip, WINDOW))


def test_a_captioner_runs_a_pack_of_ms_mae(tmp_path):
    """From the phone's keypoints to a caption, by way of the view msmae."""
    rng = np.random.default_rng(0)
    signing = sign_sentence(["hello"], random_signer(rng), rng).keypoints(fps=25.0)
    manifest = dataclasses.replace(MANIFEST, special={"reject": "BOOK"})
    pack = write_pack(tmp_path / "tiny", manifest, FILES)
    backend = Shown()
    captioner = Captioner(pack, signing.schema, signing.aspect, Recogniser(pack, backend))
    events = [event for frame in signing.frames() for event in captioner.push(frame)]
    completed = [e for e in events + captioner.flush() if isinstance(e, LineCompleted)]
    assert completed and {g for e in completed for g in e.line.glosses} == {"DRINK"}
    assert backend.keypoints.shape == (1, WINDOW, 48, 4) and backend.keypoints[..., :6, 3].any()


def test_a_clip_in_which_nothing_is_seen_is_no_nan():
    nothing = PoseSequence(np.zeros((3, 161, 3), "f"), np.zeros((3, 161), "f"), 25.0, MSMAE)
    assert not one_sign_ms_mae(nothing, WINDOW).any()


@pytest.mark.parametrize("name", ["sign", "ms_mae"])
def test_of_hands_a_body_changes_nothing(clip, name):
    whole, hands = find_preprocessing(name), find_preprocessing(name + "_hands")
    elsewhere = dataclasses.replace(clip, xyz=clip.xyz.copy())
    body = SIGN69.groups["body"]
    elsewhere.xyz[:, body] += 0.1
    assert not np.allclose(whole(clip, WINDOW), whole(elsewhere, WINDOW))
    assert np.array_equal(hands(clip, WINDOW), hands(elsewhere, WINDOW))
    assert np.array_equal(hands(clip, WINDOW), whole(hands_alone(clip), WINDOW))


def test_an_unknown_preprocessing_is_refused(tmp_path):
    with pytest.raises(
        ValueError,
        match="needs the preprocessing 'magic'.*has: ms_mae, ms_mae_hands, sign, sign_hands",
    ):
        find_preprocessing("magic")
    folder = write_pack(tmp_path / "tiny", MANIFEST, FILES).path
    content = json.loads((folder / "manifest.json").read_text()) | {"preprocess": "magic"}
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="needs the preprocessing 'magic'"):
        open_pack(folder)


def test_packs_from_before_there_were_several_stay_as_they_are():
    text = MANIFEST.to_json()
    assert json.loads(text)["preprocess"] == "ms_mae" and Manifest.from_json(text) == MANIFEST
    older = dataclasses.replace(MANIFEST, view="sign69", preprocess="sign")
    assert "preprocess" not in json.loads(older.to_json())
    assert Manifest.from_json(older.to_json()) == older


def test_the_bundled_pack_reads_and_writes_as_before():
    folder = bundled_pack()
    if folder is None:
        pytest.skip("this copy was built without the bundled pack")
    text = (folder / "manifest.json").read_text()
    assert Manifest.from_json(text).preprocess == "live"
    assert Manifest.from_json(text).to_json() == text
