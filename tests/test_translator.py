"""A translation pack at work: the same as the network in PyTorch, however the frames come."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from fingerpost.distill.export_translator import (  # noqa: E402
    EagerBackend,
    TranslatorSource,
    pieces_of,
    specs_of,
)
from fingerpost.distill.scheme import Scheme  # noqa: E402
from fingerpost.distill.workbench import About, Workbench  # noqa: E402
from fingerpost.edge_runtime.keypoints import PoseSequence  # noqa: E402
from fingerpost.edge_runtime.live_glosses import LiveGlosses  # noqa: E402
from fingerpost.edge_runtime.manifest import Experts  # noqa: E402
from fingerpost.edge_runtime.preprocess_live import preprocess_live  # noqa: E402
from fingerpost.edge_runtime.resample import resample  # noqa: E402
from fingerpost.edge_runtime.translator import (  # noqa: E402
    N_READINGS,
    Translator,
    kept_frames,
    read_pieces,
)
from fingerpost.edge_runtime.translator_check import check_translator  # noqa: E402
from fingerpost.trainer.signer_corpus import make_clip  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def clips():
    return [make_clip("val", number) for number in range(3)]


@pytest.fixture(scope="module")
def source(talkative, clips):
    return TranslatorSource(talkative, clips)


@pytest.fixture(scope="module")
def translator(source):
    return source._eager_translator()


def part_of(sequence, start, n_frames):
    frames = slice(start, start + n_frames)
    return dataclasses.replace(
        sequence, xyz=sequence.xyz[frames], confidence=sequence.confidence[frames]
    )


def frames_of(clip):
    return preprocess_live(clip.sequence)


def test_it_answers_as_generate_does(source):
    judged = source.judge_graphs()
    assert judged.pop("same answers") == 100
    assert judged == source.reference and set(judged) == {
        "text.bleu4",
        "glosses.wer",
        "live_glosses.wer",
    }
    said = {one.said for kind in source._answers.values() for one in kind}
    assert len(said) > 3  # a network that always says the same would prove nothing


@pytest.mark.parametrize("lengths", [(1,), (8,), (3, 11, 2)])
def test_cut_into_parts_of_any_length_it_says_the_same(translator, clips, lengths):
    whole = translator.translate(clips[0].sequence)
    sentence, glosses, start, i = translator.begin(), [], 0, 0
    while start < len(clips[0].sequence):
        part = part_of(clips[0].sequence, start, lengths[i % len(lengths)])
        glosses += sentence.push(part)
        start, i = start + len(part), i + 1
    glosses += sentence.end()
    assert tuple(glosses) == whole.glosses
    assert sentence.n_frames == len(sentence.scores) == len(clips[0].sequence)
    for question in translator.questions:
        assert sentence.answer(question).tokens == whole.answers[question].tokens


def test_frames_that_wait_are_read_many_at_once_and_give_the_same(source, translator, clips):
    graphs = source.graphs | source.shared_graphs
    pack = source._as_if_packed()
    specs = {name: specs_of(graph) for name, graph in graphs.items()}
    pack = dataclasses.replace(pack, manifest=dataclasses.replace(pack.manifest, graphs=specs))
    recorded = {name: [] for name in graphs}
    backends = {name: EagerBackend(graph, recorded[name]) for name, graph in graphs.items()}
    quick = Translator(pack, backends)
    frames = np.concatenate([frames_of(clip) for clip in clips])[:100]

    def counted(pushes):
        for calls in recorded.values():
            calls.clear()
        said = quick.begin()
        glosses = [gloss for part in pushes for gloss in said.push_keypoints(part)] + said.end()
        return said, glosses, [len(recorded[name]) for name in ("encode_clip", "encode", "ctc")]

    plain = translator.begin()
    wanted = plain.push_keypoints(frames) + plain.end()
    for pushes, calls in (
        ([frames], [3, 2, 14]),  # 96 frames, the other 4, and 8 of look-ahead
        (np.split(frames, 25), [0, 14, 14]),  # live, 4 at a time
    ):
        said, glosses, n_calls = counted(pushes)
        assert n_calls == calls and glosses == wanted
        np.testing.assert_allclose(np.stack(said.scores), np.stack(plain.scores), atol=1e-5)
        np.testing.assert_allclose(np.stack(said.states), np.stack(plain.states), atol=1e-5)
        for question in quick.questions:
            assert said.answer(question).tokens == plain.answer(question).tokens


@pytest.mark.parametrize(
    ("format", "kind", "there"),
    [("tflite", "int8", True), ("tflite", "int8-static", False), ("executorch", "int8", False)],
)
def test_files_whose_graphs_share_weights_have_it(source, monkeypatch, format, kind, there):
    bench = Workbench(source, format, About("name", "1", "0" * 64, ()), {})
    monkeypatch.setattr(bench._recipe, "build", lambda graphs, *rest: graphs)
    assert ("encode_clip" in bench.build(Scheme(kind))) is there
    assert "encode_clip" not in source.graphs  # what is calibrated and ranked is there once


def test_a_pack_whose_steps_do_not_fit_is_one_line(source):
    pack = source._as_if_packed()
    specs = dict(pack.manifest.graphs)
    keypoints, *others = specs["encode"].inputs
    odd = (dataclasses.replace(keypoints, shape=(1, 12, *keypoints.shape[2:])), *others)
    specs["encode_clip"] = dataclasses.replace(specs["encode"], inputs=odd)
    pack = dataclasses.replace(pack, manifest=dataclasses.replace(pack.manifest, graphs=specs))
    backends = {name: EagerBackend(source.graphs["encode"], None) for name in specs}
    with pytest.raises(ValueError, match="cannot be read in steps: export it again"):
        Translator(pack, backends)


def test_the_scores_of_frames_are_the_network_s(source, translator, clips):
    keypoints = torch.from_numpy(frames_of(clips[1]))[None]
    with torch.no_grad():
        heard = source._network.read(keypoints, torch.ones(1, keypoints.shape[1]))
        scores = source._network.gloss_scores(heard.states)[0, : keypoints.shape[1]].numpy()
    sentence = translator.begin()
    sentence.push_keypoints(keypoints[0].numpy())
    sentence.end()
    assert np.abs(np.stack(sentence.scores) - scores).max() < 1e-3
    glosses = translator.translate(clips[1].sequence).glosses
    assert list(glosses) == [translator.glosses[k - 1] for k in LiveGlosses().push(scores)]


def test_following_its_own_answer_gives_that_answer_s_probability(translator, clips):
    sentence = translator.begin()
    sentence.push_keypoints(frames_of(clips[0]))
    answer = sentence.answer("English")
    scores = sentence.scores_of("English", answer.tokens)
    assert scores[: len(answer.tokens)].argmax(axis=1).tolist() == list(answer.tokens)
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    end = translator.words.end
    said = [*answer.tokens, end] if scores[-1].argmax() == end else list(answer.tokens)
    mean = np.mean([logs[i, token] for i, token in enumerate(said)])
    assert answer.log_probability == pytest.approx(mean, abs=1e-4) and mean < 0


def test_a_sentence_of_nothing_and_one_that_has_ended(translator, clips):
    sentence = translator.begin()
    assert sentence.end() == [] and sentence.end() == []
    assert isinstance(sentence.answer("English").text, str)  # whatever it makes of nothing
    with pytest.raises(ValueError, match="has ended: begin another"):
        sentence.push_keypoints(frames_of(clips[0]))
    with pytest.raises(ValueError, match="cannot answer in 'German'; known: English, glosses"):
        sentence.answer("German")


def test_another_frame_rate_is_refused_live_and_resampled_in_a_clip(translator, clips):
    fast = resample(clips[0].sequence, 50.0)
    with pytest.raises(ValueError, match="reads 25 frames a second, got 50: resample first"):
        translator.begin().push(fast)
    assert translator.translate(fast, ["glosses"]).answers.keys() == {"glosses"}


def test_a_clip_that_is_too_long_loses_frames_evenly(translator):
    assert kept_frames(5, 8).tolist() == [0, 1, 2, 3, 4]
    assert kept_frames(9, 5).tolist() == [0, 2, 4, 6, 8]
    n_frames, schema = 300, make_clip("val", 0).sequence.schema
    still = PoseSequence(
        np.full((n_frames, len(schema), 3), 0.5, np.float32),
        np.ones((n_frames, len(schema)), np.float32),
        25.0,
        schema,
    )
    assert translator.translate(still).answers["English"].tokens is not None


def test_pieces_give_back_what_the_tokenizer_reads(source, translator):
    tokenizer = source._task.tokenizer
    for text in ("Where is the book?", "I, too: it's 5!", "accident again", ""):
        tokens = tokenizer(text)["input_ids"]
        whole = tokenizer.decode(tokens, skip_special_tokens=True).strip()
        assert translator.text_of(tokens) == whole
    assert translator.text_of([10**6]) == ""  # a question is no piece of text
    assert pieces_of(tokenizer)[:3] == ["", "", ""]


@pytest.mark.parametrize("content", [b"{", b'{"a": 1}', b"[1, 2]", b"\xff"])
def test_damaged_pieces_are_one_line(content):
    with pytest.raises(ValueError, match="export it again") as error:
        read_pieces(content)
    assert "\n" not in str(error.value)


def test_a_pack_for_something_else_cannot_translate(source):
    pack = source._as_if_packed()
    graphs = {k: v for k, v in pack.manifest.graphs.items() if k != "read"}
    without = dataclasses.replace(pack.manifest, graphs=graphs)
    with pytest.raises(ValueError, match="has no graph 'read': export it again"):
        Translator(dataclasses.replace(pack, manifest=without))
    files = dict.fromkeys(pack.manifest.translation.questions, "adapters/own.npz")
    experts = Experts(("ase",), {"ase": "0"}, "1", 1, 58, 6, files)
    with pytest.raises(ValueError, match="reads whole sentences, and cannot caption live"):
        of_experts = dataclasses.replace(without, experts=experts)
        Translator(dataclasses.replace(pack, manifest=of_experts))
    other = dataclasses.replace(pack.manifest, task="isolated-signs", translation=None)
    with pytest.raises(ValueError, match="is for isolated-signs: it cannot translate"):
        Translator(dataclasses.replace(pack, manifest=other))


class Packed:
    """The source as a pack whose graphs are PyTorch's, with what one of them says changed."""

    def __init__(self, source, change=lambda graph, outputs: outputs):
        self.source, self.change = source, change
        self.manifest = source._as_if_packed().manifest
        self.vocabulary = source._as_if_packed().vocabulary
        self.read = source._as_if_packed().read

    def load(self, pack, graphs, num_threads=1):
        eager = self.source._eager_translator()._backends

        class Changed:
            def __init__(self, name, change):
                self.name, self.change = name, change

            def run(self, inputs):
                return self.change(self.name, eager[self.name].run(inputs))

            def close(self):
                pass

        return {name: Changed(name, self.change) for name in graphs}


