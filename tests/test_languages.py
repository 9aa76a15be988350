"""Artificial sign languages: correct sentences, signs that are shared as asked, shards of each."""

import json
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.trainer.sentences.invented_signs import movement
from fingerpost.trainer.sentences.languages import (
    LANGUAGES,
    Design,
    gloss_of,
    make_language_clip,
    write_languages,
)
from fingerpost.trainer.sentences.languages_grammar import (
    SLOTS,
    TEXTS,
    Meaning,
    glosses_of,
    random_meaning,
    split_of,
)
from fingerpost.trainer.sentences.languages_signs import APART, SHAPES, make_lexicons, shape_of
from fingerpost.trainer.sentences.languages_words import CONCEPTS
from fingerpost.trainer.shards import open_shards

SMALL = Design(train=2, few=1, val=1, test=1)


@pytest.fixture(scope="module")
def meanings():
    rng = np.random.default_rng(0)
    return [random_meaning(rng) for _ in range(3000)]


# ---- the sentences


@pytest.mark.parametrize(
    ("meaning", "texts"),
    [
        (
            Meaning("mother", "buy", "book", "red", "two", "yesterday", "school", asked="ask"),
            (
                "Did the mother buy two red books at school yesterday?",
                "Hat die Mutter gestern in der Schule zwei rote Bücher gekauft?",
                "¿Compró la madre dos libros rojos en la escuela ayer?",
                "Est-ce que la mère a acheté deux livres rouges à l'école hier?",
            ),
        ),
        (
            Meaning("i", "forget", "plate", "white", time="yesterday", negated="not"),
            (
                "I did not forget a white plate yesterday.",
                "Gestern habe ich keinen weißen Teller vergessen.",
                "Ayer no olvidé un plato blanco.",
                "Hier, je n'ai pas oublié d'assiette blanche.",
            ),
        ),
        (
            Meaning("we", "seek", "bag", "blue", "three", "tomorrow"),
            (
                "We will seek three blue bags tomorrow.",
                "Morgen werden wir drei blaue Taschen suchen.",
                "Mañana vamos a buscar tres bolsas azules.",
                "Demain, nous allons chercher trois sacs bleus.",
            ),
        ),
        (
            Meaning("i", "seek", "shirt", "wet", time="yesterday"),
            (
                "I sought a wet shirt yesterday.",
                "Gestern habe ich ein nasses Hemd gesucht.",
                "Ayer busqué una camisa mojada.",
                "Hier, j'ai cherché une chemise mouillée.",
            ),
        ),
        (
            Meaning("you", "clean", "chair", place="home", negated="not", asked="ask"),
            (
                "Do you not clean a chair at home?",
                "Putzt du zu Hause keinen Stuhl?",
                "¿No limpias una silla en casa?",
                "Est-ce que tu ne nettoies pas de chaise à la maison?",
            ),
        ),
        (
            Meaning("child", "buy", "watch", time="every day"),
            (
                "The child buys a watch every day.",
                "Jeden Tag kauft das Kind eine Uhr.",
                "Cada día el niño compra un reloj.",
                "Chaque jour, l'enfant achète une montre.",
            ),
        ),
    ],
)
def test_texts_are_correct_sentences(meaning, texts):
    assert tuple(TEXTS[tongue](meaning) for tongue in ("en", "de", "es", "fr")) == texts


def test_a_text_means_one_thing_and_is_written_as_its_language_is(meanings):
    for tongue, write in TEXTS.items():
        texts: dict[str, Meaning] = {}
        for meaning in meanings:
            text = write(meaning)
            assert texts.setdefault(text, meaning) == meaning
            assert "  " not in text and text[-1] in ".?" and text.lstrip("¿")[0].isupper()
        if tongue == "fr":
            assert not any(f" {word} {vowel}" in t for t in texts for word in ("ne", "je", "de")
                           for vowel in "aeioué")  # fmt: skip


def test_every_sign_is_used_and_sentences_are_short(meanings):
    uses = Counter(sign for meaning in meanings for sign in glosses_of(meaning, SLOTS))
    assert set(uses) == set(CONCEPTS) and len(CONCEPTS) == 60
    assert min(uses.values()) > len(meanings) / 40
    assert {len(glosses_of(m, SLOTS)) for m in meanings} <= set(range(3, 9))


def test_each_language_has_its_order_of_signs_and_its_own_names():
    meaning = Meaning("mother", "buy", "book", "red", time="yesterday")
    rows = {
        name: [gloss_of(sign, language.text_language) for sign in glosses_of(meaning, order)]
        for name, language in LANGUAGES.items()
        if (order := language.order)
    }
    assert rows == {
        "a": ["YESTERDAY", "BOOK", "RED", "MOTHER", "BUY"],
        "b": ["MUTTER", "GESTERN", "ROT", "BUCH", "KAUFEN"],
        "c": ["COMPRAR", "MADRE", "LIBRO", "ROJO", "AYER"],
        "d": ["MÈRE", "LIVRE", "ROUGE", "HIER", "ACHETER"],
    }
    for language in LANGUAGES.values():
        assert sorted(language.order) == sorted(SLOTS)
        assert len({gloss_of(sign, language.text_language) for sign in CONCEPTS}) == 60


