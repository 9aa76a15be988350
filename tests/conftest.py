"""What tests of training share: clips that can be learned in seconds."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """On a busy machine, a network so small spends its time waking a second thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 clips: the right hand goes one of four ways; lengths differ, all tremble a little."""
    from fingerpost.trainer.shards import ShardsAbout, write_shards

    folder = tmp_path_factory.mktemp("data") / "ways"
    write_shards(folder, clips_of_ways(), ShardsAbout(corpus="ways", schema="sign69"))
    return folder


@pytest.fixture(scope="session")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny pocket translator's checkpoint, untrained, but with scores far enough apart to say
    many things of the first three sentences of the rendered signer."""
    import torch

    from fingerpost.edge_runtime.gloss_search import pairs_of
    from fingerpost.trainer.checkpoint import save_checkpoint
    from fingerpost.trainer.signer_corpus import make_clip
    from fingerpost.trainer.tasks.pocket_translation import PocketTranslation, Settings
    from fingerpost.trainer.text_tokenizer import train_tokenizer

    torch.manual_seed(1)
    clips = [make_clip("val", number) for number in range(3)]
    glosses = sorted({gloss for clip in clips for gloss in clip.glosses})
    tokenizer = train_tokenizer([clip.text for clip in clips] + glosses, 90)
    pairs = pairs_of([glosses.index(gloss) + 1 for gloss in clip.glosses] for clip in clips)
    settings, questions = Settings(max_tokens=12), ("English", "glosses")
    task = PocketTranslation(settings, tokenizer, glosses, questions, pairs)
    model = task.new_model(
        {
            **{"width": 32, "n_blocks": 2, "n_heads": 2, "past": 16, "d_model": 32, "d_ff": 32},
            **{"d_kv": 16, "n_reader_heads": 2, "n_layers": 1, "n_decoder_layers": 1},
            **{"n_perceiver_layers": 1, "dropout": 0.0},
        }
    ).eval()
    with torch.no_grad():
        model.gloss_head.weight.mul_(8)
        model.language_model.get_output_embeddings().weight.mul_(3)
    folder = tmp_path_factory.mktemp("talkative")
    info = {"task": "pocket_translation", **task.save(folder), "data": {"signer": "0"}}
    save_checkpoint(folder, model, info, {"validation": {"text.bleu4": 1.0}})
    return folder


def clips_of_ways() -> Iterator:
    from fingerpost.trainer.shards import Clip

    rng = np.random.default_rng(0)
    at_rest = rng.uniform(0.3, 0.7, (1, 69, 3))
    at_rest[0, SIGN69.index("left_shoulder"), :2] = 0.7, 0.4
    at_rest[0, SIGN69.index("right_shoulder"), :2] = 0.3, 0.4
    ways = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
    for i in range(24):
        gloss = list(ways)[i % 4]
        n_frames = int(rng.integers(8, 20))
        xyz = np.tile(at_rest, (n_frames, 1, 1))
        xyz += rng.normal(0, 0.01, xyz.shape)
        hand = SIGN69.groups["right_hand"]
        xyz[:, hand, :2] += np.linspace(0, 0.2, n_frames)[:, None, None] * ways[gloss]
        seen = np.ones((n_frames, 69), np.float32)
        sequence = PoseSequence(xyz.astype(np.float32), seen, 25.0, SIGN69, aspect=4 / 3)
        split = "val" if i >= 16 else "train"
        text = f"the hand goes {gloss}"
        yield Clip(f"clip{i}", f"signer{i % 3}", split, (gloss,), text, "ase", "en", sequence)
