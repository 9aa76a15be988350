"""Core ML packages: what is in them is checked here, what they compute on a Mac alone."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fingerpost.distill.scheme import Built, Scheme
from fingerpost.edge_runtime.backends.coreml import CoremlBackend, load
from fingerpost.edge_runtime.backends.coreml_package import (
    PROGRAM,
    WEIGHTS,
    check_package,
    unzip_package,
    zip_package,
)
from fingerpost.edge_runtime.manifest import GraphSpec, TensorSpec
from fingerpost.trainer.models.pocket_graphs import Graph, graphs_of
from fingerpost.trainer.models.pocket_sizes import PocketTranslatorConfig
from fingerpost.trainer.models.pocket_translator import PocketTranslator

compute = pytest.importorskip("fingerpost.distill.recipes.coreml_numbers").compute

pytestmark = pytest.mark.usefixtures("one_thread")
WIDTH, N_TOKENS = 32, 6  # a row is one group of int4
FILE = "decode_step.mlpackage.zip"


class Toy(nn.Module):
    """Adds a token to all that was said before, which is its state, and scores the next."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(N_TOKENS, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH, bias=False)
        self.head = nn.Linear(WIDTH, N_TOKENS, bias=False)

    def forward(self, token: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """token : (1, 1); memory : (1, WIDTH); to scores (1, N_TOKENS), and memory"""
        memory = memory + self.embedding(token)[:, 0]
        return self.head(self.mix(memory)), memory


SPEC = GraphSpec(
    file=FILE,
    backend="coreml",
    backend_version="any",
    inputs=(TensorSpec("token", (1, 1), "int32"),),
    outputs=(TensorSpec("scores", (1, N_TOKENS), "float32"),),
    state=(TensorSpec("memory", (1, WIDTH), "float32"),),
)


@pytest.fixture(scope="module")
def recipe():
    pytest.importorskip("coremltools")
    return pytest.importorskip("fingerpost.distill.recipes.coreml")


@pytest.fixture(scope="module")
def toy() -> Graph:
    torch.manual_seed(0)
    example = (torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, WIDTH))
    return Graph(Toy(), example, ("token", "memory"), ("scores", "memory"))


@pytest.fixture(scope="module")
def build(recipe, toy):
    """By kind, kept layers and states inside; each is built once."""
    done: dict[tuple[str, frozenset[str], bool], Built] = {}

    def built(kind: str, *keep: str, stateful: bool = False) -> Built:
        scheme = Scheme(kind, frozenset(f"decode_step.{layer}" for layer in keep))
        key = kind, scheme.keep, stateful
        if key not in done:
            done[key] = recipe.build({"decode_step": toy}, scheme, {}, "toy", stateful=stateful)
        return done[key]

    return built


def report_of(built: Built):
    return check_package(built.files[FILE], built.specs["decode_step"])


def test_a_package_says_what_goes_in_and_out(build) -> None:
    spec = build("none").specs["decode_step"]
    assert dataclasses.replace(spec, backend_version="any") == SPEC
    report = report_of(build("none"))
    assert report.target == "iOS 17" and report.states == ()
    assert report.operators["linear"] == 2 and report.operators["gather"] == 1


TABLE, MIX, HEAD = N_TOKENS * WIDTH, WIDTH * WIDTH, WIDTH * N_TOKENS  # numbers of each layer


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("none", {"float32": TABLE + MIX + HEAD}),
        ("fp16", {"float16": TABLE + MIX + HEAD}),
        ("int8", {"int8": TABLE + MIX + HEAD}),
        ("int4", {"int8": TABLE, "uint4": MIX + HEAD}),
    ],
)
def test_weights_are_kept_in_what_the_kind_says(build, kind: str, numbers: dict) -> None:
    report = report_of(build(kind))
    for dtype in ("float32", "float16", "int8", "uint4"):
        rest = report.numbers.get(dtype, 0) - numbers.get(dtype, 0)
        # beside weights: biases of 0, a scale for each channel, 16 values for each layer in int4
        assert 0 <= rest <= 2 * (N_TOKENS + WIDTH + N_TOKENS), (dtype, report.numbers)


