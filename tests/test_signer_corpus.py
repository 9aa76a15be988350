"""Sentences of the rendered signer as a corpus: grammar, splits, shards."""

import re
from collections import Counter

import numpy as np
import pytest

from fingerpost.trainer.shards import open_shards
from fingerpost.trainer.signer import LEXICON
from fingerpost.trainer.signer.phrase_words import ACTIONS, OBJECTS, PERSON_VERBS, VERBS
from fingerpost.trainer.signer.phrase_words_everyday import SLOTS
from fingerpost.trainer.signer.phrases import MAX_SIGNS, MIN_SIGNS, random_phrase
from fingerpost.trainer.signer.phrases_everyday import FORMULAS, TOPICS, everyday_phrase
from fingerpost.trainer.signer.signs_by_topic import BY_TOPIC
from fingerpost.trainer.signer_corpus import (
    N_SIGNERS,
    make_clip,
    make_signer_corpus,
    split_of,
    write_signer_corpus,
)

COUNTS = {"train": 6, "val": 3, "test": 3, "signs": 2}


@pytest.fixture(scope="module")
def phrases():
    rng = np.random.default_rng(0)
    return [random_phrase(rng) for _ in range(40_000)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_signer_corpus(tmp_path_factory.mktemp("signer") / "shards", COUNTS, seed=3)


# ---- the grammar


def test_tens_of_thousands_of_sentences_use_every_sign(phrases):
    assert len({phrase.text for phrase in phrases}) >= 20_000
    uses = Counter(gloss for phrase in phrases for gloss in set(phrase.glosses))
    assert set(uses) == set(LEXICON)
    assert min(uses.values()) > len(phrases) / 600
    assert min(uses[gloss] for gloss in BY_TOPIC) > len(phrases) / 300
    lengths = Counter(len(phrase.glosses) for phrase in phrases)
    assert set(lengths) == set(range(MIN_SIGNS, MAX_SIGNS + 1))


def test_a_row_of_glosses_has_one_text(phrases):
    texts: dict[tuple[str, ...], str] = {}
    for phrase in phrases:
        assert texts.setdefault(phrase.glosses, phrase.text) == phrase.text


def test_texts_are_written_as_english_is(phrases):
    for phrase in phrases:
        assert re.fullmatch(r"[A-Z][A-Za-z', ]*[a-zI][.?]", phrase.text), phrase
        assert "  " not in phrase.text
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|\bi\b", phrase.text), phrase


def test_translation_is_more_than_replacing_words(phrases):
    in_order = sum(
        [g for g in p.glosses if g in p.text.lower()] == sorted(p.glosses, key=p.text.lower().find)
        for p in phrases
    )
    assert in_order / len(phrases) < 0.5


@pytest.mark.parametrize(
    ("glosses", "text"),
    [
        ("sign who", "Who signs?"),
        ("i dance like", "I like to dance."),
        ("city i live no", "I do not live in the city."),
        ("now bathroom i go", "I am going to the bathroom now."),
        ("yesterday sandwich you eat", "You ate a sandwich yesterday."),
        ("yesterday doctor i go no", "I did not go to the doctor yesterday."),
        ("day woman call you", "The woman calls you every day."),
        ("my shirt color what", "What color is my shirt?"),
        ("bird i need how many", "How many birds do I need?"),
        ("book i enjoy", "I enjoy books."),
        ("your cat my cat different", "Your cat and my cat are different."),
        ("you sorry you", "Are you sorry?"),
        ("doctor you call can you", "Can you call the doctor?"),
        ("please orange give i", "Please give me an orange."),
        ("before my family sick", "My family was sick before."),
        # everyday conversation
        ("meet you good", "Nice to meet you."),
        ("bye tomorrow see you", "Goodbye, see you tomorrow."),
        ("i tired home go want", "I am tired and want to go home."),
        ("son you have you", "Do you have a son?"),
        ("school far no", "The school is not far away."),
        ("yesterday home train i go", "I went home by train yesterday."),
        ("hat money how many", "How much is the hat?"),
        ("week now i sick", "I have been sick for a week."),
        ("yesterday now i headache", "I have had a headache since yesterday."),
        ("my appointment when", "When is my appointment?"),
        ("today test i have", "I have a test today."),
    ],
)
def test_what_a_row_of_glosses_means(phrases, glosses, text):
    known = {" ".join(phrase.glosses): phrase.text for phrase in phrases}
    assert known[glosses] == text


def test_every_topic_is_as_likely_as_the_others():
    rng = np.random.default_rng(1)
    rows = [" ".join(everyday_phrase(rng).glosses) for _ in range(3000)]
    patterns = {
        topic: re.compile("|".join(re.sub("{.*?}", "[a-z ]+", p).replace("_", " ") for p in texts))
        for topic, texts in TOPICS.items()
    }
    assert len(TOPICS) == 7
    for pattern in patterns.values():
        assert sum(bool(pattern.fullmatch(row)) for row in rows) > len(rows) / 7 * 0.8


@pytest.mark.parametrize("topic", TOPICS)
def test_every_slot_of_a_topic_is_known_and_used(topic):
    for glosses, text in TOPICS[topic].items():
        slots = set(re.findall(r"{(\w+)}", glosses))
        assert {name.removesuffix("_2") for name in slots} <= set(SLOTS)
        assert set(re.findall(r"{(\w+)[:.}]", text)) <= slots, text


def test_the_question_is_where_english_has_it(phrases):
    for phrase in phrases:
        last = phrase.glosses[-1]
        if last in ("why", "where", "who"):
            assert re.search(rf"\b{last}\b.*\?$", phrase.text, re.IGNORECASE), phrase
        if last == "no":
            assert re.search(r"\b(not|cannot)\b", phrase.text), phrase


def test_every_verb_can_be_inflected():
    assert {*ACTIONS, *OBJECTS, *PERSON_VERBS} <= set(VERBS) <= set(LEXICON)
    assert all(len(set(forms[:2])) == 2 for forms in VERBS.values())


# ---- the corpus


def test_splits_share_no_sentence_and_no_signer(phrases, corpus):
    shares = Counter(split_of(phrase.text) for phrase in phrases)
    assert 0.07 < shares["val"] / len(phrases) < 0.13
    assert 0.07 < shares["test"] / len(phrases) < 0.13
    assert min(N_SIGNERS.values()) > 0 and N_SIGNERS["train"] >= 200
    for split in ("train", "val", "test"):
        clips = corpus.in_split(split)
        assert all(signer.startswith(f"{split}-") for signer in clips.column("signer"))
        assert all(split_of(text) == split for text in clips.column("text") if text)


def test_signers_of_different_splits_are_different_people():
    bodies = {}
    for split in ("train", "val"):
        clip = make_clip(split, 0)
        body = clip.sequence.xyz[0, :9, :2]
        bodies[split] = np.linalg.norm(body - body.mean(axis=0), axis=1)
    assert not np.allclose(bodies["train"], bodies["val"], atol=1e-3)


def test_shards_say_what_they_hold(corpus):
    assert len(corpus) == 14 and corpus.about.schema == "sign69" and corpus.about.fps == 25
    assert Counter(corpus.column("split")) == {"train": 8, "val": 3, "test": 3}
    signs = [clip for clip in corpus if clip.id.startswith("signs-")]
    assert [clip.glosses for clip in signs] == [(gloss,) for gloss in list(LEXICON)[:2]]
    assert all(clip.text == clip.text_language == "" for clip in signs)
    for clip in corpus:
        assert len(clip.sequence) > 10 and np.isfinite(clip.sequence.xyz).all()
        assert (clip.sequence.xyz[clip.sequence.confidence == 0] == 0).all()


def test_spans_say_when_each_gloss_is_signed(corpus):
    for clip in corpus:
        assert len(clip.spans) == len(clip.glosses)
        ends = [0, *(ms for span in clip.spans for ms in span)]
        assert ends == sorted(ends) and ends[-1] <= len(clip.sequence) * 1000 / clip.sequence.fps


def test_a_clip_is_the_same_whatever_is_made_with_it(corpus, tmp_path):
    again = make_signer_corpus(tmp_path / "more", {**COUNTS, "train": 8}, seed=3)
    assert again.about.content_hash != corpus.about.content_hash
    fifth = next(clip for clip in again if clip.id == "train-000005")
    alone = make_clip("train", 5, seed=3)
    assert fifth.text == alone.text and fifth.signer == alone.signer
    assert np.allclose(fifth.sequence.xyz[..., :2], alone.sequence.xyz[..., :2], atol=1e-3)
    assert make_clip("train", 5, seed=4).sequence.xyz.shape != alone.sequence.xyz.shape or (
        make_clip("train", 5, seed=4).text != alone.text
    )


def test_it_goes_on_where_it_was_stopped(corpus, tmp_path):
    stopped = write_signer_corpus(tmp_path / "shards", COUNTS, seed=3)
    assert [next(stopped).id[-1] for _ in range(4)] == ["0", "1", "2", "3"]
    stopped.close()
    going_on = [clip.id for clip in write_signer_corpus(tmp_path / "shards", COUNTS, seed=3)]
    assert going_on[:2] == ["train-000004", "train-000005"] and len(going_on) == 10
    assert open_shards(tmp_path / "shards").about.content_hash == corpus.about.content_hash
    with pytest.raises(ValueError, match="expected 'fingerpost signer, seed 4, 25 fps'"):
        make_signer_corpus(tmp_path / "shards", COUNTS, seed=4)


@pytest.mark.slow
def test_processes_make_the_same_corpus(tmp_path):
    counts = {"train": 150, "test": 10}
    one, two = (
        make_signer_corpus(tmp_path / str(n), counts, seed=1, workers=n).about for n in (1, 2)
    )
    assert one == two


@pytest.mark.parametrize(
    ("counts", "more", "message"),
    [
        ({"dev": 3}, {}, "unknown split dev; known: train, val, test, signs"),
        ({}, {}, "give how many clips to make"),
        ({"train": 0}, {}, "give how many clips to make"),
        ({"train": -1, "val": 5}, {}, "give how many clips to make"),
        ({"train": 1}, {"fps": 0.0}, "fps is frames a second, from 1 to 1000, got 0"),
        ({"train": 1}, {"fps": float("nan")}, "fps is frames a second"),
        ({"train": 1}, {"workers": 0}, "workers are at least 1"),
    ],
)
def test_nonsense_is_one_line_and_writes_nothing(tmp_path, counts, more, message):
    with pytest.raises(ValueError, match=message):
        make_signer_corpus(tmp_path / "shards", counts, **more)
    assert not (tmp_path / "shards").exists()


def test_formulas_are_to_train_on():
    assert "Nice to meet you." in FORMULAS and "I have a test." not in FORMULAS
    assert {split_of(text) for text in FORMULAS} == {"train"}
    assert split_of("Your daughter signs.") == "test"