@pytest.mark.parametrize(
    ("graph", "output", "failing"),
    [
        ("ctc", "scores", {"ctc"}),
        ("decode_step", "scores", {"decode_step"}),
        ("encode", "states", {"ctc"}),
    ],
)
def test_a_graph_that_computes_otherwise_fails_the_check(
    source, monkeypatch, graph, output, failing
):
    golden = dict(source.golden(None))
    golden |= {k.replace("reference", "expected"): v for k, v in golden.items()}
    sound = Packed(source)
    monkeypatch.setattr("fingerpost.edge_runtime.translator.load_backends", sound.load)
    rows = check_translator(sound, golden)
    assert all(row.passed for row in rows) and {row.against for row in rows} == {
        "reference",
        "expected",
    }
    assert [row.value for row in rows if row.measure == "free answers"] == [1.0]

    def change(name, outputs):
        if name == graph:
            outputs = {**outputs, output: outputs[output] * 1.05 + 0.3}
        return outputs

    broken = Packed(source, change)
    monkeypatch.setattr("fingerpost.edge_runtime.translator.load_backends", broken.load)
    failed = {row.graph for row in check_translator(broken, golden) if not row.passed}
    assert failed == failing


def test_golden_inputs_that_are_missing_are_one_line(source, monkeypatch):
    golden = dict(source.golden(None))
    sound = Packed(source)
    monkeypatch.setattr("fingerpost.edge_runtime.translator.load_backends", sound.load)
    with pytest.raises(ValueError, match="golden.npz lacks clip_0/expected/glosses"):
        check_translator(sound, golden)
    sound.manifest = dataclasses.replace(sound.manifest, parity="not yet run")
    rows = check_translator(sound, golden)  # of a machine that could not run it, nothing is asked
    assert {row.against for row in rows if row.measure != "free answers"} == {"reference"}
    with pytest.raises(ValueError, match="golden.npz holds no clip"):
        check_translator(sound, {})


