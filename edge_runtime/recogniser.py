"""One sign to a distribution over glosses: the pack's preprocessing and network, soft-max."""

import numpy as np

from fingerpost.edge_runtime.backends import Backend, load_backend
from fingerpost.edge_runtime.keypoints import PoseSequence, schema, to_view
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.preprocessings import find_preprocessing

GRAPH = "recogniser"


class Recogniser:
    """Runs the recogniser of a pack on spans of keypoints.

    backend : what runs the graph; by default the one that the pack's manifest names
    """

    def __init__(self, pack: Pack, backend: Backend | None = None) -> None:
        self.view = schema(pack.manifest.view)
        self._window = pack.manifest.window
        self._preprocess = find_preprocessing(pack.manifest.preprocess)
        self._backend = backend or load_backend(pack, GRAPH)

    def probabilities(self, span: PoseSequence) -> np.ndarray:
        """Shape (V,), summing to 1: what one sign, from any source or the view, may be."""
        keypoints = self._preprocess(to_view(span, self.view), self._window)
        logits = self._backend.run({"keypoints": keypoints})["logits"][0]
        weights = np.exp(logits - logits.max())
        return weights / weights.sum()
