"""Batch normalisation over processes: two with a part of the batch each equal one with all of it.

Started with a rank and a folder, this file is one of the two processes.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from fingerpost.trainer.models.batch_norm import normalised
from fingerpost.trainer.models.graph import GraphBlock, distance_partition

SHARES = ((0, 3), (3, 8))  # of eight clips, each process's
K, B, T, C = 3, 8, 5, 4


def blocks() -> nn.Sequential:
    """Two graph blocks: batch normalisation after graph, temporal and residual convolutions."""
    torch.manual_seed(0)
    graph = distance_partition(K, [(0, 1), (1, 2)])
    model = nn.Sequential(GraphBlock(graph, C, 6, kernel=3), GraphBlock(graph, 6, 6, kernel=3))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    model[1].temporal_norm.momentum = None  # the plain mean over batches
    return model.double()  # so that no ReLU flips by rounding


def clips() -> Tensor:
    """Shape (K, B, T, C), far from zero and each clip elsewhere."""
    torch.manual_seed(1)
    return torch.randn(K, B, T, C, dtype=torch.double) + torch.arange(B)[:, None, None] + 5


def results(begin: int, end: int) -> dict[str, Tensor]:
    """Two steps of these clips: outputs, gradients, running averages."""
    model, x = blocks(), clips()[:, begin:end].requires_grad_()
    for step in (1, 2):
        y = model(step * x)
        (y.square() * torch.arange(1, T + 1)[:, None]).sum().backward()
    grads = {f"grad of {name}": p.grad for name, p in model.named_parameters()}
    averages = dict(model.named_buffers())
    plain = normalised(nn.BatchNorm1d(C), clips()[:, begin:end].float())
    halves = normalised(nn.BatchNorm1d(C), clips()[:, begin:end].bfloat16())
    own = {"output": y.detach(), "grad of x": x.grad, "plain": plain.detach(), "halves": halves}
    return {**own, **grads, **averages}


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/met", rank=rank, world_size=2)
    found = results(*SHARES[rank])
    dist.destroy_process_group()
    torch.save({name: value.detach() for name, value in found.items()}, folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    commands = [[sys.executable, __file__, str(rank), str(folder)] for rank in (0, 1)]
    processes = [subprocess.Popen(c, stderr=subprocess.PIPE, text=True) for c in commands]
    try:
        for process in processes:
            _, errors = process.communicate()
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()  # one whose partner has failed would wait for it
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


def test_outputs_and_gradients_of_clips_are_those_of_one_process(both):
    expected = results(0, B)
    for name in ("output", "grad of x", "plain"):
        found = torch.cat([part[name] for part in both], dim=1)
        assert torch.allclose(found, expected[name], rtol=1e-5, atol=1e-5), name
    halves = torch.cat([part["halves"] for part in both], dim=1)
    assert halves.dtype == torch.bfloat16
    assert torch.allclose(halves.float(), expected["plain"], atol=0.05)


def test_gradients_of_parameters_add_up_to_those_of_one_process(both):
    expected = results(0, B)
    names = [name for name in expected if name.startswith("grad of ") and name != "grad of x"]
    assert len(names) == 22
    for name in names:
        found = both[0][name] + both[1][name]
        assert torch.allclose(found, expected[name], rtol=1e-5, atol=1e-8), name


def test_running_averages_are_those_of_one_process_and_equal_on_both(both):
    expected = results(0, B)
    names = [name for name in expected if "running" in name or "tracked" in name]
    assert len(names) == 15
    for name in names:
        assert torch.equal(both[0][name], both[1][name]), name
        assert torch.allclose(both[0][name], expected[name], rtol=1e-5), name


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
