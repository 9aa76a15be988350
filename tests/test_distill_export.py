"""From a checkpoint to a pack: what is refused, what is written, and that it is what it was."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra export")

from fingerpost.distill import export as export_module  # noqa: E402
from fingerpost.distill import workbench  # noqa: E402
from fingerpost.distill.export import MIN_DELEGATED, export, export_pack  # noqa: E402
from fingerpost.distill.recipes import tflite as recipe  # noqa: E402
from fingerpost.distill.samples import Samples, read_samples  # noqa: E402
from fingerpost.distill.scheme import Built  # noqa: E402
from fingerpost.edge_runtime.backends import load_backend  # noqa: E402
from fingerpost.edge_runtime.manifest import GraphSpec, TensorSpec  # noqa: E402
from fingerpost.edge_runtime.pack import verify_pack  # noqa: E402
from fingerpost.trainer.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from fingerpost.trainer.models.pocket import Pocket, PocketConfig  # noqa: E402

VOCABULARY = ["<no sign>", "BOOK", "DRINK", "HELLO", "THANK-YOU"]
WINDOW = 12
INFO = {
    "vocabulary": VOCABULARY,
    "reject": "<no sign>",
    "view": "sign69",
    "data": ["rendered signer"],
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny recogniser, untrained, but with logits far enough apart to have a best one."""
    torch.manual_seed(0)
    model = Pocket(PocketConfig(n_labels=len(VOCABULARY), window=WINDOW, width=32, n_blocks=2))
    with torch.no_grad():
        model.head.weight.mul_(8)
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(folder, model, INFO, {"signer": {"top1": 0.91234567, "n": 5}})
    return folder


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    keypoints = rng.normal(size=(16, WINDOW, 69, 4)).astype(np.float16).astype(np.float32)
    keypoints[..., 3] = rng.random((16, WINDOW, 69)) > 0.3
    return Samples(keypoints, rng.integers(0, 5, 16))


