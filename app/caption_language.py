"""In which language sentences are written: that of who reads them, where the pack writes it."""

from typing import Any

from fingerpost.app.session import Session
from fingerpost.app.translations import system_language

NAMES = {"en": "English", "de": "German", "es": "Spanish", "zh": "Chinese"}  # as packs say it


def write_in(session: Session, code: str) -> None:
    """From the sentence on that is being signed. For the thread in which the session runs.

    code : of the interface, "" as the system has it. Where the pack does not write that language,
        it is the first that it does; single signs are named as the pack names them
    """
    given = session.captioner
    captioner: Any = getattr(given, "captioner", given)  # below its stopwatch
    if hasattr(captioner, "write_in"):
        wanted = NAMES.get(code or system_language(), "")
        captioner.write_in(wanted if wanted in captioner.languages else "")
