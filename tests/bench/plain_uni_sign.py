"""Uni-Sign written the plain way, to compare with: one group after the other over (B, C, T, K).

Graph convolutions are 1x1 ``Conv2d`` and an einsum, and the language model computes a loss of its
own. Modules are named as in the published checkpoints, so ``state_dict()`` has their layout.
"""

from typing import Any

import torch
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import GROUPS, SIGN69
from fingerpost.trainer.models.common import PART_OF, PLACE_OF, PoseEncoder
from fingerpost.trainer.models.uni_sign import Prompt

PARTS = dict(zip(GROUPS, ("body", "left", "right", "face_all"), strict=True))


class PlainGraphConvolution(nn.Module):
    def __init__(self, adjacency: Tensor, n_in: int, n_out: int) -> None:
        super().__init__()
        self.A = nn.Parameter(adjacency.clone())
        self.conv = nn.Conv2d(n_in, 2 * n_out, 1)
        self.bn = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).unflatten(1, (2, -1))  # (B, 2, C, T, K)
        y = torch.einsum("bsctk,skl->bctl", y, self.A).contiguous()
        return torch.relu_(self.bn(y))


class PlainBlock(nn.Module):
    def __init__(self, adjacency: Tensor, n_in: int, n_out: int, kernel: int) -> None:
        super().__init__()
        self.gcn = PlainGraphConvolution(adjacency, n_in, n_out)
        self.tcn: nn.Module = nn.Identity()
        if kernel > 1:
            conv = nn.Conv2d(n_out, n_out, (kernel, 1), padding=(kernel // 2, 0))
            self.tcn = nn.Sequential(conv, nn.BatchNorm2d(n_out))
        self.residual: nn.Module = nn.Identity()
        if n_in != n_out:
            self.residual = nn.Sequential(nn.Conv2d(n_in, n_out, 1), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu_(self.tcn(self.gcn(x)) + self.residual(x))


class PlainUniSign(nn.Module):
    """(B, T, 69, 3) keypoints and a prompt to the loss, as ``UniSign``."""

    def __init__(self, language_model: Any, label_smoothing: float = 0.2) -> None:
        super().__init__()
        width = language_model.config.d_model
        ours = PoseEncoder(width)  # for its graphs alone
        self.proj_linear, self.gcn_modules = nn.ModuleDict(), nn.ModuleDict()
        self.fusion_gcn_modules = nn.ModuleDict()
        for group, part in PARTS.items():
            graph = ours.parts[PART_OF[group]].spatial[0].graph.adjacency.detach()
            spatial, temporal = nn.Sequential(), nn.Sequential()
            for i, (n_in, n_out) in enumerate(((64, 64), (64, 128), (128, 256))):
                spatial.add_module(f"layer{i}_0", PlainBlock(graph, n_in, n_out, 1))
                temporal.add_module(f"layer0_{i}", PlainBlock(graph, 256, 256, 5))
            self.proj_linear[part] = nn.Linear(3, 64)
            self.gcn_modules[part], self.fusion_gcn_modules[part] = spatial, temporal
        for modules in (self.proj_linear, self.gcn_modules, self.fusion_gcn_modules):
            modules["left"] = modules["right"]
        self.part_para = nn.Parameter(torch.zeros(1024))
        self.pose_proj = nn.Linear(1024, width)
        self.mt5_model = language_model
        self.label_smoothing = label_smoothing

    def poses(self, keypoints: Tensor) -> Tensor:
        features = []
        for group, part in PARTS.items():
            x = self.proj_linear[part](keypoints[:, :, SIGN69.groups[group]])
            x = self.gcn_modules[part](x.permute(0, 3, 1, 2))  # (B, C, T, K)
            if group == "body":
                body = x
            else:
                x = x + body[..., PLACE_OF[group], None].detach()
            features.append(self.fusion_gcn_modules[part](x).mean(-1).transpose(1, 2))
        return self.pose_proj(torch.cat(features, dim=-1) + self.part_para)

    def forward(
        self, keypoints: Tensor, frame_mask: Tensor, prompt: Prompt, labels: Tensor
    ) -> Tensor:
        words = self.mt5_model.get_input_embeddings()(prompt.ids)
        logits = self.mt5_model(
            inputs_embeds=torch.cat([words, self.poses(keypoints)], dim=1),
            attention_mask=torch.cat([prompt.mask, frame_mask], dim=1),
            labels=labels,
        ).logits
        criterion = nn.CrossEntropyLoss(label_smoothing=self.label_smoothing, ignore_index=-100)
        return criterion(logits.flatten(0, 1), labels.flatten())
