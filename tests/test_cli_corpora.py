"""`fingerpost corpora`: what can be read, and what is wrong with what was read."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fingerpost.app.cli import app
from fingerpost.trainer.corpora import CORPORA

LABELS = "file,text,split\n" + "".join(f"{i:02}.mp4,Text {i}.,train\n" for i in range(14))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["corpora", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Fourteen rows, and the clip of the first one."""
    (tmp_path / "labels.csv").write_text(LABELS)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "00.mp4").touch()
    return tmp_path


def test_every_corpus_is_listed_with_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(CORPORA)
    rows = {row["name"]: row["reads"] for row in json.loads(run("list", "--json").stdout)}
    assert rows["csl_news"] == "CSL-News: Chinese Sign Language, news with sentences"
    assert all(len(title) > 15 for title in rows.values())


def test_a_corpus_without_faults_is_0(folder: Path) -> None:
    done = run("check", "own_folder", folder, "--no-media")
    assert (done.exit_code, done.stdout) == (0, "14 samples (train 14)\n")
    found = json.loads(run("check", "own_folder", folder, "--no-media", "--json").stdout)
    assert found["ok"] is True and found["splits"] == {"train": 14}


def test_a_fault_is_1_and_json_has_every_id(folder: Path) -> None:
    done = run("check", "own_folder", folder)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1].startswith("missing media: 13: 01.mp4, 02.mp4,")
    assert done.stdout.splitlines()[1].endswith("10.mp4, and 3 more")
    done = run("check", "own_folder", folder, "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1 and found["ok"] is False
    assert found["missing_media"] == [f"{i:02}.mp4" for i in range(1, 14)]


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("my_folder", LABELS, "no corpus 'my_folder'; known are asl_citizen,"),
        ("own_folder", "file,text\na.mp4\n", "labels.csv, line 2: 1 columns, expected 2"),
        ("csl_news", LABELS, "no annotations at "),
    ],
)
def test_what_cannot_be_read_is_2(name: str, labels: str, message: str, folder: Path) -> None:
    (folder / "labels.csv").write_text(labels)
    done = run("check", name, folder)
    assert done.exit_code == 2 and done.stdout == ""
    assert message in done.stderr and len(done.stderr.splitlines()) == 1


def test_no_such_folder_is_2(tmp_path: Path) -> None:
    done = run("check", "own_folder", tmp_path / "no")
    assert done.exit_code == 2 and "give the folder of the corpus own_folder" in done.stderr
