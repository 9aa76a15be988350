"""Every step of the cleaning on cases made by hand, and all of them together."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerpost.trainer import text as steps
from fingerpost.trainer.corpora.sample import Sample, check
from fingerpost.trainer.text import STEPS, clean_samples, clean_text


def cases(*pairs: tuple[str, str]):
    return pytest.mark.parametrize(("raw", "clean"), pairs)


@cases(
    ("&lt;b&gt;", "<b>"),
    ("Tom &amp; Jerry&#39;s", "Tom & Jerry's"),
    ("a &amp;lt; b", "a &lt; b"),  # once
    ("fish & chips", "fish & chips"),
)
def test_entities(raw: str, clean: str) -> None:
    assert steps.decode_entities(raw) == clean


@cases(
    ('<font color="#fff">Hello</font>', "Hello"),
    ("<c>so</c><00:00:01.319><c.yellow> we go</c>", "so we go"),
    ("<v Mary>Hi<br/>there", "Hithere"),
    ("3 < 5 and 7 > 2", "3 < 5 and 7 > 2"),
    ("I <3 you", "I <3 you"),
)
def test_tags(raw: str, clean: str) -> None:
    assert steps.remove_tags(raw) == clean


@cases(
    ("(laughter) Well", " Well"),
    ("Well [music]", "Well "),
    ("I *flush* see", "I  see"),
    ("*loud noise*", ""),
    ("so (a (very) b) it", "so  it"),
    ("你好（笑声）吗【音乐】", "你好吗"),
    ("2 * 3 * 4", "2 * 3 * 4"),
    ("(never closed", "(never closed"),
    ("a) first", "a) first"),
)
def test_annotations(raw: str, clean: str) -> None:
    assert steps.remove_annotations(raw) == clean


@cases(
    ("♪ la la ♪", "la la ♪"),
    ("• milk", "milk"),
    (" - Hello", "Hello"),
    (">> - Hello", "Hello"),
    ("- one\n– two", "one\ntwo"),
    ("-5 degrees", "-5 degrees"),
    ("well-known", "well-known"),
    ("#1 of 10", "#1 of 10"),
)
def test_leading_symbols(raw: str, clean: str) -> None:
    assert steps.remove_leading_symbols(raw) == clean


@cases(
    ("John: hello", " hello"),
    ("MR.SMITH : hello", " hello"),
    ("Zoë: hi\nO'Neil:\nyes", " hi\n\nyes"),
    ("The doctor: hello", "The doctor: hello"),  # two words
    ("I said: hello", "I said: hello"),
    ("10:30 is late", "10:30 is late"),
    ("3: three", "3: three"),
    ("https://example.org", "https://example.org"),
)
def test_speakers(raw: str, clean: str) -> None:
    assert steps.remove_speaker(raw) == clean


@cases(
    ("Hello , you !", "Hello, you!"),
    ("am tag sonne .", "am tag sonne."),
    ("what ?!", "what?!"),
    ("so ... yes", "so... yes"),
    ("the .NET of 0.5 or .5", "the .NET of 0.5 or .5"),
    ("你好 。", "你好。"),
)
def test_punctuation(raw: str, clean: str) -> None:
    assert steps.close_up_punctuation(raw) == clean


@cases(("  a \t b\n c  ", "a b c"), ("a\u00a0\u3000b", "a b"), ("   ", ""))
def test_spaces(raw: str, clean: str) -> None:
    assert steps.collapse_spaces(raw) == clean


@cases(
    ('"Hello"', "Hello"),
    ("“Hello", "Hello"),
    ("« Bonjour »", "Bonjour"),
    ("「你好」", "你好"),
    ("'Hello'", "Hello"),
    ("'tis the dog", "'tis the dog"),
    ("the dogs'", "the dogs'"),
    ('say "yes" to it', 'say "yes" to it'),
    ('""', ""),
)
def test_quotation_marks(raw: str, clean: str) -> None:
    assert steps.trim_quotation_marks(raw) == clean


@cases(
    ("&gt;&gt; JOHN: &quot;Hello , <i>you</i> !&quot;", "Hello, you!"),
    ("- (sighs) Mary: I do n't know .", "I do n't know."),
    ("&lt;c&gt;[music]&lt;/c&gt;", ""),
    ("♪  We  are   the\nchampions  ♪", "We are the champions ♪"),
    ("And now we rub it in.", "And now we rub it in."),
    ("", ""),
)
def test_all_steps(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


def test_steps_are_those_of_the_paper_in_its_order() -> None:
    assert [step.__name__ for step in STEPS] == [
        "decode_entities",
        "remove_tags",
        "remove_annotations",
        "remove_leading_symbols",
        "remove_speaker",
        "close_up_punctuation",
        "collapse_spaces",
        "trim_quotation_marks",
    ]


@given(st.text(alphabet="aB1 \n<>&;()[]*♪-:.,!\"'", max_size=40))
def test_any_text_becomes_one_trimmed_line(raw: str) -> None:
    clean = clean_text(raw)
    assert clean == " ".join(clean.split())
    for step in STEPS:
        assert step(step(raw)) == step(raw) or step in (
            steps.decode_entities,  # &amp;lt;
            steps.remove_tags,  # <<b>b>
            steps.remove_speaker,  # a: b: c
            steps.trim_quotation_marks,  # ''a''
        )


def test_emptied_samples_are_counted_not_dropped() -> None:
    samples = [
        Sample(name, Path("x.mp4"), "", "train", (), text, "ase")
        for name, text in (("a", "- Hello ."), ("b", "[music]"))
    ]
    cleaned = list(clean_samples(samples))
    assert [sample.text for sample in cleaned] == ["Hello.", ""]
    assert cleaned[0].id == "a" and cleaned[0].media == Path("x.mp4")
    assert check(cleaned, media=False).empty == ("b",)
