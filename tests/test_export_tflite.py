"""Graphs to one .tflite file: what each kind does to weights, what is kept, what is refused."""

import dataclasses
import re

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra export")
pytest.importorskip("litert_torch", reason="needs the extra export")

from torch import Tensor, nn  # noqa: E402

from fingerpost.distill.fake_quant import round_weight  # noqa: E402
from fingerpost.distill.recipes import tflite  # noqa: E402
from fingerpost.distill.scheme import Scheme  # noqa: E402
from fingerpost.edge_runtime.backends.tflite import load  # noqa: E402
from fingerpost.edge_runtime.manifest import TensorSpec  # noqa: E402
from fingerpost.trainer.models.pocket_graphs import Graph, graphs_of, greedy  # noqa: E402
from fingerpost.trainer.models.pocket_sizes import PocketTranslatorConfig  # noqa: E402
from fingerpost.trainer.models.pocket_translator import EOS, PocketTranslator  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

N_TOKENS, WIDTH = 6, 32  # WIDTH is one group of 4-bit weights
EYE = np.eye(WIDTH, dtype=np.float32)[None]  # through a linear layer: its weights


class Encode(nn.Module):
    """Three frames before each are its memory; one linear layer runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(8, 8, 4, groups=8, bias=False)
        self.both = nn.Linear(8, 8)

    def forward(self, keypoints: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        around = torch.cat([memory, keypoints], dim=1)
        y = self.depthwise(around.transpose(1, 2)).transpose(1, 2)
        return self.both(self.both(y).relu()), around[:, -3:]


class Read(nn.Module):
    """The second layer's rows are no whole groups."""

    def __init__(self) -> None:
        super().__init__()
        self.keys, self.odd = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(8, 8, bias=False)

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        return self.keys(latents), self.odd(latents[..., :8])


