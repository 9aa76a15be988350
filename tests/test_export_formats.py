"""A translator's checkpoint to packs of several formats; the converters are replaced by PyTorch."""

import dataclasses
import json
import shutil

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from fingerpost.app.cli import app  # noqa: E402
from fingerpost.app.cli_export import setting_of  # noqa: E402
from fingerpost.distill.budget import Budget  # noqa: E402
from fingerpost.distill.export import export_pack, open_source  # noqa: E402
from fingerpost.distill.export_formats import ExportOptions, export_formats  # noqa: E402
from fingerpost.distill.export_translator import EagerBackend, specs_of  # noqa: E402
from fingerpost.distill.recipes import tflite as recipe  # noqa: E402
from fingerpost.distill.scheme import Built  # noqa: E402
from fingerpost.edge_runtime.pack import open_pack, verify_pack  # noqa: E402
from fingerpost.edge_runtime.translator import Translator  # noqa: E402
from fingerpost.trainer.evaluate import answers_to, load_for_answers  # noqa: E402
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards  # noqa: E402
from fingerpost.trainer.signer_corpus import make_clip  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = ExportOptions(
    quantization="auto",
    corpus=(),
    split="val",
    n_clips=2,
    budget=Budget(),
    teacher=None,
    sample=None,
    name="ways",
    version="1",
    data=("rendered signer",),
    settings={},
    force=False,
    of_format={},
)