def test_a_layer_that_is_kept_stays_float32(build) -> None:
    numbers = report_of(build("int8", "mix")).numbers
    assert MIX <= numbers["float32"] <= MIX + WIDTH  # its bias of 0 too
    zeros = 2 * N_TOKENS  # where each channel's scale begins: a number beside the scale
    assert numbers["int8"] == TABLE + HEAD + zeros


def steps(package: bytes, tokens: list[int]) -> list[dict[str, np.ndarray]]:
    memory, outputs = np.zeros((1, WIDTH), np.float32), []
    for token in tokens:
        given = {"token": np.array([[token]], np.int32), "memory": memory}
        outputs.append(compute(package, SPEC, given))
        memory = outputs[-1]["memory"]
    return outputs


def test_a_program_computes_what_the_network_does(build, toy: Graph) -> None:
    memory = torch.zeros(1, WIDTH)
    for token, out in zip([3, 1, 5], steps(build("none").files[FILE], [3, 1, 5]), strict=True):
        with torch.no_grad():
            scores, memory = toy.module(torch.tensor([[token]]), memory)
        np.testing.assert_allclose(out["scores"], scores, atol=1e-5)
        np.testing.assert_allclose(out["memory"], memory, atol=1e-6)
        assert out["scores"].dtype == out["memory"].dtype == np.float32


def test_rows_are_rounded_by_their_own_scale(build, toy: Graph) -> None:
    row = toy.module.embedding.weight.detach()[2].numpy()
    scale = np.abs(row).max() / 127
    (out,) = steps(build("int8").files[FILE], [2])
    by_hand = np.round(row / scale) * scale
    # coremltools rounds scales and weights to float16 first: half a step, at the worst
    assert 0 < np.abs(out["memory"][0] - row).max() < scale
    assert np.abs(out["memory"][0] - by_hand).mean() < scale / 8


@pytest.mark.parametrize(("kind", "most"), [("fp16", 3e-3), ("int8", 0.03), ("int4", 0.3)])
def test_scores_stay_near(build, kind: str, most: float) -> None:
    exact = steps(build("none").files[FILE], [3, 1, 5])[-1]["scores"]
    near = steps(build(kind).files[FILE], [3, 1, 5])[-1]["scores"]
    assert 0 < np.abs(near - exact).max() < most * np.abs(exact).max()


def test_states_inside_cannot_be_computed_here(build) -> None:
    package = build("fp16", stateful=True).files[FILE]
    with pytest.raises(ValueError, match="only a Mac can run it"):
        steps(package, [1])


def test_states_can_live_inside_the_program(build) -> None:
    built = build("fp16", stateful=True)
    report = report_of(built)
    assert report.target == "iOS 18" and report.states == ("memory",)
    assert report.operators["read_state"] >= 1 and report.operators["write_state"] == 1
    assert built.specs["decode_step"].state == SPEC.state  # whoever runs it sees no difference


class TwoStates(nn.Module):
    """Keys and values, made by its last two operators, as a decoder's are."""

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        total = x + keys[0] + values[0]
        return total, torch.stack([keys[0] + x]), torch.stack([values[0] - x])


def test_two_states_can_live_inside_a_program(recipe) -> None:
    example = (torch.ones(1, WIDTH), torch.zeros(1, 1, WIDTH), torch.zeros(1, 1, WIDTH))
    names = ("x", "keys", "values"), ("total", "keys", "values")
    graphs = {"decode_step": Graph(TwoStates(), example, *names)}
    built = recipe.build(graphs, Scheme("fp16"), {}, "toy", stateful=True)
    report = report_of(built)
    assert sorted(report.states) == ["keys", "values"]
    assert report.operators["write_state"] == 2


