"""The mean of two trainings."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from fingerpost.trainer.average_weights import average_weights  # noqa: E402
from fingerpost.trainer.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from fingerpost.trainer.models.pocket import Pocket, PocketConfig  # noqa: E402


def checkpoint(folder, value, width=16):
    model = Pocket(PocketConfig(n_labels=3, width=width, n_blocks=1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    save_checkpoint(folder, model, {"glosses": ["a"]}, {"top1": value})
    (folder / "notes.txt").write_text("kept", encoding="utf-8")
    return folder


@pytest.fixture
def two(tmp_path):
    return checkpoint(tmp_path / "one", 1.0), checkpoint(tmp_path / "two", 5.0)


def test_the_weights_are_means_and_the_rest_is_the_firsts(two, tmp_path):
    n = average_weights(*two, tmp_path / "mean", share=0.25)
    model, info, metrics = load_checkpoint(tmp_path / "mean")
    assert n >= len(list(model.parameters()))
    assert all(torch.all(weights == 2.0) for weights in model.parameters())
    assert info["glosses"] == ["a"] and "top1" not in metrics
    assert (tmp_path / "mean" / "notes.txt").read_text(encoding="utf-8") == "kept"


def test_only_what_is_named_is_averaged(two, tmp_path):
    names = [name for name, _ in load_checkpoint(two[0])[0].named_parameters()]
    average_weights(*two, tmp_path / "mean", within=[names[0]])
    weights = dict(load_checkpoint(tmp_path / "mean")[0].named_parameters())
    assert torch.all(weights[names[0]] == 3.0) and torch.all(weights[names[-1]] == 1.0)


def test_what_does_not_fit_is_refused_and_nothing_is_written(two, tmp_path):
    wide = checkpoint(tmp_path / "wide", 1.0, width=32)
    for second, changes, message in (
        (wide, {}, "does not fit"),
        (two[1], {"within": ["nothing."]}, "no weight of .* starts with nothing"),
        (two[1], {"share": 1.0}, "between 0 and 1"),
        (tmp_path, {}, "is no checkpoint"),
    ):
        with pytest.raises(ValueError, match=message):
            average_weights(two[0], second, tmp_path / "mean", **changes)
        assert not (tmp_path / "mean").exists()
    shutil.copytree(two[0], tmp_path / "mean")
    with pytest.raises(ValueError, match="is there already"):
        average_weights(*two, tmp_path / "mean")
    assert json.loads((tmp_path / "mean" / "metrics.json").read_text())["top1"] == 1.0
