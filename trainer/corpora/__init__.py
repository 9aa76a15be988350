"""Corpora in their true formats: a folder as its authors publish it, as samples.

A new corpus is one file with a reader and one row here. docs/corpora.md lists what each reads.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from fingerpost.trainer.corpora.asl_citizen import read_asl_citizen
from fingerpost.trainer.corpora.autsl import read_autsl
from fingerpost.trainer.corpora.bobsl import read_bobsl, read_bobsl_signs
from fingerpost.trainer.corpora.csl_daily import read_csl_daily
from fingerpost.trainer.corpora.csl_news import read_csl_news
from fingerpost.trainer.corpora.gsl import read_gsl
from fingerpost.trainer.corpora.how2sign import read_how2sign
from fingerpost.trainer.corpora.include50 import read_include50
from fingerpost.trainer.corpora.lsa64 import read_lsa64
from fingerpost.trainer.corpora.ms_asl import read_ms_asl
from fingerpost.trainer.corpora.openasl import read_openasl
from fingerpost.trainer.corpora.own_folder import read_own_folder
from fingerpost.trainer.corpora.perusil import read_perusil
from fingerpost.trainer.corpora.phoenix14t import read_phoenix14t
from fingerpost.trainer.corpora.phoenix_signer03 import read_phoenix_signer03
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.slovo import read_slovo
from fingerpost.trainer.corpora.wlasl import read_wlasl
from fingerpost.trainer.corpora.youtube import read_youtube_asl, read_youtube_sl25

CORPORA: dict[str, Callable[[Path], Iterator[Sample]]] = {
    "asl_citizen": read_asl_citizen,
    "autsl": read_autsl,
    "bobsl": read_bobsl,
    "bobsl_signs": read_bobsl_signs,
    "csl_daily": read_csl_daily,
    "csl_news": read_csl_news,
    "gsl": read_gsl,
    "how2sign": read_how2sign,
    "include50": read_include50,
    "lsa64": read_lsa64,
    "ms_asl": read_ms_asl,
    "openasl": read_openasl,
    "own_folder": read_own_folder,
    "perusil": read_perusil,
    "phoenix14t": read_phoenix14t,
    "phoenix_signer03": read_phoenix_signer03,
    "slovo": read_slovo,
    "wlasl": read_wlasl,
    "youtube_asl": read_youtube_asl,
    "youtube_sl25": read_youtube_sl25,
}


def read_corpus(name: str, folder: Path) -> Iterator[Sample]:
    """The samples of a corpus of ``CORPORA``, in the order of its files."""
    if name not in CORPORA:
        raise ValueError(f"no corpus {name!r}; known are {', '.join(CORPORA)}")
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: give the folder of the corpus {name}")
    return CORPORA[name](folder)


def corpus_title(name: str) -> str:
    """What a corpus of ``CORPORA`` is: how the docstring of its file begins, without its paper."""
    text = " ".join((sys.modules[CORPORA[name].__module__].__doc__ or name).split())
    return re.sub(r" \([^()]*\)", "", re.split(r"\.(?:\s|$)", text)[0])
