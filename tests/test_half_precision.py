"""Which norms square what float16 cannot hold, by hand."""

import math

import pytest

torch = pytest.importorskip("torch", reason="needs the extra export")

from torch import nn  # noqa: E402

from fingerpost.distill.half_precision import (  # noqa: E402
    LARGEST,
    half_precision_warning,
    largest_squared,
)
from fingerpost.trainer.models.pocket_graphs import Graph  # noqa: E402


class Two(nn.Module):
    """A norm that takes its mean away, and one that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(2), nn.RMSNorm(2)

    def forward(self, x):
        return self.first(x) + self.second(x)


def graphs_of(module=None):
    return {"encode": Graph(module or Two(), (torch.zeros(1, 2),), ("x",), ("y",))}


def calibration(*rows):
    return {"encode": [(torch.tensor([row], dtype=torch.float32),) for row in rows]}


def test_what_each_norm_squares_is_found():
    found = largest_squared(graphs_of(), calibration([100.0, 300.0], [-40.0, -60.0]))
    assert found == {"encode.first": 100.0, "encode.second": 300.0}  # 200 is the mean of 100, 300


def test_the_limit_is_that_of_float16():
    exact = torch.tensor(LARGEST, dtype=torch.float64)
    assert torch.isfinite((exact**2 * 0.999).half()) and not torch.isfinite(
        (exact**2 * 1.01).half()
    )
    assert LARGEST == pytest.approx(255.94, abs=0.01)


def test_one_line_names_the_worst():
    told = half_precision_warning(
        "coreml", "fp16", graphs_of(), lambda: calibration([100.0, 300.0])
    )
    assert told.startswith("1 of 2 norms square numbers up to 300 (encode.second)")
    assert "can square 256 at the most" in told and "\n" not in told
    broken = calibration([math.nan, 0.0], [1.0, 2.0])
    assert "2 of 2 norms" in half_precision_warning("coreml", "int8", graphs_of(), lambda: broken)


@pytest.mark.parametrize(
    ("format", "kind", "rows"),
    [
        ("coreml", "fp16", [[100.0, 200.0]]),  # fits
        ("coreml", "none", [[1000.0, 2000.0]]),  # arithmetic in float32
        ("tflite", "fp16", [[1000.0, 2000.0]]),  # there, weights alone are in 16 bits
        ("executorch", "int8", [[1000.0, 2000.0]]),
        ("coreml", "fp16", []),  # nothing was run
    ],
)
def test_nothing_is_said_where_nothing_is_wrong(format, kind, rows):
    given = calibration(*rows)
    assert half_precision_warning(format, kind, graphs_of(), lambda: given) == ""


def test_a_norm_of_t5_is_one_by_its_name():
    class T5LayerNorm(nn.Module):
        def forward(self, x):
            return x

    found = largest_squared(graphs_of(T5LayerNorm()), calibration([3.0, -7.0]))
    assert found == {"encode": 7.0}
