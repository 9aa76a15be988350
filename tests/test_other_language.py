"""A pack whose sentences are not English: what is written, and that its letters come out whole.

Its graphs are scripted: numpy that shows two glosses and spells a sentence of each language.
"""

import ast
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost import edge_runtime
from fingerpost.app.caption_language import write_in
from fingerpost.app.cli import app
from fingerpost.app.commands_caption import make_captioner, notice
from fingerpost.app.session import Session, observe
from fingerpost.edge_runtime import backends
from fingerpost.edge_runtime.keypoint_files import save_npz
from fingerpost.edge_runtime.manifest import (
    GraphSpec,
    Licences,
    Manifest,
    Parent,
    TensorSpec,
    Translation,
)
from fingerpost.edge_runtime.pack import open_pack, write_pack
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.signer import random_signer, sign_sentence

GLOSSES = ["SÜD", "Straße", "WIND"]
SHOWN = {1: (14, 24), 2: (26, 38)}  # label: frames of a sentence
GERMAN = ["▁Im", "▁S", "ü", "den", "▁kr", "ä", "ftiger", "▁Wind", ",", "▁Stra", "ß", "e", "▁glatt"]
FRENCH = ["▁V", "ê", "tements", "▁d", "’", "é", "t", "é", "▁–", "▁ça", "▁va"]
TEXTS = {
    "German": "Im Süden kräftiger Wind, Straße glatt",
    "French": "Vêtements d’été – ça va",
}
PIECES = ["", *dict.fromkeys(GERMAN + FRENCH), *("▁" + gloss for gloss in GLOSSES)]
QUESTIONS = {"German": len(PIECES), "French": len(PIECES) + 1, "glosses": len(PIECES) + 2}
ROWS = {  # of tokens, the end last
    QUESTIONS[question]: [*map(PIECES.index, pieces), 0]
    for question, pieces in {
        "German": GERMAN,
        "French": FRENCH,
        "glosses": ["▁SÜD", "▁Straße"],
    }.items()
}
STEP, LONGEST, MOST_TOKENS = 8, 32, 16


class Scripted:
    """One graph: the frames are counted, and what is asked is remembered."""

    def __init__(self, graph):
        self.graph = graph

    def run(self, inputs):
        return getattr(self, self.graph)(**inputs)

    def close(self):
        pass

    def encode(self, keypoints, frame_mask, counted):
        states = (counted[0, 0] + np.arange(STEP, dtype=np.float32))[None, :, None]
        latents, there = np.ones((1, 1, 4), np.float32), np.ones((1, 1), np.float32)
        now = {"latents": latents, "latent_mask": there, "counted": counted + STEP}
        return {"states": states, **now}

    def ctc(self, states):
        scores = np.zeros((1, STEP, len(GLOSSES) + 1), np.float32)
        for row, frame in zip(scores[0], states[0, :, 0], strict=True):
            shown = [label for label, (start, end) in SHOWN.items() if start <= frame < end]
            row[shown[0] if shown else 0] = 12
        return {"scores": scores}

    def read(self, latents, latent_mask):
        return {"sentence": latents}

    def decode_step(self, token, position, latent_mask, sentence, keys):
        keys = keys.copy()
        if position[0] == 0:
            keys[...] = token[0, 0]
        scores = np.zeros((1, len(PIECES) + len(QUESTIONS)), np.float32)
        scores[0, ROWS[int(keys.flat[0])][position[0]]] = 12
        return {"scores": scores, "keys": keys}


def spec_of(graph, inputs, outputs, state=()):
    def made(tensors):
        return tuple(TensorSpec(name, shape, dtype) for name, shape, dtype in tensors)

    return GraphSpec("n.bin", "scripted", "1", made(inputs), made(outputs), made(state), graph)


F, I = "float32", "int64"  # noqa: E741
N_SCORES = len(PIECES) + len(QUESTIONS)
GRAPHS = {
    "encode": spec_of(
        "encode",
        [("keypoints", (1, STEP, 69, 4), F), ("frame_mask", (1, STEP), F)],
        [("states", (1, STEP, 1), F), ("latents", (1, 1, 4), F), ("latent_mask", (1, 1), F)],
        [("counted", (1, 1), F)],
    ),
    "ctc": spec_of("ctc", [("states", (1, STEP, 1), F)], [("scores", (1, STEP, 4), F)]),
    "read": spec_of(
        "read",
        [("latents", (1, LONGEST, 4), F), ("latent_mask", (1, LONGEST), F)],
        [("sentence", (1, LONGEST, 4), F)],
    ),
    "decode_step": spec_of(
        "decode_step",
        [
            *(("token", (1, 1), I), ("position", (1,), I)),
            *(("latent_mask", (1, LONGEST), F), ("sentence", (1, LONGEST, 4), F)),
        ],
        [("scores", (1, N_SCORES), F)],
        [("keys", (1, 1, 1, MOST_TOKENS, 1), F)],
    ),
}
MANIFEST = Manifest(
    name="forecast",
    version="1",
    task="translation",
    languages=("gsg",),
    view="sign69",
    preprocess_version=PREPROCESS_VERSION,
    fps=25.0,
    window=STEP,
    graphs=GRAPHS,
    vocabulary="vocabulary.json",
    special={},
    quantization="none",
    parent=Parent("0" * 64),
    licences=Licences("Apache-2.0", "none", "invented"),
    measured={},
    preprocess="live",
    translation=Translation("pieces.json", 0, QUESTIONS, 0, 256),
)


