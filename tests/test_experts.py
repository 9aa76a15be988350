"""Experts on the device: windows, the choice by hand, adapter files that are not to be trusted."""

import dataclasses
import io
import json
import math
import zipfile

import numpy as np
import pytest

from fingerpost.edge_runtime.expert_adapters import (
    ABOUT,
    WEIGHTS,
    AdapterAbout,
    read_adapter_file,
    write_adapter_file,
)
from fingerpost.edge_runtime.expert_routing import (
    EPS,
    Adapters,
    adapters_bytes,
    layer_norm,
    read_adapters,
)
from fingerpost.edge_runtime.experts import Window, held_windows, windows
from fingerpost.edge_runtime.manifest import Experts

NAMES = ("ase", "bfi", "csl")
E, P, R = 4, 6, 2


@pytest.fixture(scope="module")
def adapters():
    rng = np.random.default_rng(0)
    shapes = {
        **{f"routing.aggregate.query.{i}.weight": (P, P) for i in (0, 2)},
        "routing.aggregate.norm.weight": (P,),
        "routing.aggregate.norm.bias": (P,),
        "routing.router.0.weight": (P, P),
        "routing.router.0.bias": (P,),
        "routing.router.2.weight": (3, P),
        "routing.router.2.bias": (3,),
    }
    for name in NAMES:
        shapes |= {f"adapters.{name}.norm.weight": (E,), f"adapters.{name}.norm.bias": (E,)}
        shapes |= {f"adapters.{name}.down": (E, R), f"adapters.{name}.up": (R, E)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return Adapters(NAMES, rng.normal(size=(3, E)).astype(np.float32), weights)


@pytest.fixture(scope="module")
def about():
    return AdapterAbout(
        question="French",
        start=0,
        languages=("lsf",),
        experts=dict.fromkeys(NAMES, "0" * 64),
        reader="1" * 64,
        width=E,
        prior_width=P,
        licences={"code": "MIT", "weights": "", "data": "own clips"},
    )


# ---- windows


@pytest.mark.parametrize("n_frames", [*range(1, 60), 128, 500])
def test_each_frame_is_taken_once_and_far_from_edges(n_frames):
    found = windows(n_frames, width=16, margin=3)
    taken = [frame for w in found for frame in range(w.low, w.high)]
    assert taken == list(range(n_frames))
    for window in found:
        end = window.start + 16
        assert window.start >= 0 and (end <= n_frames or len(found) == 1)
        assert window.low - window.start >= 3 or window.start == 0
        assert end - window.high >= 3 or end >= n_frames


def test_windows_by_hand():
    assert windows(10, 16, 3) == [Window(0, 0, 10)]
    assert windows(16, 16, 3) == [Window(0, 0, 16)]
    assert windows(17, 16, 3) == [Window(0, 0, 13), Window(1, 13, 17)]
    assert windows(30, 16, 3) == [Window(0, 0, 13), Window(10, 13, 23), Window(14, 23, 30)]
    assert windows(64, 64, 0) == [Window(0, 0, 64)]
    with pytest.raises(ValueError, match="no room between margins of 8"):
        windows(5, 16, 8)


def test_a_sentence_that_is_held_by_hand():
    """As one that is 3 frames longer, of which those are not taken."""
    assert held_windows(13, 16, 3) == [Window(0, 0, 13)]
    assert held_windows(14, 16, 3) == [Window(0, 0, 13), Window(1, 13, 14)]
    for n_frames in range(1, 80):
        found = held_windows(n_frames, 16, 3)
        assert [f for w in found for f in range(w.low, w.high)] == list(range(n_frames))


# ---- the choice


def plainly(adapters, priors):
    """Algorithm 1 and Eq. 5, number by number."""
    w, n = adapters.weights, len(priors)
    mean = [sum(priors[i][p] for i in range(n)) / n for p in range(P)]

    def times(matrix, x):
        return [sum(float(matrix[r][c]) * x[c] for c in range(len(x))) for r in range(len(matrix))]

    hidden = [max(x, 0) for x in times(w["routing.aggregate.query.0.weight"], mean)]
    query = times(w["routing.aggregate.query.2.weight"], hidden)
    fits = [sum(query[p] * priors[i][p] for p in range(P)) / math.sqrt(P) for i in range(n)]
    powers = [math.exp(fit) for fit in fits]
    mixed = [sum(powers[i] * priors[i][p] for i in range(n)) / sum(powers) for p in range(P)]
    centre = sum(mixed) / P
    spread = math.sqrt(sum((x - centre) ** 2 for x in mixed) / P + EPS)
    scale, shift = w["routing.aggregate.norm.weight"], w["routing.aggregate.norm.bias"]
    normed = [(mixed[p] - centre) / spread * scale[p] + shift[p] for p in range(P)]
    hidden = [
        max(x + b, 0)
        for x, b in zip(
            times(w["routing.router.0.weight"], normed), w["routing.router.0.bias"], strict=True
        )
    ]
    out = times(w["routing.router.2.weight"], hidden)
    return [x + b for x, b in zip(out, w["routing.router.2.bias"], strict=True)]


def test_logits_are_algorithm_1_and_equation_5(adapters):
    priors = np.random.default_rng(1).normal(size=(3, P)).astype(np.float32)
    np.testing.assert_allclose(adapters.logits(priors), plainly(adapters, priors), rtol=1e-4)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_best_k_share_by_a_soft_max_over_them(adapters, k):
    priors = np.random.default_rng(2).normal(size=(3, P)).astype(np.float32)
    logits = plainly(adapters, priors)
    order = sorted(range(3), key=lambda i: -logits[i])[:k]
    choice = adapters.choose(priors, k)
    assert choice.names == tuple(NAMES[i] for i in order)
    powers = [math.exp(logits[i]) for i in order]
    np.testing.assert_allclose(choice.shares, [p / sum(powers) for p in powers], rtol=1e-4)


def test_an_adapter_is_equation_12(adapters):
    frames = np.random.default_rng(3).normal(size=(5, E)).astype(np.float32)
    w = {
        part: adapters.weights[f"adapters.bfi.{part}"]
        for part in ("down", "up", "norm.weight", "norm.bias")
    }
    normed = layer_norm(frames, w["norm.weight"], w["norm.bias"])
    by_hand = [[frames[t, e] + sum(
        sum(normed[t, d] * w["down"][d, r] for d in range(E)) * w["up"][r, e] for r in range(R)
    ) for e in range(E)] for t in range(5)]  # fmt: skip
    np.testing.assert_allclose(adapters.adapted("bfi", frames), by_hand, rtol=1e-4, atol=1e-5)
    still = dict(adapters.weights, **{"adapters.bfi.up": np.zeros((R, E), np.float32)})
    same = dataclasses.replace(adapters, weights=still).adapted("bfi", frames)
    assert np.array_equal(same, frames)


def test_without_a_router_all_have_the_same_share(adapters):
    few = {k: w for k, w in adapters.weights.items() if k.startswith("adapters.")}
    choice = Adapters(NAMES, adapters.prompt, few).choose(np.ones((3, P), np.float32), 1)
    assert choice.names == NAMES and choice.shares == pytest.approx([1 / 3] * 3)
    for k in (0, 4):
        with pytest.raises(ValueError, match="k is from 1 to the 3 experts"):
            adapters.choose(np.ones((3, P)), k)


# ---- weights in a file


def test_weights_come_back_as_they_were(adapters):
    content = adapters_bytes(adapters)
    read = read_adapters(content, ("csl", "ase", "bfi"), E, P)
    assert read.names == NAMES and np.array_equal(read.prompt, adapters.prompt)
    assert all(np.array_equal(read.weights[k], w) for k, w in adapters.weights.items())
    assert adapters_bytes(read) == content


def changed(adapters, **weights):
    kept = {k: w for k, w in {**adapters.weights, **weights}.items() if w is not None}
    return adapters_bytes(dataclasses.replace(adapters, weights=kept))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: b"nonsense", "not an .npz"),
        (lambda a: adapters_bytes(a)[:200], "not an .npz"),
        (lambda a: changed(a, **{"routing.router.0.bias": None}), "lacks 'routing.router.0.bias'"),
        (lambda a: changed(a, extra=np.ones(1)), "holds the unknown 'extra'"),
        (lambda a: changed(a, **{"routing.router.0.bias": np.ones(5)}), "expected finite"),
        (lambda a: changed(a, **{"adapters.ase.up": np.full((R, E), np.nan)}), "expected finite"),
        (lambda a: changed(a, **{"adapters.ase.up": np.ones((R + 1, E))}), "expected finite"),
        (lambda a: adapters_bytes(dataclasses.replace(a, names=("ase", "bfi"))), "is for the exp"),
        (
            lambda a: adapters_bytes(dataclasses.replace(a, prompt=np.ones((2, E + 1)))),
            "prompt is",
        ),
    ],
)
def test_spoiled_weights_are_one_line(adapters, spoil, message):
    with pytest.raises(ValueError, match=message) as raised:
        read_adapters(spoil(adapters), NAMES, E, P, "the file")
    assert "\n" not in str(raised.value)


