"""The judge of what begins a line, fitted: on made-up figures, and on streams with a real pack."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")


from fingerpost.distill.fit_line_start import (  # noqa: E402
    LINE_START_FILE,
    Watched,
    fit_line_start,
    held_back_streams,
    watch,
    write_judged,
)
from fingerpost.edge_runtime.line_start import N_EVIDENCE, read_line_start  # noqa: E402
from fingerpost.edge_runtime.live_translator import LiveTranslator  # noqa: E402
from fingerpost.edge_runtime.pack import bundled_pack, open_pack  # noqa: E402
from fingerpost.trainer.streams import make_streams  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def made_up(n_streams, seed):
    """Two figures tell signing from idle hands together, and neither does alone. Of each stream one
    minute is idle, in which something is seen once every 4 s."""
    rng = np.random.default_rng(seed)
    for _ in range(n_streams):
        signed = np.arange(30) % 2 == 0
        figures = rng.normal(size=(30, N_EVIDENCE))
        figures[:, 1] = figures[:, 0] + np.where(signed, 0.8, -0.8) + rng.normal(size=30) * 0.5
        yield Watched(np.arange(30) * 4000, figures, signed, np.ones(30), idle_minutes=1.0)


def test_a_judge_finds_signing_and_begins_no_more_false_lines_than_asked_for():
    fitted = {asked: fit_line_start(list(made_up(60, 0)), asked) for asked in (0.25, 1.0)}
    found = {}
    for asked, start in fitted.items():
        fresh = list(made_up(200, 1))
        yes = np.concatenate([start.score(one.figures) > 0 for one in fresh])
        signed = np.concatenate([one.signed for one in fresh])
        false_lines = yes[~signed].sum() / len(fresh)
        assert 0.4 * asked < false_lines < 1.8 * asked
        found[asked] = yes[signed].mean()
    assert found[0.25] > 0.6 and found[1.0] > found[0.25] + 0.05
    again = fit_line_start(list(made_up(60, 0)), 0.25)
    assert again.to_json() == fitted[0.25].to_json()


def test_too_little_to_learn_from_is_said():
    with pytest.raises(ValueError, match="more minutes"):
        fit_line_start(list(made_up(3, 0)), 0.2)


def test_held_back_streams_are_half_idle_and_of_the_split_val():
    streams = held_back_streams(1.5, seed=3, signs=None)
    sentences, idle = streams[: len(streams) // 2], streams[len(streams) // 2 :]
    assert all(len(stream.sentences) == 1 for stream in idle)
    assert sum(s.idle_ms for s in idle) > 1.2 * sum(s.idle_ms for s in sentences)
    known = {one.text for stream in make_streams(1.5, 3, "val") for one in stream.sentences}
    assert {one.text for stream in sentences for one in stream.sentences} == known


def test_what_a_pack_sees_and_a_judge_that_never_begins_a_line(tmp_path):
    pack = open_pack(bundled_pack())
    (stream,) = make_streams(0.3, seed=5)
    (watched,) = watch(pack, [stream])
    assert watched.figures.shape == (len(watched.times_ms), N_EVIDENCE)
    assert watched.signed.any() and (np.diff(watched.times_ms) >= 0).all()
    assert set(watched.weights[watched.signed]) <= {1.0, 4.0}

    start = fit_line_start(list(made_up(60, 0)), 0.25)
    never = start.__class__(**{**vars(start), "bias": -1e9})
    quiet = write_judged(pack, tmp_path / "quiet.fpk", never)
    assert quiet.manifest.translation.line_start == LINE_START_FILE
    assert read_line_start(quiet.read(LINE_START_FILE)).bias == -1e9
    always = write_judged(
        quiet, tmp_path / "always.fpk", never.__class__(**{**vars(start), "bias": 1e9})
    )
    n_lines = []
    for one in (quiet, always):
        live = LiveTranslator(one, stream.schema, stream.aspect)
        events = [event for frame in stream.frames for event in live.push(frame)]
        n_lines.append(len([*events, *live.flush()]))
        live.close()
    assert n_lines[0] == 0 and n_lines[1] > 0
