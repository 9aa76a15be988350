"""A SIGNET as a pack: its graphs say what the network says, and a language can be added to it."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="needs the extra train")

from fingerpost.app.cli import app  # noqa: E402
from fingerpost.distill.export import export  # noqa: E402
from fingerpost.distill.export_experts import (  # noqa: E402
    ExpertsSource,
    export_adapter,
    hash_of_reader,
)
from fingerpost.distill.export_graphs_of_experts import MARGIN, WINDOW  # noqa: E402
from fingerpost.distill.judge_pack import translator_answers  # noqa: E402
from fingerpost.edge_runtime.expert_adapters import (  # noqa: E402
    read_adapter_file,
    write_adapter_file,
)
from fingerpost.edge_runtime.experts import (  # noqa: E402
    ExpertSentence,
    ExpertTranslator,
    Sight,
    held_windows,
    open_translator,
)
from fingerpost.edge_runtime.manifest import Manifest  # noqa: E402
from fingerpost.edge_runtime.pack import open_pack, verify_pack, write_pack  # noqa: E402
from fingerpost.trainer.checkpoint import save_checkpoint  # noqa: E402
from fingerpost.trainer.models.signet import Signet, SignetConfig  # noqa: E402
from fingerpost.trainer.sentences.languages import make_language_clip  # noqa: E402
from fingerpost.trainer.tasks.signet import Settings, SignetTranslation  # noqa: E402
from fingerpost.trainer.text_tokenizer import train_tokenizer  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = ("zsl", "ase", "bfi")  # not in the order of the alphabet, as a manifest's keys are
READER = {
    "model_type": "mt5",
    **{"d_model": 32, "d_kv": 16, "d_ff": 32, "num_heads": 2},
    **{"num_layers": 1, "num_decoder_layers": 1, "dropout_rate": 0.0},
}


@pytest.fixture(scope="module")
def clips():
    return [make_language_clip("d", "val", number) for number in range(3)]


def checkpoint_of(folder: Path, clips, seed: int = 0, **changes) -> Path:
    """A SIGNET of random weights, whose experts are chosen differently from clip to clip."""
    tokenizer = train_tokenizer([clip.text for clip in clips], 90)
    settings = Settings(max_tokens=12, beams=1)
    task = SignetTranslation(settings, tokenizer, NAMES)
    torch.manual_seed(0)  # the same experts and the same reader
    fields = {"k": 2, "experts": [
        {"name": name, "pose_widths": [4, 4, 8, 8], "placed": i == 1}
        for i, name in enumerate(NAMES)
    ], **changes}  # fmt: skip
    model = Signet(SignetConfig({**READER, **task._token_numbers()}, **fields)).eval()
    with torch.no_grad():
        head = model.language_model.get_output_embeddings().weight
        head.mul_(8)
        head[tokenizer.all_special_ids] = 0  # or it would say nothing
        for block in model.language_model.decoder.block:  # what is said depends on what is seen
            across = block.layer[1].EncDecAttention
            for part in (across.q, across.k, across.v, across.o):
                part.weight.mul_(4)
        for encoder in model.poses.encoders:
            encoder.projection.weight.mul_(20)
        torch.manual_seed(seed + 1)
        for adapter in model.fusion.adapters:
            adapter.up.normal_()
        if model.fusion.routing is not None:
            model.fusion.routing.router[2].weight.normal_(std=4)
            model.fusion.routing.router[0].weight.normal_()
    save_checkpoint(folder, model, {"task": "signet", **task.save(folder)}, {})
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, clips):
    return checkpoint_of(tmp_path_factory.mktemp("signet"), clips)


@pytest.fixture(scope="module")
def source(checkpoint, clips):
    """One that decides by the whole sentence, as the paper does."""
    return ExpertsSource(checkpoint, clips, decide_frames=1000)


@pytest.fixture(scope="module")
def pack(source, tmp_path_factory):
    """All of a pack but graphs that could be run: what is asked here does not run them."""
    made = source._as_if_packed()
    manifest = dataclasses.replace(made.manifest, name="signet")
    out = tmp_path_factory.mktemp("pack") / "signet.fpk"
    return write_pack(out, manifest, {**made.files, "none": b"a graph"})


# ---- the graphs against the network


def test_it_answers_as_generate_does(source):
    judged = source.judge_graphs()
    assert judged.pop("same answers") == 100
    assert judged == source.reference and set(judged) == {"text.bleu4"}
    said = {one.said for one in source._answers["text"]}
    assert len(said) > 1  # a network that always says the same would prove nothing


def test_windows_make_the_frames_that_the_whole_clip_makes(source, clips):
    """Also in the middle of a sentence, where a window ends; the longest has four windows."""
    translator = source._eager_translator()
    for clip in clips:
        keypoints = translator.keypoints_of(clip.sequence)
        assert len(keypoints) > WINDOW
        sight = Sight(translator, keypoints)
        whole = torch.from_numpy(keypoints)[None]
        seen = source._network.poses(whole, torch.ones(whole.shape[:2]))
        for i, name in enumerate(NAMES):
            np.testing.assert_allclose(sight.frames(name), seen.frames[0, i], atol=1e-5)
        priors = seen.regions[0][:, [2, 1]].flatten(1)  # right hand, left hand: Eq. 4
        np.testing.assert_allclose(sight.priors(len(keypoints)), priors, atol=1e-5)


def test_a_short_sentence_holds_its_last_frame(source, clips):
    translator = source._eager_translator()
    keypoints = translator.keypoints_of(clips[0].sequence)[:20]
    held = np.concatenate([keypoints, np.repeat(keypoints[-1:], WINDOW - 20, axis=0)])
    seen = source._network.poses.encoders[0](torch.from_numpy(held)[None])[0, :20]
    found = Sight(translator, keypoints).frames(NAMES[0])
    np.testing.assert_allclose(found, seen.detach(), atol=1e-5)


@pytest.mark.parametrize("n_frames", [1, 20, 58, 59, 64, 65, 110])
def test_a_sentence_of_any_length_is_seen_as_the_network_sees_it(source, clips, n_frames):
    """Up to its last frame, whatever of a window is left over."""
    translator = source._eager_translator()
    keypoints = translator.keypoints_of(clips[0].sequence)[:n_frames]
    assert len(keypoints) == n_frames
    sight, whole = Sight(translator, keypoints), torch.from_numpy(keypoints)[None]
    seen = source._network.poses(whole, torch.ones(whole.shape[:2]))
    np.testing.assert_allclose(sight.frames("ase"), seen.frames[0, 1], atol=1e-5)
    np.testing.assert_allclose(
        sight.priors(n_frames), seen.regions[0][:, [2, 1]].flatten(1), atol=1e-5
    )


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_choice_and_the_fused_frames_are_the_networks(source, clips, k):
    """Eq. 8, Eq. 12 and Algorithm 1 in NumPy against PyTorch."""
    translator = source._eager_translator()
    translator.k = source._network.fusion.k = k
    try:
        for clip in clips:
            keypoints = translator.keypoints_of(clip.sequence)
            sentence = translator.sentence("French", keypoints)
            whole = torch.from_numpy(keypoints)[None]
            fused, shares = source._network.fused(whole, torch.ones(whole.shape[:2]))
            np.testing.assert_allclose(sentence.fused, fused[0].detach(), atol=1e-4)
            found = dict(zip(*sentence.choice, strict=True))
            assert len(found) == k
            for name, share in zip(NAMES, shares[0].tolist(), strict=True):
                assert found.get(name, 0) == pytest.approx(share, abs=1e-5)
    finally:
        source._network.fusion.k = 2


def test_experts_are_chosen_clip_by_clip(source, clips):
    translator = source._eager_translator()
    translator.k = 1
    shares = [
        translator.sentence("French", translator.keypoints_of(clip.sequence)).choice
        for clip in clips
    ]
    assert all(choice.shares.tolist() == [1] for choice in shares)


@pytest.mark.parametrize("changes", [{"fusion": "average"}, {"adapter": False}])
def test_other_ways_of_fusing_are_the_networks_too(tmp_path, clips, changes):
    source = ExpertsSource(checkpoint_of(tmp_path, clips, **changes), clips, decide_frames=1000)
    assert source.judge_graphs()["same answers"] == 100


def test_concat_is_refused_for_it_runs_all_experts(tmp_path, clips):
    with pytest.raises(ValueError, match="fusion concat .* train with gated"):
        ExpertsSource(checkpoint_of(tmp_path, clips, fusion="concat"), clips)


# ---- the pack


@pytest.mark.slow
def test_a_pack_verifies_and_says_the_same(checkpoint, clips, tmp_path):
    source = ExpertsSource(checkpoint, clips, decide_frames=1000)
    out = tmp_path / "signet.fpk"
    options = {"format": "onnx", "quantization": "none", "name": "signet", "source": source}
    pack = export(checkpoint, out, **options).pack
    rows = verify_pack(pack)
    assert all(row.passed for row in rows)
    assert {"fused to French", "to French", *map(pack.manifest.experts.graph, NAMES)} == {
        row.output for row in rows
    }
    translator = open_translator(pack)
    assert isinstance(translator, ExpertTranslator)
    said = translator_answers(translator, clips)
    translator.close()
    assert [one.said for one in said["text"]] == [one.said for one in source._answers["text"]]


def test_a_manifest_says_what_adapters_must_be_for(pack, source):
    experts = pack.manifest.experts
    assert experts.names == NAMES and experts.k == 2 and experts.margin == MARGIN
    assert experts.reader == hash_of_reader(source._network)
    assert Manifest.from_json(pack.manifest.to_json()) == pack.manifest


@pytest.mark.parametrize("k", [1, 2, 3])
def test_after_the_decision_only_the_chosen_experts_run(source, clips, k):
    """Of a sentence of n windows: N look at the first, and k at each of the others."""
    translator = source._eager_translator()
    translator.k = k
    translator.experts = dataclasses.replace(translator.experts, decide_frames=WINDOW - MARGIN)
    sight = Sight(translator, translator.keypoints_of(clips[0].sequence))
    n_windows = len(held_windows(len(sight), WINDOW, MARGIN))
    ExpertSentence(translator, "French", sight)
    assert n_windows > 1 and sight.n_runs == 3 + k * (n_windows - 1)


# ---- a language more


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, clips):
    """Of another training with the same experts and the same language model."""
    folder = tmp_path_factory.mktemp("adapter")
    other = checkpoint_of(folder / "other", clips, seed=5)
    export_adapter(other, folder / "spanish.fpa", ["lsf"], "es", ["rendered signer (MIT)"])
    return folder / "spanish.fpa", other


def run(*arguments: str):
    return CliRunner().invoke(app, ["packs", *arguments])


def test_an_adapter_is_added_used_and_taken_away_again(
    pack, source, adapter, clips, tmp_path, monkeypatch
):
    monkeypatch.setenv("FINGERPOST_PACKS", str(tmp_path))
    file, other = adapter
    assert run("add", str(pack.path)).exit_code == 0
    installed = tmp_path / "signet.fpk"
    made = run("add-adapter", "signet", str(file), "--json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["writes"] == ["French", "Spanish"]
    more = open_pack(installed)
    assert set(more.manifest.languages) == {*pack.manifest.languages, "lsf"}
    assert "rendered signer (MIT)" in more.manifest.licences.data
    translator = ExpertTranslator(more, source._eager_translator()._backends)
    keypoints = translator.keypoints_of(clips[0].sequence)
    sentence = translator.sentence("Spanish", keypoints)
    trained = ExpertsSource(other, clips, decide_frames=1000)
    whole = torch.from_numpy(keypoints)[None]
    fused, _ = trained._network.fused(whole, torch.ones(whole.shape[:2]))
    np.testing.assert_allclose(sentence.fused, fused[0].detach(), atol=1e-4)
    assert not np.allclose(sentence.fused, translator.sentence("French", keypoints).fused)
    with pytest.raises(ValueError, match="read for 'Spanish', not for 'French'"):
        sentence.answer("French")
    with pytest.raises(ValueError, match="cannot answer in 'Klingon'; known: French, Spanish"):
        translator.sentence("Klingon", keypoints)
    gone = run("remove-adapter", "signet", "Spanish")
    assert gone.exit_code == 0, gone.output
    after = open_pack(installed).manifest
    assert after.files == pack.manifest.files and after.experts == pack.manifest.experts
    assert not list(tmp_path.glob(".*"))  # nothing half-written


def test_what_does_not_fit_changes_nothing(pack, adapter, clips, tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPOST_PACKS", str(tmp_path))
    file, other = adapter
    run("add", str(pack.path))
    before = (tmp_path / "signet.fpk").read_bytes()
    same_language = tmp_path / "french.fpa"
    export_adapter(other, same_language, ["lsf"], "fr", [])
    damaged = tmp_path / "damaged.fpa"
    damaged.write_bytes(file.read_bytes()[:-100])
    for source, message in (
        (same_language, "writes French already"),
        (damaged, "is damaged"),
        (pack.path, "is no adapter file"),
        (tmp_path / "nothing.fpa", "no file"),
    ):
        made = run("add-adapter", "signet", str(source))
        assert made.exit_code == 2 and message in " ".join(made.output.split()), made.output
        assert "Traceback" not in made.output
    about, adapters = read_adapter_file(file)
    renamed = dataclasses.replace(
        adapters,
        names=("x", "ase", "bfi"),
        weights={key.replace("zsl", "x"): w for key, w in adapters.weights.items()},
    )
    for changes, weights, message in (
        ({"experts": dict.fromkeys(NAMES, "0" * 64)}, adapters, "trained on another expert"),
        ({"reader": "0" * 64}, adapters, "with another language model"),
        ({"experts": dict.fromkeys(renamed.names, "0" * 64)}, renamed, "for the experts ase, bfi"),
    ):
        path = tmp_path / "other.fpa"
        write_adapter_file(path, dataclasses.replace(about, **changes), weights)
        made = run("add-adapter", "signet", str(path))
        assert made.exit_code == 2 and message in " ".join(made.output.split()), made.output
    assert (tmp_path / "signet.fpk").read_bytes() == before
    for arguments, message in (
        (("remove-adapter", "signet", "Spanish"), "has no adapter for 'Spanish'; for: French"),
        (("remove-adapter", "signet", "French"), "remove the pack instead"),
        (("add-adapter", "demo", str(file)), "cannot be changed"),
    ):
        made = run(*arguments)
        assert made.exit_code == 2 and message in " ".join(made.output.split()), made.output
