"""Every text of the interface is there in every language, with the same places to fill in."""

import ast
import re
import string
from pathlib import Path

import polib
import pytest

from fingerpost.app import translations
from fingerpost.app.translations import LANGUAGES, SOURCE, catalogue, catalogue_path, use_language
from fingerpost.app.ui.fonts import LATIN, cjk_font, font_for

APP = Path(__file__).parent.parent / "app"
OTHERS = [language for language in LANGUAGES if language != SOURCE]


def texts() -> dict[str, Path]:
    """Every text that the code asks the translation of."""
    found = {}
    for path in sorted(APP.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in ("_", "marked"):
                    (text,) = node.args
                    assert isinstance(text, ast.Constant), f"{path}:{node.lineno}: one plain text"
                    found[text.value] = path
    return found


@pytest.fixture(autouse=True)
def english():
    yield
    use_language(SOURCE)


def fields(text: str) -> list[str]:
    return sorted(f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated(language):
    entries = {entry.msgid: entry for entry in polib.pofile(str(catalogue_path(language)))}
    wanted = texts()
    assert len(wanted) > 100
    assert sorted(set(wanted) - set(entries)) == [], "add these to the catalogue"
    assert sorted(set(entries) - set(wanted)) == [], "nothing in the app says this any more"
    for text, entry in entries.items():
        assert entry.msgstr.strip() and "fuzzy" not in entry.flags, text
        assert fields(entry.msgstr) == fields(text), (text, entry.msgstr)


@pytest.mark.parametrize("language", OTHERS)
def test_the_translations_are_of_that_language(language):
    """Few texts are the same in two languages, and only Chinese is written in Chinese."""
    pairs = [(e.msgid, e.msgstr) for e in polib.pofile(str(catalogue_path(language)))]
    assert sum(text == translated for text, translated in pairs) < 0.03 * len(pairs)
    chinese = [bool(re.search("[\u4e00-\u9fff]", translated)) for _, translated in pairs]
    assert all(chinese) if language == "zh" else not any(chinese)


def test_a_language_is_used_and_left_again():
    assert use_language("de") == "de" and translations._("Settings") == "Einstellungen"
    assert translations._("no such text") == "no such text"
    assert use_language("en") == "en" and translations._("Settings") == "Settings"
    assert use_language("") in LANGUAGES  # the system's, or English
    with pytest.raises(ValueError, match="known: en, de, es, zh"):
        use_language("tlh")
    assert catalogue("es").gettext("Undo") == "Deshacer"


def test_chinese_takes_a_typeface_that_has_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    fonts = tmp_path / "fonts" / "truetype"
    fonts.mkdir(parents=True)
    (fonts / "NotoSansCJK-Regular.ttc").touch()
    cjk_font.cache_clear()
    assert font_for("plain", "中文").endswith("NotoSansCJK-Regular.ttc")
    assert font_for("Größe, ¿qué?") == LATIN
    cjk_font.cache_clear()
