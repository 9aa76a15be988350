"""Which experts of a pack are listened to, and what becomes of what they see, in NumPy.

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation" (Asasi,
Mercanoglu Sincan, Bowden), Sec. 3.4 to 3.6: adapters (Eq. 12), Algorithm 1, the router (Eq. 5) and
the best k (Eq. 8). It is what a sign language needs of its own beside the experts, so it is a file
of weights that a pack may get later, not a graph: some 0.9 million numbers with the paper's widths,
and so few operations that no accelerator would notice. ``trainer/models/signet_routing`` has the
same in PyTorch, and learns it. Letters: N experts, T frames, E their width, P that of a prior.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

EPS = 1e-5  # of a layer normalisation, as PyTorch has it
PROMPT, NAMES = "prompt", "experts"  # arrays of the file beside its weights
ROUTING = {  # names of the weights to their shapes, of P and N
    "routing.aggregate.query.0.weight": "PP",
    "routing.aggregate.query.2.weight": "PP",
    "routing.aggregate.norm.weight": "P",
    "routing.aggregate.norm.bias": "P",
    "routing.router.0.weight": "PP",
    "routing.router.0.bias": "P",
    "routing.router.2.weight": "NP",
    "routing.router.2.bias": "N",
}
ADAPTER = {"norm.weight": "E", "norm.bias": "E", "down": "ER", "up": "RE"}


class Choice(NamedTuple):
    """Who is listened to. names : the best first; shares : of each, adding up to 1"""

    names: tuple[str, ...]
    shares: np.ndarray


@dataclass(frozen=True)
class Adapters:
    """What one sign language has of its own.

    names : of the experts, in the router's order
    prompt : shape (L, E), what the language model reads before the frames
    weights : by name, as in ``ROUTING`` and "adapters.<expert>." + ``ADAPTER``; without a router
        all experts have the same share, without an adapter frames are taken as they are
    """

    names: tuple[str, ...]
    prompt: np.ndarray
    weights: Mapping[str, np.ndarray] = field(repr=False)

    def adapted(self, name: str, frames: np.ndarray) -> np.ndarray:
        """Eq. 12, without dropout: (T, E) of an expert to (T, E)."""
        start = f"adapters.{name}."
        if f"{start}down" not in self.weights:
            return frames
        w = {part: self.weights[start + part] for part in ADAPTER}
        normed = layer_norm(frames, w["norm.weight"], w["norm.bias"])
        return frames + (normed @ w["down"]) @ w["up"]

    def logits(self, priors: np.ndarray) -> np.ndarray:
        """Algorithm 1 and Eq. 5: priors (N, P) to (N,); zeros without a router."""
        if not any(name in self.weights for name in ROUTING):
            return np.zeros(len(self.names), np.float32)
        w = self.weights
        mean = priors.mean(axis=0)  # lines 1 and 2
        hidden = np.maximum(w["routing.aggregate.query.0.weight"] @ mean, 0)
        query = w["routing.aggregate.query.2.weight"] @ hidden  # (P,)
        fits = priors @ query / np.sqrt(priors.shape[1])  # (N,); line 4
        aggregate = softmax(fits) @ priors  # (P,); lines 5 and 6
        aggregate = layer_norm(
            aggregate, w["routing.aggregate.norm.weight"], w["routing.aggregate.norm.bias"]
        )
        hidden = w["routing.router.0.weight"] @ aggregate + w["routing.router.0.bias"]
        return w["routing.router.2.weight"] @ np.maximum(hidden, 0) + w["routing.router.2.bias"]

    def choose(self, priors: np.ndarray, k: int) -> Choice:
        """Eq. 8: the k experts with the greatest logits, of equal ones the earlier.

        Without a router all are chosen, whatever k is. ValueError for a k that cannot be.
        """
        if not 1 <= k <= len(self.names):
            raise ValueError(f"k is from 1 to the {len(self.names)} experts, got {k}")
        logits = self.logits(priors)
        routed = any(name in self.weights for name in ROUTING)
        best = np.argsort(-logits, kind="stable")[: k if routed else len(self.names)]
        return Choice(tuple(self.names[i] for i in best), softmax(logits[best]))


def read_adapters(
    content: bytes, names: Sequence[str], width: int, prior_width: int, where: str = "the file"
) -> Adapters:
    """The weights of a language, of an .npz without pickles. ValueError says in one line what is
    wrong with them.

    names : of the experts that it must be for; width, prior_width : E and P
    where : what an error calls the file
    """
    arrays = _arrays(content, where)
    for needed in (NAMES, PROMPT):
        if needed not in arrays:
            raise ValueError(f"{where} lacks {needed!r}; export it again")
    own = tuple(str(name) for name in arrays.pop(NAMES))
    if sorted(own) != sorted(names):
        raise ValueError(
            f"{where} is for the experts {', '.join(own)}, the pack has {', '.join(names)}"
        )
    prompt = arrays.pop(PROMPT)
    if prompt.ndim != 2 or prompt.shape[1] != width:
        raise ValueError(f"{where}: prompt is {prompt.shape}, expected (L, {width})")
    _check(arrays, own, width, prior_width, where)
    return Adapters(own, prompt, arrays)


def adapters_bytes(adapters: Adapters) -> bytes:
    """What ``read_adapters`` reads; the same bytes for the same weights."""
    arrays = {**adapters.weights, PROMPT: adapters.prompt, NAMES: np.array(adapters.names)}
    packed = io.BytesIO()
    np.savez_compressed(packed, **{name: arrays[name] for name in sorted(arrays)})  # type: ignore
    return packed.getvalue()


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + EPS) * weight + bias


def softmax(x: np.ndarray) -> np.ndarray:
    """Over all of (N,)."""
    powers = np.exp(x - x.max())
    return powers / powers.sum()


def _arrays(content: bytes, where: str) -> dict[str, np.ndarray]:
    """float16 becomes float32, which NumPy is faster with."""
    not_one = f"{where} is not an .npz of plain arrays; export it again"
    if not content.startswith(b"PK"):  # np.load takes more formats than zip
        raise ValueError(not_one)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            found = dict(archive)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(not_one) from error
    return {k: a if a.dtype.kind == "U" else a.astype(np.float32) for k, a in found.items()}


def _check(
    arrays: Mapping[str, np.ndarray], names: Sequence[str], width: int, prior: int, where: str
) -> None:
    """ValueError for weights too many or too few, of another shape, or that are no numbers."""
    ranks = {a.shape[-1] for k, a in arrays.items() if k.endswith(".down") and a.ndim == 2}
    sizes = {"P": prior, "N": len(names), "E": width, "R": ranks.pop() if len(ranks) == 1 else 0}
    routing = dict(ROUTING) if any(name in arrays for name in ROUTING) else {}
    adapters = {}
    if any(name.startswith("adapters.") for name in arrays):
        adapters = {f"adapters.{n}.{part}": form for n in names for part, form in ADAPTER.items()}
    expected = routing | adapters
    for name in sorted(expected.keys() ^ arrays.keys()):
        problem = "lacks" if name in expected else "holds the unknown"
        raise ValueError(f"{where} {problem} {name!r}; export it again")
    for name, form in expected.items():
        shape = tuple(sizes[letter] for letter in form)
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(
                f"{where}: {name} is of shape {arrays[name].shape}, expected finite {shape}"
            )
