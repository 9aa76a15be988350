"""A tokenizer learned from a corpus: its pieces, its way back, its errors."""

import pytest

from fingerpost.trainer.text_tokenizer import (
    EOS,
    PAD,
    TOKENIZER,
    UNKNOWN,
    load_tokenizer,
    tokenizer_for,
    train_tokenizer,
)

TEXTS = [
    "What is your mother's name?",
    "No, I do not want a book.",
    "your mother name what",
    "no book i want no",
] * 3


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 500)


def test_special_pieces_are_those_of_t5(tokenizer):
    assert tokenizer.convert_tokens_to_ids([PAD, EOS, UNKNOWN]) == [0, 1, 2]
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)
    batch = tokenizer(["no", "no book"], padding="longest")
    assert batch["input_ids"][0][1:] == [1, 0] and batch["attention_mask"][0] == [1, 1, 0]


def test_with_pieces_to_spare_every_word_is_one(tokenizer):
    assert tokenizer.tokenize(TEXTS[0]) == "▁What ▁is ▁your ▁mother ' s ▁name ?".split()
    assert tokenizer.tokenize("name, mother") == ["▁name", ",", "▁mother"]


def test_few_pieces_are_parts_of_words():
    small = train_tokenizer(TEXTS, 40)
    assert len(small) <= 40
    assert len(small.tokenize(TEXTS[0])) > 8
    assert small.decode(small(TEXTS[0])["input_ids"], skip_special_tokens=True) == TEXTS[0]


@pytest.mark.parametrize("text", [*TEXTS[:4], "a mother's want.", "book", "No? No."])
def test_a_text_comes_back_as_it_was(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_chinese_comes_back_too():
    texts = ["你好,你叫什么名字?", "我喜欢喝茶。"]
    learned = train_tokenizer(texts, 60)
    for text in texts:
        assert learned.decode(learned(text)["input_ids"], skip_special_tokens=True) == text


def test_a_character_that_was_never_seen_is_unknown_and_no_error(tokenizer):
    assert UNKNOWN in tokenizer.tokenize("no Ω")


def test_it_is_loaded_as_it_was_saved(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(str(tmp_path))
    assert [again(text)["input_ids"] for text in TEXTS] == [
        tokenizer(text)["input_ids"] for text in TEXTS
    ]
    assert again.decode(again(TEXTS[1])["input_ids"], skip_special_tokens=True) == TEXTS[1]


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="no text to learn a tokenizer from"):
        train_tokenizer(["", "  "])
    with pytest.raises(ValueError, match="have 3 characters; give at least 7 pieces, not 6"):
        train_tokenizer(["a b", "b c"], 6)
    with pytest.raises(ValueError, match="give a folder with tokenizer.json") as error:
        load_tokenizer(str(tmp_path / "absent"))
    assert "\n" not in str(error.value)


GERMAN = ["Morgen regnet es im Süden.", "Am Fluß wird es kühl.", "NACHT SÜD"]


@pytest.fixture(scope="module")
def start(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    tokenizer.save_pretrained(folder / TOKENIZER)
    return folder


def test_a_training_that_starts_from_another_keeps_its_tokenizer(tokenizer, start):
    kept = tokenizer_for("", start, lambda: ["your book", "", "no name"], 500)
    assert kept.get_vocab() == tokenizer.get_vocab()


def test_another_language_needs_another_tokenizer(start):
    with pytest.raises(ValueError, match="cannot write 3 of 3 .*settings.tokenizer=learned"):
        tokenizer_for("", start, lambda: GERMAN, 500)
    learned = tokenizer_for("learned", start, lambda: GERMAN, 500)
    for text in GERMAN:
        assert learned.decode(learned(text)["input_ids"], skip_special_tokens=True) == text


def test_a_rare_letter_is_forgiven(start):
    texts = [f"{a} {b} {c}" for a in ("no", "your") for b in "aeiknotw" for c in "dhmrstuwy"]
    assert len(texts) > 100
    tokenizer_for("", start, lambda: [*texts, "ß"], 500)
