"""Scores that can be believed: figures counted by hand, and a temperature that is known."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from fingerpost.app.commands_calibrate import show_calibrated  # noqa: E402
from fingerpost.distill.calibrate import (  # noqa: E402
    LEAST,
    TEMPERATURES,
    _log_chances,
    fit_temperature,
    with_temperature,
    write_calibrated,
)
from fingerpost.distill.export_translator import TranslatorSource  # noqa: E402
from fingerpost.distill.reliability import (  # noqa: E402
    Bin,
    Scored,
    bins,
    draw_reliability,
    reliability,
)
from fingerpost.distill.workbench import Workbench  # noqa: E402
from fingerpost.edge_runtime.manifest import (  # noqa: E402
    GraphSpec,
    Licences,
    Manifest,
    Parent,
    Translation,
)
from fingerpost.edge_runtime.pack import open_pack, write_pack  # noqa: E402
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION  # noqa: E402
from fingerpost.edge_runtime.translator import Reading  # noqa: E402
from fingerpost.trainer.signer_corpus import make_clip  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

FILES = {"n.tflite": b"n", "pieces.json": b'["", "yes"]', "vocabulary.json": b'["yes"]'}
TRANSLATOR = Manifest(
    name="tiny",
    version="1",
    task="translation",
    languages=("ase",),
    view="sign69",
    preprocess_version=PREPROCESS_VERSION,
    fps=25.0,
    window=8,
    graphs={"encode": GraphSpec("n.tflite", "tflite", "2", (), (), (), "encode")},
    vocabulary="vocabulary.json",
    special={},
    quantization="none",
    parent=Parent("0" * 64),
    licences=Licences("Apache-2.0", "Apache-2.0", "rendered signer"),
    measured={},
    preprocess="live",
    translation=Translation("pieces.json", 0, {"English": 2}, 8, 256),
)
LINES = [Scored(0.95, True), Scored(0.95, False), Scored(0.15, False), Scored(0.45, True)]


def test_the_figures_of_four_lines():
    found = reliability(LINES, unsure_below=0.5)
    assert (found.n, found.right, found.unsure) == (4, 0.5, 0.5)
    assert (found.right_unsure, found.right_sure) == (0.5, 0.5)
    assert found.mean_score == pytest.approx(2.5 / 4)
    # Bins: 0.15 with none right, 0.45 with all, 0.95 (two lines) with half.
    assert found.calibration_error == pytest.approx((0.15 + 0.55 + 2 * 0.45) / 4)
    # Right 0.95 and 0.45 against wrong 0.95 and 0.15: half, 1, 0, 1 of four pairs.
    assert found.auc == pytest.approx(2.5 / 4)


def test_bins_hold_the_ends_of_the_scale():
    found = bins([Scored(0.0, False), Scored(1.0, True), Scored(0.9, True)])
    assert found == [Bin(0.0, 0.0, 1), Bin(pytest.approx(0.95), 1.0, 2)]


def test_what_cannot_be_told_is_nan_and_no_lines_are_an_error(capsys):
    found = reliability([Scored(0.9, True)], 0.5)
    assert all(map(math.isnan, (found.auc, found.right_unsure)))
    record = {"pack": "p", "temperature": 0.7, "figures": {"after": vars(found)}}
    show_calibrated(record, as_json=True)
    assert json.loads(capsys.readouterr().out)["figures"]["after"]["auc"] is None
    show_calibrated(record, as_json=False)
    assert "none" in capsys.readouterr().out
    with pytest.raises(ValueError, match="give clips with texts"):
        reliability([], 0.5)


def test_the_picture_is_written_whole_and_small(tmp_path):
    path = tmp_path / "reliability.png"
    draw_reliability(path, {"before": LINES, "after": LINES}, 0.5, "a_pack")
    assert path.read_bytes()[:4] == b"\x89PNG" and path.stat().st_size < 100_000
    assert list(tmp_path.iterdir()) == [path]


class TwoWords:
    """Says one of two words, with logits ± z. It believes itself ``trust`` times too much."""

    questions = ("English", "glosses")
    words = SimpleNamespace(end=0, temperature=1.0)

    def __init__(self, trust):
        self.trust = trust

    def keypoints_of(self, sequence):
        return sequence

    def begin(self):
        return self

    def push_keypoints(self, z):
        self.z = z

    def end(self):
        pass

    def readings(self, question):
        return [Reading("yes", 0.5, (1,))]

    def scores_of(self, question, tokens):
        z = self.trust * self.z
        return np.array([[-99.0, z, -z], [99.0, -99.0, -99.0]])


def clips_of(n, seed=0):
    """Of logits ± z the word is right with the chance 1 / (1 + exp(-2 z))."""
    rng = np.random.default_rng(seed)
    for z in rng.uniform(0, 1.5, n):
        right = rng.random() < 1 / (1 + math.exp(-2 * z))
        yield SimpleNamespace(text="yes" if right else "no", text_language="en", sequence=z)


@pytest.mark.parametrize("trust", [0.5, 1.0, 2.0])
def test_the_temperature_undoes_what_a_network_believes_too_much(trust):
    clips = list(clips_of(4000))
    assert fit_temperature(TwoWords(trust), clips) == pytest.approx(trust, rel=0.12)


def test_too_few_right_or_wrong_clips_tell_no_temperature():
    right = [SimpleNamespace(text="yes", text_language="en", sequence=1.0)] * 50
    wrong = [SimpleNamespace(text="no", text_language="en", sequence=1.0)] * 50
    silent = [SimpleNamespace(text="", text_language="", sequence=1.0)] * 50
    foreign = [SimpleNamespace(text="nein", text_language="de", sequence=1.0)] * 50
    assert fit_temperature(TwoWords(1.0), right + silent + foreign) is None
    assert fit_temperature(TwoWords(1.0), right + wrong[: LEAST - 1]) is None
    assert fit_temperature(TwoWords(1.0), right + wrong[:LEAST]) is not None


def test_a_temperature_is_kept_in_the_pack_and_1_is_not_written(tmp_path):
    plain = write_pack(tmp_path / "plain.fpk", TRANSLATOR, FILES)
    assert plain.manifest.translation.temperature == 1.0
    assert "temperature" not in plain.manifest.to_json()
    written = write_calibrated(plain, tmp_path / "other.fpk", 0.7)
    assert open_pack(written.path).manifest.translation.temperature == 0.7
    assert replace(written.manifest, translation=plain.manifest.translation) == plain.manifest
    manifest = replace(plain.manifest, task="isolated-signs", translation=None)
    isolated = replace(plain, manifest=manifest)
    with pytest.raises(ValueError, match="writes no sentences: it has no temperature"):
        with_temperature(isolated, 0.7)


def test_a_clip_is_read_and_the_score_of_what_it_says_is_the_readings(talkative):
    source = TranslatorSource(talkative, clips := [make_clip("val", i) for i in range(3)])
    assert source.temperature(None) is None  # three clips tell nothing
    translator = source._eager_translator()
    for clip in clips:
        sentence = translator.begin()
        sentence.push_keypoints(translator.keypoints_of(clip.sequence))
        best = sentence.readings("English")[0]
        chances = _log_chances(sentence, "English", best.tokens, translator.words.end)
        at_1 = np.interp(1.0, TEMPERATURES, chances)
        assert math.exp(at_1) <= best.score * (1 + 1e-6)  # more than one row may give the text
        assert math.exp(at_1) == pytest.approx(best.score, rel=0.05)


class Elsewhere(Workbench):
    """Of a format that no machine here runs: the network stands for the pack."""

    runs_here = False

    def __init__(self, temperature):
        self.source = SimpleNamespace(temperature=lambda pack: temperature)


def test_an_export_gives_a_translator_its_temperature():
    found = Elsewhere(0.8).calibrated(None, TRANSLATOR)
    assert found.translation == replace(TRANSLATOR.translation, temperature=0.8)
    assert Elsewhere(None).calibrated(None, TRANSLATOR) == TRANSLATOR