def test_the_same_graph_is_the_same_bytes_whatever_the_day(recipe, toy, build) -> None:
    again = recipe.build({"decode_step": toy}, Scheme("int8"), {}, "toy")
    package = build("int8").files[FILE]
    assert again.files[FILE] == package
    program = zipfile.ZipFile(io.BytesIO(package)).read(PROGRAM)
    assert b"conversion_date" not in program
    assert str(Path(__file__).parents[1]).encode() not in program


def test_what_cannot_be_built_is_refused_in_one_line(recipe, toy: Graph) -> None:
    with pytest.raises(ValueError, match="cannot be int8-static; known: none, fp16, int8, int4"):
        recipe.build({"decode_step": toy}, Scheme("int8-static"), {}, "toy")
    with pytest.raises(ValueError, match="no layer 'decode_step.tail' to keep"):
        recipe.build({"decode_step": toy}, Scheme("int8", frozenset({"decode_step.tail"})), {}, "")


def test_a_package_that_is_not_what_its_manifest_says_is_refused(build) -> None:
    package = build("none").files[FILE]
    for wrong, words in (
        ({"inputs": (TensorSpec("token", (1, 2), "int32"),)}, r"input token of shape \(1, 1\)"),
        ({"inputs": (TensorSpec("token", (1, 1), "int64"),)}, "int32, its manifest says"),
        ({"outputs": (TensorSpec("scores", (1, 7), "float32"),)}, r"output scores of shape \(1, 6"),
        ({"state": ()}, "its manifest says"),
        ({"state": (TensorSpec("other", (1, WIDTH), "float32"),)}, "its manifest says"),
    ):
        with pytest.raises(ValueError, match=words) as error:
            check_package(package, dataclasses.replace(SPEC, **wrong))
        assert "\n" not in str(error.value)


def parts(package: bytes) -> tuple[bytes, bytes]:
    files = zipfile.ZipFile(io.BytesIO(package))
    return files.read(PROGRAM), files.read(WEIGHTS)


def test_a_damaged_program_is_refused_in_one_line(build) -> None:
    program, weights = parts(build("none").files[FILE])
    for package, words in (
        (zip_package(program[:-40], weights), "damaged|ML Program"),
        (zip_package(b"no program", weights), "damaged|ML Program"),
        (zip_package(b"", weights), "is no ML Program"),
        (zip_package(program, weights[:70]), "its weights are cut off"),
    ):
        with pytest.raises(ValueError, match=words) as error:
            check_package(package, SPEC)
        assert "\n" not in str(error.value) and FILE in str(error.value)


def test_a_package_comes_back_from_its_zip(tmp_path: Path) -> None:
    package = zip_package(b"program", b"weights")
    assert package == zip_package(b"program", b"weights")
    root = unzip_package(package, FILE, tmp_path)
    assert root.suffix == ".mlpackage" and [root] == list(tmp_path.iterdir())
    assert (root / PROGRAM).read_bytes() == b"program"
    assert (root / WEIGHTS).read_bytes() == b"weights"
    listing = json.loads((root / "Manifest.json").read_text())
    item = listing["itemInfoEntries"][listing["rootModelIdentifier"]]
    assert item["path"] == "com.apple.CoreML/model.mlmodel"


