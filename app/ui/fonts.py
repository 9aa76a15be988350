"""Which typeface to draw with. Imports no Kivy.

Kivy brings Roboto: Latin, Greek and Cyrillic letters. Chinese takes a typeface of the system, for
one is several megabytes and every desktop and phone has one; a bare Debian gets it with
``apt-get install fonts-noto-cjk``.
"""

import os
import sys
from functools import cache
from pathlib import Path

from fingerpost.app.translations import LANGUAGES

LATIN_NAMES = {"zh": "Zhongwen"}
LATIN = "Roboto"  # the name under which Kivy has it
CJK_FILES = (  # the best to read first; all have Latin letters too, for a label has one typeface
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "msyh.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
)


def font_for(*texts: str) -> str:
    """A typeface with the letters of these texts, as Kivy's ``font_name``.

    Latin letters where there is no Chinese typeface: the others then show as boxes.
    """
    return (cjk_font() or LATIN) if any(needs_cjk(text) for text in texts) else LATIN


def language_names() -> list[tuple[str, str]]:
    """The languages of the interface, (code, its own name); in Latin letters where there is no
    typeface for those of its own."""
    return [
        (code, LATIN_NAMES.get(code, name) if needs_cjk(name) and not cjk_font() else name)
        for code, name in LANGUAGES.items()
    ]


def needs_cjk(text: str) -> bool:
    """Whether a text has Chinese, Japanese or Korean letters."""
    return any("\u2e80" <= letter <= "\ud7ff" or "\uf900" <= letter <= "\uffef" for letter in text)


@cache
def cjk_font() -> str:
    """The path of a typeface with Chinese letters on this machine; "" where there is none."""
    found: dict[str, str] = {}
    for folder in font_folders():
        for directory, _, files in os.walk(folder):
            for name in set(files) & set(CJK_FILES):
                found.setdefault(name, str(Path(directory) / name))
    return next((found[name] for name in CJK_FILES if name in found), "")


def font_folders() -> list[Path]:
    """Where systems keep typefaces, the user's own first."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    folders = {
        "darwin": [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")],
        "win32": [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"],
    }
    linux = [data / "fonts", Path("/usr/local/share/fonts"), Path("/usr/share/fonts")]
    return folders.get(sys.platform, [*linux, Path("/system/fonts")])  # the last: Android
