"""What prompts and questions call the language of a text."""

LANGUAGE_NAMES = {
    **{"ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "fr": "French"},
    **{"el": "Greek", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch"},
    **{"pl": "Polish", "pt": "Portuguese", "ru": "Russian", "tr": "Turkish", "zh": "Chinese"},
}
UNKNOWN = "English"  # where a corpus does not say


def language_name(code: str) -> str:
    """ "de" is German; a code that is not there is its own name, and no code is ``UNKNOWN``."""
    return LANGUAGE_NAMES.get(code, code or UNKNOWN)
