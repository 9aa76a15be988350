"""Trimmed vocabularies: what stays, that texts and generations stay the same, and what it saves.

Models are tiny, with random weights. The tokenizers are real: SentencePiece trained here on made-up
sentences, and How2Sign's where the data is ($FINGERPOST_DATA, or ../shared/data).
"""

import json
import os
import random
import shutil
from itertools import product
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)
from typer.testing import CliRunner, Result

from fingerpost.app.cli import app
from fingerpost.trainer.corpora import read_corpus
from fingerpost.trainer.models.uni_sign import PROMPT as model_prompt
from fingerpost.trainer.trimmed_vocabulary import (
    IDS_FILE,
    TrimmedVocabulary,
    needed_ids,
    trim_embeddings,
    trim_vocabulary,
)
from fingerpost.trainer.vocabulary import prompts

DATA = Path(os.environ.get("FINGERPOST_DATA", Path(__file__).parents[2] / "shared" / "data"))
HOW2SIGN = DATA / "corpora" / "how2sign"
FIRST, MIDDLE, LAST = ["Ba", "ki", "lo", "mu", "sne"], ["n", "r", "st"], ["a", "ot", "ing", "ed"]
WORDS = ["".join(word) for word in product(FIRST, MIDDLE, LAST)]
DICE = random.Random(0)
SENTENCES = [" ".join(DICE.choices(WORDS, k=5)) + DICE.choice(".?!") for _ in range(400)]
CORPUS = SENTENCES[:4]
PROMPT = "Translate: "
N_ROWS = 640  # more rows than pieces, as mT5 has


