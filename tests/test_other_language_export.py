"""A checkpoint that writes German becomes a pack that does: nothing on the way asks for English."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from fingerpost.distill.export_recogniser import languages_of  # noqa: E402
from fingerpost.distill.export_translator import (  # noqa: E402
    N_GOLDEN,
    PIECES_FILE,
    TranslatorSource,
)
from fingerpost.distill.judge_pack import translator_answers  # noqa: E402
from fingerpost.edge_runtime.translator import read_pieces  # noqa: E402
from fingerpost.trainer.checkpoint import save_checkpoint  # noqa: E402
from fingerpost.trainer.signer_corpus import make_clip  # noqa: E402
from fingerpost.trainer.tasks.pocket_translation import PocketTranslation  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = ["Im Süden weht ein kräftiger Wind.", "Schöne Grüße, die Straße ist glatt!"]
TINY = {
    **{"width": 32, "n_blocks": 2, "n_heads": 2, "past": 16, "d_model": 32, "d_ff": 32},
    **{"d_kv": 16, "n_reader_heads": 2, "n_layers": 1, "n_decoder_layers": 1},
    **{"n_perceiver_layers": 1, "dropout": 0.0},
}


class Columns(list):
    """Clips, as the task of a training sees those of shards."""

    def column(self, name):
        return [getattr(clip, name) for clip in self]


@pytest.fixture(scope="module")
def clips():
    return Columns(
        replace(
            clip,
            glosses=tuple(f"{gloss}-Ü" for gloss in clip.glosses),
            text=text,
            text_language="de",
            language="gsg",
        )
        for clip, text in ((make_clip("val", k), text) for k, text in enumerate(TEXTS))
    )


@pytest.fixture(scope="module")
def source(clips, tmp_path_factory):
    torch.manual_seed(0)
    task = PocketTranslation.from_data({"max_tokens": 8, "pieces": 90}, clips, None)
    model = task.new_model(TINY).eval()
    folder = tmp_path_factory.mktemp("german")
    info = {"task": "pocket_translation", **task.save(folder), "data": {"forecast": "0"}}
    save_checkpoint(folder, model, info, {"validation": {"text.bleu4": 1.0}})
    return TranslatorSource(folder, clips)


def test_the_pack_says_what_is_signed_and_what_is_written(source):
    fields = source.describe()
    assert fields["languages"] == ("gsg",)
    assert fields["translation"].languages == ("German",)
    glosses = json.loads(source.files[fields["vocabulary"]])
    assert all(gloss.endswith("-Ü") for gloss in glosses)


def test_every_letter_is_in_its_pieces(source):
    pieces = read_pieces(source.files[PIECES_FILE])
    letters = {letter for piece in pieces for letter in piece}
    assert {letter for text in TEXTS for letter in text if letter != " "} <= letters
    translator = source._eager_translator()
    tokens = source._task.tokenizer(TEXTS[1], add_special_tokens=False)["input_ids"]
    assert translator.text_of(tokens) == TEXTS[1]


def test_its_golden_sentences_are_asked_for_in_german(source):
    golden = source.golden(None)
    questions = {name.rsplit("/", 1)[1] for name in golden if "/tokens/" in name}
    assert questions == {"German", "glosses"}
    for i in range(N_GOLDEN):
        assert np.isfinite(golden[f"clip_{i}/reference/to German"]).all()


def test_it_is_judged_by_its_german(source, clips):
    answers = translator_answers(source._eager_translator(), clips)
    assert [one.truth for one in answers["text"]] == TEXTS


def test_nobody_guesses_a_sign_language(clips):
    assert languages_of(clips) == ("gsg",)
    assert languages_of([replace(clips[0], language="")]) == languages_of([]) == ("und",)
