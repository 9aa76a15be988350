"""What a user of the app has set, and the one small file it is kept in.

A file of a newer Fingerpost keeps working: keys that are not known here are left out. A file that
cannot be read is put aside, and the defaults take its place.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from fingerpost.app.output_files import write_text

SMALLEST_PT, LARGEST_PT = 14, 72
MOST_LINES = 4
THEMES = ("black", "yellow", "light")
ASIDE = ".broken"  # what the name of a file that could not be read ends in


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that can be set. Plain values, so that the file can be read and mended by hand."""

    welcomed: bool = False  # has read the first-run page
    language: Literal["", "en", "de", "es", "zh"] = ""  # of the interface; "" as the system has it
    theme: Literal["black", "yellow", "light"] = "black"
    text_pt: Annotated[int, msgspec.Meta(ge=SMALLEST_PT, le=LARGEST_PT)] = 28  # of captions
    caption_lines: Annotated[int, msgspec.Meta(ge=1, le=MOST_LINES)] = 2
    skeleton: bool = True  # is drawn over the picture
    dominant_hand: Literal["auto", "left", "right"] = "auto"  # of packs that write sentences
    mirrored: bool = False  # the camera gives a mirror image
    source: str = "0"  # a camera's number, "csi", "demo", or the path of a video
    most_fps: Literal[0, 12, 15] = 0  # pictures a second that are looked at; 0: all
    pack: str = "demo"  # a pack's name
    voice_model: str = ""  # a folder of vosk's; "" without replies by voice
    reduced_motion: bool = False  # screens change at once
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 0  # of history; 0 keeps all
    pause_minutes: Annotated[int, msgspec.Meta(ge=0, le=240)] = 10  # a longer pause: somebody else


def app_folder() -> Path:
    """Where settings and history are: $FINGERPOST_HOME, or the user's data folder."""
    given = os.environ.get("FINGERPOST_HOME")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_data_dir("fingerpost")) / "app"


class SettingsFile:
    """The settings, and the file they are in. problem : one line where it could not be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self.settings = self._read()

    def change(self, **changes: object) -> Settings:
        """Sets, and writes the file whole. ValueError, and nothing changed, for a wrong value."""
        wanted = msgspec.structs.asdict(self.settings) | changes
        unknown = sorted(set(changes) - set(Settings.__struct_fields__))
        if unknown:
            raise ValueError(f"there is no setting {', '.join(unknown)}")
        try:
            settings = msgspec.convert(wanted, Settings)
        except msgspec.ValidationError as error:
            raise ValueError(f"this cannot be set: {error}") from error
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(settings), indent=1).decode()
        write_text(self.path, text + "\n")
        self.settings = settings
        return settings

    def _read(self) -> Settings:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Settings()
        try:
            return msgspec.json.decode(content, type=Settings)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            aside = self.path.with_name(self.path.name + ASIDE)
            os.replace(self.path, aside)
            self.problem = f"the settings could not be read ({error}); they are now in {aside}"
            return Settings()
