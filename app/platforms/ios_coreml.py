"""Core ML graphs on iOS, called through pyobjus. Not yet run on a phone.

Methods are those of Apple's Core ML (MLModel, MLMultiArray, MLDictionaryFeatureProvider). On a Mac
``edge_runtime.backends.coreml`` runs the same files through coremltools, which no phone has.
"""

import ctypes
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.edge_runtime.backends.coreml_package import unzip_package
from fingerpost.edge_runtime.backends.named_tensors import NEXT, check_inputs, inputs_of, only_spec
from fingerpost.edge_runtime.manifest import GraphSpec

DTYPES = {"float32": 65568, "int32": 131104}  # MLMultiArrayDataType
CORE_ML = "/System/Library/Frameworks/CoreML.framework"


def load(
    model: bytes, specs: Mapping[str, GraphSpec], num_threads: int = 1
) -> "dict[str, CoremlGraph]":
    """The graph of a zipped .mlpackage; ValueError where it cannot be loaded.

    num_threads : Core ML chooses for itself
    """
    spec = only_spec(specs, "Core ML")
    with tempfile.TemporaryDirectory(prefix="fingerpost-coreml-") as folder:
        return {
            name: CoremlGraph(unzip_package(model, spec.file, Path(folder)), spec) for name in specs
        }


class CoremlGraph:
    """One graph of named, fixed-shape tensors. A state goes in and comes out by one name.

    package : the folder .mlpackage, which is compiled and loaded here and may then go
    """

    def __init__(self, package: Path, spec: GraphSpec) -> None:
        from pyobjus import autoclass
        from pyobjus.dylib_manager import load_framework

        load_framework(CORE_ML)
        self._autoclass = autoclass
        self._file, self._specs = spec.file, inputs_of(spec)
        # By what they are called here: what they are called in the file, and how they look.
        self._results = {t.name: (t.name, t) for t in spec.outputs}
        self._results |= {t.name: (t.name + NEXT, t) for t in spec.state}
        url = autoclass("NSURL").fileURLWithPath_(self._text(str(package)))
        models = autoclass("MLModel")
        compiled = models.compileModelAtURL_error_(url, None)
        loaded = None if compiled is None else models.modelWithContentsOfURL_error_(compiled, None)
        if loaded is None:
            raise ValueError(f"{spec.file} is not a working Core ML graph for this iOS")
        self._model: Any = loaded

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the graph; the outputs are copies."""
        assert self._model is not None, "run() after close()"
        check_inputs(self._file, self._specs, inputs)
        values = self._autoclass("NSMutableDictionary").dictionary()
        for name, array in inputs.items():
            values.setObject_forKey_(self._to_core_ml(array), self._text(name))
        providers = self._autoclass("MLDictionaryFeatureProvider")
        given = providers.alloc().initWithDictionary_error_(values, None)
        answer = self._model.predictionFromFeatures_error_(given, None)
        if answer is None:
            raise ValueError(
                f"{self._file} cannot be run: a pack for phones has its states outside the graph"
            )
        found = {}
        for name, (in_file, tensor) in self._results.items():
            feature = answer.featureValueForName_(self._text(in_file))
            if feature is None:
                raise ValueError(f"{self._file} gives no {in_file}; export the pack again")
            array = _from_core_ml(feature.multiArrayValue)
            found[name] = array.astype(tensor.dtype, copy=False).reshape(tensor.shape)
        return found

    def close(self) -> None:
        """Lets go of the graph, which iOS then frees."""
        self._model = None

    def _to_core_ml(self, array: np.ndarray) -> Any:
        numbers = self._autoclass("NSNumber")
        shape = self._autoclass("NSMutableArray").array()
        for size in array.shape:
            shape.addObject_(numbers.numberWithInt_(size))
        multi = self._autoclass("MLMultiArray").alloc()
        multi = multi.initWithShape_dataType_error_(shape, DTYPES[array.dtype.name], None)
        content = np.ascontiguousarray(array)
        ctypes.memmove(multi.dataPointer.arg_ref, content.ctypes.data, content.nbytes)
        return multi

    def _text(self, text: str) -> Any:
        return self._autoclass("NSString").stringWithUTF8String_(text)


def _from_core_ml(multi: Any) -> np.ndarray:
    """A copy. ValueError for a type that no graph of ours gives."""
    names = {number: name for name, number in DTYPES.items()}
    if multi.dataType not in names:
        raise ValueError(f"Core ML gave an array of the type {multi.dataType}, not float32")
    shape = _numbers(multi.shape)
    array = np.empty(int(np.prod(shape)), names[multi.dataType])
    if _numbers(multi.strides) != [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]:
        raise ValueError("Core ML gave an array with gaps between its rows")
    ctypes.memmove(array.ctypes.data, multi.dataPointer.arg_ref, array.nbytes)
    return array.reshape(shape)


def _numbers(of: Any) -> list[int]:
    """Of an NSArray of NSNumber."""
    items: Iterable[Any] = (of.objectAtIndex_(i) for i in range(of.count()))
    return [item.intValue() for item in items]