class Step(nn.Module):
    """The table of tokens is the head's weights too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(N_TOKENS, WIDTH)
        self.head = nn.Linear(WIDTH, N_TOKENS, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, token: Tensor) -> tuple[Tensor, Tensor]:
        x = self.embedding(token)[:, 0]
        return x, self.head(x)


@pytest.fixture(scope="module")
def graphs() -> dict[str, Graph]:
    torch.manual_seed(0)
    return {
        "encode": Graph(
            Encode().eval(),
            (torch.zeros(1, 5, 8), torch.zeros(1, 3, 8)),
            ("keypoints", "memory"),
            ("states", "memory"),
        ),
        "read": Graph(
            Read().eval(), (torch.zeros(1, WIDTH, WIDTH),), ("latents",), ("keys", "odd")
        ),
        "decode_step": Graph(
            Step().eval(), (torch.zeros(1, 1, dtype=torch.int64),), ("token",), ("x", "scores")
        ),
    }


@pytest.fixture
def build(graphs):
    def build(kind, keep=(), calibration=None):
        return tflite.build(graphs, Scheme(kind, frozenset(keep)), calibration or {}, "toy")

    return build


def clips(scale: float = 1.0) -> dict:
    rng = torch.Generator().manual_seed(1)
    draw = lambda *shape: scale * torch.rand(*shape, generator=rng)  # noqa: E731
    return {
        "encode": [(draw(1, 5, 8), draw(1, 3, 8)) for _ in range(3)],
        "read": [(draw(1, WIDTH, WIDTH),), (torch.from_numpy(EYE),)],
        "decode_step": [(torch.tensor([[i]]),) for i in range(N_TOKENS)],
    }


def opened(built):
    (content,) = built.files.values()
    return load(content, built.specs)


def frames() -> dict:
    keypoints, memory = clips()["encode"][0]
    return {"keypoints": keypoints.numpy(), "memory": memory.numpy()}


def eager(graph: Graph, inputs: dict) -> dict:
    with torch.no_grad():
        made = graph.module(*(torch.from_numpy(inputs[name]) for name in graph.inputs))
    return {name: tensor.numpy() for name, tensor in zip(graph.outputs, made, strict=True)}


def weights(graphs, graph: str, layer: str) -> Tensor:
    return graphs[graph].module.get_parameter(f"{layer}.weight").detach()


def in_4_bits(weight: Tensor) -> Tensor:
    """Rows of one group each: -7 to 7 times a scale of 7 bits behind the point, as XNNPACK has."""
    scale = (weight.abs().amax(dim=1, keepdim=True) / 7).bfloat16().float()
    return (weight / scale).round() * scale


def test_in_float32_every_graph_of_the_file_does_what_the_network_does(graphs, build):
    built = build("none")
    assert list(built.files) == ["toy.tflite"] and built.delegated["read"] == 1.0
    spec = built.specs["encode"]
    assert spec.signature == "encode" and spec.backend == "tflite"
    assert spec.inputs == (TensorSpec("keypoints", (1, 5, 8), "float32"),)
    assert spec.state == (TensorSpec("memory", (1, 3, 8), "float32"),)
    assert built.specs["decode_step"].inputs == (TensorSpec("token", (1, 1), "int32"),)
    backends = opened(built)
    found, expected = backends["encode"].run(frames()), eager(graphs["encode"], frames())
    assert found.keys() == expected.keys() == {"states", "memory"}
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=1e-6)
    table = weights(graphs, "decode_step", "embedding").numpy()
    for token in range(N_TOKENS):
        said = backends["decode_step"].run({"token": np.array([[token]], np.int32)})
        np.testing.assert_allclose(said["scores"][0], table @ table[token], rtol=1e-5)


def test_the_same_graphs_give_the_same_bytes(graphs, build):
    assert tflite.convert(graphs) == tflite._float_file(graphs)
    for kind in ("none", "int8-static"):
        assert build(kind, calibration=clips()).files == build(kind, calibration=clips()).files


def test_weights_that_have_changed_are_converted_again():
    layer = nn.Linear(4, 4, bias=False)
    graphs = {"recogniser": Graph(layer, (torch.ones(1, 4),), ("keypoints",), ("logits",))}
    ones = {"keypoints": np.ones((1, 4), np.float32)}
    for value in (1.0, 2.0):
        nn.init.constant_(layer.weight, value)
        backend = opened(tflite.build(graphs, Scheme("none"), {}, "toy"))["recogniser"]
        assert backend.run(ones)["logits"].tolist() == [[4 * value] * 4]


def test_weights_that_are_shared_are_stored_once(build):
    """Where the table and the head are of one kind."""
    (shared,), (apart,) = (
        build("int8", keep).files.values() for keep in ((), ["decode_step.embedding"])
    )
    table = N_TOKENS * WIDTH
    assert 4 * table - 100 < len(apart) - len(shared) < 4 * table + 400


@pytest.mark.parametrize("kind", ["fp16", "int8", "int4"])
def test_weights_are_rounded_as_the_kind_says(kind, graphs, build):
    """One-hot inputs are kept exactly, so that what comes out are the rounded weights."""
    found = opened(build(kind))["read"].run({"latents": EYE})
    of_layer = {"keys": kind, "odd": "int8" if kind == "int4" else kind}
    for name, rounded_to in of_layer.items():
        weight = weights(graphs, "read", name)
        rounded = (
            in_4_bits(weight) if rounded_to == "int4" else round_weight(weight, rounded_to)
        ).T
        rounded = rounded.numpy()
        assert np.abs(rounded - weight.T.numpy()).max() > 1e-6  # else it would prove nothing
        given = found[name][0, : rounded.shape[0]]
        np.testing.assert_allclose(given, rounded, atol=2e-4)


@pytest.mark.parametrize("kind", ["fp16", "int8", "int8-static"])
def test_convolutions_and_tables_are_rounded_too(kind, graphs, build):
    backends = opened(build(kind, calibration=clips()))
    table = weights(graphs, "decode_step", "embedding")
    rounded = round_weight(table, kind).numpy()
    x = np.stack(
        [
            backends["decode_step"].run({"token": np.array([[token]], np.int32)})["x"][0]
            for token in range(N_TOKENS)
        ]
    )
    np.testing.assert_allclose(x, rounded, atol=1e-6)
    assert np.abs(x - table.numpy()).max() > 1e-5
    found, expected = backends["encode"].run(frames()), eager(graphs["encode"], frames())
    np.testing.assert_array_equal(found["memory"], expected["memory"])  # the state is no weight
    error = np.abs(found["states"] - expected["states"]).max()
    assert 1e-6 < error < 0.03 * np.abs(expected["states"]).max()


def test_kept_layers_stay_float_wherever_they_run(graphs, build):
    whole = ["encode.both", "encode.depthwise", "decode_step.head"]
    backends = opened(build("int8", whole))
    found, expected = backends["encode"].run(frames()), eager(graphs["encode"], frames())
    np.testing.assert_allclose(found["states"], expected["states"], atol=1e-6)
    table = weights(graphs, "decode_step", "embedding")
    rounded = round_weight(table, "int8").numpy()
    said = backends["decode_step"].run({"token": np.array([[2]], np.int32)})
    np.testing.assert_allclose(said["scores"][0], table.numpy() @ rounded[2], rtol=1e-5)
    # "odd" was not kept
    odd = backends["read"].run({"latents": EYE})["odd"][0, :8]
    assert np.abs(odd - weights(graphs, "read", "odd").T.numpy()).max() > 1e-5


def test_a_layer_after_a_normalisation_is_known_and_can_be_kept():
    """The converter multiplies its weights by the normalisation's scale."""
    torch.manual_seed(2)
    module = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8), nn.Linear(8, 8)).eval()
    nn.init.uniform_(module[0].weight, 0.2, 3.0)
    graphs = {"read": Graph(module, (torch.zeros(1, 4, 8),), ("latents",), ("sentence",))}
    inputs = {"latents": torch.randn(1, 4, 8).numpy()}
    expected = eager(graphs["read"], inputs)["sentence"]
    errors = {}
    for keep in ((), ("read.1",), ("read.1", "read.2")):
        built = tflite.build(graphs, Scheme("int8", frozenset(keep)), {}, "toy")
        found = opened(built)["read"].run(inputs)["sentence"]
        errors[len(keep)] = np.abs(found - expected).max()
    assert errors[0] > errors[1] > 1e-4 > 1e-5 > errors[2]


