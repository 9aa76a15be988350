"""ONNX graphs: built of a toy with one layer of each kind, opened and run by the backend."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fingerpost.distill.scheme import Built, Scheme
from fingerpost.edge_runtime.manifest import GraphSpec, TensorSpec
from fingerpost.trainer.models.pocket_graphs import Graph, graphs_of, greedy
from fingerpost.trainer.models.pocket_sizes import PocketTranslatorConfig
from fingerpost.trainer.models.pocket_translator import PocketTranslator

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
recipe = pytest.importorskip("fingerpost.distill.recipes.onnx")
from fingerpost.edge_runtime.backends.onnx import load  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
WIDTH, N_TOKENS = 32, 6  # a row is one group of int4
FILE = "decode_step.onnx"


class Toy(nn.Module):
    """Looks a token up, mixes it with the two before, which are its state, and scores the next."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(N_TOKENS, WIDTH)
        self.conv = nn.Conv1d(WIDTH, WIDTH, 3, groups=WIDTH, bias=False)
        self.head = nn.Linear(WIDTH, N_TOKENS, bias=False)

    def forward(self, token: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """token : (1, 1); memory : (1, 2, WIDTH); to scores (1, N_TOKENS), and memory"""
        seen = torch.cat([memory, self.embedding(token)], dim=1)
        return self.head(self.conv(seen.transpose(1, 2))[..., 0]), seen[:, 1:]


@pytest.fixture(scope="module")
def toy() -> Graph:
    torch.manual_seed(0)
    example = (torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 2, WIDTH))
    return Graph(Toy(), example, ("token", "memory"), ("scores", "memory"))


@pytest.fixture(scope="module")
def build(toy):
    """By kind and kept layers; each is built once."""
    done: dict[tuple[str, frozenset[str]], Built] = {}

    def built(kind: str, *keep: str) -> Built:
        key = kind, frozenset(f"decode_step.{layer}" for layer in keep)
        if key not in done:
            clips, memory = [], torch.zeros(1, 2, WIDTH)
            for token in (torch.tensor([[i]]) for i in (3, 1, 5)):
                clips.append((token, memory))
                memory = toy.module(token, memory)[1].detach()
            done[key] = recipe.build(
                {"decode_step": toy}, Scheme(*key), {"decode_step": clips}, "toy"
            )
        return done[key]

    return built


def run(built: Built, tokens: list[int]) -> list[dict[str, np.ndarray]]:
    backend = load(built.files[FILE], built.specs)["decode_step"]
    memory, outputs = np.zeros((1, 2, WIDTH), np.float32), []
    for token in tokens:
        outputs.append(backend.run({"token": np.array([[token]]), "memory": memory}))
        memory = outputs[-1]["memory"]
    backend.close()
    return outputs


def dtypes(built: Built) -> dict[tuple[int, ...], str]:
    """Of weights, by shape."""
    tensors = onnx.load_from_string(built.files[FILE]).graph.initializer
    return {tuple(t.dims): onnx.TensorProto.DataType.Name(t.data_type) for t in tensors}


def test_three_steps_are_those_of_the_network(toy: Graph, build) -> None:
    memory = torch.zeros(1, 2, WIDTH)
    for token, output in zip([3, 1, 5], run(build("none"), [3, 1, 5]), strict=True):
        with torch.no_grad():
            scores, memory = toy.module(torch.tensor([[token]]), memory)
        np.testing.assert_allclose(output["scores"], scores, atol=1e-5)
        np.testing.assert_allclose(output["memory"], memory, atol=1e-6)
    weight = toy.module.embedding.weight.detach()
    np.testing.assert_array_equal(output["memory"][0], weight[[1, 5]])  # the last two


def test_the_spec_says_what_goes_in_and_out(build) -> None:
    spec = build("int8").specs["decode_step"]
    assert spec.inputs == (TensorSpec("token", (1, 1), "int64"),)
    assert spec.outputs == (TensorSpec("scores", (1, N_TOKENS), "float32"),)
    assert spec.state == (TensorSpec("memory", (1, 2, WIDTH), "float32"),)
    assert spec.file == FILE and spec.backend == "onnx" and spec.signature == ""


