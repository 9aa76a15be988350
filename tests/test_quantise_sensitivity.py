"""The loss that each layer costs: a network where it can be worked out, reports, and real tasks."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from fingerpost.distill.fake_quant import layers_of
from fingerpost.distill.sensitivity import (
    LayerLoss,
    Sensitivity,
    score_loss,
    sensitivity,
    sensitivity_table,
    write_sensitivity,
)
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.pocket_graphs import Graph, graphs_of
from fingerpost.trainer.tasks.isolated import Isolated
from fingerpost.trainer.tasks.pocket_translation import PocketTranslation

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = {
    **{"width": 16, "n_blocks": 2, "n_heads": 2, "past": 8, "d_model": 16, "d_ff": 16, "d_kv": 8},
    **{"n_reader_heads": 2, "n_layers": 1, "n_decoder_layers": 1, "n_perceiver_layers": 1},
}


def one_weight(weight: float) -> nn.Linear:
    """Beside it a weight of 1.27, so that steps of int8 are 0.01; its input is 0."""
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.27, weight]]))
    return layer


def three_layers() -> tuple[dict[str, Graph], nn.ModuleList]:
    parts = nn.ModuleList([one_weight(0.5), one_weight(0.504), one_weight(0.306)]).eval()
    example = torch.tensor([[0.0, 1.0]])
    return {
        name: Graph(part, (example,), ("x",), ("y",))
        for name, part in zip("abc", parts, strict=True)
    }, parts


def loss_of(parts: nn.ModuleList) -> float:
    """100 times the distance to what the three give in float: 0.5, 0.504 and 0.306."""
    with torch.no_grad():
        given = [part(torch.tensor([[0.0, 1.0]])).item() for part in parts]
    wanted = (0.5, 0.504, 0.306)
    return 100 * sum(abs(a - b) for a, b in zip(given, wanted, strict=True))


def test_each_layer_alone_and_all_together() -> None:
    graphs, parts = three_layers()
    done: list[tuple[int, int]] = []
    found = sensitivity(graphs, "int8", lambda: loss_of(parts), report=lambda *n: done.append(n))
    assert [layer.name for layer in found.layers] == ["a", "b", "c"]
    assert [layer.loss for layer in found.layers] == pytest.approx([0, 0.4, 0.4], abs=1e-4)
    assert found.loss == pytest.approx(0.8, abs=1e-4)
    assert found.ranked[-1] == "a" and {layer.weights for layer in found.layers} == {2}
    assert done == [(1, 3), (2, 3), (3, 3)] and loss_of(parts) == pytest.approx(0, abs=1e-4)


def test_a_loss_that_is_no_number_is_the_worst(tmp_path: Path) -> None:
    graphs, parts = three_layers()
    with torch.no_grad():
        parts[2].weight[0, 0] = 1e5  # no number of 16 bits; 0 times infinity is none at all
    found = sensitivity(graphs, "fp16", lambda: loss_of(parts))
    assert found.ranked[0] == "c" and math.isinf(found.loss)
    report, picture = write_sensitivity(tmp_path, found)
    told = json.loads(report.read_text())
    assert told["loss"] is None and told["layers"][2]["loss"] is None
    assert told["layers"][0]["loss"] < 1e-4 and picture.stat().st_size > 5000


def made_up(n: int) -> Sensitivity:
    layers = [LayerLoss(f"g{i % 3}.layer.{i}", "int8", 10 * i, 0.01 * i) for i in range(n)]
    return Sensitivity("int8", 1.75, tuple(layers))


def test_the_table_has_the_worst_first_and_says_what_it_leaves_out() -> None:
    lines = sensitivity_table(made_up(30), most=3).splitlines()
    assert lines[0] == "int8: loss 1.8 with all layers quantised"
    assert lines[4] == "| `g2.layer.29` | 290 | int8 | 0.29 |"
    assert len(lines) == 8 and lines[-1] == "| 27 more | | | |"
    assert "more" not in sensitivity_table(made_up(3), most=3)


def test_the_report_is_written_whole(tmp_path: Path) -> None:
    found = made_up(7)
    report, picture = write_sensitivity(tmp_path / "new", found)
    assert sorted(path.name for path in report.parent.iterdir()) == ["int8.json", "int8.png"]
    told = json.loads(report.read_text())
    assert told["layers"][6] == {
        **{"name": "g0.layer.6", "kind": "int8", "weights": 60, "loss": 0.06}
    }
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_no_layer_name_is_cut_off_in_the_picture(tmp_path: Path) -> None:
    """What lies at the very edge would be cut: it is white."""
    import numpy as np
    from matplotlib.image import imread

    long = "decode_step.blocks.10.layer.2.DenseReluDense.wi_0"
    layers = tuple(LayerLoss(f"{long}{i}", "int4", 1, 0.1 * i) for i in range(3))
    _, picture = write_sensitivity(tmp_path, Sensitivity("int4", 1.1, layers))
    pixels = np.asarray(imread(picture))[..., :3]
    edges = [pixels[:, 0], pixels[:, -1], pixels[0], pixels[-1]]
    assert all((edge == 1).all() for edge in edges) and (pixels < 1).any()


def test_layers_of_a_recogniser(shards: Path) -> None:
    clips = Clips([str(shards)], "train")
    task = Isolated.from_data({"window": 16}, clips, None)
    torch.manual_seed(0)
    network = task.new_model({"width": 16, "n_blocks": 2, "n_heads": 2, "dropout": 0.5})
    example = (torch.zeros(1, 16, 69, 4),)
    graphs = {"recogniser": Graph(network.eval(), example, ("keypoints",), ("logits",))}
    loss = score_loss(graphs, network, task, list(clips)[:6], batch=4)
    assert loss() == 0  # no chance in it
    found = sensitivity(graphs, "int8", loss)
    assert len(found.layers) == 4 + 2 * 3 + 2 + 1
    assert found.layers[-1].name == "recogniser.head"
    assert all(layer.loss > 0 for layer in found.layers) and loss() == 0
    with pytest.raises(ValueError, match="no clips to measure the loss on"):
        score_loss(graphs, network, task, [])


def test_every_layer_of_a_translator_that_its_graphs_run_can_cost_something(shards: Path) -> None:
    """The network's own way comes through the graphs' layers, the gloss head's too."""
    clips = Clips([str(shards)], "train")
    task = PocketTranslation.from_data({"augment": None}, clips, None)
    torch.manual_seed(0)
    network = task.new_model(TINY)
    with torch.no_grad():  # or attention would be to all alike, whoever asks
        for parameter in network.language_model.parameters():
            parameter.mul_(4)
    graphs = graphs_of(network, n_latents=8, max_tokens=6)
    found = sensitivity(graphs, "int8-static", score_loss(graphs, network, task, list(clips)[:2]))
    assert {layer.name.partition(".")[0] for layer in found.layers} == set(graphs) - {"ctc"}
    assert "encode.gloss_head" in found.ranked  # which is ctc's, too
    assert len(found.layers) == len(set(layers_of(graphs).values()))
    assert [layer.name for layer in found.layers if layer.loss == 0] == []
