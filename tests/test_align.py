"""Whole subtitle tracks: every cue is kept, in order; a model's answers; ``fingerpost align``."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.edge_runtime.keypoint_files import save_npz
from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.edge_runtime.resample import resample
from fingerpost.edge_runtime.timed_text import Cue, srt, vtt
from fingerpost.trainer.corpora.cues import read_cues
from fingerpost.trainer.subtitles.aligner import Question, align_subtitles, between_neighbours
from fingerpost.trainer.subtitles.picture import MAX_ROWS, Line, shortened, timeline
from fingerpost.trainer.subtitles.scores import score_alignments
from fingerpost.trainer.subtitles.windows import Window

SENTENCES = 40
EVENING = "good evening to you all and to all who are not here tonight "


def signed(n: int = SENTENCES, seed: int = 0) -> tuple[PoseSequence, list[Cue]]:
    """A hand that goes up and moves for a second to four, and rests; and what it says."""
    rng = np.random.default_rng(seed)
    cues, now = [], 3000
    for _ in range(n):
        took = int(rng.integers(1000, 4000))
        cues.append(Cue(now, now + took, EVENING[: took // 70]))
        now += took + int(rng.integers(900, 6000))
    times = np.arange(0, now, 40)
    up = np.zeros(len(times), bool)
    for cue in cues:
        up |= (times >= cue.start_ms) & (times < cue.end_ms)
    xyz = np.zeros((len(times), 69, 3), np.float32)
    for side, place in (("left", 0.7), ("right", 0.3)):
        xyz[:, SIGN69.index(f"{side}_shoulder"), :2] = place, 0.4
    where = np.stack([0.4 + 0.1 * np.sin(times / 140), np.where(up, 0.5, 0.98)], axis=1)
    xyz[:, SIGN69.groups["right_hand"], :2] = where[:, None] + rng.normal(0, 0.02, (21, 2))
    return PoseSequence(xyz, (xyz != 0).any(-1).astype(np.float32), 25.0, SIGN69), cues


def late(cues: list[Cue], by_ms: int = -2500, jitter_ms: float = 400.0) -> list[Cue]:
    rng = np.random.default_rng(1)
    moves = (by_ms + rng.normal(0, jitter_ms, len(cues))).astype(int).tolist()
    return [
        Cue(max(c.start_ms + move, 0), max(c.end_ms + move, 1), c.text)
        for c, move in zip(cues, moves, strict=True)
    ]


def spans_of(aligned):
    return [placement.span for placement in aligned.placements]


def times_of(cues):
    return [(cue.start_ms, cue.end_ms) for cue in cues]


def in_order_and_apart(spans):
    return all(x[1] <= y[0] for x, y in itertools.pairwise(spans))


def test_shifted_subtitles_come_back():
    sequence, cues = signed()
    given = late(cues)
    spans = spans_of(align_subtitles(given, sequence))
    assert score_alignments([(times_of(cues), times_of(given))]).f1[0.50] < 30
    assert score_alignments([(times_of(cues), spans)]).f1[0.50] > 95
    assert in_order_and_apart(spans)


def test_the_order_of_the_file_does_not_matter():
    sequence, cues = signed()
    given = late(cues)
    there = align_subtitles(given, sequence).placements
    assert align_subtitles(given[::-1], sequence).placements == there[::-1]


def test_what_says_nothing_is_put_between_its_neighbours():
    sequence, cues = signed()
    given = late(cues)
    gap = given[10].end_ms, given[11].start_ms
    given.insert(11, Cue(gap[0], gap[1], "[music]"))
    aligned = align_subtitles(given, sequence)
    assert aligned.placements[11].how == "guessed"
    assert [p.how for p in aligned.placements].count("found") == SENTENCES
    spans = spans_of(aligned)
    assert in_order_and_apart(spans)
    wanted = (gap[0] + 2500, gap[1] + 2500)
    assert max(abs(a - b) for a, b in zip(spans[11], wanted, strict=True)) < 1500


def test_no_cue_is_lost_where_nobody_signs():
    sequence, cues = signed(3)
    sequence.xyz[:] = sequence.xyz[:1]
    placed = align_subtitles(cues, sequence)
    assert spans_of(placed) == times_of(cues)
    assert {p.how for p in placed.placements} == {"guessed"}
    assert (placed.signed, align_subtitles([], sequence).placements) == ([], [])


def test_cues_without_room_are_unplaceable_and_all_others_stay():
    spans = [(0, 1000), None, None, (1300, 2000), None]
    wanted = [(0, 0), (900, 1500), (1500, 1700), (0, 0), (1000, 1900)]
    assert between_neighbours(spans, wanted) == [
        *((0, 1000), (1000, 1300), None, (1300, 2000), (2000, 2900))
    ]


def test_guessed_cues_share_what_room_there_is():
    spans = [None, None, (1000, 1100)]
    wanted = [(-700, 100), (300, 1700), (0, 0)]
    first, second, _ = between_neighbours(spans, wanted)
    # 200 ms each; of the 600 + 1200 that they want beside, 600 are there: a third
    assert (first, second) == ((0, 400), (400, 1000))
    assert between_neighbours([None, None], [(50, 90), (60, 400)]) == [(50, 90), (90, 430)]


class Told:
    """A model that knows the truth of some texts, and is wrong or silent about others."""

    view, fps, n_frames = SIGN69, 12.5, 200

    def __init__(self, cues: list[Cue], silent=(), wrong=()) -> None:
        self.truth = {f"{n} {cue.text}".strip(): cue for n, cue in enumerate(cues)}
        self.silent, self.wrong = silent, wrong
        self.windows: list[Window] = []

    def listener(self, sequence, texts):
        return None

    def spans(self, sequence, questions):
        assert sequence.fps == self.fps
        answers = []
        for window, text, prior in questions:
            assert prior is not None
            self.windows.append(window)
            number, cue = int(text.split()[0]), self.truth[text]
            if number in self.silent:
                answers.append(None)
            elif number in self.wrong:
                answers.append((0, window.n_frames))
            else:
                answers.append(window.frames_of(cue.start_ms, cue.end_ms))
        return answers


def numbered(cues):
    return [cue._replace(text=f"{n} {cue.text}") for n, cue in enumerate(cues)]


def test_a_models_answers_are_taken_and_what_it_does_not_say_is_found_by_motion():
    sequence, cues = signed()
    reader = Told(cues, silent={5, 6}, wrong={20})
    told = []
    placed = align_subtitles(numbered(late(cues)), sequence, reader, tell=lambda *n: told.append(n))
    spans = spans_of(placed)
    right = [n for n in range(SENTENCES) if n not in (5, 6, 19, 20, 21)]
    for n in right:
        assert spans[n] == pytest.approx(times_of(cues)[n], abs=300)
    assert in_order_and_apart([span for span in spans if span is not None])
    assert all(span is not None for span in spans)
    assert told[-1] == (SENTENCES, SENTENCES)
    assert all(window.n_frames == 200 for window in reader.windows)


class Listening(Told):
    """A model that translates: it says how likely texts are, and is not asked for times."""

    def listener(self, sequence, texts):
        assert sequence.fps == self.fps
        times = times_of([self.truth[text] for text in texts])

        def listen(heard):
            self.heard += len(heard)
            off = [abs(np.subtract(times[number], span)).sum() for number, span in heard]
            return -np.array(off) / 200

        self.heard = 0
        return listen

    def spans(self, sequence, questions):
        raise AssertionError("nobody asks")


def test_a_model_that_translates_is_listened_to_and_not_asked():
    sequence, cues = signed()
    reader, told = Listening(cues), []
    given = numbered(late(cues, jitter_ms=1500))
    placed = align_subtitles(given, sequence, reader, tell=lambda *n: told.append(n))
    assert score_alignments([(times_of(cues), spans_of(placed))]).f1[0.50] > 95
    assert reader.heard > SENTENCES
    assert told == [(0, SENTENCES), (SENTENCES, SENTENCES)]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """talk.npz, talk.vtt (late) and true.vtt."""
    folder = tmp_path_factory.mktemp("align")
    sequence, cues = signed()
    save_npz(folder / "talk.npz", sequence)
    (folder / "talk.vtt").write_text(vtt(late(cues)))
    (folder / "talk.srt").write_text(srt(late(cues)))
    (folder / "true.vtt").write_text(vtt(cues))
    return folder


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("kind", ["vtt", "srt"])
def test_subtitles_are_moved_and_drawn(tmp_path, files, kind):
    new, picture = tmp_path / f"new.{kind}", tmp_path / "report.png"
    code, out, err = run(
        *("align", files / "talk.npz", files / f"talk.{kind}", "-o", new, "--report", picture)
    )
    assert code == 0, err
    assert out == ""
    assert f"{SENTENCES} subtitles: {SENTENCES} found in the signing, 0 put" in err
    assert "; moved by +2." in err
    true, placed = (read_cues(path) for path in (files / "true.vtt", new))
    assert [cue.text for cue in placed] == [cue.text for cue in true]
    assert score_alignments([(times_of(true), times_of(placed))]).f1[0.50] > 95
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == [new.name, picture.name]


def test_what_was_not_found_is_listed(tmp_path, files):
    cues = read_cues(files / "talk.vtt")
    cues.insert(3, Cue(cues[3].start_ms - 400, cues[3].start_ms, "[" + "la " * 30 + "]"))
    (tmp_path / "a.vtt").write_text(vtt(cues))
    words = ["align", files / "talk.npz", tmp_path / "a.vtt", "-o", tmp_path / "b.vtt"]
    code, out, err = run(*words)
    assert code == 0, err
    (line,) = out.splitlines()
    assert "guessed: [la la la" in line and line.endswith("…")
    assert "1 put between their neighbours, 0 unplaceable" in err
    code, out, err = run(*words, "--json")
    rows = json.loads(out)
    assert [row["how"] for row in rows].count("found") == SENTENCES
    assert [(row["start_ms"], row["end_ms"]) for row in rows] == times_of(
        read_cues(tmp_path / "b.vtt")
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.npz", "talk.vtt", "-o", "{new}.vtt"], "no file none.npz"),
        (["talk.npz", "none.vtt", "-o", "{new}.vtt"], "no file none.vtt; give subtitles"),
        (["talk.npz", "talk.npz", "-o", "{new}.vtt"], "must end in .vtt or .srt"),
        (["talk.npz", "talk.vtt", "-o", "{new}.srt"], "must end in .vtt, as talk.vtt does"),
        (["talk.npz", "talk.vtt", "-o", "{new}.txt"], "must end in .vtt or .srt"),
        (["talk.npz", "talk.vtt", "-o", "talk.vtt"], "is what is read"),
        (["talk.npz", "talk.vtt", "-o", "nowhere/a.vtt"], "make it first"),
        (["talk.npz", "talk.vtt", "-o", "{new}.vtt", "--report", "a.jpg"], "must end in .png"),
        (["talk.npz", "talk.vtt", "-o", "{new}.vtt", "--mirrored"], "--mirrored is for pictures"),
        (["talk.npz", "talk.vtt", "-o", "{new}.vtt", "--checkpoint", "no"], "is no checkpoint"),
        (["93", "talk.vtt", "-o", "{new}.vtt"], "no camera 93"),
    ],
)
def test_nonsense_ends_in_one_line(tmp_path, files, monkeypatch, words, message):
    monkeypatch.chdir(files)
    code, out, err = run("align", *(word.format(new=tmp_path / "new") for word in words))
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_where_nobody_signs_that_is_said(tmp_path, files):
    sequence, _ = signed(2)
    sequence.xyz[:] = sequence.xyz[:1]
    save_npz(tmp_path / "still.npz", sequence)
    code, out, err = run(
        *("align", tmp_path / "still.npz", files / "talk.vtt", "-o", tmp_path / "new.vtt")
    )
    assert code == 0
    assert len(out.splitlines()) == SENTENCES
    assert "Nobody signs in it" in err
    assert read_cues(tmp_path / "new.vtt") == read_cues(files / "talk.vtt")


@pytest.mark.parametrize("minutes", [0.3, 2, 60])
def test_a_picture_has_a_row_for_each_minute(minutes):
    end_ms = round(minutes * 60_000)
    lines = [
        Line("a $ b " * 9, (start, start + 3000), (start + 900, start + 3900), start % 2000 == 0)
        for start in range(0, end_ms - 4000, 5000)
    ]
    lines.append(Line("nowhere", (0, 10), None, False))
    figure = timeline(lines, [(0, end_ms)], "a $ b")
    assert len(figure.axes) == 1 + min(MAX_ROWS, max(1, round(minutes)))
    assert ("of 60 minutes" in " ".join(text.get_text() for text in figure.texts)) == (minutes > 8)
    figure.draw_without_rendering()


def test_text_is_cut_with_an_ellipsis():
    assert shortened("good  evening", 12) == "good evening"
    assert shortened("good evening", 8) == "good ev…"
    assert shortened("good evening", 6) == "good…"
    assert shortened("good evening", 3) == ""


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Path:
    """A checkpoint of Found that has learned nothing."""
    import torch

    from fingerpost.trainer.checkpoint import save_checkpoint
    from fingerpost.trainer.tasks.found import FoundTask
    from fingerpost.trainer.tasks.found_settings import Settings
    from fingerpost.trainer.text_tokenizer import train_tokenizer

    folder = tmp_path_factory.mktemp("found")
    tokenizer = train_tokenizer([EVENING, "0 1 2 3 4 5 6 7 8 9 -"], 60)
    task = FoundTask(Settings(asks=("spans",), view="sign69", fps=12.5, window_s=4.0), tokenizer)
    poses = {"channels": [4, 4], "articulator_width": 8, "width": 16, "n_blocks": 1, "n_heads": 2}
    reader = {"model_type": "t5", "d_model": 16, "d_kv": 8, "num_heads": 2, "d_ff": 16}
    fields = {
        "language_model": {**reader, "num_layers": 1},
        "poses": poses,
        **{"mapping_layers": 1, "mapping_heads": 2},
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = task.new_model(fields)
    save_checkpoint(folder, model, {"task": "found", **task.save(folder)}, {})
    return folder


def test_a_checkpoint_is_asked_as_it_was_trained(found, one_thread):
    """Windows that it answers together, and each alone, have the same answers."""
    from fingerpost.trainer.subtitles.found_reader import open_reader

    sequence, cues = signed(6)
    reader = open_reader(found)
    assert (reader.fps, reader.n_frames, reader.view) == (12.5, 50, SIGN69)
    slower = resample(sequence, 12.5)
    questions = [
        Question(Window(start_ms, n_frames, 12.5), cue.text, (3, 30))
        for start_ms, n_frames, cue in zip((0, 2000, 8000), (50, 40, 50), cues, strict=False)
    ]
    together = reader.spans(slower, questions)
    assert together == [reader.spans(slower, [question])[0] for question in questions]
    assert all(answer is None or 0 <= answer[0] < answer[1] for answer in together)


def test_subtitles_are_moved_with_a_checkpoint(tmp_path, files, found, one_thread):
    words = ["align", files / "talk.npz", files / "talk.vtt", "-o", tmp_path / "new.vtt"]
    code, _, err = run(*words, "--checkpoint", found)
    assert code == 0, err
    cues = read_cues(tmp_path / "new.vtt")
    assert len(cues) + int(err.split(" unplaceable")[0].split()[-1]) == SENTENCES
    assert in_order_and_apart(times_of(cues))


def test_a_checkpoint_of_another_task_is_refused(tmp_path, files, talkative):
    words = ["align", files / "talk.npz", files / "talk.vtt", "-o", tmp_path / "new.vtt"]
    code, _, err = run(*words, "--checkpoint", talkative)
    assert code == 2
    assert "never learned to align subtitles" in err
