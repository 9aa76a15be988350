"""The pocket translator: its sizes, its stream cut anywhere, its losses by hand, its graphs."""

import math

import numpy as np
import pytest
import torch

from fingerpost.trainer.models.gloss_alignment import NO_TOKEN, NOT_KNOWN, Glosses
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.pocket_encoder import (
    FAR,
    KEPT,
    Frames,
    LimitedAttention,
    windows,
)
from fingerpost.trainer.models.pocket_graphs import clip_graphs_of, graphs_of, greedy
from fingerpost.trainer.models.pocket_sizes import SIZES, STRIDE, PocketTranslatorConfig
from fingerpost.trainer.models.pocket_translator import (
    EOS,
    Asked,
    PocketTranslator,
    agreement_loss,
    gloss_losses,
)

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = {
    **{"width": 16, "n_blocks": 3, "kernel": 3, "n_heads": 2, "past": 12},
    **{"d_model": 16, "d_ff": 16, "d_kv": 8, "n_reader_heads": 2, "n_layers": 1},
    **{"n_decoder_layers": 2, "n_perceiver_layers": 2},
}
MILLIONS = {"nano": 3, "small": 12, "base": 40}


def tiny(**changes: object) -> PocketTranslator:
    torch.manual_seed(0)
    config = PocketTranslatorConfig.of_size(
        "nano",
        {**TINY, **changes},
        n_pieces=30,
        n_glosses=5,
        questions=("English", "glosses"),
    )
    return PocketTranslator(config).eval()


def clips(n_clips: int, n_frames: int) -> torch.Tensor:
    keypoints = torch.randn(n_clips, n_frames, 69, 4, generator=torch.Generator().manual_seed(1))
    keypoints[..., 3] = keypoints[..., 3] > -1  # some points were not seen
    return keypoints


@pytest.mark.parametrize("n_pieces", [614, 2000])
@pytest.mark.parametrize("size", list(SIZES))
def test_a_size_keeps_what_it_promises(size: str, n_pieces: int) -> None:
    """614 pieces and 129 glosses: the signer's corpus."""
    config = PocketTranslatorConfig.of_size(
        size, n_pieces=n_pieces, n_glosses=129, questions=("English", "glosses")
    )
    with torch.device("meta"):
        count = sum(p.numel() for p in PocketTranslator(config).parameters())
    limit = MILLIONS[size] * 1e6
    assert 0.8 * limit < count <= limit


@pytest.mark.parametrize("seed", range(4))
def test_a_clip_in_random_steps_is_the_whole_clip(seed: int) -> None:
    model = tiny().poses
    n_frames, ahead = 44, model.look_ahead
    keypoints = clips(1, n_frames + ahead)
    mask = (torch.arange(n_frames + ahead) < n_frames).float()[None]
    rng = np.random.default_rng(seed)
    state, states, seen, at = model.empty_state(), [], [], 0
    with torch.no_grad():
        whole = model(keypoints[:, :n_frames], mask[:, :n_frames])
        while at < n_frames + ahead:
            n = int(rng.integers(1, 20))
            part = slice(at, at + n)
            frames, state = model.step(keypoints[:, part], mask[:, part], state)
            states.append(frames.states[:, KEPT:])
            seen.append(frames.seen[:, KEPT:])
            at += n
    streamed = torch.cat(states, dim=1)
    assert torch.equal(torch.cat(seen, dim=1)[0], torch.arange(n_frames + ahead) >= ahead)
    assert (streamed[:, :ahead] == 0).all()  # of frames before the first
    torch.testing.assert_close(streamed[:, ahead:], whole.states[:, KEPT:], rtol=0, atol=1e-5)
    assert whole.states.std() > 0.1


@pytest.mark.parametrize(("name", "step"), [("encode", 8), ("encode_clip", 32)])
def test_latents_of_steps_are_those_of_the_whole_clip(name: str, step: int) -> None:
    model = tiny()
    encode = (graphs_of(model, 16, 8) | clip_graphs_of(model))[name]
    keypoints, mask = clips(1, 32), torch.ones(1, 32)
    mask[:, 21:] = 0
    state, latents, counts = encode.example[2:], [], []
    with torch.no_grad():
        heard = model.read(keypoints[:, :21], mask[:, :21])
        for at in range(0, 32, step):
            part = slice(at, at + step)
            _, new, count, *state = encode.module(keypoints[:, part], mask[:, part], *state)
            latents.append(new)
            counts.append(count)
    before = model.config.look_ahead // STRIDE
    assert torch.cat(counts, dim=1)[0].tolist() == [0] * before + [1] * 6
    streamed = torch.cat(latents, dim=1)[:, before:]
    torch.testing.assert_close(streamed, heard.latents, rtol=0, atol=1e-5)