def test_static_ranges_come_from_the_calibration(build):
    """Ten times less than what comes in: it is cut off. The greatest counts, not the average."""
    right, narrow = (opened(build("int8-static", calibration=clips(scale))) for scale in (1.0, 0.1))
    mixed = opened(
        build(
            "int8-static",
            calibration={name: clips(0.1)[name] + clips()[name] for name in clips()},
        )
    )
    states = [of["encode"].run(frames())["states"] for of in (right, narrow, mixed)]
    scale = np.abs(states[0]).max()
    assert np.abs(states[0] - states[1]).max() > 0.2 * scale
    np.testing.assert_allclose(states[0], states[2], atol=0.03 * scale)


def test_what_cannot_be_built_is_refused(graphs, build):
    with pytest.raises(ValueError, match=r"'encode.none'"):
        build("int8", ["encode.none"])
    with pytest.raises(ValueError, match="real clips for read"):
        build("int8-static", calibration={**clips(), "read": []})
    with pytest.raises(ValueError, match="no graphs"):
        tflite.build({}, Scheme("int8"), {}, "toy")
    wrong = {**clips(), "read": [(torch.zeros(1, 2, WIDTH),)]}
    with pytest.raises(ValueError, match=r"read takes inputs of shapes .*\(1, 2, 32\)"):
        build("int8-static", calibration=wrong)


def test_a_layer_that_the_converter_changed_cannot_be_kept(graphs, build, monkeypatch):
    monkeypatch.setattr(tflite, "name_layers", lambda *_: [])
    with pytest.raises(ValueError, match="encode.both is not in the .tflite file"):
        build("int8", ["encode.both"])


