"""What a trimmed vocabulary must be able to write and read: a corpus's sentences, and the prompts.

``trimmed_vocabulary`` does the cutting; here is what it is cut to.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from fingerpost.trainer.corpora import read_corpus
from fingerpost.trainer.corpora.sample import SPLITS
from fingerpost.trainer.corpora.tables import read_lines
from fingerpost.trainer.language_names import LANGUAGE_NAMES
from fingerpost.trainer.models.uni_sign import PROMPT

GLOSSES = ("glosses", "gloss")  # what the prompt calls signs in their order, and one sign


def corpus_sentences(
    corpus: str, folder: Path | None, splits: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """Everything that a model of a corpus writes, and the codes of its languages ("en-GB").

    corpus : a name of CORPORA; or, without a folder, a text file with one sentence a line
    splits : train, val, test; () for all of them
    Returns sentences, and glosses joined by spaces. ValueError where there is none at all.
    """
    known = sorted(set(SPLITS.values()) - {""})
    if unknown := [split for split in splits if split not in known]:
        raise ValueError(f"no split {unknown[0]!r}; there are {', '.join(known)}")
    if folder is None:
        if splits:
            raise ValueError("a text file has no splits: leave --split out, or give a corpus")
        return _sentences_of_file(Path(corpus)), []
    samples = [s for s in read_corpus(corpus, folder) if not splits or s.split in splits]
    texts = [text for s in samples for text in (s.text, " ".join(s.glosses)) if text.strip()]
    if not texts:
        where = f"the splits {', '.join(splits)} of {folder}" if splits else str(folder)
        raise ValueError(f"{where} has no sentences and no glosses to cut a vocabulary to")
    return texts, sorted({s.text_language for s in samples if s.text_language})


def prompts(languages: Iterable[str] = ()) -> list[str]:
    """What the model is asked, for glosses and for each language.

    languages : codes ("zh", "en-GB"); where there is none, all names that we know, since the corpus
        did not say which it needs
    """
    names = [
        name for code in languages for name in (LANGUAGE_NAMES.get(code, code), _base_name(code))
    ]
    names = names or list(LANGUAGE_NAMES.values())
    return [PROMPT.format(language=name) for name in dict.fromkeys([*names, *GLOSSES])]


def _base_name(code: str) -> str:
    """English of en-GB, or the code itself."""
    return LANGUAGE_NAMES.get(code.split("-")[0], code)


def _sentences_of_file(path: Path) -> list[str]:
    if not path.is_file():
        raise ValueError(
            f"there is no text file {path}; for a corpus, give its name and its folder "
            "(names: fingerpost corpora list)"
        )
    lines = [line for line in read_lines(path) if line.strip()]
    if not lines:
        raise ValueError(f"{path} has no sentences; write one a line")
    return lines