def test_pickles_are_refused(adapters):
    packed = io.BytesIO()
    np.savez(packed, experts=np.array([{}], dtype=object), prompt=np.ones((1, E)))
    with pytest.raises(ValueError, match="not an .npz of plain arrays"):
        read_adapters(packed.getvalue(), NAMES, E, P)


# ---- adapter files


def test_an_adapter_file_comes_back_and_is_the_same_bytes(adapters, about, tmp_path):
    path = tmp_path / "french.fpa"
    write_adapter_file(path, about, adapters)
    first = path.read_bytes()
    read, weights = read_adapter_file(path)
    assert dataclasses.replace(read, weights_sha256="") == about
    assert np.array_equal(weights.prompt, adapters.prompt)
    write_adapter_file(path, about, adapters)
    assert path.read_bytes() == first
    with pytest.raises(ValueError, match="must end in .fpa"):
        write_adapter_file(tmp_path / "french.zip", about, adapters)


def rewritten(path, to, **files):
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()} | files
    with zipfile.ZipFile(to, "w") as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)
    return to


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "format version 2, this Fingerpost reads 1"),
        ({"reader": None}, "lacks key 'reader'"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"start": "0"}, "start must be of type int"),
        ({"start": True}, "start must be of type int"),
        ({"languages": [1]}, "must be texts"),
        ({"question": " "}, "must be texts"),
        ({"licences": {}}, "licences must be of"),
        ({"weights_sha256": "0" * 64}, "is damaged"),
        ({"width": E + 1}, "prompt is"),
        ({"experts": {"ase": "0" * 64}}, "is for the experts"),
    ],
)
def test_a_changed_description_is_one_line(adapters, about, tmp_path, changes, message):
    write_adapter_file(tmp_path / "good.fpa", about, adapters)
    with zipfile.ZipFile(tmp_path / "good.fpa") as archive:
        data = json.loads(archive.read(ABOUT)) | changes
    data = {key: value for key, value in data.items() if value is not None}
    bad = rewritten(tmp_path / "good.fpa", tmp_path / "bad.fpa", **{ABOUT: json.dumps(data)})
    with pytest.raises(ValueError, match=message) as raised:
        read_adapter_file(bad)
    assert "\n" not in str(raised.value)