def test_files_that_are_not_what_they_should_be_are_refused_in_one_line(build):
    built = build("int8")
    (content,) = built.files.values()
    specs = built.specs
    nonsense = [b"", b"PK\x03\x04 a zip", b"\x00" * 64, b"\xff" * 4096]
    for part in [*nonsense, *(content[: len(content) * i // 8] for i in range(1, 8))]:
        with pytest.raises(ValueError, match="^toy.tflite is not a working") as error:
            load(part, specs)
        assert "\n" not in str(error.value)
    other = dataclasses.replace(specs["encode"], signature="encoder")
    with pytest.raises(ValueError, match=re.escape("no graph 'encoder'; it has: ['decode_step'")):
        load(content, {"encode": other})
    nameless = dataclasses.replace(specs["encode"], signature="")
    with pytest.raises(ValueError, match="3 signatures, expected 1"):
        load(content, {"encode": nameless})
    swapped = dataclasses.replace(specs["encode"], signature="read")
    with pytest.raises(ValueError, match="has the inputs"):
        load(content, {"encode": swapped})
    assert load(content, {}) == {}


def test_a_token_beyond_the_table_is_an_error_and_no_crash(build):
    backend = opened(build("int8"))["decode_step"]
    with pytest.raises(ValueError, match="^toy.tflite cannot be run"):
        backend.run({"token": np.array([[N_TOKENS]], np.int32)})


def test_one_graph_may_be_closed_before_the_others(build):
    backends = opened(build("none"))
    before = backends["encode"].run(frames())
    backends["read"].close()
    after = backends["encode"].run(frames())
    np.testing.assert_array_equal(before["states"], after["states"])


TINY = {
    **{"width": 32, "n_blocks": 2, "kernel": 3, "n_heads": 2, "past": 12},
    **{"d_model": 32, "d_ff": 32, "d_kv": 16, "n_reader_heads": 2, "n_layers": 1},
    **{"n_decoder_layers": 2, "n_perceiver_layers": 1},
}


@pytest.mark.slow
def test_a_translator_says_on_the_device_what_it_says_in_pytorch():
    torch.manual_seed(0)
    config = PocketTranslatorConfig.of_size("nano", TINY, n_pieces=40, n_glosses=5)
    graphs = graphs_of(PocketTranslator(config), n_latents=8, max_tokens=10)
    mask = torch.ones(1, 8)
    mask[:, 5:] = 0
    sentences = [2 * torch.randn(1, 8, 32) for _ in range(6)]
    with torch.no_grad():
        expected = [greedy(graphs, latents, mask, config.n_pieces, EOS) for latents in sentences]
    assert len({token for tokens in expected for token in tokens}) > 2
    same = {}
    for kind in ("none", "int8"):
        built = tflite.build(graphs, Scheme(kind), {}, "translator")
        assert all(share > 0.95 for share in built.delegated.values())
        backends = opened(built)
        said = [say(backends, built.specs, latents, mask, config.n_pieces) for latents in sentences]
        same[kind] = sum(a == b for a, b in zip(said, expected, strict=True))
    assert same["none"] == len(sentences) and same["int8"] >= 1


def say(backends, specs, latents: Tensor, mask: Tensor, question: int) -> list[int]:
    """``greedy`` on a device."""
    sentence = backends["read"].run({"latents": latents.numpy(), "latent_mask": mask.numpy()})
    sentence["latent_mask"] = mask.numpy()
    state = {t.name: np.zeros(t.shape, np.float32) for t in specs["decode_step"].state}
    token, tokens = question, []
    for position in range(state["keys"].shape[3]):
        asked = {
            "token": np.array([[token]], np.int32),
            "position": np.array([position], np.int32),
        }
        made = backends["decode_step"].run({**asked, **sentence, **state})
        state = {name: made[name] for name in state}
        token = int(made["scores"].argmax())
        if token == EOS:
            break
        tokens.append(token)
    return tokens