def test_a_state_knows_320_ms_of_the_future_and_no_more() -> None:
    model = tiny().poses
    keypoints, mask = clips(1, 40), torch.ones(1, 40)
    changed = keypoints.clone()
    changed[:, 30] += 1
    with torch.no_grad():
        before, after = (model(k, mask).states[0, KEPT:] for k in (keypoints, changed))
    differs = (before != after).any(dim=1).nonzero()[:, 0]
    assert model.look_ahead == 8
    assert differs[0] == 30 - 8


def test_a_clip_says_the_same_alone_and_in_a_batch() -> None:
    model = tiny()
    keypoints = clips(2, 25)
    mask = torch.ones(2, 25, dtype=torch.long)
    mask[1, 14:] = 0
    with torch.no_grad():
        both = model.read(keypoints, mask)
        alone = model.read(keypoints[1:, :14], mask[1:, :14])
    assert both.mask.tolist() == [[1] * 7, [1] * 4 + [0] * 3]
    torch.testing.assert_close(both.states[1, :14], alone.states[0, :14], rtol=0, atol=1e-5)
    torch.testing.assert_close(both.sentence[1, :4], alone.sentence[0], rtol=0, atol=1e-5)


def test_attention_is_weaker_with_distance_and_ends() -> None:
    """Two heads have the slopes 1/16 and 1/256."""
    config = PocketTranslatorConfig.of_size(
        "nano",
        {**TINY, "past": 4, "ahead": 4, "n_attentions": 1},
        n_pieces=4,
        n_glosses=1,
    )
    bias = LimitedAttention(config)._bias(2)
    assert bias.shape == (2, 2, 10)
    # query 0 is frame -4; keys are frames -8 to 1
    distances = [4, 3, 2, 1, 0, 1, 2, 3, 4]
    assert bias[0, 0].tolist() == [*(-d / 16 for d in distances), FAR]
    assert bias[1, 1].tolist() == [FAR, *(-d / 256 for d in distances)]


def test_windows_share_halves() -> None:
    rows = torch.arange(-4, 8)[None, :, None]
    assert windows(rows)[0, :, :, 0].tolist() == [list(range(-4, 4)), list(range(8))]


def test_a_latent_knows_its_window_alone() -> None:
    perceiver = tiny().perceiver
    states = torch.randn(1, KEPT + 12, 16, generator=torch.Generator().manual_seed(2))
    other = states.clone()
    other[:, KEPT + 3] += 1  # frame 3: in the windows of latents 0 and 1
    seen, nothing = torch.ones(1, KEPT + 12), torch.zeros(1, KEPT + 12, 6)
    gloss = nothing.clone()
    gloss[:, KEPT + 4, 2] = 1  # frame 4: in the windows of latents 1 and 2
    with torch.no_grad():
        one = perceiver(Frames(states, seen), nothing)[0][0]
        two = perceiver(Frames(other, seen), nothing)[0][0]
        three = perceiver(Frames(states, seen), gloss)[0][0]
    assert (one != two).any(dim=1).tolist() == [True, True, False]
    assert (one != three).any(dim=1).tolist() == [False, True, True]


def test_gloss_losses_by_hand() -> None:
    """Clip 0: two frames, one gloss of three labels, shown by the second. Clip 1: no gloss."""
    probabilities = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
    scores = probabilities.log().expand(2, -1, -1)
    glosses = Glosses(
        torch.tensor([[1], [NO_TOKEN]]), torch.tensor([[0, 1], [NOT_KNOWN, NOT_KNOWN]])
    )
    ctc, frames = gloss_losses(scores, torch.ones(2, 2, dtype=torch.long), glosses)
    paths = 0.5 * 0.6 + 0.3 * 0.1 + 0.3 * 0.6  # blank gloss, gloss blank, gloss gloss
    assert ctc.item() == pytest.approx(-math.log(paths), rel=1e-5)
    assert frames.item() == pytest.approx(-(math.log(0.5) + math.log(0.6)) / 2, rel=1e-5)
    nothing = Glosses(torch.full((2, 1), NO_TOKEN), torch.full((2, 2), NOT_KNOWN))
    assert [t.item() for t in gloss_losses(scores, torch.ones(2, 2), nothing)] == [0, 0]


