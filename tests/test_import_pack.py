"""From a pack back to a checkpoint: what is seen is the same, and training goes on from it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("ai_edge_litert", reason="needs the extra export")

from ai_edge_litert.schema_py_generated import TensorType  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from fingerpost.app.cli import app  # noqa: E402
from fingerpost.distill import import_pack as module  # noqa: E402
from fingerpost.distill.import_pack import agreement_of, import_pack, write_imported_pack  # noqa: E402
from fingerpost.distill.recipes import tflite_file  # noqa: E402
from fingerpost.distill.recipes.tflite_file import constants_of, read  # noqa: E402
from fingerpost.edge_runtime.pack import bundled_pack, open_pack  # noqa: E402
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint  # noqa: E402
from fingerpost.trainer.recipe import read_recipe  # noqa: E402
from fingerpost.trainer.shards import ShardsAbout, write_shards  # noqa: E402
from fingerpost.trainer.signer_corpus import make_clip  # noqa: E402
from fingerpost.trainer.train import train  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(bundled_pack() is None, reason="built without its pack"),
]


@pytest.fixture(scope="module")
def pack():
    return open_pack(bundled_pack())


def test_the_network_sees_what_the_pack_sees(pack):
    network = import_pack(pack)
    assert network.config.width == 320 and network.config.n_glosses == len(pack.vocabulary)
    assert agreement_of(pack, network) >= 0.99
    with torch.no_grad():
        network.poses.layers[3].qkv.weight[:320] = 0  # what its heads ask
    assert agreement_of(pack, network) < 0.98


def test_training_goes_on_from_it(pack, tmp_path):
    start = tmp_path / "demo"
    imported = write_imported_pack(pack, start)
    clips = [make_clip("train", number) for number in range(4)]
    clips += [make_clip("val", 0)]
    write_shards(tmp_path / "shards", clips, ShardsAbout("signer", "sign69"))
    changes = {"data.train": f'["{tmp_path / "shards"}"]', "training.steps": 1, "training.batch": 2}
    changes |= {"start_from": start, "training.validate_every": 1, "model.size": "small"}
    changes |= {"fresh": '["gloss_head.", "perceiver.", "language_model."]', "frozen": '["poses."]'}
    recipe = read_recipe(
        Path("pocket_glosses"), [f"{name}={value}" for name, value in changes.items()]
    )
    train(recipe, tmp_path / "run")
    network, info, _ = load_checkpoint(resolve_checkpoint(tmp_path / "run"))
    assert torch.equal(network.poses.join.weight, imported.poses.join.weight)
    assert len(info["glosses"]) == network.config.n_glosses


def test_what_is_no_translator_is_one_line(tmp_path):
    said = CliRunner().invoke(app, ["import", "pack", "signs", "-o", str(tmp_path / "run")])
    assert said.exit_code == 2 and "signs is no pocket translator for LiteRT" in said.output
    assert len(said.output.strip().splitlines()) == 1 and not (tmp_path / "run").exists()


def test_a_file_of_another_layout_is_refused(pack, tmp_path, monkeypatch):
    whole = module.constants_of
    monkeypatch.setattr(module, "constants_of", lambda *given: whole(*given)[:200])
    with pytest.raises(ValueError, match="is not laid out as this Fingerpost exports it"):
        write_imported_pack(pack, tmp_path / "run")
    monkeypatch.setattr(module, "constants_of", whole)
    monkeypatch.setattr(module, "agreement_of", lambda *given: 0.9)
    with pytest.raises(ValueError, match="10% of frames have another gloss"):
        write_imported_pack(pack, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_command_says_what_was_read(tmp_path):
    said = CliRunner().invoke(app, ["import", "pack", "demo", "-o", str(tmp_path / "run")])
    assert said.exit_code == 0, said.output
    assert "pose encoder, 3," in said.stdout and "161 glosses" in said.stdout
    assert (tmp_path / "run" / "config.json").is_file()


def test_numbers_of_8_bits_have_a_scale_for_each_channel():
    model = SimpleNamespace(buffers=[SimpleNamespace(data=bytes([1, 2, 255, 4]))])
    quantization = SimpleNamespace(scale=[0.5, 2.0], quantizedDimension=0)
    tensor = SimpleNamespace(
        buffer=0, type=TensorType.INT8, shape=[2, 2], quantization=quantization
    )
    assert tflite_file._value(model, tensor).tolist() == [[0.5, 1.0], [-2.0, 8.0]]
    tensor.type = TensorType.INT32
    assert tflite_file._value(model, tensor) is None


def test_a_graph_that_is_not_there_is_named(pack):
    with pytest.raises(ValueError, match="no graph 'nothing'"):
        constants_of(read(pack.read("demo.tflite")), "nothing")
    found = constants_of(read(pack.read("demo.tflite")), "ctc")
    assert [one.sort for one in found] == ["FULLY_CONNECTED"]
    assert [value.shape for value in found[0].values] == [(162, 320), (162,)]
    assert np.abs(found[0].values[0]).max() > 0.01
