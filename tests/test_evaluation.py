"""Lists of predictions become figures, tables, files and a picture, and bad lists one line."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from fingerpost.trainer.confusion import (
    Confusion,
    count_pairs,
    draw_confusions,
    most_confused,
    worst_glosses,
)
from fingerpost.trainer.evaluation import (
    KINDS,
    LABELS,
    MAIN_FIGURE,
    Figure,
    evaluate_file,
    evaluate_predictions,
    signer_rows,
    table_rows,
    write_evaluation,
)
from fingerpost.trainer.predictions import (
    Prediction,
    read_predictions,
    write_predictions,
)

SIGNS = [
    Prediction("1", "anna", "hello", "hello", ("hello", "bye", "tree")),
    Prediction("2", "anna", "hello", "bye", ("bye", "hello", "tree")),
    Prediction("3", "ben", "hello", "hello", ("hello", "tree", "bye")),
    Prediction("4", "ben", "bye", "tree", ("tree", "hello", "house")),
]
GLOSSES = [
    Prediction("1", "anna", "HELLO I GO", "HELLO YOU GO"),
    Prediction("2", "ben", "HOUSE", "HOUSE GO GO"),
    Prediction("3", "", "TREE I", ""),
]
TEXT = [
    Prediction("1", "anna", "the cat sat", "the cat sat"),
    Prediction("2", "ben", "a dog", "a cow"),
]


def test_isolated_signs():
    result = evaluate_predictions("isolated", SIGNS, n_resamples=0)
    assert result.figures == {
        "top1": Figure(50.0),
        "top1_per_class": Figure(pytest.approx(100 / 3)),  # 2 of 3 hello, 0 of 1 bye
        "top5": Figure(75.0),
        "top5_per_class": Figure(50.0),
    }
    assert result.n_clips == 4 and result.how["classes"] == 2 and result.errors == {}
    assert any("4 clips have fewer than 5 ranked glosses" in note for note in result.notes)


def test_isolated_signs_without_a_ranking_have_no_top5():
    answers = [replace(p, ranked=()) for p in SIGNS]
    assert set(evaluate_predictions("isolated", answers).figures) == {"top1", "top1_per_class"}


def test_gloss_sequences():
    result = evaluate_predictions("glosses", GLOSSES)
    assert result.errors == {
        "substitutions": 1,
        "deletions": 2,
        "insertions": 2,
        "true_tokens": 6,
    }
    wer = result.figures["wer"]
    assert wer.value == pytest.approx(100 * 5 / 6)
    assert wer.low < wer.value < wer.high


def test_sentences():
    result = evaluate_predictions("text", TEXT, "en")
    # unigrams 4 of 5, bigrams 2 of 3 (two of "the cat sat", none of "a cow")
    assert result.figures["bleu1"].value == pytest.approx(80)
    assert result.figures["bleu2"].value == pytest.approx(100 * (4 / 5 * 2 / 3) ** 0.5)
    assert result.figures["rouge_l"].value == pytest.approx(75)
    assert result.figures["wer"].value == pytest.approx(20)
    assert "tok:13a" in result.how["bleu"] and "cer" not in result.figures


def test_chinese_sentences_are_judged_by_characters():
    answers = [
        Prediction("1", "", "你好，世界！", "你好,世界!"),
        Prediction("2", "", "我去", "我来"),
    ]
    result = evaluate_predictions("text", answers, "zh")
    # mT5 cannot write full-width punctuation, so that is no error: 1 of 8 characters is wrong
    assert result.figures["cer"].value == pytest.approx(100 / 8)
    assert result.figures["bleu1"].value == pytest.approx(100 * 7 / 8)
    assert "tok:zh" in result.how["bleu"] and "wer" not in result.figures


def test_a_language_without_blanks_is_noted():
    assert any("no blanks" in n for n in evaluate_predictions("text", TEXT, "ja").notes)


def test_an_empty_truth_is_silence_and_what_is_said_in_it_an_insertion():
    answers = [*GLOSSES, Prediction("4", "anna", "", "TREE")]
    assert evaluate_predictions("glosses", answers).errors["insertions"] == 3


def test_signers_are_listed_worst_first_and_few_clips_make_nobody_the_worst():
    result = evaluate_predictions("glosses", GLOSSES, min_clips=2)
    assert [(row.signer, row.n_clips) for row in result.signers] == [("ben", 1), ("anna", 1)]
    assert result.signers[1].figures["wer"] == pytest.approx(100 / 3)
    assert result.worst_signer == ""
    assert "No signer has 2 clips" in " ".join(result.notes)
    assert "1 of 3 clips do not say who signs" in " ".join(result.notes)
    assert evaluate_predictions("glosses", GLOSSES, min_clips=1).worst_signer == "ben"


def test_the_worst_signer_is_the_lowest_where_higher_is_better():
    # ben is at 0 % but has one clip only
    answers = [
        *(Prediction(f"a{i}", "anna", "x", "x" if i else "y") for i in range(4)),
        *(Prediction(f"c{i}", "cy", "x", "x" if i > 1 else "y") for i in range(4)),
        Prediction("b", "ben", "x", "y"),
    ]
    result = evaluate_predictions("isolated", answers, min_clips=2)
    assert [row.signer for row in result.signers] == ["ben", "cy", "anna"]
    assert result.worst_signer == "cy"
    assert [row.figures["top1"] for row in result.signers] == [0, 50, 75]
    rows = signer_rows(result)
    assert rows[0] == ("signer", "clips", "top-1", "top-1 per class")
    assert rows[2] == ("cy (worst)", "4", "50.0", "50.0")


def test_the_figures_of_one_signer_are_those_of_the_clips_alone():
    for kind, answers in {"isolated": SIGNS, "glosses": GLOSSES, "text": TEXT}.items():
        whole = evaluate_predictions(kind, answers, "en", n_resamples=0)
        for row in whole.signers:
            alone = [p for p in answers if p.signer == row.signer]
            figures = evaluate_predictions(kind, alone, "en", n_resamples=0).figures
            for name, figure in figures.items():
                assert row.figures[name] == pytest.approx(figure.value), (row.signer, name)


def test_every_figure_has_a_label_and_every_kind_a_main_figure():
    for kind, answers in {"isolated": SIGNS, "glosses": GLOSSES, "text": TEXT}.items():
        for language in ("en", "zh"):
            figures = evaluate_predictions(kind, answers, language, n_resamples=0).figures
            assert set(figures) <= set(LABELS)
            assert MAIN_FIGURE[kind] in figures
    assert set(MAIN_FIGURE) == set(KINDS)


def test_table_rows():
    result = evaluate_predictions("isolated", SIGNS, n_resamples=0)
    with_interval = replace(result, figures={"top1": Figure(50.0, 12.34, 100.0)})
    assert table_rows(result)[0] == ("top-1", "50.0", "")
    assert table_rows(with_interval) == [("top-1", "50.0", "12.3 to 100.0")]


def test_a_single_clip_has_figures_and_no_interval():
    result = evaluate_predictions("text", TEXT[:1], "en")
    assert result.figures["bleu1"] == Figure(pytest.approx(100), None, None)
    assert result.how["resamples"] == 0


@pytest.mark.parametrize(
    ("kind", "answers", "message"),
    [
        (
            "signs",
            SIGNS,
            "^no kind 'signs' of predictions; known are isolated, glosses, live_glosses, text,",
        ),
        ("isolated", [], "^no predictions to evaluate$"),
        ("isolated", [*SIGNS, SIGNS[0]], "^clip 1 has more than one prediction; keep one$"),
        ("isolated", [*SIGNS, Prediction("5", "", "", "x")], "^clip 5 has no true gloss"),
        ("isolated", [Prediction("1", "", "a", "a", ("b",))], "said 'a' but ranks 'b' first"),
        ("text", [Prediction("1", "", " ", "a")], "^no clip says what is signed in it"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(kind, answers, message):
    with pytest.raises(ValueError, match=message) as caught:
        evaluate_predictions(kind, answers)
    assert "\n" not in str(caught.value)


def test_predictions_come_back_from_their_file(tmp_path):
    answers = [
        Prediction("a,1", "Anna", 'he said "hi", then\u2026', "größe 猫", ()),
        Prediction("2", "", "x|y", "", ()),
        Prediction("3", "b", "x", '"', ('"', "x|y", "a,b", "ü")),
    ]
    write_predictions(tmp_path / "p.csv", answers)
    assert read_predictions(tmp_path / "p.csv") == answers
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


def test_a_line_break_in_a_caption_is_a_blank(tmp_path):
    answers = [Prediction("1", "", "one\ntwo", "one \t two\r\n")]
    write_predictions(tmp_path / "p.csv", answers)
    assert read_predictions(tmp_path / "p.csv")[0].truth == "one two"
    assert evaluate_predictions("text", answers, "en").figures["wer"].value == 0


def test_a_table_of_another_program(tmp_path):
    file = tmp_path / "theirs.csv"
    file.write_text(
        "said,id,truth,score\nhello,1,hello,0.5\nbye,2,hello,0.1\n", encoding="utf-8-sig"
    )
    result, answers = evaluate_file(file, "isolated", n_resamples=10)
    assert result.figures["top1"].value == 50
    assert answers[1] == Prediction("2", "", "hello", "bye")
    assert result.notes == ("2 of 2 clips do not say who signs.",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the file is empty"),
        ("id,truth\n1,a\n", "line 1: no column said"),
        ("id,truth,said\n", "no predictions to evaluate"),
        ("id,truth,said\n1,a\n", "line 2: 2 columns, expected 3"),
        ("id,truth,said\n,a,b\n", "line 2: id is '', not a name"),
        ("id,truth,said,ranked\n1,a,b,b c\n", r"line 2: ranked is 'b c'; write a JSON list"),
        ("id,truth,said,ranked\n1,a,b,[1]\n", r"line 2: ranked is '\[1\]'; write a JSON list"),
        ("id,truth,said\n1,a,b\n1,a,b\n", "clip 1 has more than one prediction"),
        (b"id,truth,said\n1,\xff,b\n", "line 2: not UTF-8 text"),
    ],
)
def test_a_damaged_table_is_one_line_that_names_the_file(tmp_path, content, message):
    file = tmp_path / "p.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as caught:
        evaluate_file(file, "isolated")
    assert "p.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        evaluate_file(tmp_path / "nowhere.csv", "text")


def test_an_evaluation_is_three_files_that_can_be_read_again(tmp_path):
    out = tmp_path / "deep" / "out"
    result = write_evaluation(out, evaluate_predictions("isolated", SIGNS), SIGNS)
    assert sorted(p.name for p in out.iterdir()) == [
        "confusion.png",
        "metrics.json",
        "predictions.csv",
    ]
    kept = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(result.as_json()))
    assert kept["unit"] == "percent" and kept["main_figure"] == "top1"
    assert kept["figures"]["top1"]["value"] == 50
    assert kept["confused"][0] == {"truth": "bye", "said": "tree", "count": 1, "n_true": 1}
    again, _ = evaluate_file(out / "predictions.csv", "isolated")
    assert again == replace(result, notes=again.notes)
    with (out / "predictions.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == ["id", "signer", "truth", "said", "ranked"]


def test_sentences_have_no_picture_and_an_old_one_goes(tmp_path):
    (tmp_path / "confusion.png").write_bytes(b"old")
    result = write_evaluation(tmp_path, evaluate_predictions("text", TEXT, "en"), TEXT)
    assert not (tmp_path / "confusion.png").exists()
    assert "sentences have no classes" in result.notes[-1]
    assert result.notes[-1] in json.loads((tmp_path / "metrics.json").read_text())["notes"]


def test_a_checkpoint_is_not_written_over(tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ValueError, match="is a checkpoint; write the evaluation to another folder"):
        write_evaluation(tmp_path, evaluate_predictions("isolated", SIGNS), SIGNS)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_confused_signs_are_ranked_by_count_then_share():
    answers = [Prediction(str(i), "", *pair) for i, pair in enumerate(
        [("a", "b")] * 2 + [("c", "d")] * 2 + [("a", "a")] * 3 + [("d", "a")]
    )]  # fmt: skip
    assert most_confused("isolated", answers) == [
        Confusion("c", "d", 2, 2),
        Confusion("a", "b", 2, 5),
        Confusion("d", "a", 1, 1),
    ]
    assert worst_glosses(most_confused("isolated", answers)) == ["c", "d", "a", "b"]
    assert worst_glosses(most_confused("isolated", answers), limit=3) == ["c", "d", "a"]


def test_confused_glosses_are_the_substitutions_of_the_alignment():
    pairs = count_pairs("glosses", GLOSSES)
    assert pairs == {("HELLO", "HELLO"): 1, ("I", "YOU"): 1, ("GO", "GO"): 1, ("HOUSE", "HOUSE"): 1}
    # "I" was signed twice: once taken for "YOU", once not seen at all
    assert most_confused("glosses", GLOSSES) == [Confusion("I", "YOU", 1, 2)]


def test_no_confusion_is_said(tmp_path):
    right = [Prediction("1", "", "a b", "a b c")]
    note = draw_confusions(tmp_path / "c.png", "glosses", right)
    assert "no gloss was taken for another" in note and not list(tmp_path.iterdir())


def test_nothing_in_the_picture_is_cut_off(tmp_path):
    from matplotlib.image import imread

    # read as a formula, which matplotlib would like to, these names would be errors
    names = [rf"$\gloss_{i}{{$ with a very long name" for i in range(40)]
    answers = [Prediction(str(i), "", names[i % 40], names[(i * 7) % 40]) for i in range(400)]
    answers.append(Prediction("silent", "", names[0], ""))
    note = draw_confusions(tmp_path / "c.png", "isolated", answers)
    assert note == "" and [p.name for p in tmp_path.iterdir()] == ["c.png"]
    picture = imread(tmp_path / "c.png")[..., :3]  # (H, W, 3) 0 to 1
    assert min(picture.shape[:2]) > 600 and picture.min() < 0.2
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert np.all(edge == 1)


def test_letters_that_no_font_has_are_named(tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr("fingerpost.trainer.confusion.FONTS", ("DejaVu Sans",))
    answers = [Prediction("1", "", "你好", "猫"), Prediction("2", "", "a", "猫")]
    note = draw_confusions(tmp_path / "c.png", "isolated", answers)
    assert "No installed font has 猫你好" in note or "No installed font has 你好猫" in note
    assert (tmp_path / "c.png").exists()
    assert not [w for w in recwarn if "Glyph" in str(w.message)]