def test_agreement_loss_by_hand() -> None:
    """Two clips, each seen twice: the first of two glosses and two frames, the second idle."""
    frame_mask = torch.tensor([[1.0, 1, 0], [1, 1, 1]]).repeat(2, 1)
    glosses = Glosses(torch.tensor([[1, 2], [NO_TOKEN, NO_TOKEN]]).repeat(2, 1), torch.zeros(0))
    scores = torch.tensor([0.5, 0.3, 0.2]).log().expand(4, 4, 3).clone()
    assert agreement_loss(scores, frame_mask, glosses).item() == 0
    scores[2, 0] = torch.tensor([0.2, 0.3, 0.5]).log()  # the first frame of the first, seen again
    scores[2, 2:] = torch.tensor([0.2, 0.3, 0.5]).log()  # where no frame is
    apart = 0.3 * math.log(0.5 / 0.2)
    found = agreement_loss(scores, frame_mask, glosses).item()
    assert found == pytest.approx(2 * apart / 2 * 2)  # two views, half of the frames, two glosses
    scores[3, 1] = torch.tensor([0.2, 0.3, 0.5]).log()
    more = agreement_loss(scores, frame_mask, glosses).item() - found
    assert more == pytest.approx(2 * apart / 3)


def test_an_answer_begins_with_its_question() -> None:
    """Another question about the same clip changes what is said; the true tokens come shifted."""
    model = tiny()
    heard = model.read(clips(1, 12), torch.ones(1, 12))
    labels = torch.tensor([[7, EOS, IGNORED], [7, EOS, IGNORED]])
    asked = Asked(torch.tensor([0, 0]), torch.tensor([0, 1]))
    logits = model.logits(heard, asked, labels)
    assert not torch.allclose(logits[0], logits[1])
    ids = torch.tensor([[30, 7, EOS], [31, 7, EOS]])
    plain = model.language_model(
        encoder_outputs=(heard.sentence[[0, 0]],),
        attention_mask=heard.mask[[0, 0]],
        decoder_input_ids=ids,
    ).logits
    torch.testing.assert_close(logits, plain)


def test_greedy_steps_say_what_generate_says() -> None:
    model = tiny(d_model=32)
    assert model.config.n_layers != model.config.n_decoder_layers
    torch.manual_seed(5)
    with torch.no_grad():  # else every token is followed by itself
        for name, p in model.language_model.named_parameters():
            if "decoder.block" in name and p.ndim == 2:
                p.normal_(0, 0.4)
    heard = model.read(clips(1, 33), torch.ones(1, 33))
    graphs = graphs_of(model, n_latents=12, max_tokens=10)
    latents, mask = torch.zeros(1, 12, 32), torch.zeros(1, 12)
    latents[:, :9], mask[:, :9] = heard.latents, heard.mask
    said = []
    for question in (0, 1):
        asked = Asked(torch.tensor([0]), torch.tensor([question]))
        expected = model.generate(heard, asked, n_beams=1, max_tokens=10)[0].tolist()
        with torch.no_grad():
            said.append(greedy(graphs, latents, mask, 30 + question, EOS))
        assert said[-1] == [token for token in expected if token != EOS]
    assert said[0] != said[1] and len(set(said[0])) > 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["encode", "ctc", "read", "decode_step"])
def test_each_graph_can_be_exported(name: str) -> None:
    graph = graphs_of(tiny(n_blocks=2), n_latents=12, max_tokens=10)[name]
    exported = torch.export.export(graph.module, graph.example, strict=False).module()
    generator = torch.Generator().manual_seed(4)
    inputs = tuple(
        torch.randn(x.shape, generator=generator) if x.is_floating_point() else x
        for x in graph.example
    )
    expected, got = graph.module(*inputs), exported(*inputs)
    one = isinstance(expected, torch.Tensor)
    expected, got = ((expected,), (got,)) if one else (expected, got)
    assert len(expected) == len(graph.outputs) and len(inputs) == len(graph.inputs)
    for a, b in zip(expected, got, strict=True):
        torch.testing.assert_close(a, b)
    for name_of_state in set(graph.inputs) & set(graph.outputs):
        shape = graph.example[graph.inputs.index(name_of_state)].shape
        assert expected[graph.outputs.index(name_of_state)].shape == shape


@pytest.mark.parametrize(
    ("size", "changes", "says"),
    [
        ("huge", {}, "known: nano, small, base"),
        ("nano", {"widht": 8}, "has no widht; known: questions, width"),
        ("nano", {"n_attentions": 3}, "look-ahead of 12 frames"),
        ("nano", {"ahead": 0}, "look-ahead of 0 frames"),
        ("nano", {"n_heads": 5}, "5 heads cannot share a width of 192"),
        ("nano", {"past": 2}, "with a past of 4 frames"),
    ],
)
def test_a_size_that_cannot_be_is_one_line(size: str, changes: dict, says: str) -> None:
    with pytest.raises(ValueError) as error:
        PocketTranslatorConfig.of_size(size, changes, n_pieces=10, n_glosses=2)
    assert says in str(error.value) and "\n" not in str(error.value)