@pytest.fixture(scope="module")
def full_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece tokenizer with T5's special pieces in T5's places."""
    sentencepiece = pytest.importorskip("sentencepiece")
    folder = tmp_path_factory.mktemp("full")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_prefix=str(folder / "spiece"),
        vocab_size=200,
        hard_vocab_limit=False,  # as many as there are, at most
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
        num_threads=1,
    )
    return folder


@pytest.fixture(scope="module")
def full(full_folder: Path) -> T5Tokenizer:
    return T5Tokenizer.from_pretrained(full_folder)


@pytest.fixture(scope="module")
def trimmed(full: T5Tokenizer) -> TrimmedVocabulary:
    return trim_vocabulary(full, CORPUS, [PROMPT])


def tiny_model(tied: bool, kind: str = "mt5") -> nn.Module:
    torch.manual_seed(0)
    shape = dict(vocab_size=N_ROWS, d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2)
    model: nn.Module
    if kind == "mt5":
        model = MT5ForConditionalGeneration(MT5Config(**shape))
    else:
        model = T5ForConditionalGeneration(T5Config(**shape, decoder_start_token_id=0))
    if not tied:
        model.config.tie_word_embeddings = False
        model.lm_head.weight = nn.Parameter(torch.randn_like(model.lm_head.weight))
    return model.eval()


def generate(model: nn.Module, tokenizer: PreTrainedTokenizerFast, **options: object) -> Tensor:
    inputs = tokenizer(CORPUS, return_tensors="pt", padding=True)
    with torch.no_grad():
        return model.generate(**inputs, max_new_tokens=20, do_sample=False, **options)


def old(trimmed: TrimmedVocabulary, ids: Tensor) -> Tensor:
    return torch.tensor(trimmed.old_ids)[ids]


def test_fewer_pieces_in_the_same_order(full: T5Tokenizer, trimmed: TrimmedVocabulary) -> None:
    assert 104 < len(trimmed.old_ids) == len(trimmed.tokenizer) < len(full) <= 300
    assert list(trimmed.old_ids) == sorted(set(trimmed.old_ids))
    assert trimmed.new_ids[trimmed.old_ids[5]] == 5
    for new, i in enumerate(trimmed.old_ids):
        assert trimmed.tokenizer.convert_ids_to_tokens(new) == full.convert_ids_to_tokens(i)


def test_specials_and_characters_stay_and_the_rest_goes(
    full: T5Tokenizer, trimmed: TrimmedVocabulary
) -> None:
    kept = set(trimmed.tokenizer.get_vocab())
    assert {"<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_99>", "▁"} <= kept
    assert (set("".join(CORPUS)) & set(full.get_vocab())) <= kept
    assert trimmed.tokenizer.pad_token_id == 0
    assert trimmed.tokenizer.eos_token == "</s>"
    gone = set(full.get_vocab()) - kept
    words = "".join("▁" + w for text in [*CORPUS, PROMPT] for w in text.split())
    assert gone and not [piece for piece in gone if piece in words]


def test_every_segmentation_stays(full_folder: Path, trimmed: TrimmedVocabulary) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    processor = sentencepiece.SentencePieceProcessor(str(full_folder / "spiece.model"))
    seen = set()
    for text in CORPUS * 100:
        ids = processor.encode(text, enable_sampling=True, alpha=0.1, nbest_size=-1)
        assert set(ids) <= set(trimmed.old_ids)
        seen.add(tuple(ids))
    assert len(seen) > 3 * len(CORPUS)


def test_texts_are_divided_as_before(full: T5Tokenizer, trimmed: TrimmedVocabulary) -> None:
    one, two, *others = " ".join(CORPUS).split()
    others = [" ".join(others[::-1]), f"{one} <extra_id_3> {two}", f"{one} 日本 {two}☃"]
    for text in [*CORPUS, PROMPT, *others]:
        ids = trimmed.tokenizer(text)["input_ids"]
        assert [trimmed.old_ids[i] for i in ids] == full(text)["input_ids"]
        assert trimmed.tokenizer.decode(ids) == full.decode(full(text)["input_ids"])


def test_saved_and_loaded(trimmed: TrimmedVocabulary, tmp_path: Path) -> None:
    trimmed.save(tmp_path)
    MT5Config(vocab_size=len(trimmed.old_ids)).save_pretrained(tmp_path)  # AutoTokenizer reads it
    for loaded in (
        AutoTokenizer.from_pretrained(tmp_path),
        PreTrainedTokenizerFast.from_pretrained(tmp_path),
    ):
        assert len(loaded) == len(trimmed.old_ids)
        assert loaded(CORPUS)["input_ids"] == trimmed.tokenizer(CORPUS)["input_ids"]
        assert loaded.pad_token_id == 0 and loaded.eos_token_id == 1
    assert tuple(json.loads((tmp_path / IDS_FILE).read_text())) == trimmed.old_ids


@pytest.mark.parametrize(
    ("tied", "kind"), [(True, "mt5"), (False, "mt5"), (True, "t5"), (False, "t5")]
)
def test_the_model_scores_and_generates_as_before(
    full: T5Tokenizer, trimmed: TrimmedVocabulary, tied: bool, kind: str, tmp_path: Path
) -> None:
    model, before = tiny_model(tied, kind), tiny_model(tied, kind)
    trim_embeddings(model, trimmed.old_ids)
    n = len(trimmed.old_ids)
    assert (model.lm_head.weight is model.shared.weight) == tied
    assert model.shared.weight.shape == model.lm_head.weight.shape == (n, 32)
    assert model.encoder.embed_tokens.weight is model.decoder.embed_tokens.weight
    assert model.config.vocab_size == model.decoder.config.vocab_size == n

    dropped = sorted(set(range(N_ROWS)) - set(trimmed.old_ids))
    expected = generate(before, full, suppress_tokens=dropped)
    generated = generate(model, trimmed.tokenizer)
    assert torch.equal(old(trimmed, generated), expected)
    assert tied or len(expected.unique()) > 10  # a random tied model repeats its input

    labels = trimmed.tokenizer(CORPUS, return_tensors="pt", padding=True).input_ids
    with torch.no_grad():
        now = model(input_ids=labels, labels=labels).logits  # (B, L, V)
        then = before(input_ids=old(trimmed, labels), labels=old(trimmed, labels)).logits
    torch.testing.assert_close(now, then[..., list(trimmed.old_ids)])

    model.save_pretrained(tmp_path)
    loaded = AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    assert torch.equal(generate(loaded, trimmed.tokenizer), generated)


@pytest.mark.parametrize("tied", [True, False])
def test_a_trained_model_generates_the_corpus_as_before(
    full: T5Tokenizer, trimmed: TrimmedVocabulary, tied: bool
) -> None:
    """No piece is suppressed here: what the model has learnt, it says, with or without the rest."""
    model = tiny_model(tied)
    batch = full(CORPUS, return_tensors="pt", padding=True)
    labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(120):
        optimizer.zero_grad()
        model(**batch, labels=labels).loss.backward()
        optimizer.step()
    expected = generate(model, full, num_beams=2)
    assert full.batch_decode(expected, skip_special_tokens=True) == CORPUS
    trim_embeddings(model, trimmed.old_ids)
    generated = generate(model, trimmed.tokenizer, num_beams=2)
    assert torch.equal(old(trimmed, generated), expected)
    assert trimmed.tokenizer.batch_decode(generated, skip_special_tokens=True) == CORPUS
    assert len(generated.unique()) > 20


def test_special_ids_that_move_move_everywhere(trimmed: TrimmedVocabulary) -> None:
    model = tiny_model(tied=True)
    model.config.eos_token_id = model.generation_config.eos_token_id = trimmed.old_ids[-1]
    trim_embeddings(model, trimmed.old_ids)
    last = len(trimmed.old_ids) - 1
    assert model.config.eos_token_id == model.generation_config.eos_token_id == last < N_ROWS - 1
    assert model.config.pad_token_id == model.config.decoder_start_token_id == 0


def test_frozen_rows_stay_frozen_and_types_stay(trimmed: TrimmedVocabulary) -> None:
    model = tiny_model(tied=False).to(torch.bfloat16)
    model.shared.weight.requires_grad_(False)
    trim_embeddings(model, trimmed.old_ids)
    assert not model.shared.weight.requires_grad and model.lm_head.weight.requires_grad
    assert model.shared.weight.dtype == model.lm_head.weight.dtype == torch.bfloat16


def byte_pair_tokenizer() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel()
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")


def test_byte_pairs() -> None:
    full = byte_pair_tokenizer()
    trimmed = trim_vocabulary(full, CORPUS)
    assert 50 < len(trimmed.old_ids) < len(full)
    for text in CORPUS:
        ids = trimmed.tokenizer(text)["input_ids"]
        assert [trimmed.old_ids[i] for i in ids] == full(text)["input_ids"]
        assert trimmed.tokenizer.decode(ids) == full.decode(full(text)["input_ids"])


def test_byte_pieces_and_the_lowest_score_stay() -> None:
    pieces = [("<unk>", 0.0), ("<0x0A>", 0.0), ("▁", -2.0), ("a", -3.0), ("zz", -9.0), ("y", -4.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    full = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    assert needed_ids(full, ["a"]) == [0, 1, 2, 3, 4]


def test_mistakes_are_errors_of_one_line(full: T5Tokenizer, trimmed: TrimmedVocabulary) -> None:
    words = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    with pytest.raises(ValueError, match="kind WordLevel; give one of kind Unigram or BPE"):
        trim_vocabulary(PreTrainedTokenizerFast(tokenizer_object=words), ["a"])
    with pytest.raises(ValueError, match="no text to cut"):
        trim_vocabulary(full, ["", "  "])
    with pytest.raises(ValueError, match="a piece 999 but the model only 640 rows"):
        trim_embeddings(tiny_model(tied=True), [0, 1, 999])
    with pytest.raises(ValueError, match="eos_token_id is 1, which is no special piece"):
        trim_embeddings(tiny_model(tied=True), [0, 2, 3])


@pytest.mark.skipif(not HOW2SIGN.is_dir(), reason=f"no {HOW2SIGN}; set FINGERPOST_DATA")
def test_how2sign(tmp_path: Path) -> None:
    """Its own tokenizer has other special pieces than T5, and small letters only."""
    shutil.copy(next(HOW2SIGN.glob("*.model")), tmp_path / "spiece.model")
    full = T5Tokenizer.from_pretrained(tmp_path, extra_ids=0)
    samples = list(read_corpus("how2sign", HOW2SIGN))[:300]
    texts = [sample.text.lower() for sample in samples]
    trimmed = trim_vocabulary(full, texts)
    assert 1000 < len(trimmed.old_ids) < 0.5 * len(full)
    ids = trimmed.tokenizer(texts)["input_ids"]
    assert [[trimmed.old_ids[i] for i in row] for row in ids] == full(texts)["input_ids"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["vocabulary", *map(str, arguments)])


def test_command(full: T5Tokenizer, tmp_path: Path) -> None:
    full.save_pretrained(tmp_path / "full")
    tiny_model(tied=True).save_pretrained(tmp_path / "full")
    (tmp_path / "corpus.txt").write_text("\n".join(CORPUS) + "\n\n", encoding="utf-8")
    folder = tmp_path / "full"
    options = ["--tokenizer", folder, "--model", folder, "--keep", PROMPT, "-o", tmp_path / "out"]
    done = run(tmp_path / "corpus.txt", *options)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("4 texts: the same pieces before and after\npieces ")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out")
    assert f"{len(full)} -> {len(tokenizer):>15}" in done.stdout
    assert model.config.vocab_size == len(tokenizer)
    assert f"{sum(p.numel() * 4 for p in model.parameters()):,} bytes" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.txt", "full", "out"]


def test_the_prompts_stay_whole(full: T5Tokenizer, tmp_path: Path) -> None:
    """A corpus of two words; the prompt has many more pieces, and none of them is unknown."""
    full.save_pretrained(tmp_path / "full")
    (tmp_path / "own").mkdir()
    row = f"a.mp4,{WORDS[0]} {WORDS[1]},train,en\nb.mp4,{WORDS[2]},test,en\n"
    (tmp_path / "own" / "labels.csv").write_text("file,gloss,split,text_language\n" + row)
    options = ["--tokenizer", tmp_path / "full", "-o", tmp_path / "out"]
    done = run("own_folder", tmp_path / "own", *options, "--split", "train", "--json")
    assert done.exit_code == 0, done.stderr
    cut = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert json.loads(done.stdout)["new_pieces"] == len(cut) < len(full)
    assert json.loads(done.stdout)["n_texts"] == 1
    new_to_old = json.loads((tmp_path / "out" / IDS_FILE).read_text())
    asked = [model_prompt.format(language=name) for name in ("English", "glosses")]
    for text in [*asked, f"{WORDS[0]} {WORDS[1]}"]:
        assert [new_to_old[i] for i in cut(text)["input_ids"]] == full(text)["input_ids"]


def test_prompts_name_the_languages() -> None:
    asked = [
        prompt.removeprefix("Translate sign language video to ")
        for prompt in prompts(["zh", "en-GB", "xx"])
    ]
    assert asked == ["Chinese: ", "en-GB: ", "English: ", "xx: ", "glosses: ", "gloss: "]
    assert {model_prompt.format(language=n) for n in ("German", "glosses")} < set(prompts())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.txt"], "there is no text file"),
        (["latin1.txt"], "latin1.txt, line 1: not UTF-8 text"),
        (["blank.txt"], "has no sentences; write one a line"),
        (["corpus.txt"], "no tokenizer "),
        (["corpus.txt", "--split", "train"], "a text file has no splits"),
        (["own_folder", ".", "--split", "trian"], "no split 'trian'; there are test, train, val"),
        (["own_folder", ".", "--split", "val"], "the splits val of . has no sentences"),
    ],
)
def test_command_refuses(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text("a boat\n", encoding="utf-8")
    Path("blank.txt").write_text("\n \n", encoding="utf-8")
    Path("latin1.txt").write_bytes(b"caf\xe9")
    Path("labels.csv").write_text("file,text,split\na.mp4,A boat.,train\n")
    done = run(*arguments, "--tokenizer", tmp_path, "-o", "out")
    assert done.exit_code == 2
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not Path("out").exists()


def test_command_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("a boat\n", encoding="utf-8")
    done = run(tmp_path / "corpus.txt", "--tokenizer", tmp_path, "-o", tmp_path)
    assert done.exit_code == 2 and "give another folder" in done.stderr
