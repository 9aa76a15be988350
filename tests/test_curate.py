"""Long captioned video becomes a corpus: which frames, which texts, what is dropped, what is left
behind when a run stops. The video is made here: the stripes of a picture are its number."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from fingerpost.app.cli import app
from fingerpost.edge_runtime.video import VideoInfo, open_video, write_video
from fingerpost.trainer.corpora import read_corpus
from fingerpost.trainer.corpora.sample import check
from fingerpost.trainer.curation import curate as curation
from fingerpost.trainer.curation.crop import Box
from fingerpost.trainer.curation.curate import Settings, curate, plan_clips
from fingerpost.trainer.curation.statistics import statistics, words_of
from fingerpost.trainer.curation.words import Dropped, Sentence

FPS, N_FRAMES = 25, 200  # 8 s
WIDTH, HEIGHT = 160, 96
SIGNER = Box(80, 16, 64, 80)
STRIPE = 10  # pixels
CAPTIONS = """WEBVTT

00:00.400 --> 00:01.200
Hello you.

00:01.200 --> 00:02.000
[music]

00:02.000 --> 00:04.000
Good night. See you!

00:06.000 --> 00:08.400
The end, twice.

00:08.400 --> 00:09.900
Too late, all.
"""
TEXTS = ["Hello you.", "Good night.", "See you!", "The end, twice."]


def film(path: Path, n_frames: int = N_FRAMES) -> Path:
    """Where the signer is, frame n has eight stripes: the bits of n. Grey elsewhere."""
    with write_video(path, FPS, (WIDTH, HEIGHT)) as writer:
        for n in range(n_frames):
            picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
            stripes = [255 * (n >> bit & 1) for bit in range(8)]
            SIGNER.of(picture)[:] = np.repeat(stripes, STRIPE)[:, None, None]
            writer.write(picture)
    return path


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film") / "news.mp4")


@pytest.fixture
def news(filmed: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    """A video, its captions, and a folder that is not there yet."""
    shutil.copy(filmed, tmp_path / "news.mp4")
    (tmp_path / "news.vtt").write_text(CAPTIONS, encoding="utf-8")
    return tmp_path / "news.mp4", tmp_path / "news.vtt", tmp_path / "corpus"


def find(video: Path, times_ms: Sequence[float]) -> Box:
    """Stands in for the landmarker: it knows where the signer is."""
    return SIGNER


def numbers(path: Path) -> list[int]:
    """Which frames of the film a clip has."""
    with open_video(path) as video:
        pictures = [rgb for _, rgb in video]
    assert all(rgb.shape == (SIGNER.height, SIGNER.width, 3) for rgb in pictures)
    middles = [rgb[STRIPE // 2 :: STRIPE, 8:-8].mean(axis=(1, 2)) > 128 for rgb in pictures]
    return [sum(1 << bit for bit in range(8) if white[bit]) for white in middles]


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.glob("**/*") if p.is_file())


def test_clips_are_the_sentences_frames_cropped_to_the_signer(news: tuple[Path, ...]) -> None:
    """2 s for the 17 letters and marks of two sentences: the first has 10 of them, 1,176 ms.

    In frames of 40 ms: from 0.4 s 20; from 2 s 29 (29.4); from 3.176 s (frame 79, at 3.16 s) 21
    (20.6); from 6 s 50, for the film ends at 8 s.
    """
    video, captions, folder = news
    record = curate(video, captions, folder, Settings(split="train", signer="Ann"), find=find)
    assert [clip.text for clip in record.clips] == TEXTS
    assert [(c.start_ms, c.end_ms, c.n_frames) for c in record.clips] == [
        (400, 1200, 20),
        (2000, 3176, 29),
        (3176, 4000, 21),
        (6000, 8000, 50),
    ]
    clips = [folder / "clips" / clip.file for clip in record.clips]
    assert clips[0].name == "news_00000400-00001200.mp4"
    starts = [10, 50, 79, 150]
    for path, start, clip in zip(clips, starts, record.clips, strict=True):
        assert numbers(path) == list(range(start, start + clip.n_frames))
    assert record.dropped == (
        Dropped(1200, 2000, "[music]", "no words"),
        Dropped(8400, 9900, "Too late, all.", "past the end of the video"),
    )
    assert record.counts() == {"no words": 1, "past the end of the video": 1}


def test_the_corpus_is_read_as_any_own_folder(news: tuple[Path, ...]) -> None:
    settings = Settings(split="val", signer="Ann, Ben", language="csl", text_language="zh")
    curate(*news, settings, find=find)
    samples = list(read_corpus("own_folder", news[2]))
    assert check(samples).ok
    assert [s.text for s in samples] == TEXTS
    assert {(s.split, s.signer, s.language, s.text_language) for s in samples} == {
        ("val", "Ann, Ben", "csl", "zh")
    }
    assert all(s.start_ms is None and s.glosses == () for s in samples)


def test_chinese_texts_arrive_unchanged(news: tuple[Path, ...]) -> None:
    video, captions, folder = news
    words = [{"word": w, "start": i, "end": i + 1} for i, w in enumerate("今天，很好。走吗？")]
    path = captions.with_suffix(".json")
    path.write_text(json.dumps([*words[:-1], words[-1] | {"word": '"走吗？'}]), encoding="utf-8")
    record = curate(video, path, folder, find=find)
    assert [s.text for s in read_corpus("own_folder", folder)][0] == "今天，很好。"
    assert record.clips[0].n_frames == 150


INFO = VideoInfo(640, 480, 25.0, 1000, 40_000)


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "reason"),
    [
        (0, 40, ""),
        (0, 19, "under 1 frames"),
        (0, 20_480, ""),
        (0, 20_520, "over 512 frames"),
        (39_000, 40_500, ""),
        (39_000, 40_501, "past the end of the video"),
        (40_000, 40_100, "past the end of the video"),
        (90_000, 91_000, "past the end of the video"),
    ],
)
def test_which_sentences_fit(start_ms: int, end_ms: int, reason: str) -> None:
    sentence = Sentence(start_ms, end_ms, "Text.", "punctuation")
    clips, dropped = plan_clips([sentence], INFO, Settings(), "news")
    assert [d.reason for d in dropped] == ([reason] if reason else [])
    assert [(c.start_ms, c.end_ms) for c in clips] == (
        [] if reason else [(start_ms, min(end_ms, 40_000))]
    )


def test_captions_that_are_late_or_early_can_be_shifted() -> None:
    rows = [Sentence(1000, 2000, "One.", "end"), Sentence(39_500, 40_200, "Two.", "end")]
    clips, dropped = plan_clips(rows, INFO, Settings(shift_ms=-1500), "news")
    assert dropped == [Dropped(1000, 2000, "One.", "before the video begins")]
    assert [(c.start_ms, c.end_ms) for c in clips] == [(38_000, 38_700)]


def test_fewer_pictures_a_second(news: tuple[Path, ...]) -> None:
    """At 12.5 every second one: frames 10, 12, ... 28."""
    video, captions, folder = news
    record = curate(video, captions, folder, Settings(fps=12.5), find=find)
    assert numbers(folder / "clips" / record.clips[0].file) == list(range(10, 30, 2))
    with open_video(folder / "clips" / record.clips[0].file) as clip:
        assert clip.info.fps == 12.5


def test_a_run_that_was_stopped_goes_on(
    news: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the third clip: two whole clips, no table yet. The end is as without a stop."""
    video, captions, folder = news
    curate(video, captions, tmp_path / "whole", find=find)

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curate(video, captions, folder, progress=stop, find=find)
    assert names(folder) == [
        "clips/news_00000400-00001200.mp4",
        "clips/news_00002000-00003176.mp4",
        "curated/news.json",
    ]
    before = (folder / "clips" / "news_00000400-00001200.mp4").stat().st_mtime_ns
    (folder / "clips" / ".news_00003176-00004000.77.part.mp4").write_bytes(b"killed here")

    def find_again(video: Path, times_ms: Sequence[float]) -> Box:
        raise AssertionError("the box is known")

    curate(video, captions, folder, find=find_again)
    assert names(folder) == names(tmp_path / "whole")
    assert (folder / "clips" / "news_00000400-00001200.mp4").stat().st_mtime_ns == before
    for name in ("labels.csv", "curated/news.json", "curated/statistics.json"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_clip_that_was_half_written_is_not_there(
    news: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Box, rgb: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Box, "of", broken)
        with pytest.raises(KeyboardInterrupt):
            curate(*news, find=find)
    assert names(news[2]) == ["curated/news.json"]


def test_a_full_disk_is_an_error_and_leaves_no_clip(
    news: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(path: Path, fps: float, size: tuple[int, int]) -> Any:
        path.write_bytes(b"half")
        return write_video(path.with_name("elsewhere.mp4"), fps, size)

    monkeypatch.setattr(curation, "write_video", cut_short)
    with pytest.raises(OSError, match="0 of 20 frames on disk: is the disk full"):
        curate(*news, find=find)
    assert not (news[2] / "clips" / "news_00000400-00001200.mp4").exists()


def test_once_more_changes_nothing_and_other_settings_are_refused(
    news: tuple[Path, ...], tmp_path: Path
) -> None:
    video, captions, folder = news
    record = curate(video, captions, folder, find=find)
    before = {
        name: (folder / name).stat().st_mtime_ns for name in names(folder) if "clips/" in name
    }
    assert curate(video, captions, folder, find=find) == record
    assert {
        name: (folder / name).stat().st_mtime_ns for name in names(folder) if "clips/" in name
    } == before
    with pytest.raises(ValueError, match="of a news.mp4 already, of other settings: give another"):
        curate(video, captions, folder, Settings(shift_ms=10), find=find)
    captions.write_text(CAPTIONS.replace("Hello", "Goodbye"))
    with pytest.raises(ValueError, match="of another video or other captions"):
        curate(video, captions, folder, find=find)


def test_a_second_video_is_added(news: tuple[Path, ...], tmp_path: Path) -> None:
    video, captions, folder = news
    curate(video, captions, folder, Settings(split="train"), find=find)
    other = film(tmp_path / "evening.mp4", 199)
    record = curate(other, captions, folder, Settings(split="test"), find=find)
    samples = list(read_corpus("own_folder", folder))
    assert [s.split for s in samples] == ["test"] * 4 + ["train"] * 4
    assert check(samples).ok
    assert json.loads((folder / "curated" / "statistics.json").read_text())["videos"] == 2
    assert record.video == "evening.mp4"


def test_a_table_of_yours_is_never_lost(news: tuple[Path, ...]) -> None:
    video, captions, folder = news
    folder.mkdir()
    (folder / "labels.csv").write_text("file,text\nmine.mp4,Mine.\n")
    with pytest.raises(ValueError, match="labels.csv, line 1: not written by `fingerpost curate`"):
        curate(video, captions, folder, find=find)
    assert names(folder) == ["labels.csv"]


def test_a_video_that_breaks_off(news: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """It announces 8 s and gives 100 frames, 4 s: what is not there is dropped, and listed."""
    video, captions, folder = news
    film(video, 100)

    def announced(path: Path) -> Any:
        opened = open_video(path)
        if path == video:
            opened.info = VideoInfo(WIDTH, HEIGHT, FPS, N_FRAMES, 8000)
        return opened

    monkeypatch.setattr(curation, "open_video", announced)
    record = curate(video, captions, folder, find=find)
    assert [clip.text for clip in record.clips] == TEXTS[:3]
    assert Dropped(6000, 8000, TEXTS[3], "past the last picture of the video") in record.dropped
    assert names(folder / "clips") == [clip.file for clip in record.clips]


def test_words_are_counted_as_the_paper_does() -> None:
    assert words_of("It's 3.5 km, 公里。") == ["it's", "3.5", "km", "公", "里"]
    assert words_of("Well-known (twice): TWICE!") == ["well-known", "twice", "twice"]
    assert words_of("...") == []


def test_statistics_by_hand(news: tuple[Path, ...]) -> None:
    """Clips of 0.8, 1.16, 0.84 and 2 s; texts of 2, 2, 2 and 3 words, "you" twice."""
    record = curate(*news, find=find)
    figures = statistics([record])
    assert figures["clips"] == 4 and figures["hours"] == round(4.8 / 3600, 4)
    assert figures["clip_seconds"]["mean"] == 1.2 and figures["clip_seconds"]["median"] == 1.0
    assert figures["clip_seconds"]["counts"] == [2, 1, 1]
    assert figures["text_words"] == {
        **{"mean": 2.25, "least": 2, "quarter": 2, "median": 2, "three_quarters": 2.25, "most": 3},
        **{"bin": 5, "counts": [4]},
    }
    assert (figures["words"], figures["vocabulary"], figures["words_once"]) == (9, 8, 7)
    assert figures["frequent_words"][0] == ("you", 2)
    assert figures["cut_at"] == {"punctuation": 4}
    assert figures["dropped"] == {"no words": 1, "past the end of the video": 1}
    on_disk = json.loads((news[2] / "curated" / "statistics.json").read_text())
    assert on_disk["clip_seconds"] == figures["clip_seconds"]
    assert (news[2] / "curated" / "statistics.png").read_bytes().startswith(b"\x89PNG")


def test_statistics_of_nothing() -> None:
    assert statistics([])["clips"] == 0


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["curate", *map(str, arguments)])


def test_command(news: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    video, captions, folder = news
    crop = f"{SIGNER.x},{SIGNER.y},{SIGNER.width},{SIGNER.height}"
    done = run(video, captions, "-o", folder, "--crop", crop, "--text-language", "en")
    assert done.exit_code == 0, done.stderr
    assert "corpus: 4 clips, 0.1 minutes, of news.mp4; 64x80 pixels at 80, 16" in done.stderr
    assert "past the end of the video  1         00:08.4 Too late, all." in done.stdout
    assert numbers(folder / "clips" / "news_00000400-00001200.mp4") == list(range(10, 30))
    done = run(video, captions, "-o", folder, "--crop", crop, "--text-language", "en", "--json")
    record = json.loads(done.stdout)
    assert [clip["text"] for clip in record["clips"]] == TEXTS
    assert [row["reason"] for row in record["dropped"]] == ["no words", "past the end of the video"]


def test_command_keeps_the_whole_picture(news: tuple[Path, ...]) -> None:
    video, captions, folder = news
    assert run(video, captions, "-o", folder, "--no-crop", "--cut-at", "!").exit_code == 0
    with open_video(sorted((folder / "clips").iterdir())[0]) as clip:
        assert (clip.info.width, clip.info.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--crop", "0,0,64,80", "--no-crop"], "contradict each other"),
        (["--crop", "0,0,640,80"], "is not inside the picture of 160x96"),
        (["--crop", "left"], "is not x,y,w,h"),
        (["--no-crop", "--max-frames", "0"], "no clip has 1 to 0 frames"),
        (["--no-crop", "--max-frames", "3"], "becomes a clip (over 3 frames: 4, no words: 1, past"),
        (["--no-crop", "--shift-ms", "60000"], "(past the end of the video: 5, no words: 1)"),
        (["--no-crop", "--split", "trian"], "no split 'trian'"),
        (["--no-crop", "--cut-at", " "], "no punctuation to cut at"),
        (["--no-crop", "--fps", "0"], "clips of 0 pictures a second"),
    ],
)
def test_command_refuses(options: list[str], message: str, news: tuple[Path, ...]) -> None:
    video, captions, folder = news
    done = run(video, captions, "-o", folder, *options)
    assert done.exit_code == 2 and done.stdout == ""
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not folder.exists()


def test_command_refuses_what_is_not_there(news: tuple[Path, ...]) -> None:
    video, captions, folder = news
    for arguments in ([video, video], [captions, captions], [video.with_name("no.mp4"), captions]):
        done = run(*arguments, "-o", folder, "--no-crop")
        assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1, done.output


def test_single_pictures_of_a_long_file(filmed: Path) -> None:
    """Frame n is shown from n x 40 ms on; reading goes on behind the picture that was looked at."""
    with open_video(filmed) as video:
        looked_at = [video.at(ms) for ms in (2000, 400, 7960, 60_000)]
        assert looked_at[3] is None
        video.at(4000)
        rest = [rgb for _, rgb in video]
    middles = [
        rgb[16 + STRIPE // 2 :: STRIPE, 90:140].mean(axis=(1, 2)) > 128 for rgb in looked_at[:3]
    ]
    assert [sum(1 << b for b in range(8) if white[b]) for white in middles] == [50, 10, 199]
    assert len(rest) == 99