@pytest.fixture(scope="module")
def shards(talkative, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "signer"
    clips = [dataclasses.replace(make_clip("val", 2), id=name) for name in ("a", "b", "c")]
    network, task = load_for_answers(talkative, {"beams": 1})
    said = {one.id: one.said for one in answers_to(network, task, clips)["text"]}
    # What an untrained network says is the truth here, or there would be nothing to lose.
    clips = [dataclasses.replace(clip, text=said[clip.id]) for clip in clips]
    return write_shards(folder, clips, ShardsAbout(corpus="signer", schema="sign69")).folder


@pytest.fixture
def faked(monkeypatch):
    """Files that PyTorch answers for; ``spoil`` says which kinds of numbers change the answers."""
    built = {}

    def use(spoil=()):
        def build(graphs, scheme, calibration, name, **options):
            built["graphs"] = graphs
            specs = {
                graph: dataclasses.replace(
                    specs_of(graphs[graph]), file="net.tflite", backend="tflite", signature=graph
                )
                for graph in graphs
            }
            return Built({"net.tflite": scheme.kind.encode()}, specs, dict.fromkeys(graphs, 1.0))

        def load(model, specs, num_threads):
            return {name: Answers(built["graphs"][name], name, model.decode()) for name in specs}

        class Answers(EagerBackend):
            def __init__(self, graph, name, kind):
                super().__init__(graph, None)
                self.spoiled = name == "decode_step" and kind in spoil

            def run(self, inputs):
                out = super().run(inputs)
                return {**out, "scores": out["scores"][:, ::-1]} if self.spoiled else out

        monkeypatch.setattr(recipe, "build", build)
        monkeypatch.setattr("fingerpost.edge_runtime.backends.tflite.load", load)

    return use


def test_a_translator_becomes_a_pack_that_says_the_same(talkative, shards, tmp_path, faked):
    faked()
    told = []
    options = dataclasses.replace(OPTIONS, corpus=(str(shards),))
    (record,) = export_formats(talkative, tmp_path, ["tflite"], options, told.append)
    # The files say what PyTorch says, so the first that a simulation does not rule out is taken.
    assert told == [] and record["quantization"] == record["tried"][-1]["scheme"]
    assert record["figures"]["same answers"] == 100
    assert record["figures"].items() >= record["network"].items()
    pack = open_pack(tmp_path / "ways-tflite.fpk")
    assert all(row.passed for row in verify_pack(pack))
    assert pack.manifest.licences.weights == "Apache-2.0"
    assert pack.manifest.measured["float network: validation: text.bleu4"] == 1.0
    translator = Translator(pack)
    assert translator.questions == ("English", "glosses") and translator.max_tokens == 12
    first = translator.glosses.index(make_clip("val", 0).glosses[0])
    assert translator.gloss_order[0, 1 + first] > translator.gloss_order[0].min()
    again = export_pack(
        talkative,
        tmp_path / "again.fpk",
        quantization="auto",
        name="ways",
        data=OPTIONS.data,
        source=open_source(talkative, clips=list(open_shards(shards))[:2]),
    )
    assert again.path.read_bytes() == pack.path.read_bytes()


def test_a_kind_that_changes_answers_is_passed_over(talkative, shards, tmp_path, faked):
    faked(spoil=("int4", "int8-static"))
    options = dataclasses.replace(OPTIONS, corpus=(str(shards),), budget=Budget(bleu4=0, wer=0))
    told = []
    records = export_formats(talkative, tmp_path, ["tflite"], options, told.append)
    kinds = [one["scheme"] for one in records[0]["tried"]]
    assert kinds[0] == "int4" and kinds[-1] == records[0]["quantization"]
    assert records[0]["network"]["text.bleu4"] > 50
    assert records[0]["quantization"] not in ("int4", "int8-static")


def test_float_files_that_say_something_else_give_no_pack(talkative, shards, tmp_path, faked):
    faked(spoil=("none",))
    options = dataclasses.replace(OPTIONS, corpus=(str(shards),))
    with pytest.raises(ValueError, match="no pack written, the exported graph differs: decode_st"):
        export_formats(talkative, tmp_path / "packs", ["tflite"], options, print)
    assert not (tmp_path / "packs").exists()


def test_one_format_that_fails_does_not_keep_the_others(
    talkative, shards, tmp_path, faked, monkeypatch
):
    faked()

    def cannot(*_, **__):
        raise ValueError("onnx is not well today")

    monkeypatch.setattr("fingerpost.distill.recipes.onnx.build", cannot)
    anything = Budget(bleu4=100, wer=1e6)
    options = dataclasses.replace(
        OPTIONS, corpus=(str(shards),), quantization="int8", budget=anything
    )
    told = []
    records = export_formats(talkative, tmp_path, ["onnx", "tflite"], options, told.append)
    assert [one["format"] for one in records] == ["tflite"]
    assert told == ["onnx: onnx is not well today"]


def test_what_a_user_gets_wrong_is_one_line(talkative, shards, tmp_path):
    with pytest.raises(ValueError, match="translates: give --corpus"):
        export_formats(talkative, tmp_path, ["tflite"], OPTIONS, print)
    two = dataclasses.replace(OPTIONS, corpus=(str(shards),))
    with pytest.raises(ValueError, match="is one file, 2 formats are asked for: give a folder"):
        export_formats(talkative, tmp_path / "a.fpk", ["tflite", "onnx"], two, print)
    with pytest.raises(ValueError, match="no clip in split 'spring'"):
        spring = dataclasses.replace(two, split="spring")
        export_formats(talkative, tmp_path, ["tflite"], spring, print)
    teacher = dataclasses.replace(OPTIONS, teacher=talkative)
    with pytest.raises(ValueError, match="give --corpus"):
        export_formats(talkative, tmp_path, ["tflite"], teacher, print)
    assert setting_of("lead_ms=200") == ("lead_ms", 200) and setting_of("a=0.5") == ("a", 0.5)
    with pytest.raises(ValueError, match="--set high: write it like"):
        setting_of("high")


def test_the_command_prints_a_table_and_json(talkative, shards, tmp_path, faked):
    from typer.testing import CliRunner

    faked()
    arguments = ["export", str(talkative), "-o", str(tmp_path), "--format", "tflite"]
    arguments += ["--corpus", str(shards), "--clips", "2", "--name", "ways"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0 and "BLEU-4" in shown.stdout and "PyTorch" in shown.stdout
    shown = CliRunner().invoke(app, [*arguments, "--json"])
    (record,) = json.loads(shown.stdout)
    assert record["pack"] == str(tmp_path / "ways-tflite.fpk") and record["delegated"]["read"] == 1


def test_a_checkpoint_is_fine_tuned_for_its_numbers(talkative, shards, tmp_path):
    """By the command; a checkpoint that no recipe made is refused in one line."""
    from typer.testing import CliRunner

    arguments = ["quantise", str(talkative), "-o", str(tmp_path / "run"), "--steps", "2"]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2 and not (tmp_path / "run").exists()
    sizes = json.loads((talkative / "config.json").read_text())["config"]
    known = ("n_pieces", "n_glosses", "questions")  # by the task, from the data
    recipe = {
        "task": "pocket_translation",
        "data": {"train": [str(shards)], "train_split": "val", "val_split": "val"},
        "training": {"lr": 1e-3, "batch": 2, "steps": 2},
        "model": {name: size for name, size in sizes.items() if name not in known},
        "settings": {"max_tokens": 12, "beams": 1},
    }
    trained = tmp_path / "trained"
    trained.mkdir()
    for path in talkative.rglob("*"):
        if path.is_file():
            (trained / path.relative_to(talkative)).parent.mkdir(exist_ok=True)
            (trained / path.relative_to(talkative)).write_bytes(path.read_bytes())
    info = json.loads((trained / "config.json").read_text()) | {"recipe": recipe}
    (trained / "config.json").write_text(json.dumps(info))
    arguments[1] = str(trained)
    made = CliRunner().invoke(app, [*arguments, "--quantization", "int4"])
    assert made.exit_code == 0, made.output
    assert list((tmp_path / "run").glob("best-*/model.safetensors"))


def test_the_budget_is_that_of_the_recipe_that_made_the_checkpoint(
    talkative, shards, tmp_path, faked
):
    """Spoiled answers in int8: only a budget of all that can be lost allows them."""
    faked(spoil=("int8",))
    made = tmp_path / "made"
    shutil.copytree(talkative, made)
    info = json.loads((made / "config.json").read_text())
    info["recipe"] = {"budget": {"bleu4": 100.0, "wer": 1e6}}
    (made / "config.json").write_text(json.dumps(info))
    options = dataclasses.replace(OPTIONS, corpus=(str(shards),), quantization="int8", budget=None)
    with pytest.raises(ValueError, match="the exported graph differs"):  # allowed, but not verified
        export_formats(made, tmp_path, ["tflite"], options, print)
    strict = dataclasses.replace(options, budget=Budget(bleu4=0, wer=0))
    with pytest.raises(ValueError, match="keeps the budget"):
        export_formats(made, tmp_path, ["tflite"], strict, print)


def test_half_a_translator_cannot_be_exported(talkative, shards, tmp_path):
    half = tmp_path / "half"
    shutil.copytree(talkative, half)
    info = json.loads((half / "config.json").read_text())
    info["settings"]["language"] = 0.0
    (half / "config.json").write_text(json.dumps(info))
    with pytest.raises(ValueError, match="learned glosses alone: train its second half"):
        open_source(half, clips=list(open_shards(shards)))
