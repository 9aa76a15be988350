"""Real hand landmarks: the slots are in detection order, and still come out as left and right."""

import os
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.corpora.wlasl_hands import FILE, read_wlasl_hands

LEFT, RIGHT = SIGN69.groups["left_hand"], SIGN69.groups["right_hand"]
DATA = Path(os.environ.get("FINGERPOST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def hand(wrist_x: float, left: bool, rng: np.random.Generator) -> np.ndarray:
    """An upright hand of 21 points, palm to the camera: the thumb is on the side it must be."""
    fan = np.linspace(-1, 1, 5)[:, None] * np.linspace(0.2, 1, 4)[None] * 0.05
    rise = np.linspace(0.05, 0.16, 4)[None].repeat(5, axis=0)
    points = np.stack([-fan if left else fan, -rise, np.zeros_like(fan)], axis=-1).reshape(20, 3)
    # Seen from the camera, the signer's right hand has its thumb on the right of the picture.
    points[:, 0] *= -1
    points = np.concatenate([np.zeros((1, 3)), points]) + rng.normal(0, 0.002, (21, 3))
    return (points + [wrist_x, 0.6, 0]).astype(np.float32)


@pytest.fixture
def release(tmp_path) -> Path:
    """40 made-up clips of 20 frames: both hands, in slots that change places at random."""
    rng = np.random.default_rng(0)
    clips = []
    for _ in range(40):
        for _ in range(20):
            pair = [hand(0.3, False, rng), hand(0.7, True, rng)]
            clips.append(np.stack(pair[:: 1 if rng.random() < 0.5 else -1]))
    frames = np.stack(clips)
    frames[:2] = -1  # nobody yet in the first clip
    frames[20:22, 0] = hand(0.05, True, rng)  # a ghost of one hand in the second
    frames[20:22, 1] = -1
    frames[22:24] = -1
    path = tmp_path / "hands.npz"
    np.savez(
        path,
        X=frames.astype(np.float16),
        offsets=np.arange(41) * 20,
        label=np.arange(40, dtype=np.int16) % 4,
        signer=np.zeros(40, np.int16),
        split=np.array(["train", "val"] * 20),
        fps=np.full(40, 25, np.int16),
        video_id=np.array([f"{i:05d}" for i in range(40)]),
        gloss_names=np.array(["book", "drink", "go", "who"]),
    )
    return path


def test_hands_are_told_apart_whatever_their_slot(release):
    corpus = read_wlasl_hands(release)
    assert len(corpus.sequences) == 40
    for sequence in corpus.sequences:
        seen = (sequence.confidence[:, LEFT.start] > 0) & (sequence.confidence[:, RIGHT.start] > 0)
        assert seen.sum() >= 16
        assert (sequence.xyz[seen, LEFT.start, 0] > sequence.xyz[seen, RIGHT.start, 0]).all()


def test_frames_without_a_hand_and_ghosts_are_not_seen(release):
    first, second = read_wlasl_hands(release).sequences[:2]
    assert not first.confidence[:2].any() and first.confidence[2:].any()
    assert not second.confidence[:4].any() and second.confidence[4:].any()
    assert first.xyz[..., :2].min() >= 0  # the file's -1 never gets through


def test_a_subset_is_what_was_asked_for(release):
    corpus = read_wlasl_hands(release, n_glosses=2, split="val")
    assert set(corpus.split) == {"val"} and max(corpus.label) < 2
    assert len(corpus.sequences) == len(corpus.label) > 0


def test_an_empty_split_and_a_missing_file_are_one_line_errors(release, tmp_path):
    with pytest.raises(ValueError, match="splits: .*train"):
        read_wlasl_hands(release, 4, "test")
    with pytest.raises(FileNotFoundError, match="WLASL hands"):
        read_wlasl_hands(tmp_path / "nothing.npz")


def test_the_demo_pack_reads_real_signs(capsys):
    """Single signs of WLASL's val part, by the glosses that the translator shows live.

    A clip's glosses are ranked by the sum of their shares in its frames; all the pack's glosses
    compete, so chance is 1 in 161.
    """
    from fingerpost.edge_runtime.gloss_search import GlossSearch, log_softmax
    from fingerpost.edge_runtime.live_glosses import BLANK
    from fingerpost.edge_runtime.pack import bundled_pack, open_pack
    from fingerpost.edge_runtime.translator import Translator

    file, folder = DATA / "wlasl_hands" / FILE, bundled_pack()
    if not file.is_file():
        pytest.skip(f"no WLASL hands at {file}: set FINGERPOST_DATA")
    if folder is None:
        pytest.skip("this copy was built without the bundled pack")
    translator = Translator(open_pack(folder))
    search = GlossSearch(translator.gloss_order)
    corpus, ranks, alone = read_wlasl_hands(file, split="val"), [], []
    for clip, label in zip(corpus.sequences, corpus.label, strict=True):
        if corpus.glosses[label] not in translator.glosses:
            continue
        sentence = translator.begin()
        sentence.push_keypoints(translator.keypoints_of(clip))
        sentence.end()
        scores = np.stack(sentence.scores)
        shares = np.exp(log_softmax(scores)).sum(axis=0)
        right = translator.glosses.index(corpus.glosses[label]) + BLANK + 1
        ranks.append(int((np.delete(shares, BLANK) > shares[right]).sum()))
        alone.append([sign.label for sign in search.signs(scores)] == [right])
    translator.close()
    top1, top5 = np.mean(np.array(ranks) < 1), np.mean(np.array(ranks) < 5)
    with capsys.disabled():
        print(f"\nWLASL val, {len(ranks)} clips: top-1 {top1:.1%}, top-5 {top5:.1%}", end="")
        print(f"; that gloss and no other {np.mean(alone):.1%}")
    assert len(ranks) >= 200
    assert top1 >= 0.5
    assert top5 >= 0.8
    assert np.mean(alone) >= 0.3


def test_the_pack_of_single_signs_reads_real_signs(capsys):
    """Every fourth clip of WLASL's val part by itself; 1,998 glosses compete."""
    from fingerpost.edge_runtime.pack import bundled_pack, open_pack
    from fingerpost.edge_runtime.recogniser import Recogniser

    file, folder = DATA / "wlasl_hands" / FILE, bundled_pack("signs")
    if not file.is_file():
        pytest.skip(f"no WLASL hands at {file}: set FINGERPOST_DATA")
    if folder is None:
        pytest.skip("this copy was built without the bundled pack")
    pack = open_pack(folder)
    recogniser, corpus = Recogniser(pack), read_wlasl_hands(file, split="val")
    ranks = []
    for clip, label in list(zip(corpus.sequences, corpus.label, strict=True))[::4]:
        ranked = np.argsort(-recogniser.probabilities(clip))
        order = [pack.vocabulary[k] for k in ranked]
        gloss = corpus.glosses[label]  # two have no clip to learn from, and are always wrong
        ranks.append(order.index(gloss) if gloss in order else len(order))
    top1, top5 = np.mean(np.array(ranks) < 1), np.mean(np.array(ranks) < 5)
    with capsys.disabled():
        print(f"\nWLASL2000 val, {len(ranks)} clips: top-1 {top1:.1%}, top-5 {top5:.1%}", end="")
    assert len(ranks) >= 500
    assert top1 >= 0.35 and top5 >= 0.7
