"""Found's pre-training on single signs: its losses, its switches, and lips that are never kept."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fingerpost.edge_runtime.keypoints import FOUND203, PoseSequence
from fingerpost.trainer.checkpoint import save_checkpoint
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.lip_crops import SIDE, lip_crops, lip_features, write_lip_features
from fingerpost.trainer.models.found_lips import LipReader, fused
from fingerpost.trainer.models.found_poses import masked_articulators
from fingerpost.trainer.models.found_signs import FoundSigns, FoundSignsConfig, contrastive_loss
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig
from fingerpost.trainer.shards import open_shards
from fingerpost.trainer.tasks.found_signs import FoundSignsTask, word_vectors
from fingerpost.trainer.text_tokenizer import TOKENIZER, train_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

POSES = {
    **{"view": "sign69", "channels": (4, 4, 6, 6, 6), "articulator_width": 8, "width": 16},
    **{"n_blocks": 1, "n_heads": 2, "window": 6, "dropout": 0.0},
}
READER = {
    "model_type": "mt5",
    **{"d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2},
    **{"num_layers": 1, "num_decoder_layers": 1, "dropout_rate": 0.0},
}


def signs(**fields: object) -> FoundSigns:
    torch.manual_seed(0)
    return FoundSigns(FoundSignsConfig(3, POSES, **fields))  # type: ignore[arg-type]


# Losses


def test_the_contrastive_loss_is_the_plain_sum() -> None:
    torch.manual_seed(0)
    clips, words = torch.randn(4, 5), torch.randn(3, 5)
    labels = torch.tensor([0, 2, 0, 1])
    got = contrastive_loss(clips, words[labels], labels, temperature=0.5)
    total = weights = 0.0
    for i in range(4):
        counts = [int((labels == labels[j]).sum()) for j in range(4)]
        scores = [
            float(F.cosine_similarity(clips[i], words[labels[j]], dim=0)) / 0.5 for j in range(4)
        ]
        below = sum(math.exp(scores[j]) / counts[j] for j in range(4))
        total += (math.log(below) - scores[i]) / counts[i]
        weights += 1 / counts[i]
    assert got.item() == pytest.approx(total / weights, rel=1e-5)
    # A sign that comes twice counts as one that comes once: the same clip once more is no news.
    twice = torch.cat([clips, clips[3:]]), torch.cat([labels, labels[3:]])
    more = contrastive_loss(twice[0], words[twice[1]], twice[1], temperature=0.5)
    assert more.item() == pytest.approx(got.item(), rel=1e-5)


def test_articulators_are_judged_alone_and_those_not_seen_are_not() -> None:
    model = signs(masking=False).eval()
    keypoints, labels = torch.rand(2, 6, 69, 4), torch.tensor([0, 2])
    keypoints[1, :, model.poses.view.groups["face"]] = 0  # type: ignore[union-attr]
    got = model(keypoints, labels)
    streams = model.poses.articulators(keypoints, torch.ones(2, 6))  # type: ignore[union-attr]
    each = []
    for b in range(2):
        for n in range(4 if b == 0 else 3):
            alone = model.auxiliary.pool(streams[b : b + 1, :, n], torch.ones(1, 6))  # type: ignore
            each.append(F.cross_entropy(model.head(alone), labels[b : b + 1]))
    assert got.auxiliary.item() == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)
    logits = model(keypoints)
    assert got.classification.item() == pytest.approx(F.cross_entropy(logits, labels).item())
    assert got.contrastive == 0


def test_at_most_two_articulators_are_masked() -> None:
    torch.manual_seed(0)
    masked = masked_articulators(torch.ones(400, 3, 4, 2))
    kept = masked[:, 0, :, 0].sum(dim=1)
    assert (masked == masked[:, :1, :, :1]).all()  # whole streams
    counts = [int((kept == n).sum()) for n in range(5)]
    assert counts[:2] == [0, 0] and min(counts[2:]) > 100
    assert (masked[:, 0, :, 0].mean(dim=0) - 0.75).abs().max() < 0.06


def test_every_part_of_table_2_has_a_switch() -> None:
    keypoints, labels = torch.rand(2, 6, 69, 4), torch.tensor([0, 2])
    whole = signs(word_width=5).train()(keypoints, labels)
    assert min(whole) > 0
    less = signs(auxiliary=False, masking=False).train()
    assert tuple(less(keypoints, labels))[1:] == (0, 0)
    assert torch.equal(less(keypoints, labels).classification, less(keypoints, labels)[0])
    masked = signs(auxiliary=False).train()
    assert masked(keypoints, labels)[0] != masked(keypoints, labels)[0]  # others each time


def test_words_are_the_mean_of_their_pieces(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["hello you", "you"], 30)
    numbers = {"vocab_size": len(tokenizer), "pad_token_id": 0, "eos_token_id": 1}
    model = UniSign(UniSignConfig({**READER, **numbers, "decoder_start_token_id": 0}))
    tokenizer.save_pretrained(tmp_path / TOKENIZER)
    save_checkpoint(tmp_path, model, {}, {})
    found = word_vectors(str(tmp_path), ["HELLO", "you"])
    pieces = tokenizer(["hello", "you"], add_special_tokens=False)["input_ids"]
    weight = model.language_model.get_input_embeddings().weight
    for row, ids in zip(found, pieces, strict=True):
        torch.testing.assert_close(row, weight[torch.tensor(ids)].mean(dim=0))
    with pytest.raises(ValueError, match="no language model"):
        word_vectors(str(tmp_path / "nowhere"), ["HELLO"])


# Lips


def a_face(n_frames: int, turn: float = 0.0, size: float = 1.0) -> PoseSequence:
    """Eyes 0.16 of a square picture apart, the mouth as far below; turned about it, in radians."""
    xyz = np.zeros((n_frames, len(FOUND203), 3), np.float32)
    places = {"mesh_33": -0.08 - 0.16j, "mesh_133": -0.08 - 0.16j, "mesh_61": -0.02 + 0j}
    places |= {"mesh_263": 0.08 - 0.16j, "mesh_362": 0.08 - 0.16j, "mesh_291": 0.02 + 0j}
    for name, place in places.items():
        place = 0.5 + 0.5j + place * size * np.exp(1j * turn)
        xyz[:, FOUND203.index(name), :2] = place.real, place.imag
    return PoseSequence(xyz, (xyz[..., 0] > 0).astype(np.float32), 25.0, FOUND203)


@pytest.mark.parametrize(("turn", "size"), [(0.0, 1.0), (0.4, 1.0), (-0.3, 0.6)])
def test_a_crop_has_the_mouth_in_its_middle_and_is_upright(turn: float, size: float) -> None:
    picture = np.zeros((500, 500, 3), np.uint8)
    # A bar through the mouth, to the signer's cheek, turned as the face is.
    for step in np.linspace(0, 0.06, 200):
        place = 500 * (0.5 + 0.5j + step * size * np.exp(1j * turn))
        column, row = round(place.real), round(place.imag)
        picture[row - 2 : row + 3, column - 2 : column + 3] = 255
    (crop,) = lip_crops([picture], a_face(1, turn, size))
    assert crop.shape == (SIDE, SIDE) and crop.dtype == np.uint8
    middle = SIDE // 2
    assert crop[middle, middle + 5 : middle + 25].min() > 150  # to the right, on the middle line
    assert crop[middle - 15, :].max() == 0 and crop[middle + 15, :].max() == 0
    assert crop[middle, : middle - 8].max() == 0


def test_no_face_is_black_and_pictures_belong_to_frames() -> None:
    white = np.full((40, 40, 3), 255, np.uint8)
    face = a_face(3)
    hidden = replace(face, confidence=face.confidence * np.array([[1], [0], [1]], np.float32))
    crops = list(lip_crops([white] * 3, hidden))
    assert crops[1].max() == 0 and crops[0].max() == 255
    for n in (2, 4):
        with pytest.raises(ValueError, match="pictures"):
            list(lip_crops([white] * n, face))


def test_features_in_chunks_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fingerpost.trainer.lip_crops.CHUNK", 3)
    torch.manual_seed(0)
    reader = LipReader()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (100, 100, 3), np.uint8) for _ in range(8)]
    monkeypatch.chdir(tmp_path)
    features = lip_features(pictures, a_face(8), reader)
    crops = torch.from_numpy(np.stack(list(lip_crops(pictures, a_face(8)))))
    whole = reader(crops[None])[0].numpy()
    assert features.shape == (8, 768)
    np.testing.assert_allclose(features, whole, atol=2e-3)
    assert not any(tmp_path.iterdir())  # no crop was kept
    path = write_lip_features(tmp_path / "lips", "a", features)
    np.testing.assert_array_equal(np.load(path), features)
    for bad in ("../a", "", ".."):
        with pytest.raises(ValueError, match="rename it"):
            write_lip_features(tmp_path, bad, features)
    with pytest.raises(ValueError, match="without pictures"):
        lip_features(
            [], replace(a_face(1), xyz=np.zeros((0, 203, 3)), confidence=np.zeros((0, 203))), reader
        )


def test_a_lip_reader_never_learns_and_is_loaded_by_its_own_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reader = LipReader()
    assert not any(parameter.requires_grad for parameter in reader.parameters())
    assert not reader.train().training and not reader.frontend.training
    state = {f"encoder.{name}": value for name, value in reader.state_dict().items()}
    torch.save({**state, "decoder.embed.weight": torch.zeros(3)}, tmp_path / "avsr.pth")
    loaded = LipReader.load(tmp_path / "avsr.pth")
    crops = torch.randint(0, 255, (1, 2, 96, 96), dtype=torch.uint8)
    assert torch.equal(loaded(crops), reader(crops))
    torch.save({"encoder.proj_encoder.weight": torch.zeros(768, 512)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="has no frontend"):
        LipReader.load(tmp_path / "other.pth")
    with pytest.raises(ValueError, match="expected grey crops"):
        reader(crops[0])


def test_poses_and_lips_are_added_seven_to_three() -> None:
    both = fused(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]))
    torch.testing.assert_close(both, torch.tensor([[0.7, 0.6]]))
    with pytest.raises(ValueError, match="from 0 to 1"):
        fused(both, both, 1.2)


def test_lips_are_read_by_a_backbone_of_their_own_and_fused(tmp_path: Path, shards: Path) -> None:
    rng = np.random.default_rng(0)
    for clip in open_shards(shards):
        write_lip_features(tmp_path / "lips", clip.id, rng.normal(size=(len(clip.sequence), 5)))
    clips = Clips([str(shards)], "val")
    settings = {"view": "sign69", "window": 6, "lips": str(tmp_path / "lips")}
    task = FoundSignsTask.from_data(settings, clips, None)
    poses = {name: value for name, value in POSES.items() if name != "view"}
    torch.manual_seed(0)
    by_lips = task.new_model({"poses": poses, "lips": 5}).eval()
    folder = tmp_path / "by_lips"
    save_checkpoint(folder, by_lips, {"task": "found_signs", **task.save(folder)}, {})
    prepared = [task.prepare(clips[i]) for i in range(3)]
    batch = task.batch(prepared, None, 0)
    assert batch.inputs["lips"].shape == (3, 6, 5)
    losses = task.losses(by_lips, batch)
    assert losses["classification"] > 0 and losses["auxiliary"] == 0
    by_poses = task.new_model({"poses": poses}).eval()
    both = FoundSignsTask.from_data({**settings, "fuse_with": str(folder)}, clips, None)
    with torch.no_grad():
        given = {name: batch.inputs[name] for name in ("keypoints", "lips")}
        scores = 0.7 * by_poses(**given) + 0.3 * by_lips(**given)
        said = both.predict(by_poses, batch)["isolated"]
    assert [p.said for p in said] == [task.vocabulary[i] for i in scores.argmax(dim=1)]
    info = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**info, "vocabulary": ["another"] * 4}))
    other = FoundSignsTask.from_data({**settings, "fuse_with": str(folder)}, clips, None)
    with pytest.raises(ValueError, match="knows other glosses"):
        other.predict(by_poses, batch)
    with pytest.raises(ValueError, match=r"\[model\] has no magic"):
        task.new_model({"magic": 1})
    with pytest.raises(ValueError, match="needs settings.lips"):
        FoundSignsTask.from_data({"view": "sign69", "fuse_with": "x"}, clips, None)
