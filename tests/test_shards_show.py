"""``fingerpost shards``: the figures, the contact sheet, and one line for whatever is wrong."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.edge_runtime.keypoints import MSMAE, SIGN69, PoseSequence
from fingerpost.trainer import contact_sheet
from fingerpost.trainer.contact_sheet import COLOURS, draw_contact_sheet, frames_to_show
from fingerpost.trainer.shards import Clip, Shards, ShardsAbout, write_shards
from fingerpost.trainer.shards_summary import summarise


def some_sequence(frames=30, fps=25.0, a_schema=SIGN69) -> PoseSequence:
    rng = np.random.default_rng(frames)
    xyz = rng.uniform(0.2, 0.8, (frames, len(a_schema), 3)).astype(np.float32)
    return PoseSequence(xyz, np.ones(xyz.shape[:2], np.float32), fps, a_schema, extractor="me 1")


def some_clip(name="a", split="train", signer="Ann", frames=30, fps=25.0, **labels) -> Clip:
    given = {"glosses": ("HELLO", "YOU"), "text": "", "language": "ase", "text_language": ""}
    return Clip(name, signer, split, sequence=some_sequence(frames, fps), **(given | labels))


def some_shards(folder: Path, *clips: Clip) -> Shards:
    return write_shards(folder, clips, ShardsAbout("made up", "sign69"))


def run(*arguments):
    return CliRunner().invoke(app, ["shards", *map(str, arguments)])


def colours_of(path: Path) -> set[str]:
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    return {"#{:02x}{:02x}{:02x}".format(*rgb) for rgb in np.unique(picture.reshape(-1, 3), axis=0)}


# Figures


def test_figures_by_hand(tmp_path):
    shards = some_shards(
        tmp_path / "s",
        some_clip("a", "test", "Ann", frames=90, fps=25.0),  # 3.6 s
        some_clip("b", "train", "Ann", frames=36, fps=10.0, glosses=("HELLO",), text="Hi."),  # 3.6
        some_clip("c", "train", "", frames=36, fps=10.0, glosses=(), text="Hi.", language="bfi"),
        some_clip("d", "", "Ben", frames=1, fps=1.0, glosses=()),  # 1 s
    )
    found = summarise(shards)
    assert found["clips"] == 4 and found["frames"] == 163
    assert found["frames_of_a_clip"] == [1, 36, 90]
    assert found["hours"] == pytest.approx(11.8 / 3600)
    assert found["fps"] is None and found["extractor"] == "me 1"
    assert (found["signers"], found["glosses"], found["sentences"]) == (2, 2, 1)
    assert found["unlabelled"] == 1 and found["shared_signers"] == ["Ann"]
    assert found["languages"] == {"ase": 3, "bfi": 1}
    assert found["bytes"] == shards.files[0].stat().st_size
    assert list(found["splits"]) == ["train", "test", ""]
    train = {"clips": 2, "hours": 7.2 / 3600, "signers": 1, "glosses": 1, "sentences": 1}
    assert found["splits"]["train"] == pytest.approx(train)


# The picture


def test_frames_are_those_with_hands_where_there_are_enough():
    sequence = some_sequence(40)
    sequence.confidence[:, SIGN69.groups["left_hand"]] = 0
    sequence.confidence[:20, SIGN69.groups["right_hand"]] = 0
    assert frames_to_show(sequence, 5).tolist() == [20, 25, 30, 34, 39]
    sequence.confidence[24:, SIGN69.groups["right_hand"]] = 0  # now in four frames
    assert frames_to_show(sequence, 5).tolist() == [0, 10, 20, 29, 39]
    assert frames_to_show(some_sequence(2), 5).tolist() == [0, 1]


def test_both_hands_and_the_body_are_in_the_picture(tmp_path):
    shards = some_shards(tmp_path / "s", *(some_clip(f"{n}") for n in range(3)))
    assert draw_contact_sheet(shards, tmp_path / "sheet.png") == ""
    assert set(COLOURS.values()) <= colours_of(tmp_path / "sheet.png")
    clip = some_clip("b")
    clip.sequence.confidence[:, SIGN69.groups["left_hand"]] = 0
    figure, _ = contact_sheet.contact_sheet([clip], "title")
    (lines,) = (c for c in figure.axes[0].collections if isinstance(c, LineCollection))
    colours = {to_hex(colour) for colour in lines.get_colors()}
    assert colours == {COLOURS["body"], COLOURS["right_hand"]}
    assert [path.name for path in tmp_path.glob("*sheet*")] == ["sheet.png"]


def test_clips_are_spread_over_all_and_no_more_than_there_are(tmp_path, monkeypatch):
    shards = some_shards(tmp_path / "s", *(some_clip(f"{n}") for n in range(10)))
    drawn = []
    real = contact_sheet.contact_sheet
    monkeypatch.setattr(
        contact_sheet,
        "contact_sheet",
        lambda clips, title: (drawn.append([clip.id for clip in clips]), real(clips, title))[1],
    )
    for n in (1, 4, 99):
        draw_contact_sheet(shards, tmp_path / "sheet.png", n)
    assert drawn == [["0"], ["0", "3", "6", "9"], [str(n) for n in range(10)]]
    with pytest.raises(ValueError, match="no clip to draw"):
        draw_contact_sheet(shards.only([]), tmp_path / "sheet.png")


def test_a_clip_without_a_keypoint_and_a_view_without_a_face(tmp_path):
    blank = some_clip("a", signer="")
    blank.sequence.confidence[:] = 0
    blank.sequence.xyz[:] = 0
    far = some_clip("b", frames=1)
    far.sequence.xyz[:] += 9  # wholly outside the picture
    draw_contact_sheet(some_shards(tmp_path / "s", blank, far), tmp_path / "a.png")
    clip = replace(some_clip(), sequence=some_sequence(a_schema=MSMAE))
    shards = write_shards(tmp_path / "t", [clip], ShardsAbout("made up", "msmae"))
    draw_contact_sheet(shards, tmp_path / "b.png")
    assert (tmp_path / "a.png").is_file() and (tmp_path / "b.png").is_file()


def test_what_no_font_has_is_said(tmp_path, monkeypatch):
    """DejaVu has umlauts and this arrow, but neither Chinese nor what is for private use."""
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    clip = some_clip(text="schön → 天\ue0b0 $x_1$")
    figure, missing = contact_sheet.contact_sheet([clip], "title")
    assert missing == "天\ue0b0"
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "HELLO YOU “schön → ?? $x_1$”" in texts
    assert any('"?" stands for 2' in text for text in texts)


def test_another_font_is_taken_for_what_the_first_has_not(monkeypatch):
    other = font_manager.findfont("STIXGeneral")  # comes with matplotlib
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: ["/nowhere.ttf", other])
    lacks = min(
        contact_sheet._letters(other) - contact_sheet._letters(font_manager.findfont("DejaVu Sans"))
    )
    fonts, missing = contact_sheet._fonts_for(f"a {lacks}")
    assert fonts == ["DejaVu Sans", "STIXGeneral"] and missing == ""


def test_long_labels_are_cut_chinese_ones_earlier():
    assert contact_sheet._shortened("a" * 20, 10) == "a" * 9 + "…"
    assert contact_sheet._shortened("天" * 20, 10) == "天天天天…"
    assert contact_sheet._shortened("two\n lines\u200d", 10) == "two lines"
    assert contact_sheet._shortened("", 10) == ""


# The command


def test_show_prints_and_draws(tmp_path):
    some_shards(tmp_path / "s", some_clip("a"), some_clip("b", "val"))
    done = run("show", tmp_path / "s", "-o", tmp_path / "sheet.png", "--verify")
    assert done.exit_code == 0, done.output
    assert "sign69, by me 1" in done.stdout and "train" in done.stdout
    assert "Signers in more than one split: Ann." in done.stderr
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    done = run("show", tmp_path / "s", "--json", "--split", "val")
    assert json.loads(done.stdout)["clips"] == 1


def test_import_export_and_import_again(tmp_path):
    made = some_shards(tmp_path / "s", some_clip("a"), some_clip("b", "val", text="你好"))
    done = run("export", tmp_path / "s", "-o", tmp_path / "made up")
    assert done.exit_code == 0 and "2 clips" in done.stderr
    done = run("import", tmp_path / "made up", "-o", tmp_path / "t", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["content_hash"] == made.about.content_hash and found["corpus"] == "made up"


def test_push_hands_the_shards_over(tmp_path, monkeypatch):
    from fingerpost.trainer import shards_hub

    some_shards(tmp_path / "s", some_clip("a"))
    pushed = []
    monkeypatch.setattr(
        shards_hub,
        "push_to_hub",
        lambda shards, name, private: pushed.append((len(shards), name, private)),
    )
    assert run("push", tmp_path / "s", "me/mine").exit_code == 0
    assert run("push", tmp_path / "s", "me/mine", "--public").exit_code == 0
    assert pushed == [(1, "me/mine", True), (1, "me/mine", False)]


def test_mistakes_are_one_line_each(tmp_path):
    some_shards(tmp_path / "s", some_clip("a"))
    for arguments, message in (
        (["show", tmp_path], "holds no shards"),
        (["show", tmp_path / "none"], "no folder"),
        (["show", tmp_path / "s", "--split", "test"], "its splits: train"),
        (["show", tmp_path / "s", "-o", tmp_path], "is a folder; name a file"),
        (["import", tmp_path, "-o", tmp_path / "t", "--corpus", "x"], "known are own_folder"),
        (["import", tmp_path / "s", "-o", tmp_path / "t"], "holds no .npz"),
        (["export", tmp_path / "s", "-o", tmp_path / "t", "--format", "csv"], "known are npz"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2, done.output
        assert message in done.stderr and len(done.stderr.splitlines()) == 1
