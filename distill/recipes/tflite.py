"""PyTorch to TFLite (LiteRT): float, or int8 weights per channel with float activations.

The graph has one signature with named tensors, batch 1 and fixed shapes (LiteRT's conversion fails
on a dynamic number of frames). In int8 the activations are quantised while it runs, so inputs and
outputs stay float32 and no calibration data is needed. The same model gives the same bytes.
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

BACKEND = "tflite"


def export(
    model: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    quantization: str = "int8",
) -> bytes:
    """The .tflite file of a model.

    example : inputs by the name of forward's parameters, of the shapes and dtypes to be used
    outputs : a name for each tensor that forward returns
    quantization : "none" or "int8"
    """
    return quantize(convert(model, example, outputs), quantization)


def convert(model: nn.Module, example: Mapping[str, Tensor], outputs: Sequence[str]) -> bytes:
    """The float32 .tflite file of a model; parameters as in ``export``."""
    with _quiet():
        import litert_torch

        named = _NamedOutputs(model, tuple(outputs)).eval()
        # Positional arguments would be called args_0, args_1 in the signature.
        edge_model = litert_torch.convert(named, sample_kwargs=dict(example))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.tflite"
            edge_model.export(str(file))
            return file.read_bytes()


def quantize(graph: bytes, quantization: str) -> bytes:
    """A float .tflite file with its weights in another type; "none" leaves it as it is."""
    if quantization == "none":
        return graph
    if quantization != "int8":
        raise ValueError(f"unknown quantization {quantization!r}; known: none, int8")
    with _quiet():
        from ai_edge_quantizer import quantizer, recipe

        job = quantizer.Quantizer(graph)
        job.load_quantization_recipe(recipe.dynamic_wi8_afp32())
        return bytes(job.quantize().quantized_model)


class _NamedOutputs(nn.Module):
    """The names of a returned dict become those of the signature's outputs."""

    def __init__(self, model: nn.Module, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.outputs = model, outputs

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        result = self.model(**inputs)
        tensors = (result,) if isinstance(result, Tensor) else tuple(result)
        return dict(zip(self.outputs, tensors, strict=True))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Both converters write their progress to stdout and stderr, past all logging."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            torch.no_grad(),
        ):
            yield
    finally:
        logging.disable(level)