def test_a_meaning_is_in_one_split_whatever_the_language(meanings):
    shares = Counter(map(split_of, set(meanings)))
    for split in ("val", "test"):
        assert 0.07 < shares[split] / shares.total() < 0.13
    for language in LANGUAGES:
        for split in ("val", "test"):
            clip = make_language_clip(language, split, 0)
            of_text = {TEXTS[clip.text_language](meaning): meaning for meaning in meanings}
            found = of_text.get(clip.text)
            assert found is None or split_of(found) == split
            assert clip.signer.startswith(f"{language}-{split}-")


# ---- the signs


def test_a_meaning_has_one_handshape_in_all_and_places_of_its_own():
    lexicons = make_lexicons()
    for concept in CONCEPTS:
        for lexicon in lexicons.values():
            assert {posture.shape for posture in lexicon[concept].path} == {shape_of(concept)}
    assert {shape_of(concept) for concept in CONCEPTS} == set(SHAPES)
    places = {
        name: {posture.at.split()[0] for sign in lexicons[name].values() for posture in sign.path}
        for name in "abc"
    }
    assert not (places["a"] & places["b"] or places["a"] & places["c"] or places["b"] & places["c"])


def test_signs_of_a_language_are_apart():
    for lexicon in make_lexicons().values():
        found = np.array([movement(sign) for sign in list(lexicon.values())[:20]])
        apart = np.linalg.norm(found[:, None] - found, axis=2)[np.triu_indices(20, 1)]
        assert apart.min() >= APART


@pytest.mark.parametrize(("match", "share", "n"), [("b", 0.6, 36), ("b", 1.0, 60), ("none", 1, 0)])
def test_the_unseen_language_shares_as_many_signs_as_asked(match, share, n):
    lexicons = make_lexicons(match, share)
    same = {
        name: sum(lexicons["d"][concept] == lexicons[name][concept] for concept in CONCEPTS)
        for name in "abc"
    }
    assert same == {"a": 0, "b": n, "c": 0}


def test_without_a_match_it_draws_on_all_three_alike():
    lexicons = make_lexicons("none")
    homes = Counter()
    for sign in lexicons["d"].values():
        at = sign.path[0].at.split()[0]
        homes.update(
            name for name in "abc" if any(at in s.path[0].at for s in lexicons[name].values())
        )
    assert homes.total() >= 60 and min(homes.values()) >= 12


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("e", 0.5, 0), "unknown match 'e'; known: a, b, c, none"),
        (("b", 1.5, 0), "from 0 to 1, got 1.5"),
        (("b", 0.5, -1), "a seed is 0 or above"),
    ],
)
def test_what_cannot_be_is_one_line(asked, message):
    with pytest.raises(ValueError, match=message):
        make_lexicons(*asked)


# ---- the corpora


def test_a_clip_is_the_same_whatever_is_made_with_it():
    one, again = make_language_clip("a", "train", 1), make_language_clip("a", "train", 1, SMALL)
    assert np.array_equal(one.sequence.xyz, again.sequence.xyz) and one.text == again.text
    for other in (
        make_language_clip("a", "train", 2),
        make_language_clip("b", "train", 1),
        make_language_clip("a", "train", 1, Design(seed=1)),
    ):
        assert other.text != one.text or other.spans != one.spans
    assert len(one.glosses) == len(one.spans) and one.language == "mis"


def test_one_command_makes_a_folder_for_each_and_goes_on(tmp_path):
    made = tmp_path / "made"
    begun = write_languages(made, SMALL)
    assert [next(begun)[1].id for _ in range(2)] == ["a-train-000000", "a-train-000001"]
    begun.close()
    options = f"-o {made} --train 2 --few 1 --val 1 --test 1 --json"
    ran = CliRunner().invoke(app, ["shards", "make-languages", *options.split()])
    assert ran.exit_code == 0, ran.output
    said = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert [one["clips"] for one in said] == [4, 4, 4, 3]
    assert [list(one["text_languages"]) for one in said] == [["en"], ["de"], ["es"], ["fr"]]
    assert said[3]["corpus"] == (
        "artificial sign language d, 60% of its signs of b, seed 0, 25 fps"
    )
    assert Counter(open_shards(made / "d").column("split")) == {"train": 1, "val": 1, "test": 1}


def test_a_folder_of_another_design_is_refused(tmp_path):
    list(write_languages(tmp_path, SMALL))
    for design in (Design(train=3, seed=1), Design(train=3, fps=12.5)):
        with pytest.raises(ValueError, match="expected"):
            next(write_languages(tmp_path, design))
    with pytest.raises(ValueError, match="give how many sentences"):
        next(write_languages(tmp_path / "none", Design(val=-1)))
    assert not (tmp_path / "none").exists()
