"""Whether hands that are seen sign, or say nothing: a small network that reads an encoder's states.

    judge = read_signing_judge(pack.read("signing.npz"))
    judge.logits(states)    # above 0 where it is rather signing

A recogniser of glosses was trained to name what it sees, and names idle hands too. What its
encoder keeps of their movement tells the two apart far better than how sure the gloss is
(docs/live.md). ``distill/fit_signing.py`` fits it.
"""

import io
import zipfile
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class SigningJudge:
    """One hidden layer of H numbers (SiLU) over states of D, each less its mean, over its scale.

    mean, scale : (D,); hidden : (D, H); hidden_bias, output : (H,); bias : ()
    """

    mean: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    bias: np.ndarray

    def __post_init__(self) -> None:
        d, h = len(self.mean), len(self.hidden_bias)
        expected = {"mean": (d,), "scale": (d,), "hidden": (d, h)}
        expected |= {"hidden_bias": (h,), "output": (h,), "bias": ()}
        for name, shape in expected.items():
            value = getattr(self, name)
            if value.shape != shape or not np.isfinite(value).all():
                raise ValueError(f"{name} is of shape {value.shape} and not {shape}, or not finite")
        if not (self.scale > 0).all():
            raise ValueError("a scale is above 0")

    def logits(self, states: np.ndarray) -> np.ndarray:
        """states : shape (T, D); returns (T,), the logarithm of the odds that it is signing"""
        seen = (states.astype(np.float32) - self.mean) / self.scale
        hidden = seen @ self.hidden + self.hidden_bias
        gates = 0.5 + 0.5 * np.tanh(hidden / 2)  # the logistic function, which never overflows
        return np.asarray((hidden * gates) @ self.output + self.bias)

    def to_bytes(self) -> bytes:
        """As a pack keeps it: float16 in .npz, the same bytes each time."""
        content = io.BytesIO()
        np.savez(content, **{name: value.astype(np.float16) for name, value in vars(self).items()})
        return content.getvalue()


def read_signing_judge(content: bytes) -> SigningJudge:
    """Of a pack's file. ValueError where it is not one."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as given:
            arrays = {one.name: given[one.name].astype(np.float32) for one in fields(SigningJudge)}
        return SigningJudge(**arrays)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError("the pack's judge of signing is damaged; fit it again") from error