def test_the_manifest_says_all_that_a_device_needs(source):
    manifest = source._as_if_packed().manifest
    again = type(manifest).from_json(manifest.to_json())
    n_pieces = len(source._task.tokenizer)
    questions = {"English": n_pieces, "glosses": n_pieces + 1}
    assert again == manifest and again.translation.questions == questions
    content = json.loads(manifest.to_json())
    assert content["graphs"]["encode"]["state"][0]["name"] == "memory"


def test_the_best_reading_is_at_least_as_likely_as_the_answer(translator, clips):
    for clip in clips:
        sentence = translator.begin()
        sentence.push_keypoints(frames_of(clip))
        answer = sentence.answer("English")
        readings = sentence.readings("English")
        scores = [reading.score for reading in readings]
        assert 2 <= len(readings) <= N_READINGS
        assert len({reading.text for reading in readings}) == len(readings)
        assert scores == sorted(scores, reverse=True) and 0 <= sum(scores) <= 1 + 1e-6
        n = len(answer.tokens) + (len(answer.tokens) < translator.max_tokens)
        assert scores[0] >= np.exp(n * answer.log_probability) * (1 - 1e-6)
        assert sentence.readings("English") == readings  # it is asked again and says the same


def test_a_temperature_changes_the_scores_and_is_above_0(source, clips):
    words = source.describe()["translation"]
    likeliest, texts = {}, set()
    for temperature in (0.5, 1.0, 2.0):
        translator = source._eager_translator()
        translator.words = dataclasses.replace(words, temperature=temperature)
        sentence = translator.begin()
        sentence.push_keypoints(frames_of(clips[0]))
        best = sentence.readings("English")[0]
        likeliest[temperature] = best.score
        texts.add(best.text)
    assert len(texts) == 1  # what is said does not depend on it
    assert likeliest[0.5] > likeliest[1.0] > likeliest[2.0] > 0
    with pytest.raises(ValueError, match="a temperature is above 0, got 0"):
        dataclasses.replace(words, temperature=0.0)
