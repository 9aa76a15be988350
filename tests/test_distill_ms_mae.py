"""MS-MAE's recogniser as a pack, and a pack beside the checkpoint that it was made from."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra export")

from fingerpost.distill import compare_pack as compare_module  # noqa: E402
from fingerpost.distill import export_recogniser  # noqa: E402
from fingerpost.distill.compare_pack import Comparison, compare, main  # noqa: E402
from fingerpost.distill.export import EATS, export_pack  # noqa: E402
from fingerpost.distill.samples import signer_samples  # noqa: E402
from fingerpost.edge_runtime.keypoints import SIGN69  # noqa: E402
from fingerpost.edge_runtime.manifest import Manifest  # noqa: E402
from fingerpost.edge_runtime.preprocess import hands_alone  # noqa: E402
from fingerpost.trainer.checkpoint import save_checkpoint  # noqa: E402
from fingerpost.trainer.models import MODELS  # noqa: E402
from fingerpost.trainer.models.ms_mae import MsMae, MsMaeConfig  # noqa: E402
from fingerpost.trainer.models.ms_mae_classifier import (  # noqa: E402
    MsMaeClassifier,
    MsMaeClassifierConfig,
)
from fingerpost.trainer.shards import Clip  # noqa: E402
from fingerpost.trainer.signer import random_signer, sign_sentence  # noqa: E402
from fingerpost.trainer.tasks.isolated import Isolated, Settings  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

WAYS = ("down", "left", "right", "up")  # the glosses of the shards of conftest.py
WINDOW = 16
ENCODER = {"width": 16, "depth": 2, "heads": 2}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """As ``fingerpost train`` writes one, untrained, its logits far enough apart."""
    torch.manual_seed(0)
    model = MsMaeClassifier(MsMaeClassifierConfig(len(WAYS), WINDOW, ENCODER))
    with torch.no_grad():
        model.head.weight.mul_(50)
    folder = tmp_path_factory.mktemp("run") / "best-000001"
    task = Isolated(WAYS, Settings(window=WINDOW))
    info = {"task": "isolated", **task.save(folder), "data": {"ways": "0123"}}
    save_checkpoint(folder, model, info, {"validation": {"isolated.top1": 50.0, "step": 1}})
    return folder.parent


def test_what_a_pack_can_be_made_of():
    assert set(EATS) < set(MODELS)
    assert export_recogniser._input_shape(*EATS["pocket"], 48) == (1, 48, 69, 4)
    assert export_recogniser._input_shape(*EATS["ms_mae_classifier"], 32) == (1, 32, 48, 4)


def test_a_network_of_hands_alone_is_given_hands_alone_on_the_device_too():
    info = {"model": "ms_mae_classifier", "settings": {"hands_only": True}}
    assert export_recogniser._eats(info) == ("msmae", "ms_mae_hands")
    assert export_recogniser._eats(info | {"settings": {}}) == EATS["ms_mae_classifier"]
    rng = np.random.default_rng(0)
    signing = sign_sentence(["hello"], random_signer(rng), rng).keypoints(fps=25.0)
    clip = Clip("a", "", "train", ("up",), "", "", "", signing)
    whole, hands = (Isolated(WAYS, Settings(hands_only=on)).prepare(clip) for on in (False, True))
    body = SIGN69.groups["body"]
    assert whole.keypoints[:, body].any() and not hands.keypoints[:, body].any()
    alone = Isolated(WAYS, Settings()).prepare(replace(clip, sequence=hands_alone(signing)))
    assert torch.equal(hands.keypoints, alone.keypoints)


def test_what_is_no_recogniser_is_refused(tmp_path):
    save_checkpoint(tmp_path / "c", MsMae(MsMaeConfig(**ENCODER)), {}, {})
    with pytest.raises(ValueError, match="'ms_mae', which cannot become a pack; .*pocket"):
        export_pack(tmp_path / "c", tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_a_checkpoint_without_glosses_is_refused(tmp_path):
    model = MsMaeClassifier(MsMaeClassifierConfig(2, WINDOW, ENCODER))
    save_checkpoint(tmp_path / "c", model, {}, {})
    with pytest.raises(ValueError, match="has no vocabulary; train it again"):
        export_pack(tmp_path / "c", tmp_path / "pack")


def test_the_signer_s_samples_have_labels_only_where_somebody_knows(monkeypatch):
    monkeypatch.setattr("fingerpost.distill.samples.N_SIGNER_SENTENCES", 3)
    known = signer_samples(["<no sign>", "book", "hello"], WINDOW, "msmae", "ms_mae")
    assert known.keypoints.shape[1:] == (WINDOW, 48, 4) and set(known.label) <= {0, 1, 2}
    whole = signer_samples(["<no sign>", "book", "hello"], WINDOW, "sign69", "sign")
    wrists = [whole.keypoints[:, :, 9], known.keypoints[:, :, 6]]  # left
    assert np.array_equal(*wrists) and wrists[0].any()
    hands = signer_samples(["<no sign>", "book", "hello"], WINDOW, "msmae", "ms_mae_hands")
    assert known.keypoints[..., :6, 3].any() and not hands.keypoints[..., :6, 3].any()
    for unknown in (["book", "hello"], ["<no sign>", "in no lexicon"]):
        assert signer_samples(unknown, WINDOW, "msmae", "ms_mae").label is None


def test_a_pack_without_a_class_of_no_sign_has_none():
    assert export_recogniser._special({}, ["book"]) == {}
    assert export_recogniser._special({}, ["<no sign>", "book"]) == {"reject": "<no sign>"}
    assert export_recogniser._special({"reject": "none"}, ["book", "none"]) == {"reject": "none"}


class FakePack:
    """Names the ways in another order, as a pack may; always the same answer."""

    vocabulary = ("up", "right", "left", "down")


class SaysUp:
    def __init__(self, pack):
        pass

    def probabilities(self, span):
        return np.array([0.4, 0.3, 0.2, 0.1])


def test_pack_and_checkpoint_answer_the_same_clips(checkpoint, shards, monkeypatch):
    monkeypatch.setattr(compare_module, "open_pack", lambda path: FakePack())
    monkeypatch.setattr(compare_module, "Recogniser", SaysUp)
    found = compare(checkpoint, "a pack", [str(shards)], "val")
    assert found.n == 8 and found.pack == {"top1": 25.0, "top5": 100.0}  # 2 of 8 go up
    assert found.checkpoint["top5"] == 100.0
    assert found.lost == found.checkpoint["top1"] - 25
    assert 0 <= found.agreed <= 100


@pytest.mark.parametrize(("lost", "status"), [(0.9, 0), (1.1, 1), (-5, 0)])
def test_the_command_fails_where_the_pack_is_worse(lost, status, monkeypatch, capsys):
    figures = Comparison(9, {"top1": 80.0, "top5": 90}, {"top1": 80.0 - lost, "top5": 90}, 95)
    monkeypatch.setattr(compare_module, "compare", lambda *given: figures)
    monkeypatch.setattr("sys.argv", ["compare_pack", "checkpoint", "pack", "shards"])
    if status:
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == status
    else:
        main()
    assert "9 clips; the same best gloss for 95.0 %" in capsys.readouterr().out


def test_a_user_s_mistake_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compare_pack", "none", str(tmp_path), "shards"])
    with pytest.raises(SystemExit) as stop:
        main()
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.startswith("error: ") and error.count("\n") == 1


@pytest.mark.slow
def test_ms_mae_becomes_an_int8_pack_that_runs_on_the_device(checkpoint, shards, tmp_path):
    pytest.importorskip("litert_torch", reason="needs the extra export")
    pack = export_pack(checkpoint, tmp_path / "ways.fpk", name="ways", with_latency=False)
    manifest: Manifest = pack.manifest
    assert (manifest.view, manifest.preprocess, manifest.window) == ("msmae", "ms_mae", WINDOW)
    assert manifest.quantization == "int8" and pack.size_bytes < 8e6
    assert manifest.measured["float network: validation: isolated.top1"] == 50
    assert json.loads(manifest.to_json())["licences"]["data"] == "ways"
    found = compare(checkpoint, pack.path, [str(shards)], "")
    assert found.n == 24 and found.agreed >= 80
