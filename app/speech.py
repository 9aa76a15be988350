"""Says a text aloud, with the voice of the system: on Linux that is espeak."""


def say(text: str) -> None:
    """Returns when it was said. ValueError where this system has nothing that speaks."""
    try:
        from plyer import tts
    except ModuleNotFoundError as error:
        raise ValueError('to speak: pip install "fingerpost[speech]"') from error
    # plyer hands the text to a program: one that begins with "-" would be read as an option.
    words = " ".join(text.split()).lstrip("-–— ")
    if not words:
        raise ValueError("there is nothing to say")
    try:
        tts.speak(words)
    except NotImplementedError as error:
        raise ValueError("nothing here can speak; on Linux: apt-get install espeak") from error