def zip_of(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return packed.getvalue()


@pytest.mark.parametrize(
    "package",
    [
        b"",
        b"no zip",
        zip_package(b"program", b"weights")[:-30],
        zip_of(),
        zip_of("Manifest.json", PROGRAM),
        zip_of("Manifest.json", PROGRAM, WEIGHTS, "more"),
        zip_of("../Manifest.json", PROGRAM, WEIGHTS),
        zip_of("/Manifest.json", PROGRAM, WEIGHTS),
    ],
)
def test_any_other_zip_is_refused_in_one_line(package: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=FILE) as error:
        unzip_package(package, FILE, tmp_path)
    assert "\n" not in str(error.value) and str(tmp_path) not in str(error.value)
    assert not any(tmp_path.rglob("*.mlpackage"))


def test_elsewhere_than_on_a_mac_a_package_cannot_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    whole = zip_package(b"program", b"weights")
    with pytest.raises(ValueError, match="open it on a Mac"):
        load(whole, {"decode_step": SPEC})
    with pytest.raises(ValueError, match="damaged"):  # which is said first: it is so on a Mac too
        load(whole[:-30], {"decode_step": SPEC})
    with pytest.raises(ValueError, match="holds one graph"):
        load(whole, {"encode": SPEC, "decode_step": SPEC})


class FakeState:
    def __init__(self) -> None:
        self.values = {"memory": np.zeros((1, WIDTH), np.float16)}
        self.n_written = 0

    def read_state(self, name: str) -> np.ndarray:
        return self.values[name].copy()

    def write_state(self, name: str, value: np.ndarray) -> None:
        assert value.dtype == np.float16
        self.values[name], self.n_written = value, self.n_written + 1


class FakeMlmodel:
    """What Core ML would do with a toy: one is added to its memory, and the token is scored."""

    def __init__(self) -> None:
        self.state = FakeState()

    def make_state(self) -> FakeState:
        return self.state

    def predict(self, inputs: dict, state: FakeState | None = None) -> dict:
        scores = np.zeros((1, N_TOKENS), np.float32)
        scores[0, inputs["token"][0, 0]] = 1
        if state is None:
            return {"scores": scores, "memory_next": inputs["memory"] + 1}
        state.values["memory"] = state.values["memory"] + np.float16(1)
        return {"scores": scores}


@pytest.mark.parametrize("stateful", [False, True])
def test_a_state_goes_in_and_comes_out_wherever_it_lives(build, stateful: bool) -> None:
    fake = FakeMlmodel()
    package = build("fp16", stateful=stateful).files[FILE]
    backend = CoremlBackend(package, SPEC, mlmodel=fake)
    memory = np.zeros((1, WIDTH), np.float32)
    for n in (1, 2, 3):
        out = backend.run({"token": np.array([[2]], np.int32), "memory": memory})
        memory = out["memory"]
        assert (memory == n).all() and memory.dtype == np.float32
        assert out["scores"].argmax() == 2
    again = np.full((1, WIDTH), 7, np.float32)  # another sentence
    assert (backend.run({"token": np.array([[0]], np.int32), "memory": again})["memory"] == 8).all()
    assert fake.state.n_written == (2 if stateful else 0)  # at the start of each sentence alone
    with pytest.raises(ValueError, match="int32, got .* int64"):
        backend.run({"token": np.array([[2]]), "memory": memory})
    backend.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["none", "int4"])
def test_all_graphs_of_a_translator_compute_what_the_network_does(recipe, kind: str) -> None:
    torch.manual_seed(0)
    sizes = {"width": 16, "n_blocks": 3, "kernel": 3, "n_heads": 2, "past": 12, "d_model": 32}
    sizes |= {"d_ff": 32, "d_kv": 16, "n_reader_heads": 2, "n_layers": 1, "n_decoder_layers": 2}
    config = PocketTranslatorConfig.of_size("nano", sizes, n_pieces=30, n_glosses=5)
    graphs = graphs_of(PocketTranslator(config).eval(), 16, 8)
    built = recipe.build(graphs, Scheme(kind), {}, "toy")
    for name, graph in graphs.items():
        example = [
            torch.randn(x.shape) if x.is_floating_point() else torch.ones_like(x).int()
            for x in graph.example
        ]
        with torch.no_grad():
            expected = graph.module(*example)
        expected = (expected,) if isinstance(expected, Tensor) else expected
        spec = built.specs[name]
        given = {n: x.numpy() for n, x in zip(graph.inputs, example, strict=True)}
        outputs = compute(built.files[spec.file], spec, given)
        for output, values in zip(graph.outputs, expected, strict=True):
            error = np.abs(outputs[output] - values.numpy()).max()
            assert error <= (1e-5 if kind == "none" else 0.3) * float(values.abs().max()), output
