"""Which operators of a .tflite file XNNPACK runs on this machine, and which LiteRT's own code.

LiteRT hands what it can to its delegate XNNPACK when a graph is loaded, says nothing of the rest,
and falls back to its own, slower operators without a word where XNNPACK is missing.
"""

import importlib
from typing import Any

from fingerpost.edge_runtime.backends.tflite import find_interpreter
from fingerpost.edge_runtime.quiet import quiet_stderr

_DELEGATE = "DELEGATE"  # what LiteRT calls the operator that stands for all that XNNPACK runs


def delegated_shares(model: bytes) -> dict[str, float]:
    """By signature, the share (0 to 1) of its operators that XNNPACK runs here.

    model : bytes of the .tflite file

    Counted are the operators as the file lists them. Without a library to take a file apart, as
    beside tflite-runtime, {} for a file of several signatures.
    """
    names = list(_load(model).get_signature_list())
    if len(names) == 1:
        return {names[0]: _share(model)}
    try:
        files = importlib.import_module("ai_edge_litert.tools.flatbuffer_utils")
    except ImportError:
        return {}
    return {name: _share(_alone(files, model, name)) for name in names}


def _share(model: bytes) -> float:
    """Of the first graph of a file: LiteRT lists no other's operators."""
    interpreter = _load(model)
    details = interpreter._get_ops_details()
    operators = [operator for operator in details if operator["op_name"] != _DELEGATE]
    # After the operators come those that took their place: the last to make a tensor is who does.
    maker = {int(made): operator for operator in details for made in operator["outputs"]}
    open_ends = [int(tensor["index"]) for tensor in interpreter.get_output_details()]
    used: dict[int, str] = {}  # operators on the way from the outputs back to the inputs
    while open_ends:
        operator = maker.get(open_ends.pop())
        if operator is not None and operator["index"] not in used:
            used[operator["index"]] = operator["op_name"]
            open_ends += [int(tensor) for tensor in operator["inputs"]]
    own = sum(name != _DELEGATE for name in used.values())
    return 1 - own / max(len(operators), 1)


def _alone(files: Any, model: bytes, name: str) -> bytes:
    """One signature of a file as a file."""
    content = files.read_model_from_bytearray(bytearray(model))
    (signature,) = (s for s in content.signatureDefs if s.signatureKey.decode() == name)
    content.subgraphs = [content.subgraphs[signature.subgraphIndex]]
    content.signatureDefs, signature.subgraphIndex = [signature], 0
    return bytes(files.convert_object_to_bytearray(content))


def _load(model: bytes) -> Any:
    with quiet_stderr():  # it greets
        interpreter = find_interpreter()(model_content=model, num_threads=1)
        interpreter.allocate_tensors()  # only now are operators handed over
    return interpreter