@pytest.fixture
def pack(tmp_path, monkeypatch):
    module = ModuleType("scripted_backend")
    module.load = lambda content, specs, threads: {graph: Scripted(graph) for graph in specs}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(backends.BACKENDS, "scripted", module.__name__)
    files = {
        "n.bin": b"n",
        "vocabulary.json": json.dumps(GLOSSES, ensure_ascii=False).encode(),
        "pieces.json": json.dumps(PIECES, ensure_ascii=False).encode(),
    }
    write_pack(tmp_path / "packs" / "forecast.fpk", MANIFEST, files)
    monkeypatch.setenv("FINGERPOST_PACKS", str(tmp_path / "packs"))
    monkeypatch.setenv("COLUMNS", "200")
    return open_pack(tmp_path / "packs" / "forecast.fpk")


@pytest.fixture
def stream(tmp_path):
    rng = np.random.default_rng(2)
    path = tmp_path / "stream.npz"
    sequence = sign_sentence(["coffee", "want"], random_signer(rng), rng, tail_ms=900).keypoints()
    save_npz(path, sequence)
    return path


def caption(*arguments):
    given = [str(argument) for argument in (*arguments, "--pack", "forecast")]
    return CliRunner().invoke(app, ["caption", *given])


@pytest.mark.parametrize("language", ["German", "French"])
def test_the_line_is_in_the_language_that_is_asked_for(pack, stream, language):
    result = caption(stream, "--json", "--language", language)
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in events][-1] == "completed"
    assert events[-1]["text"] == TEXTS[language] and events[-1]["score"] > 0.9
    assert events[-1]["glosses"] == ["SÜD", "Straße"]
    shown = [event["text"] for event in events[:-1]]
    assert shown[-1] == "SÜD STRASSE"  # capitals as German has them
    assert "\\u" not in result.stdout


def test_subtitles_are_utf_8_and_the_first_language_is_the_pack_s(pack, stream, tmp_path):
    srt, vtt = tmp_path / "a.srt", tmp_path / "a.vtt"
    result = caption(stream, "--srt", srt, "--vtt", vtt)
    assert result.exit_code == 0, result.output
    first = TEXTS[pack.manifest.translation.languages[0]]
    assert result.stdout.endswith(f"  {first}\n")
    for path in (srt, vtt):
        assert f"\n{first}\n".encode() in path.read_bytes()


def test_captions_change_to_the_language_of_who_reads_them(pack, stream):
    with observe(str(stream)) as observer:
        session = Session(observer, make_captioner(pack, observer))
        write_in(session, "de")
        *_, last = (event for step in session for event in step.events)
        assert last.line.text == TEXTS["German"]
        write_in(session, "zh")  # which the pack does not write: its first, then
        assert session.captioner.languages == ("French", "German")
        assert session.captioner._language == "French"


def test_a_language_that_the_pack_does_not_write_is_one_line(pack, stream):
    result = caption(stream, "--language", "English")
    assert result.exit_code == 2 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "does not write English; it has: French, German" in line


def test_glosses_are_asked_for_as_in_any_language(pack):
    sentence = Translator(pack).begin()
    begun = sentence.push_keypoints(np.zeros((40, 69, 4), np.float32)) + sentence.end()
    assert begun == ["SÜD", "Straße"]
    assert sentence.answer("glosses").text == "SÜD Straße"
    assert sentence.answer("German").text == TEXTS["German"]


def test_people_are_told_what_is_signed_and_what_is_written(pack):
    assert notice(pack.manifest).endswith("(pack forecast 1, gsg to French, German)")
    shown = CliRunner().invoke(app, ["packs", "show", "forecast"]).stdout
    assert "French, German" in shown and "SÜD, Straße, WIND" in shown


@pytest.mark.parametrize(
    ("asked", "written"),
    [({}, "Süden – 南\n".encode()), ({"PYTHONIOENCODING": "latin-1"}, b"S\xfcden ? ?\n")],
)
def test_a_pipe_gets_utf_8_whatever_the_system_writes(asked, written):
    """As on Windows, where a pipe has the encoding of old."""
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **asked}
    code = (
        "from fingerpost.app.cli import write_utf_8\n"
        "write_utf_8()\nprint('S\\u00fcden \\u2013 \\u5357')"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"} | plain
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert (done.returncode, done.stdout) == (0, written), done.stderr


def test_the_runtime_names_no_language():
    """No line of what runs on a device knows English or ASL; examples in docstrings may."""
    names = {"English", "en", "ASL", "ase"}
    for path in Path(edge_runtime.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not names & {text for text in texts if isinstance(text, str)}, path


def test_a_language_without_a_code_is_said_in_words(pack):
    uncoded = dataclasses.replace(pack.manifest, languages=("mis",))
    assert notice(uncoded).endswith("no registered sign language to French, German)")