def test_other_files_are_refused(adapters, about, tmp_path):
    good, bad = tmp_path / "good.fpa", tmp_path / "bad.fpa"
    write_adapter_file(good, about, adapters)
    for files in ({"more.txt": "x"}, {WEIGHTS: None}):
        with pytest.raises(ValueError, match="is no adapter file"):
            read_adapter_file(rewritten(good, bad, **files))
    for about_text in (b"{", b"[]", b"\xff"):
        with pytest.raises(ValueError, match="is not JSON|must be an object"):
            read_adapter_file(rewritten(good, bad, **{ABOUT: about_text}))
    bad.write_bytes(b"")
    with pytest.raises(ValueError, match="is damaged, or no pack"):
        read_adapter_file(bad)
    with pytest.raises(FileNotFoundError, match="no file"):
        read_adapter_file(tmp_path / "missing.fpa")


# ---- the manifest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ()}, "names must name"),
        ({"names": ("ase", "ase", "csl")}, "names must name"),
        ({"k": 0}, "k is from 1 to the 3"),
        ({"k": 4}, "k is from 1 to the 3"),
        ({"weights": {"ase": "0"}}, "weights must have each"),
        ({"decide_frames": 0}, "decide_frames"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(changes, message):
    fields = {
        **{"names": NAMES, "weights": dict.fromkeys(NAMES, "0" * 64), "reader": "1", "k": 2},
        **{"decide_frames": 58, "margin": 6, "adapters": {"French": "adapters/own.npz"}},
    }
    assert Experts(**fields).graph("ase") == "expert_ase"
    with pytest.raises(ValueError, match=message):
        Experts(**{**fields, **changes})