@pytest.mark.parametrize(
    ("kind", "head", "table", "conv"),
    [
        ("none", "FLOAT", "FLOAT", "FLOAT"),
        ("fp16", "FLOAT16", "FLOAT16", "FLOAT16"),
        ("int8", "UINT8", "INT8", "FLOAT"),
        ("int8-static", "INT8", "INT8", "INT8"),
    ],
)
def test_weights_are_kept_in_what_the_kind_says(build, kind, head, table, conv) -> None:
    kept = dtypes(build(kind))
    assert kept[WIDTH, N_TOKENS] == head
    assert kept[N_TOKENS, WIDTH] == table
    assert kept[WIDTH, 1, 3] == conv


def test_int4_is_for_the_language_model_alone(build) -> None:
    kept = dtypes(build("int4"))
    assert kept[N_TOKENS, 1, WIDTH // 2] == "UINT8"  # two weights a byte
    assert kept[N_TOKENS, WIDTH] == "INT8"


def test_rows_of_a_table_are_rounded_by_their_own_scale(toy: Graph, build) -> None:
    row = toy.module.embedding.weight.detach()[2].numpy()
    scale = np.abs(row).max() / 127
    (output,) = run(build("int8"), [2])
    np.testing.assert_allclose(output["memory"][0, 1], np.round(row / scale) * scale, rtol=1e-6)
    assert np.abs(output["memory"][0, 1] - row).max() > scale / 4  # it is rounded


@pytest.mark.parametrize(
    ("kind", "most"), [("fp16", 3e-3), ("int8", 0.03), ("int8-static", 0.03), ("int4", 0.3)]
)
def test_scores_stay_near(toy: Graph, build, kind: str, most: float) -> None:
    exact = run(build("none"), [3, 1, 5])[-1]["scores"]
    near = run(build(kind), [3, 1, 5])[-1]["scores"]
    assert 0 < np.abs(near - exact).max() < most * np.abs(exact).max()


@pytest.mark.parametrize("kind", ["int8", "fp16"])
def test_a_layer_that_is_kept_stays_float32(build, kind: str) -> None:
    kept = dtypes(build(kind, "head"))
    assert kept[WIDTH, N_TOKENS] == "FLOAT" and kept[N_TOKENS, WIDTH] != "FLOAT"


def test_a_graph_of_which_all_is_kept_is_exact(build) -> None:
    exact = run(build("none"), [4])[0]["scores"]
    kept = run(build("int8", "head", "embedding", "conv"), [4])[0]["scores"]
    np.testing.assert_array_equal(kept, exact)


def test_the_same_graph_is_the_same_bytes_and_names_no_folder(toy: Graph, build) -> None:
    one = build("int8").files[FILE]
    other = recipe.build({"decode_step": toy}, Scheme("int8"), {}, "toy").files[FILE]
    assert one == other
    assert str(Path(__file__).parents[1]).encode() not in one and b"site-packages" not in one


def test_what_cannot_be_built_is_refused_in_one_line(toy: Graph) -> None:
    with pytest.raises(ValueError, match="no layer 'decode_step.tail' to keep"):
        recipe.build({"decode_step": toy}, Scheme("int8", frozenset({"decode_step.tail"})), {}, "x")
    with pytest.raises(ValueError, match="int8-static needs inputs of real clips for decode_step"):
        recipe.build({"decode_step": toy}, Scheme("int8-static"), {}, "x")


def changed(spec: GraphSpec, **fields: object) -> dict[str, GraphSpec]:
    import dataclasses

    return {"decode_step": dataclasses.replace(spec, **fields)}


def test_a_file_that_is_no_graph_is_refused_in_one_line(build) -> None:
    built = build("none")
    whole = built.files[FILE]
    for damaged in (b"", b"no graph", whole[: len(whole) // 2], b"PK\x03\x04" + whole):
        with pytest.raises(ValueError, match="decode_step.onnx is not a working ONNX") as error:
            load(damaged, built.specs)
        assert "\n" not in str(error.value)


def test_a_graph_that_is_not_what_its_manifest_says_is_refused(build) -> None:
    built = build("none")
    spec, whole = built.specs["decode_step"], built.files[FILE]
    for wrong, words in (
        ({"inputs": (TensorSpec("token", (1, 2), "int64"),)}, r"input token of shape \(1, 1\)"),
        ({"inputs": (TensorSpec("token", (1, 1), "int32"),)}, "int64, its manifest says"),
        ({"outputs": (TensorSpec("logits", (1, 6), "float32"),)}, "its manifest says .*logits"),
        ({"state": ()}, "its manifest says"),
    ):
        with pytest.raises(ValueError, match=words):
            load(whole, changed(spec, **wrong))
    with pytest.raises(ValueError, match="holds one graph"):
        load(whole, {"encode": spec, "decode_step": spec})
    with pytest.raises(ValueError, match="at least 1 thread"):
        load(whole, built.specs, num_threads=0)


def test_inputs_that_do_not_fit_are_refused(build) -> None:
    built = build("none")
    backend = load(built.files[FILE], built.specs)["decode_step"]
    memory, token = np.zeros((1, 2, WIDTH), np.float32), np.array([[1]])
    for inputs, words in (
        ({"token": token}, r"takes \['memory', 'token'\], got \['token'\]"),
        ({"token": token, "memory": memory[:, :1]}, r"got \(1, 1, 32\) float32"),
        ({"token": token.astype(np.int32), "memory": memory}, r"got \(1, 1\) int32"),
        ({"token": np.array([[N_TOKENS]]), "memory": memory}, "cannot be run"),
    ):
        with pytest.raises(ValueError, match=words) as error:
            backend.run(inputs)
        assert "\n" not in str(error.value)


def test_without_onnxruntime_the_extra_is_named(build, monkeypatch: pytest.MonkeyPatch) -> None:
    built = build("none")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r'pip install "fingerpost\[onnx\]"'):
        load(built.files[FILE], built.specs)


@pytest.mark.slow
def test_greedy_tokens_of_a_translator_are_those_of_the_network() -> None:
    torch.manual_seed(0)
    sizes = {"width": 16, "n_blocks": 3, "kernel": 3, "n_heads": 2, "past": 12, "d_model": 32}
    sizes |= {"d_ff": 32, "d_kv": 16, "n_reader_heads": 2, "n_layers": 1, "n_decoder_layers": 2}
    config = PocketTranslatorConfig.of_size("nano", sizes, n_pieces=30, n_glosses=5)
    model = PocketTranslator(config).eval()
    with torch.no_grad():  # large enough for tokens to differ
        for weight in model.language_model.parameters():
            if weight.dim() == 2:
                weight.normal_(0, 3 * weight.shape[1] ** -0.5)
    graphs = graphs_of(model, 16, 8)
    latents, mask = torch.randn(1, 16, 32), torch.ones(1, 16)
    question, end = config.n_pieces, 1
    with torch.no_grad():
        expected = greedy(graphs, latents, mask, question, end)
    assert len(set(expected)) > 2
    built = recipe.build(graphs, Scheme(), {}, "toy")
    backends = {g: load(built.files[f"{g}.onnx"], {g: built.specs[g]})[g] for g in graphs}
    read = backends["read"].run({"latents": latents.numpy(), "latent_mask": mask.numpy()})
    state = {t.name: np.zeros(t.shape, t.dtype) for t in built.specs["decode_step"].state}
    token, said = question, []
    for position in range(8):
        given = {"token": np.array([[token]]), "position": np.array([position]), **read, **state}
        out = backends["decode_step"].run({**given, "latent_mask": mask.numpy()})
        state = {name: out[name] for name in state}
        token = int(out["scores"].argmax())
        if token == end:
            break
        said.append(token)
    assert said == expected
    given = {
        n: x.numpy() for n, x in zip(graphs["encode"].inputs, graphs["encode"].example, strict=True)
    }
    with torch.no_grad():
        expected_states = graphs["encode"].module(*graphs["encode"].example)[0]
    np.testing.assert_allclose(backends["encode"].run(given)["states"], expected_states, atol=1e-5)
