"""Errors in the user's language: each line that is translated is one that the code says."""

import ast
from pathlib import Path

import pytest

from fingerpost.app import told
from fingerpost.app.frame_rate import FrameRate
from fingerpost.app.platforms.sources import watch
from fingerpost.app.told import MESSAGES, in_words
from fingerpost.app.translations import LANGUAGES, SOURCE, use_language
from fingerpost.edge_runtime.pack import PackStore, open_pack
from fingerpost.edge_runtime.video import open_camera, open_video

ROOT = Path(__file__).parent.parent
SAID_IN = [  # the files whose errors a window can meet
    *(ROOT / "app").glob("*.py"),
    *(ROOT / "app" / "platforms").glob("*.py"),
    *(ROOT / "edge_runtime" / f"{name}.py" for name in ("video", "keypoint_files", "teaching")),
    *(ROOT / "edge_runtime" / f"{name}.py" for name in ("pack", "pack_files", "manifest")),
    ROOT / "edge_runtime" / "backends" / "__init__.py",
]
OURS = ("observer", "pack_store", "recording", "speech", "speech_to_text", "tape")


@pytest.fixture(autouse=True)
def english():
    yield
    use_language(SOURCE)


def shape(node: ast.expr) -> str:
    """A text with ``{}`` for each place in it; "" where it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(shape(v) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    return ""


def places_emptied(text: str) -> str:
    return told._PLACE.sub("{}", text)


def said() -> set[str]:
    """Every text in those files, but for those of the table itself."""
    found = set()
    for path in SAID_IN:
        if path.name != "told.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {shape(node) for node in ast.walk(tree) if isinstance(node, ast.expr)}
    return found


def test_each_line_is_one_that_the_code_says():
    texts = said()
    ends = {text for text in texts if text}  # "{path} is empty" is said in two parts
    for message in MESSAGES:
        wanted = places_emptied(message)
        assert wanted in texts or wanted.removeprefix("{} ") in ends, message


@pytest.mark.parametrize("name", OURS)
def test_each_error_of_the_app_has_its_line(name):
    known = {places_emptied(message) for message in MESSAGES}
    tree = ast.parse((ROOT / "app" / f"{name}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            text = shape(node.exc.args[0])
            assert not text or text in known, f"{name}.py:{node.lineno}: {text}"


def error_of(call, *given) -> str:
    with pytest.raises((ValueError, OSError)) as raised:
        call(*given)
    return str(raised.value)


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != SOURCE])
def test_what_goes_wrong_is_told_in_the_users_language(language, tmp_path):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    errors = (
        error_of(open_camera, 99),
        error_of(open_video, empty),
        error_of(watch, str(tmp_path)),
        error_of(open_pack, tmp_path / "none"),
        error_of(PackStore(tmp_path).find, "none"),
    )
    use_language(language)
    for error in errors:
        assert in_words(error) != error
    assert str(empty) in in_words(errors[1]) and "99" in in_words(errors[0])


def test_a_line_within_a_line_is_translated_too():
    rate = FrameRate("camera 0", live=True)
    (*_, slow) = (rate.push(200 * t) for t in range(30))
    assert slow.startswith("camera 0 gives 5.0 pictures a second")
    use_language("de")
    assert in_words(slow) == (
        "camera 0 liefert 5.0 Bilder in der Sekunde, und unter 8 werden schnelle Gebärden "
        "übersehen; mehr Licht hilft: Im Dunkeln sind Kameras langsam"
    )


def test_what_nobody_has_translated_is_told_as_it_is():
    use_language("de")
    for line in ("something else", "", "no {such} line", "there is no file"):
        assert in_words(line) == line
    use_language("en")
    assert in_words("there is no file /a b/c.mp4") == "there is no file /a b/c.mp4"
    assert in_words("two\n rows") == "two rows"
