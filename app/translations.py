"""The words of the interface in the user's language.

The English text is the key: ``_("Undo")``. Each other language is one catalogue,
``locales/LANGUAGE/LC_MESSAGES/fingerpost.po``, read when the app starts; nothing is compiled
beforehand, so there is no second file that could be out of date.
"""

import gettext as gettext_of_python
import io
import locale
from pathlib import Path

LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "zh": "中文"}
SOURCE = "en"  # the language of the keys
FOLDER = Path(__file__).parent / "locales"

_language = SOURCE
_current: gettext_of_python.NullTranslations = gettext_of_python.NullTranslations()


def _(text: str) -> str:
    """The text in the language that is in use."""
    return _current.gettext(text)


def use_language(language: str) -> str:
    """Sets the language; "" is the system's. Returns the one that is now in use."""
    global _current, _language
    language = language or system_language()
    if language not in LANGUAGES:
        raise ValueError(f"there is no language {language!r}; known: {', '.join(LANGUAGES)}")
    _current, _language = catalogue(language), language
    return language


def current_language() -> str:
    """The code of the language that is in use."""
    return _language


def catalogue(language: str) -> gettext_of_python.NullTranslations:
    """A language's texts."""
    if language == SOURCE:
        return gettext_of_python.NullTranslations()
    import polib

    entries = polib.pofile(str(catalogue_path(language)), encoding="utf-8")
    return gettext_of_python.GNUTranslations(io.BytesIO(entries.to_binary()))


def catalogue_path(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / "fingerpost.po"


def system_language() -> str:
    """The system's language where there is a catalogue of it, else English."""
    code = (locale.getlocale()[0] or "").split("_")[0].lower()
    return {"german": "de", "spanish": "es", "chinese": "zh"}.get(
        code, code if code in LANGUAGES else SOURCE
    )
