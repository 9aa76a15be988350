"""The TFLite backend on a graph of one operation, and packs verified by running them."""

import dataclasses

import numpy as np
import pytest

from fingerpost.edge_runtime.backends import BACKENDS, load_backend
from fingerpost.edge_runtime.backends.tflite import load
from fingerpost.edge_runtime.manifest import GraphSpec, Licences, Manifest, Parent, TensorSpec
from fingerpost.edge_runtime.pack import open_pack, verify_pack, write_pack
from fingerpost.edge_runtime.pack_check import GOLDEN, golden_bytes

litert = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="needs ai-edge-litert")
flatbuffers = pytest.importorskip("flatbuffers", reason="needs flatbuffers")

SHAPE = (1, 4)
SPEC = GraphSpec(
    file="double.tflite",
    backend="tflite",
    backend_version="any",
    inputs=(TensorSpec("keypoints", SHAPE, "float32"),),
    outputs=(TensorSpec("logits", SHAPE, "float32"),),
)


def tensor_map(name, index):
    entry = litert.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry


def make_tensor(name):
    tensor = litert.TensorT()
    tensor.name, tensor.shape, tensor.type = name, SHAPE, litert.TensorType.FLOAT32
    return tensor


@pytest.fixture(scope="module")
def graph():
    """keypoints + keypoints = logits, as the bytes of a .tflite file."""
    code = litert.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = litert.BuiltinOperator.ADD
    code.version = 1
    add = litert.OperatorT()
    add.inputs, add.outputs = [0, 0], [1]
    add.builtinOptionsType, add.builtinOptions = (
        litert.BuiltinOptions.AddOptions,
        litert.AddOptionsT(),
    )
    subgraph = litert.SubGraphT()
    subgraph.tensors = [make_tensor("in"), make_tensor("out")]
    subgraph.inputs, subgraph.outputs, subgraph.operators = [0], [1], [add]
    signature = litert.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.inputs, signature.outputs = [tensor_map("keypoints", 0)], [tensor_map("logits", 1)]
    model = litert.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [subgraph]
    model.buffers, model.signatureDefs = [litert.BufferT()], [signature]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def open_graph(model, spec=SPEC):
    return load(model, {"recogniser": spec})["recogniser"]


@pytest.fixture
def make_pack(tmp_path, graph):
    """A pack of the graph, whose golden answers may be wrong by a factor."""

    def make(factor=1.0, spec=SPEC, golden=True):
        inputs = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float16)
        right = 2 * inputs.astype(np.float32)
        arrays = {
            "recogniser/inputs/keypoints": inputs,
            "recogniser/reference/logits": right,
            "recogniser/expected/logits": right * np.float32(factor),
        }
        files = {"double.tflite": graph, "vocabulary.json": b'["A", "B", "C", "D"]'}
        manifest = Manifest(
            name="double",
            version="1",
            task="isolated-signs",
            languages=("ase",),
            view="sign69",
            preprocess_version=1,
            fps=25,
            window=48,
            graphs={"recogniser": spec},
            vocabulary="vocabulary.json",
            special={"reject": "A"},
            quantization="none",
            parent=Parent("0" * 64),
            licences=Licences("Apache-2.0", "Apache-2.0", "none"),
            measured={},
        )
        if golden:
            files[GOLDEN] = golden_bytes(arrays)
        return write_pack(tmp_path / "pack", manifest, files)

    return make


def test_the_graph_runs_and_its_outputs_are_copies(graph):
    backend = open_graph(graph)
    x = np.array([[1, 2, 3, 4]], np.float32)
    first = backend.run({"keypoints": x})["logits"]
    backend.run({"keypoints": 10 * x})
    assert first.tolist() == [[2, 4, 6, 8]]
    backend.close()
    with pytest.raises(AssertionError, match="after close"):
        backend.run({"keypoints": x})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "takes .'keypoints'.*got .."),
        ({"frames": np.zeros(SHAPE, np.float32)}, "got .'frames'."),
        ({"keypoints": np.zeros((2, 4), np.float32)}, r"shape \(1, 4\) float32, got \(2, 4\)"),
        ({"keypoints": np.zeros(SHAPE)}, "got .* float64"),
    ],
)
def test_what_does_not_fit_the_inputs_is_refused(graph, inputs, message):
    with pytest.raises(ValueError, match=message):
        open_graph(graph).run(inputs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": (TensorSpec("frames", SHAPE, "float32"),)}, "inputs .*its manifest says"),
        ({"outputs": (TensorSpec("logits", (1, 5), "float32"),)}, r"output logits .*\(1, 5\)"),
        ({"inputs": (TensorSpec("keypoints", SHAPE, "int8"),)}, "float32, its manifest .* int8"),
        ({"state": (TensorSpec("cache", SHAPE, "float32"),)}, "cache"),
    ],
)
def test_a_graph_that_is_not_what_the_manifest_says_is_refused(graph, change, message):
    with pytest.raises(ValueError, match=message):
        open_graph(graph, dataclasses.replace(SPEC, **change))


def test_a_corrupt_graph_is_an_error_of_one_line_not_a_crash(graph):
    for broken in (b"no graph at all", graph[: len(graph) // 2], graph[:8] + b"\xff" * 40):
        with pytest.raises(ValueError, match="double.tflite is not a working TFLite graph") as e:
            open_graph(broken)
        assert "\n" not in str(e.value)


def test_unknown_graphs_backends_and_no_threads(make_pack, graph):
    with pytest.raises(ValueError, match="no graph 'translator'; it has: recogniser"):
        load_backend(make_pack(), "translator")
    other = make_pack(spec=dataclasses.replace(SPEC, backend="abacus"))
    with pytest.raises(ValueError, match=f"'abacus', .* has: {', '.join(sorted(BACKENDS))}"):
        load_backend(other, "recogniser")
    with pytest.raises(ValueError, match="at least 1 thread"):
        load(graph, {"recogniser": SPEC}, num_threads=0)


def test_a_machine_without_litert_is_told_what_to_install(graph, monkeypatch):
    from fingerpost.edge_runtime.backends import tflite

    monkeypatch.setattr(tflite, "_INTERPRETERS", ("no_such_package.interpreter",))
    with pytest.raises(ValueError, match=r'pip install "fingerpost\[app\]"'):
        open_graph(graph)


def test_verify_passes_where_the_graph_computes_what_it_did(make_pack):
    rows = verify_pack(make_pack())
    assert {(row.against, row.measure) for row in rows} == {
        (against, measure)
        for against in ("reference", "expected")
        for measure in ("max error", "cosine", "top-1 agreement")
    }
    assert all(row.passed for row in rows)


@pytest.mark.parametrize("factor", [1.01, -1.0, np.nan])
def test_verify_fails_where_it_does_not(make_pack, factor):
    failed = {
        (row.against, row.measure) for row in verify_pack(make_pack(factor)) if not row.passed
    }
    assert ("expected", "max error") in failed
    assert not any(against == "reference" for against, _ in failed)


def test_a_pack_without_golden_inputs_cannot_be_verified(make_pack):
    with pytest.raises(ValueError, match="no golden.npz"):
        verify_pack(make_pack(golden=False))


def test_golden_inputs_of_another_kind_are_an_error(make_pack):
    pack = make_pack()
    for content, message in ((b"PK nonsense", "not an .npz"), (golden_bytes({}), "lacks recogn")):
        files = {name: pack.read(name) for name in pack.manifest.files} | {GOLDEN: content}
        broken = write_pack(pack.path.with_name("broken"), pack.manifest, files)
        with pytest.raises(ValueError, match=message):
            verify_pack(open_pack(broken.path))