def test_samples_are_read_rounded_to_what_the_pack_can_keep(tmp_path):
    keypoints = np.full((3, WINDOW, 69, 4), 1 / 3, np.float32)
    np.savez(tmp_path / "a.npz", keypoints=keypoints, label=np.arange(3))
    read = read_samples(tmp_path / "a.npz")
    assert np.array_equal(read.keypoints, read.keypoints.astype(np.float16).astype(np.float32))
    assert read.keypoints.dtype == np.float32 and read.label.tolist() == [0, 1, 2]
    np.savez(tmp_path / "b.npz", frames=keypoints)
    with pytest.raises(ValueError, match="no array 'keypoints'; it has: frames"):
        read_samples(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_text("hello")
    with pytest.raises(ValueError, match="c.npz is not an .npz"):
        read_samples(tmp_path / "c.npz")
    with pytest.raises(FileNotFoundError, match="no samples at"):
        read_samples(tmp_path / "none.npz")


def test_samples_of_another_shape_or_too_few_are_refused(checkpoint, samples, tmp_path):
    for wrong in (samples.keypoints[:, :-1], samples.keypoints[:3]):
        with pytest.raises(ValueError, match="expected at least 12 samples of shape"):
            export_pack(checkpoint, tmp_path / "pack", samples=Samples(wrong))
    assert not (tmp_path / "pack").exists()


def test_an_unknown_quantization_or_format_is_refused(checkpoint, samples, tmp_path):
    with pytest.raises(ValueError, match="tflite has no quantization 'int3'; it has: auto, int4"):
        export_pack(checkpoint, tmp_path / "pack", quantization="int3", samples=samples)
    with pytest.raises(ValueError, match="unknown format 'abacus'; known: tflite, executorch"):
        export_pack(checkpoint, tmp_path / "pack", format="abacus", samples=samples)
    assert not (tmp_path / "pack").exists()


def test_weights_are_free_only_if_all_data_is():
    for data, free in (
        (["rendered signer"], True),
        (["WLASL hands (C-UDA 1.0, not commercial)", "rendered signer"], False),
        ([], False),
    ):
        assert (workbench._licences(data).weights == "Apache-2.0") is free


def test_metrics_become_flat_figures():
    flat = export_module._flat_metrics({"a": {"top1": 0.123456, "note": "x"}, "n": 3})
    assert flat == {"float network: a: top1": 0.1235, "float network: n": 3}


def test_a_checkpoint_of_another_preprocessing_is_refused(checkpoint, samples, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    for file in checkpoint.iterdir():
        (old / file.name).write_bytes(file.read_bytes())
    info = json.loads((old / "config.json").read_text()) | {"preprocess_version": 0}
    (old / "config.json").write_text(json.dumps(info))
    with pytest.raises(ValueError, match="preprocess_version 0.*train it again"):
        export_pack(old, tmp_path / "pack", samples=samples)


class Answers:
    """A backend that gives the samples' own scores, one after the other, changed."""

    def __init__(self, change):
        self.change = change

    def run(self, inputs):
        return {"logits": self.change(inputs["keypoints"])}

    def close(self):
        pass


@pytest.fixture
def faked(checkpoint, monkeypatch):
    """No converter and no interpreter: the network itself answers, as ``change`` has it."""
    network = load_checkpoint(checkpoint)[0]

    def eager(keypoints):
        with torch.no_grad():
            return network(torch.from_numpy(keypoints)).numpy()

    def use(change, delegated=1.0):
        spec = GraphSpec(
            "net.tflite",
            "tflite",
            "0",
            (TensorSpec("keypoints", (1, WINDOW, 69, 4), "float32"),),
            (TensorSpec("logits", (1, len(VOCABULARY)), "float32"),),
        )

        def build(graphs, scheme, calibration, name):
            files = {"net.tflite": scheme.kind.encode()}
            return Built(files, {"recogniser": spec}, {"recogniser": delegated}, {"note.txt": b"x"})

        def load(model, specs, num_threads):
            return {"recogniser": Answers(lambda keypoints: change(model, eager(keypoints)))}

        monkeypatch.setattr(recipe, "build", build)
        monkeypatch.setattr("fingerpost.edge_runtime.backends.tflite.load", load)

    return use


def test_a_graph_that_differs_gives_no_pack(checkpoint, samples, tmp_path, faked):
    faked(lambda model, logits: np.arange(5, dtype=np.float32)[None])
    with pytest.raises(ValueError, match="no pack written.*max error.*cosine.*top-1"):
        export_pack(checkpoint, tmp_path / "pack", samples=samples)
    assert list(tmp_path.iterdir()) == []


def test_too_few_delegated_operators_give_no_pack_but_by_force(
    checkpoint, samples, tmp_path, faked, monkeypatch
):
    faked(lambda model, logits: logits, delegated=0.9)
    monkeypatch.setitem(MIN_DELEGATED, "tflite", 0.95)
    with pytest.raises(ValueError, match="too few operators of recogniser 90.0%; 95% are asked"):
        export_pack(checkpoint, tmp_path / "a.fpk", samples=samples)
    assert list(tmp_path.iterdir()) == []
    pack = export_pack(checkpoint, tmp_path / "a.fpk", samples=samples, force=True)
    assert pack.manifest.delegated == {"recogniser": 0.9}
    assert (tmp_path / "a.note.txt").read_bytes() == b"x"


def test_the_cheapest_scheme_within_the_budget_is_taken(checkpoint, samples, tmp_path, faked):
    """In four bits every answer is another; in eight some scores move, and no answer."""

    def change(model, logits):
        return np.roll(logits, 1, axis=1) if model == b"int4" else logits * 1.00001

    faked(change)
    made = export(
        checkpoint,
        tmp_path / "a.fpk",
        samples=labelled(checkpoint, samples),
        quantization="auto",
        with_latency=False,
    )
    tried = [one.scheme.kind for one in made.chosen.tried]
    assert tried[0] == "int4" and made.pack.manifest.quantization == tried[-1] != "int4"
    assert made.sensitivity is None  # a recogniser in int4 is int8: layers need not be looked at
    assert made.pack.manifest.measured["exported: same answers"] == 100


def labelled(checkpoint, samples):
    """The samples with the network's own answers as the truth."""
    network = load_checkpoint(checkpoint)[0]
    with torch.no_grad():
        best = network(torch.from_numpy(samples.keypoints)).argmax(dim=1)
    return Samples(samples.keypoints, best.numpy())


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_a_checkpoint_becomes_a_pack(checkpoint, samples, tmp_path, quantization):
    pytest.importorskip("litert_torch", reason="needs the extra export")
    options = {"quantization": quantization, "samples": samples, "with_latency": False}
    settings = {"min_probability": 0.6}
    pack = export_pack(checkpoint, tmp_path / "a.fpk", settings=settings, **options)
    again = export_pack(checkpoint, tmp_path / "b.fpk", settings=settings, **options)
    assert pack.path.read_bytes() == again.path.read_bytes()

    assert pack.vocabulary == tuple(VOCABULARY)
    assert pack.manifest.settings == settings
    assert pack.manifest.measured["float network: signer: top1"] == 0.9123
    assert pack.manifest.measured["parity: top-1 agreement"] >= 0.9
    assert all(row.passed for row in verify_pack(pack))

    backend = load_backend(pack, "recogniser")
    window = {"keypoints": np.zeros((1, WINDOW, 69, 4), np.float32)}
    assert np.isfinite(backend.run(window)["logits"]).all()  # nothing seen is no NaN
    named = dataclasses.asdict(pack.manifest.graphs["recogniser"])
    assert [t["name"] for t in (*named["inputs"], *named["outputs"])] == ["keypoints", "logits"]
