"""Errors in the user's language, where they reach a screen.

What goes wrong is worded in English where it is found, for the command line and the log. Here are
those lines that a user of the window can meet, with ``{places}`` for what differs; their
translations are in the catalogues beside all others. A line that is not here is told as it is. A
test holds each against the code that says it, so that none goes stale.
"""

import re
from functools import cache

from fingerpost.app import translations


def marked(text: str) -> str:
    """A text for the catalogues, translated later."""
    return text


CAMERA = (
    marked("there is no camera {number}, or this user may not open it; see `fingerpost doctor`"),
    marked("{name} gives no picture that can be decoded"),
    marked(
        "{name} has pictures of {width}x{height} pixels; no hand can be made out in less than "
        "{least}x{least_too}"
    ),
    marked("{name} stopped giving pictures; is it still plugged in?"),
    marked(
        "{name} breaks off after {at} of {length} s: the file was cut short or is damaged there"
    ),
    marked("there is no file {path}"),
    marked("{path}: there is no such file"),
    marked("{path} is a folder; name a video, a .npz or .pose file, or a camera"),
    marked("{path} is not a file; give the path of one video"),
    marked("{path} is empty"),
    marked("{path} has sound but no pictures"),
    marked(
        "{path} is not a video, or of a kind that cannot be read here; try to convert it to mp4"
    ),
    marked("{path} holds video of a kind that cannot be read here; try to convert it"),
    marked(
        "{path} was cut off before its index was written (its last part, 'moov', is missing): "
        "copy it again, or stop the recording properly"
    ),
    marked("{path} is not an .npz file, or was cut off"),
    marked("{path} is not a keypoint file of Fingerpost: {why}"),
    marked("the camera csi{sensor} does not open: it needs a Jetson, and an OpenCV with GStreamer"),
    marked("{name} has no pictures in it"),
    marked("nobody was seen in {name}; the signer's face, arms and hands must be in view"),
)
SLOW = (
    marked(
        "this machine looks at {fps} pictures a second, and {why}; close other programs, or use "
        "a faster machine"
    ),
    marked("{why}; more light helps: in the dark, cameras are slow"),
    marked("{name} gives {fps} pictures a second, and {why}"),
    marked("below {fps} quick signs are missed"),
)
PACKS = (
    marked("no pack {name} is installed (installed: {known}); see: packs add"),
    marked("this copy of Fingerpost was built without its pack {name}; name another with --pack"),
    marked(
        "pack {name} names single signs and cannot caption: see fingerpost lookup, or choose "
        "another pack"
    ),
    marked("no pack at {path}: expected a folder or an .fpk file"),
    marked("{path} is not a pack: it has no {file}"),
    marked("{path} is damaged, or no pack ({why}); get it again"),
    marked("{path} is not whole: {file} is missing; get the pack again"),
    marked(
        "{path}: {file} is not the file that was packed (its sha256 differs); get the pack again"
    ),
    marked("{path} holds {file}, which its manifest does not list; remove it"),
    marked("{path} is too big for a pack: at most {files} files and {megabytes} MB"),
    marked(
        "the pack has format version {version}, this Fingerpost reads {known}; get a pack for it, "
        "or another Fingerpost"
    ),
    marked(
        "the pack was made for preprocess_version {version}, this Fingerpost has {known}; get a "
        "pack for it, or export this one again"
    ),
    marked(
        "pack {name} needs the backend {backend}, which this version of Fingerpost does not have; "
        "it has: {known}"
    ),
    marked(
        "pack {name} does not compute here what it did where it was made ({measure} {value}); it "
        "was not installed"
    ),
    marked("there is no earlier pack {name} on this device"),
    marked("{address}: packs are fetched from https:// addresses only"),
    marked("{address} leads to an address that is not https://"),
    marked("{address}: the download did not fit any more; try again"),
    marked("{address}: the server says {code} {why}"),
    marked("{address} cannot be reached: {why}"),
    marked("{address}: the download broke off; try again to go on"),
    marked("{address} is not the file that was announced: its sha256 differs"),
    marked("that is {gigabytes} GB: no pack is so large"),
    marked("that is more than a pack can be"),
    marked("the disk has {free} MB free, and {needed} are needed"),
    marked("the sha256 in the address must have 64 hexadecimal digits"),
)
VOICE = (
    marked('to speak: pip install "fingerpost[speech]"'),
    marked("there is nothing to say"),
    marked("nothing here can speak; on Linux: apt-get install espeak"),
    marked('replies by voice need more: pip install "fingerpost[speech]"'),
    marked("name the folder of a voice model"),
    marked("{path} is no voice model of vosk: it has no {file}"),
    marked("{path} is a voice model that vosk cannot read; get it again"),
    marked("the microphone needs: apt-get install libportaudio2"),
    marked("there is no microphone, or this program may not use it; see the sound settings"),
)
KEPT = (
    marked("name the signer first: a name, or a number that you know them by"),
    marked("say what is signed first: the sign, or the sentence"),
    marked("nobody was seen; the signer's face, arms and hands must be in view"),
    marked("this source gives no pictures; record keypoints alone"),
    marked("a picture of {width}x{height} pixels could not be kept"),
    marked("{path} could not be written whole; is the disk full?"),
    marked("{path} is damaged; delete it and its clip by hand"),
    marked("that was too short: a sign takes longer than {seconds} seconds"),
    marked("hands were up for {seconds} s: sign one sign, and lower the hands"),
    marked("type something first"),
    marked("there is no line {number} any more"),
    marked("the history {path} cannot be used: {why}"),
    marked("{path} is of a newer Fingerpost; update this one to read it"),
    marked("the settings could not be read ({why}); they are now in {path}"),
)
MESSAGES = (*CAMERA, *SLOW, *PACKS, *VOICE, *KEPT)
NESTED = "why"  # what stands there may be a line of these itself
_PLACE = re.compile(r"\{(\w+)\}")


def in_words(message: str) -> str:
    """An error's line in the user's language; as it is where nobody has translated it."""
    message = " ".join(message.split())
    for text, pattern in _patterns().items():
        found = pattern.fullmatch(message)
        if found is not None:
            values = found.groupdict()
            if NESTED in values:
                values[NESTED] = in_words(values[NESTED])
            return translations._(text).format(**values)
    return message


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """For each line, what it looks like once its places are filled in."""
    patterns = {}
    for text in MESSAGES:
        parts = _PLACE.split(text)  # words, name of a place, words …
        row = [f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)]
        patterns[text] = re.compile("".join(row))
    return patterns
