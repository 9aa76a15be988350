"""Live translation measured on a corpus's own clips."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.trainer.clip_streams import HOLD_MS, make_clip_streams, stream_of
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.shards import ShardsAbout, write_shards
from fingerpost.trainer.signer_corpus import IDLE, NO_SIGN, make_clip

SENTENCES = [replace(make_clip("test", number), split="val") for number in range(3)]
FIDGETS = replace(make_clip(IDLE, 0), split="val")


def shards_of(folder: Path, clips: list) -> Path:
    write_shards(folder, clips, ShardsAbout("signer", "sign69"))
    return folder


def test_a_clip_is_a_stream_with_its_truth() -> None:
    clip = SENTENCES[0]
    stream = stream_of(clip)
    assert stream.sentences[0].text == clip.text and stream.idle == ()
    assert stream.sentences[0].signs[0] == (clip.glosses[0], *clip.spans[0])
    assert stream.duration_ms - clip.sequence.duration_ms == pytest.approx(HOLD_MS, abs=50)
    times = [frame.time_ms for frame in stream.frames]
    assert times == sorted(set(times))
    assert (stream.frames[-1].xyz == clip.sequence.xyz[-1]).all()
    idle = stream_of(FIDGETS)
    assert FIDGETS.glosses == (NO_SIGN,) and idle.sentences == ()
    assert idle.idle == ((0, FIDGETS.sequence.frames()[-1].time_ms),)


def test_clips_that_nobody_can_be_measured_by_are_left_out(tmp_path: Path) -> None:
    silent = [
        replace(SENTENCES[0], id="a", text=""),
        replace(SENTENCES[0], id="b", glosses=(), spans=()),
    ]
    clips = Clips([str(shards_of(tmp_path / "some", [*silent, SENTENCES[1], FIDGETS]))], "val")
    assert len(make_clip_streams(clips, minutes=1)) == 2
    assert len(make_clip_streams(clips, minutes=0.01)) == 1
    without = Clips([str(shards_of(tmp_path / "none", silent))], "val")
    with pytest.raises(ValueError, match="both glosses and a text"):
        make_clip_streams(without, minutes=1)


def test_the_command_measures_clips_live(tmp_path: Path) -> None:
    timed = shards_of(tmp_path / "timed", [*SENTENCES, FIDGETS])
    figures = measured("--corpus", timed)
    assert figures["sentences"] == 3 and figures["streams"] == 4 and figures["idle_minutes"] > 0
    assert figures["final_wer_percent"] <= 20 and figures["bleu4_percent"] >= 50
    assert 0 < figures["answer_delay_p95_ms"] < HOLD_MS
    untimed = shards_of(tmp_path / "untimed", [replace(clip, spans=()) for clip in SENTENCES])
    without = measured("--corpus", untimed)
    assert without["final_wer_percent"] == figures["final_wer_percent"]
    assert without["sign_delay_p95_ms"] is None and without["answer_delay_p95_ms"] is None


def test_a_pack_of_another_language_is_refused(tmp_path: Path) -> None:
    german = shards_of(tmp_path / "german", [replace(SENTENCES[0], text_language="de"), FIDGETS])
    done = benchmark("--corpus", german)
    assert done.exit_code == 2 and len(done.output.strip().splitlines()) == 1
    assert "the pack does not write German; it has: English" in done.output
    idle = shards_of(tmp_path / "idle", [replace(FIDGETS, text_language="de")])
    assert measured("--corpus", idle)["idle_minutes"] > 0


def measured(*arguments: object) -> dict:
    done = benchmark(*arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)[0]["figures"]


def benchmark(*arguments: object) -> Any:
    command = ["benchmark", "--stream", "demo", "--json", *map(str, arguments)]
    return CliRunner().invoke(app, command)
