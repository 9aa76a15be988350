"""Quantising a .tflite file, operator by operator, by AI Edge Quantizer."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fingerpost.distill.fake_quant import GROUP
from fingerpost.distill.recipes.tflite_file import CONV_2D, DEPTHWISE_CONV_2D, EMBEDDING_LOOKUP

_CONVOLUTIONS = (CONV_2D, DEPTHWISE_CONV_2D)
Inputs = Mapping[str, Sequence[Mapping[str, np.ndarray]]]
"""By graph, inputs by name as real clips give them."""
Kinds = Mapping[tuple[str, str], Sequence[str]]
"""By sort of operator and kind of quantisation: the operators, by the names of their outputs."""


def quantise(file: bytes, kinds: Kinds, inputs: Inputs) -> bytes:
    """A float32 .tflite file with the weights of these operators, and in int8-static what comes in
    and goes out, in other types; all else stays as it is.

    inputs : for int8-static; ranges are from the least to the greatest number that they bring about
    """
    from ai_edge_quantizer import quantizer, recipe_manager

    manager = recipe_manager.RecipeManager()
    for (sort, kind), tensors in sorted(kinds.items()):
        _add_rule(manager, _only(tensors), sort, kind)
    recipe = manager.get_quantization_recipe()
    if not recipe:
        return file
    ranges = _ranges(file, manager, inputs) if manager.need_calibration() else None
    job = quantizer.Quantizer(file, recipe)
    return bytes(job.quantize(ranges, enable_progress_report=False).quantized_model)


def _add_rule(manager: Any, which: str, sort: str, kind: str) -> None:
    from ai_edge_quantizer.qtyping import QuantGranularity
    from ai_edge_quantizer.quantizer import AlgorithmName

    if kind == "none":
        return
    if kind == "fp16":
        manager.add_weight_only_config(which, sort, 16, algorithm_key=AlgorithmName.FLOAT_CASTING)
    elif kind == "int8-static" and sort != EMBEDDING_LOOKUP:
        manager.add_static_config(which, sort, activation_num_bits=8, weight_num_bits=8)
    elif kind == "int4":
        manager.add_dynamic_config(which, sort, 4, QuantGranularity(f"BLOCKWISE_{GROUP}"))
    elif sort in _CONVOLUTIONS:
        manager.add_weight_only_config(which, sort, 8)
    else:
        manager.add_dynamic_config(which, sort, 8)


def _only(tensors: Sequence[str]) -> str:
    """A pattern of these operators, as the quantiser names them after their outputs."""
    return f"^({'|'.join(re.escape(tensor) for tensor in tensors)});$"


def _ranges(file: bytes, manager: Any, inputs: Inputs) -> dict[str, Any]:
    """Least and greatest number of each tensor that is to be quantised, by the tensor's name.

    ``Quantizer.calibrate`` has averages of them, of which the first input has most.
    """
    from ai_edge_quantizer import calibrator
    from ai_edge_quantizer.utils import qsv_utils

    found = calibrator.Calibrator(file, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    found.calibrate(inputs, manager)
    return found.get_model_qsvs()
