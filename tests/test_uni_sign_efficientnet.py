"""EfficientNet-B0: torchvision's names and sizes, and the numbers of an independent one."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fingerpost.trainer.models.efficientnet import EfficientNetB0, read_image_net_weights


@pytest.fixture(scope="module")
def network():
    """With nothing at its initial value, in eval mode."""
    torch.manual_seed(0)
    network = EfficientNetB0().eval()
    with torch.no_grad():
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.add_(0.2 * torch.rand_like(buffer))
    return network


@pytest.fixture(scope="module")
def published(network):
    """As torchvision's file: with the classifier."""
    state = {f"features.{name}": tensor for name, tensor in network.state_dict().items()}
    return state | {
        "classifier.1.weight": torch.zeros(1000, 1280),
        "classifier.1.bias": torch.zeros(1000),
    }


def test_names_shapes_and_parameters_are_torchvisions(network, published):
    # 5,288,548 is what torchvision documents for the whole, classifier included
    n_classifier = 1280 * 1000 + 1000
    assert sum(p.numel() for p in network.parameters()) == 5_288_548 - n_classifier
    for name, shape in {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.1.0.block.0.0.weight": (32, 1, 3, 3),  # the first block does not widen
        "features.1.0.block.1.fc1.weight": (8, 32, 1, 1),
        "features.2.0.block.1.0.weight": (96, 1, 3, 3),
        "features.6.3.block.3.1.running_var": (192,),
        "features.8.0.weight": (1280, 320, 1, 1),
    }.items():
        assert published[name].shape == shape
    for side, places in ((112, 4), (128, 4), (129, 5), (32, 1)):
        assert network(torch.zeros(1, 3, side, side)).shape == (1, 1280, places, places)


def test_numbers_are_those_of_transformers(network):
    """Its padding is TensorFlow's, but it can be asked to pad both sides alike."""
    from transformers import EfficientNetConfig, EfficientNetModel

    strided = [1, 3, 5, 11]  # numbers of the blocks with stride 2
    config = EfficientNetConfig(
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_dim=1280,
        batch_norm_eps=1e-5,
        depthwise_padding=strided,
    )
    other = EfficientNetModel(config).eval()
    other.embeddings.padding = nn.ZeroPad2d(1)
    ours, theirs = network.state_dict(), other.state_dict()
    assert [v.shape for v in ours.values()] == [v.shape for v in theirs.values()]
    other.load_state_dict(dict(zip(theirs, ours.values(), strict=True)))
    picture = torch.randn(1, 3, 112, 112)
    with torch.no_grad():
        expected = other(picture).last_hidden_state
        assert torch.allclose(network(picture), expected, atol=1e-6)
    assert expected.abs().max() > 0.05


def test_blocks_are_left_out_in_training_alone_and_the_mean_stays():
    torch.manual_seed(0)
    block = EfficientNetB0()[6][3].eval()  # the last with a residual
    assert block.has_residual and block.drop == pytest.approx(0.2 * 14 / 16)
    x = torch.randn(1, 192, 1, 1).expand(2000, -1, -1, -1)
    with torch.no_grad():
        whole = block(x[:1]) - x[:1]
        block.training = True  # its batch normalisations stay in eval mode
        found = block(x) - x
    kept = found.flatten(1).any(dim=1)
    assert kept.float().mean() == pytest.approx(1 - block.drop, abs=0.03)
    assert torch.allclose(found[kept][:1], whole / (1 - block.drop), atol=1e-5)


def test_published_weights_load_from_both_kinds_of_file(network, published, tmp_path):
    torch.save(published, tmp_path / "b0.pth")
    save_file(published, tmp_path / "b0.safetensors")
    for name in ("b0.pth", "b0.safetensors"):
        state = read_image_net_weights(tmp_path / name)
        again = EfficientNetB0().eval()
        again.load_state_dict(state)
        picture = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            assert torch.equal(again(picture), network(picture))


def test_other_files_are_a_one_line_error(published, tmp_path):
    file = tmp_path / "b0.pth"
    with pytest.raises(FileNotFoundError):
        read_image_net_weights(file)
    missing = {k: v for k, v in published.items() if k != "features.8.0.weight"}
    for content, message in (
        (missing, "8.0.weight"),
        (published | {"features.9.weight": torch.zeros(1)}, "9.weight"),
        ({"features.0.0.weight": torch.zeros(1)}, "torchvision"),
        ({"features.0.0.weight": "text"}, "not a tensor"),
        ([1, 2], "no checkpoint"),
    ):
        torch.save(content, file)
        with pytest.raises(ValueError, match=message):
            read_image_net_weights(file)
    (tmp_path / "b0.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="plain tensors"):
        read_image_net_weights(tmp_path / "b0.safetensors")
