"""What is wrong with a corpus is counted and listed."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fingerpost.trainer.corpora.sample import Sample, check


def sample(name: str, media: str = "", split: str = "train", **changes) -> Sample:
    fields = {"signer": "", "glosses": ("HELLO",), "text": "", "language": "ase", **changes}
    return Sample(id=name, media=Path(media or f"{name}.mp4"), split=split, **fields)


def test_nothing_wrong(tmp_path):
    (tmp_path / "a.mp4").touch()
    report = check([sample("a", str(tmp_path / "a.mp4"))])
    assert report.ok
    assert str(report) == "1 samples (train 1)"
    assert check([]).ok


def test_every_problem_is_counted_and_listed(tmp_path):
    (tmp_path / "here.mp4").touch()
    here = str(tmp_path / "here.mp4")
    report = check(
        [
            sample("fine", here),
            sample("gone", str(tmp_path / "gone.mp4")),
            sample("blank", here, glosses=(), text="  "),
            sample("unlabelled", here, glosses=("",)),
            sample("twice", here),
            sample("twice", here),
        ]
    )
    assert not report.ok
    assert report.missing_media == ("gone",)
    assert report.empty == ("blank", "unlabelled")
    assert report.duplicate_ids == ("twice",)
    assert report.split_leaks == ()
    assert str(report).splitlines() == [
        "6 samples (train 6)",
        "missing media: 1: gone",
        "no text and no gloss: 2: blank, unlabelled",
        "duplicate ids: 1: twice",
    ]


def test_printed_report_is_short_and_the_lists_are_whole(tmp_path):
    report = check(sample(f"{i}", str(tmp_path / f"{i}.mp4")) for i in range(25))
    assert len(report.missing_media) == 25
    assert str(report).splitlines()[1] == (
        "missing media: 25: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 15 more"
    )


def test_names_that_no_file_system_has():
    assert check([sample("long", "x" * 5000), sample("null", "a\0b")]).missing_media == (
        "long",
        "null",
    )


def leaks(*samples: Sample) -> tuple[str, ...]:
    return check(samples, media=False).split_leaks


def test_split_leaks():
    assert leaks(sample("a", "v"), sample("b", "v", "test")) == ("a", "b")
    assert leaks(sample("a", "v"), sample("a", "w", "test")) == ("a",)
    assert leaks(sample("a", "v"), sample("b", "v")) == ()
    same_url = {"source": "https://example.org/1.mp4"}
    assert leaks(sample("a", **same_url), sample("b", split="val", **same_url)) == ("a", "b")


def test_parts_of_one_video_may_be_in_two_splits_where_they_do_not_overlap():
    first = sample("first", "v", start_ms=0, end_ms=1000)
    second = sample("second", "v", "test", start_ms=1000, end_ms=2000)
    assert leaks(first, second) == ()
    late = sample("late", "v", "val", start_ms=1999, end_ms=2500)
    assert leaks(first, second, late) == ("second", "late")
    assert leaks(first, second, sample("whole", "v", "val")) == ("first", "second", "whole")


SPANS = st.tuples(st.integers(0, 30), st.integers(1, 15), st.sampled_from(["train", "val", "test"]))


@given(st.lists(SPANS, max_size=12))
def test_every_overlap_is_found(spans):
    """Against comparing all pairs. A sample that leaks is named, and no other."""
    samples = [
        sample(str(i), "v", split, start_ms=start, end_ms=start + length)
        for i, (start, length, split) in enumerate(spans)
    ]
    expected = {
        a.id
        for a in samples
        for b in samples
        if a.split != b.split and a.start_ms < b.end_ms and b.start_ms < a.end_ms
    }
    assert set(leaks(*samples)) == expected
