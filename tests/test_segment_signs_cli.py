"""``fingerpost segment`` and ``shards splice``; the picture; the benchmark."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.edge_runtime.keypoint_files import save_npz
from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.segmentation import benchmark
from fingerpost.trainer.segmentation.attention import AttentionBand, open_reader
from fingerpost.trainer.segmentation.picture import MAX_PANELS, PANEL_MS, segmented_figure
from fingerpost.trainer.segmentation.segmenter import Segmented
from fingerpost.trainer.segmentation.span_files import read_spans
from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards

RIGHT = SIGN69.groups["right_hand"]


@pytest.fixture(scope="module", autouse=True)
def on_one_thread(one_thread):
    pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """An encoder that has learned nothing."""
    import torch

    from fingerpost.trainer.checkpoint import save_checkpoint
    from fingerpost.trainer.models.ms_mae import MsMae, MsMaeConfig

    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MsMae(MsMaeConfig(width=16, depth=1, heads=2, decoder_depth=1))
    info = {"task": "ms_mae", "settings": {"stride": 1.0, "span": 60}}
    save_checkpoint(folder, model, info, {})
    return folder


def signing(n_frames=100, seed=0) -> PoseSequence:
    rng = np.random.default_rng(seed)
    xyz = np.zeros((n_frames, 69, 3), np.float32)
    for side, place in (("left", 0.7), ("right", 0.3)):
        xyz[:, SIGN69.index(f"{side}_shoulder"), :2] = place, 0.4
    shape = rng.normal(0, 0.03, (21, 2))
    shape[0], shape[9] = 0, (0, -0.1)
    place = np.cumsum(rng.normal(0, 0.02, (n_frames, 2)), axis=0)
    xyz[:, RIGHT, :2] = [0.5, 0.5] + (place - place.mean(axis=0))[:, None] + shape
    return PoseSequence(xyz, (xyz != 0).any(-1).astype(np.float32), 25.0, SIGN69)


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


def test_spans_of_a_keypoint_file_are_told_and_written(tmp_path, weights):
    source = tmp_path / "signing.npz"
    save_npz(source, signing())
    code, out, err = run(
        *("segment", source, "--weights", weights, "-o", tmp_path / "signs.srt"),
        *("--picture", tmp_path / "signs.png", "--json"),
    )
    assert code == 0, err
    told = [Span(span["start_ms"], span["end_ms"]) for span in json.loads(out)]
    assert told == read_spans(tmp_path / "signs.srt")
    assert told
    assert (tmp_path / "signs.png").read_bytes().startswith(b"\x89PNG")
    code, again, _ = run("segment", source, "--weights", weights)
    assert len(again.splitlines()) == len(told)
    assert again.split()[:2] == ["1", f"00:0{told[0].start_ms / 1000:.1f}"[:7]]


def test_a_clip_of_shards_is_segmented(tmp_path, weights):
    write_shards(tmp_path / "shards", [clip_of(signing())], ShardsAbout("one", "sign69"))
    code, out, err = run(
        *("segment", tmp_path / "shards", "--clip", "a", "--weights", weights),
        *("-o", tmp_path / "signs.eaf"),
    )
    assert code == 0, err
    assert len(read_spans(tmp_path / "signs.eaf")) == len(out.splitlines())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{none}"], "there is no such file"),
        (["{source}", "-o", "a.txt"], "must end in .srt, .vtt, .eaf"),
        (["{source}", "--picture", "a.jpg"], "must end in .png"),
        (["{source}", "-o", "{source}"], "is what is read"),
        (["{source}", "-o", "{none}/a.srt"], "make it first"),
        (["{source}", "--clip", "a"], "--clip is for shards"),
        (["{shards}", "--clip", "b"], "has no clip 'b'; name one with --clip, such as a"),
        (["{shards}"], "has no clip ''"),
        (["{folder}"], "holds no shards"),
        (["93"], "no camera 93"),
    ],
)
def test_nonsense_ends_in_one_line(tmp_path, weights, words, message):
    places = {name: tmp_path / name for name in ("none", "source.npz", "shards", "folder")}
    save_npz(places["source.npz"], signing(10))
    places["folder"].mkdir()
    write_shards(places["shards"], [clip_of(signing(10))], ShardsAbout("one", "sign69"))
    named = {name.partition(".")[0]: path for name, path in places.items()}
    given = [word.format(**named) for word in words]
    code, out, err = run("segment", *given, "--weights", weights)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_weights_that_are_none_are_named(tmp_path):
    save_npz(tmp_path / "a.npz", signing(10))
    code, _, err = run("segment", tmp_path / "a.npz", "--weights", tmp_path)
    assert code == 2
    assert "is no checkpoint" in err


def test_where_nobody_signs_there_is_no_span(tmp_path, weights):
    still = signing(60)
    still.xyz[:] = still.xyz[:1]
    save_npz(tmp_path / "a.npz", still)
    code, out, err = run(
        *("segment", tmp_path / "a.npz", "--weights", weights, "-o", tmp_path / "a.vtt")
    )
    assert (code, out) == (0, "")
    assert "Nobody signs" in err
    assert read_spans(tmp_path / "a.vtt") == []


def test_splice_makes_shards_with_spans(tmp_path):
    singles = tmp_path / "singles"
    write_shards(singles, [sign(i) for i in range(8)], ShardsAbout("singles", "sign69"))
    made = tmp_path / "made"
    words = ["shards", "splice", singles, "-o", made, "--sentences", 3, "--signs", 2, 4]
    code, _, err = run(*words)
    assert code == 0, err
    assert [2 <= len(clip.spans) == len(clip.glosses) <= 4 for clip in open_shards(made)] == [1] * 3
    code, _, err = run("shards", "splice", singles, "-o", tmp_path / "no", "--signs", 2, 20)
    assert code == 2
    assert "no signer with 20 clips" in err


def test_the_benchmark_scores_and_tunes(tmp_path, weights):
    singles = [replace(sign(i), split="train" if i < 8 else "val") for i in range(16)]
    write_shards(tmp_path / "singles", singles, ShardsAbout("singles", "sign69"))
    spans = ((0, 1000), (1200, 2000), (2000, 3960))
    sentences = [
        replace(clip_of(signing(seed=i), split), id=f"{split}{i}", glosses=("A",) * 3, spans=spans)
        for split in ("val", "test")
        for i in range(2)
    ]
    write_shards(tmp_path / "sentences", sentences, ShardsAbout("sentences", "sign69"))
    reader = open_reader(weights)
    kinds = benchmark.read_kinds(tmp_path / "sentences", tmp_path / "singles", reader, 2, True)
    assert [len(of_kind) for of_kind in kinds.values()] == [2, 2]
    evenly = benchmark.WAYS["evenly"]
    settings, merit = benchmark.tuned(kinds, *evenly)
    for value in evenly[2]["step_ms"]:
        other = replace(evenly[1], step_ms=value)
        scores = [benchmark.score_of(of_kind, evenly[0], other) for of_kind in kinds.values()]
        assert merit >= np.mean([(score.f1 + score.iou) / 2 for score in scores])
    lines = benchmark.table(kinds, {"evenly": settings, "slowest": benchmark.WAYS["slowest"][1]})
    assert len(lines) == 6
    assert lines[2].startswith("| rendered signer | evenly | ")


def test_sentences_without_spans_cannot_be_scored(tmp_path, weights):
    clips = [replace(clip_of(signing()), split="test")]
    write_shards(tmp_path / "sentences", clips, ShardsAbout("sentences", "sign69"))
    with pytest.raises(ValueError, match="does not say when signs are signed"):
        benchmark.read_kinds(tmp_path / "sentences", tmp_path, open_reader(weights), 2, False)


@pytest.mark.parametrize("seconds", [0.2, 5, 13, 200])
def test_a_picture_has_a_panel_for_every_stretch_of_time(seconds):
    n = round(seconds * 25)
    band = AttentionBand(np.random.default_rng(0).uniform(0.1, 1, (n, 30)), 25.0, 0)
    figure = segmented_figure(Segmented([Span(0, 100)], band, []), "a $ b", [Span(10, 90)])
    panels = min(MAX_PANELS, -(-round(seconds * 1000) // PANEL_MS))
    assert len(figure.axes) == panels
    for number, axes in enumerate(figure.axes):
        assert axes.get_xlim()[0] == pytest.approx(number * PANEL_MS / 1000, abs=0.03)
        assert len(axes.patches) == 2
    title = figure.texts[0].get_text()
    assert ("its first 108 s" in title) == (seconds == 200)
    figure.draw_without_rendering()


def clip_of(sequence: PoseSequence, split="val") -> Clip:
    return Clip("a", "7", split, ("A",), "", "ase", "", sequence)


def sign(number: int) -> Clip:
    return replace(clip_of(signing(30, number)), id=f"s{number}", glosses=(f"S{number}",))
