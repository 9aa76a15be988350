"""Frame by frame a sentence is read as in one piece."""

import copy
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from fingerpost.distill.export_translator import TranslatorSource  # noqa: E402
from fingerpost.trainer.signer_corpus import make_clip  # noqa: E402
from fingerpost.trainer.streamed_and_whole import Pair, Said, read_both, share_same  # noqa: E402
from fingerpost.trainer.streams import make_streams  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

# An untrained network is never sure: whatever is the likeliest for two frames is a gloss.
EASY = {"min_share": 0.0, "begin_share": 0.0, "alone_share": 0.0, "alone_ms": 80}
EASY |= {"odd_share": 0.0, "odd_ms": 80}
PACK = SimpleNamespace(manifest=SimpleNamespace(fps=25.0, settings=EASY))


@pytest.fixture(scope="module")
def translator(talkative):
    return TranslatorSource(talkative, [make_clip("val", 0)])._eager_translator()


@pytest.fixture(scope="module")
def streams():
    return make_streams(0.25, seed=2)


@pytest.fixture(scope="module")
def pairs(translator, streams):
    return read_both(PACK, translator, streams)


def test_streamed_and_in_one_piece_the_glosses_and_texts_are_the_same(pairs):
    said = {pair.streamed for pair in pairs}
    assert len(said) >= 2 and max(len(one.glosses) for one in said) >= 3
    assert share_same(pairs) == (100, 100)


class Forgetful:
    """An encoder that remembers nothing of the step before."""

    def __init__(self, backend):
        self.backend = backend

    def run(self, inputs):
        out = self.backend.run(inputs)
        return {name: 0 * out[name] if name in inputs else out[name] for name in out}


def test_states_that_are_lost_on_the_way_are_found_out(translator, streams, pairs):
    forgetful = copy.copy(translator)
    forgetful._backends = translator._backends | {
        "encode": Forgetful(translator._backends["encode"])
    }
    streamed = read_both(PACK, forgetful, streams)
    n = min(len(streamed), len(pairs))
    mixed = [Pair(streamed[k].streamed, pairs[k].whole) for k in range(n)]
    assert n and share_same(mixed)[0] < 100


def test_shares_are_counted():
    same, other = Said(("a",), "A"), Said(("b",), "B")
    worded = Said(("a",), "An A")
    pairs = [Pair(same, same), Pair(same, worded), Pair(same, other), Pair(other, other)]
    assert share_same(pairs) == (75, 50)
    with pytest.raises(ValueError, match="no line was captioned"):
        share_same([])
