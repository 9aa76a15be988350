"""A teacher's answers as the texts of clips that nobody has written down in its language."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fingerpost.distill import answered_clips
from fingerpost.distill.answered_clips import answer_clips, main
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.shards import Clip, ShardsAbout, open_shards, write_shards


class Parrot:
    """Says which language it was asked for, and the clip's id; of one clip, nothing."""

    best = "text.bleu4"

    def prepare(self, clip: Clip) -> Clip:
        if not clip.text:
            raise ValueError(f"clip {clip.id!r} has no text")
        return clip

    def batch(self, clips: list[Clip], draws: None, at_least: int) -> list[Clip]:
        return clips

    def predict(self, network: Any, batch: list[Clip]) -> dict[str, list[Prediction]]:
        said = {
            one.id: "" if one.id == "silent" else f"{one.id} {one.text_language}" for one in batch
        }
        return {"text": [Prediction(name, "", "?", text) for name, text in said.items()]}


class Signs(Parrot):
    best = "isolated.top1"


@pytest.fixture()
def clips(shards: Path, tmp_path: Path) -> Path:
    """Of three languages: German, French, and none at all."""
    one = open_shards(shards)[0]
    spoken = replace(one, glosses=("A",), spans=((0, 40),))
    few = [
        replace(spoken, id="german", text="ja", text_language="de"),
        replace(spoken, id="french", text="oui", text_language="fr"),
        replace(spoken, id="nothing", text="", text_language="fr"),
        replace(spoken, id="silent", text="nein", text_language="de"),
    ]
    write_shards(tmp_path / "clips", few, ShardsAbout(corpus="few", schema="sign69"))
    return tmp_path / "clips"


@pytest.fixture()
def parrot(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(folder: Path, changes: dict[str, Any]) -> tuple[torch.nn.Module, Parrot]:
        return torch.nn.Identity(), Signs() if folder.name == "signs" else Parrot()

    monkeypatch.setattr(answered_clips, "load_for_answers", given)


@pytest.mark.usefixtures("parrot")
def test_it_is_asked_where_there_is_no_text_of_that_language(clips: Path, tmp_path: Path) -> None:
    made = answer_clips(Path("teacher"), open_shards(clips), tmp_path / "out", "fr")
    texts = {clip.id: (clip.text, clip.text_language) for clip in made}
    assert texts == {  # what is silent is left out
        "french": ("oui", "fr"),
        "german": ("german fr", "fr"),
        "nothing": ("nothing fr", "fr"),
    }
    assert all(clip.glosses == ("A",) and clip.spans == ((0, 40),) for clip in made)
    there = {clip.id: clip for clip in open_shards(clips)}
    assert all((clip.sequence.xyz == there[clip.id].sequence.xyz).all() for clip in made)
    assert made.about.corpus == "few-fr"


@pytest.mark.usefixtures("parrot")
def test_glosses_are_left_out_where_they_are_not_wanted(clips: Path, tmp_path: Path) -> None:
    made = answer_clips(Path("teacher"), open_shards(clips), tmp_path / "out", "fr", glosses=False)
    assert len(made) == 3 and all(clip.glosses == () == clip.spans for clip in made)


@pytest.mark.usefixtures("parrot")
def test_a_mistake_is_one_line(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(ValueError, match="writes no texts; give a teacher that translates"):
        answer_clips(Path("signs"), open_shards(clips), tmp_path / "out", "fr")
    assert not (tmp_path / "out").exists()
    given = ["", "teacher", str(clips), "-o", str(tmp_path / "x"), "--language", "fr"]
    monkeypatch.setattr(sys, "argv", [*given, "--split", "nowhere"])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and said.startswith("error: ") and said.count("\n") == 1


@pytest.mark.usefixtures("parrot")
def test_the_command_says_how_many(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    given = ["", "teacher", str(clips), "-o", str(tmp_path / "x"), "--language", "fr"]
    monkeypatch.setattr(sys, "argv", given)
    main()
    assert "3 of 4 clips" in capsys.readouterr().out
