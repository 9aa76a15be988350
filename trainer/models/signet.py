"""SIGNET: frozen experts of several sign languages, mixed clip by clip for one more.

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation" (Asasi,
Mercanoglu Sincan, Bowden), Sec. 3.4 to 3.8; the parts that learn are in ``signet_routing``. An
expert is the pose encoder of a ``UniSign`` that Stage I trained (Sec. 3.3), with ``placed = false``
as the paper's backbone is, or an imported Uni-Sign. How the language model reads frames and writes
text is Uni-Sign's.

Tables 11 and 12 are the shared pose encoder, which has as many parameters as they say, 5.3 million.
Where the paper is silent, or this departs from it:
- the keypoints are those of ``preprocess_uni_sign``: the groups, roots and threshold of Appendix A,
  and what the paper does not give, the square in which the body is placed, as Uni-Sign has it;
- Table 11 lists a temporal kernel of 1 in the spatial stages: there is no layer for it, or the
  parameters would be more than the 5.3 million; no dropout in the stages, its rate is not given;
- the language model reads Uni-Sign's prompt before the frames, as it did in Stage I; v of Eq. 9 is
  the mean of the states of the frames alone;
- the learned temperature of Eq. 9 never falls below 0.01, or one batch could blow it up;
- the running averages of batch normalisation are frozen with the experts;
- after its end a clip holds its last frame for as long as an expert hears, as one does in a batch
  with a longer clip. So what an expert sees of a clip never depends on its batch, and a device,
  whose graphs take a fixed number of frames, sees the same.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import GROUPS
from fingerpost.trainer.models.common import N_TEMPORAL, TEMPORAL_KERNEL, PoseEncoder
from fingerpost.trainer.models.fast_linear import fast_linears
from fingerpost.trainer.models.gloss_alignment import Glosses
from fingerpost.trainer.models.signet_routing import FUSIONS, PRIORS, Fusion, info_nce, priors_of
from fingerpost.trainer.models.study import Studied
from fingerpost.trainer.models.uni_sign import Losses, Prompt, UniSign, UniSignConfig
from fingerpost.trainer.models.uni_sign_rgb import HandPictures

LEAST_TEMPERATURE = 0.01  # of Eq. 9
HEARS = N_TEMPORAL * (
    TEMPORAL_KERNEL // 2
)  # 6 frames to either side, that an expert's one tells of


@dataclass(frozen=True)
class SignetConfig(UniSignConfig):
    """What is needed to build the network, without a network connection.

    experts : of each its ``name``, ``pose_widths`` and ``placed``
    k : experts that are listened to outside of training
    adapter, rank, dropout : low-rank adapters, their R and their dropout (Eq. 12)
    fusion : of ``FUSIONS``; priors : of ``PRIORS``
    temperature : of the Gumbel soft-max, Eq. 6
    contrast_temperature : that Eq. 9 starts at
    """

    experts: Sequence[Mapping[str, Any]] = ()
    k: int = 2
    adapter: bool = True
    rank: int = 16
    dropout: float = 0.1
    fusion: str = "gated"
    priors: str = "hands"
    temperature: float = 1.0
    contrast_temperature: float = 0.07

    def __post_init__(self) -> None:
        n = len(self.experts)
        limits = {
            "experts": n >= 1 and len(set(self.names)) == n,
            "k": 1 <= self.k <= max(n, 1),
            "rank": self.rank >= 1,
            "dropout": 0 <= self.dropout < 1,
            "temperature": self.temperature > 0,
            "contrast_temperature": self.contrast_temperature >= LEAST_TEMPERATURE,
            "rgb": not self.rgb,
        }
        for name, sound in limits.items():
            if not sound:
                raise ValueError(
                    f"[model] {name} cannot be {getattr(self, name)!r} with {n} experts"
                )
        for name, known in (("fusion", FUSIONS), ("priors", tuple(PRIORS))):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"[model] {name} {getattr(self, name)!r}; known: {', '.join(known)}"
                )
        if len({tuple(expert["pose_widths"])[-1] for expert in self.experts}) > 1:
            raise ValueError("experts must have one width of features: train them by one recipe")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the experts, in their order."""
        return tuple(str(expert["name"]) for expert in self.experts)


class ExpertFeatures(NamedTuple):
    """What N frozen experts see of B clips, of G groups of keypoints (``GROUPS``).

    frames : shape (B, N, T, E), Z of Sec. 3.4
    regions : shape (B, N, G, C), the mean over a clip's frames of each group's features
    """

    frames: Tensor
    regions: Tensor


class Routed(NamedTuple):
    """A loss, and the experts' shares in it, (B, N), which send no gradient back."""

    loss: Tensor | Losses
    shares: Tensor


class Experts(nn.Module):
    """N pose encoders that never learn, whatever is asked of the network around them."""

    def __init__(self, width: int, experts: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            PoseEncoder(width, widths=tuple(e["pose_widths"]), placed=bool(e["placed"]))
            for e in experts
        )
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Experts":
        """Stays in eval mode: running averages are part of what is frozen."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, keypoints: Tensor, frame_mask: Tensor) -> ExpertFeatures:
        """(B, T, 69, 3) and (B, T), 1 for a frame of the clip."""
        encoders: Any = self.encoders.eval()  # the loop sets batch normalisation by itself
        seen = [features_of(encoder, keypoints, frame_mask) for encoder in encoders]
        frames, regions = zip(*seen, strict=True)
        return ExpertFeatures(torch.stack(frames, dim=1), torch.stack(regions, dim=1))


class Signet(UniSign):
    """(B, T, 69, 3) keypoints, or what the experts saw of them, to the loss or to text."""

    config: SignetConfig

    def __init__(self, config: SignetConfig, language_model: nn.Module | None = None) -> None:
        super().__init__(config, language_model)
        width = self.language_model.config.d_model
        n_features = tuple(config.experts[0]["pose_widths"])[-1]
        self.fusion = Fusion(
            len(config.experts),
            width,
            len(PRIORS[config.priors]) * n_features,
            config.k,
            config.fusion,
            config.rank if config.adapter else 0,
            config.dropout,
            config.temperature,
        )
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.contrast_temperature)))
        fast_linears(self.fusion)

    @classmethod
    def of_experts(cls, experts: Mapping[str, UniSign], reader: UniSign, **fields: Any) -> "Signet":
        """From checkpoints of Stage I, by name, and the one whose language model goes on.

        The reader's language model is taken over, not copied.

        fields : of ``SignetConfig``, but for the experts. ValueError where experts do not fit.
        """
        check_experts(experts, reader)
        config = SignetConfig(
            language_model=reader.config.language_model,
            tied=reader.config.tied,
            experts=[expert_fields(name, one.config) for name, one in experts.items()],
            **fields,
        )
        model = cls(config, reader.language_model)
        for encoder, expert in zip(model.poses.encoders, experts.values(), strict=True):
            encoder.load_state_dict(expert.poses.state_dict())
        return model

    def _new_poses(self, width: int, length: float) -> nn.Module:
        return Experts(width, self.config.experts)

    def fused(
        self, keypoints: Tensor | ExpertFeatures, frame_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the language model reads, (B, T, E), and the experts' shares, (B, N).

        keypoints : shape (B, T, 69, 3), or what the experts saw, so that they need not be run
        """
        seen = keypoints
        if isinstance(seen, Tensor):
            seen = self.poses(seen, frame_mask)
        priors = priors_of(seen.regions, PRIORS[self.config.priors], GROUPS)
        return self.fusion(seen.frames, priors)

    def forward(  # type: ignore[override]
        self,
        keypoints: Tensor | ExpertFeatures,
        frame_mask: Tensor,
        prompt: Prompt,
        labels: Tensor | None = None,
        hands: HandPictures | None = None,
        glosses: Glosses | None = None,
        texts: Tensor | None = None,
    ) -> Routed:
        """Eq. 10; with texts, Eq. 9 instead.

        texts : shape (R, H), of a frozen text encoder; the rest as ``UniSign`` has it
        """
        fused, shares = self.fused(keypoints, frame_mask)
        if texts is not None:
            loss: Any = self._contrast(fused, frame_mask, prompt, texts).mean()
        else:
            loss = super().forward(fused, frame_mask, prompt, labels, hands, glosses)
        return Routed(loss, shares.detach())

    def contrast(
        self,
        keypoints: Tensor | ExpertFeatures,
        frame_mask: Tensor,
        prompt: Prompt,
        texts: Tensor,
    ) -> Tensor:
        """Eq. 9 clip by clip, (R,); the batch is what each clip has to be told from."""
        return self._contrast(self.fused(keypoints, frame_mask)[0], frame_mask, prompt, texts)

    def _contrast(self, fused: Tensor, frame_mask: Tensor, prompt: Prompt, texts: Tensor) -> Tensor:
        read, mask = self._read(fused, frame_mask, prompt)
        n_words = prompt.ids.shape[1]
        of_frames = mask[:, n_words:, None].to(read.dtype)
        signing = (read[:, n_words:] * of_frames).sum(dim=1) / of_frames.sum(dim=1)  # v, (R, H)
        temperature = self.log_temperature.exp().clamp(min=LEAST_TEMPERATURE)
        return info_nce(signing, texts, temperature)

    def study(
        self,
        answers: Sequence[Tensor],
        keypoints: Tensor | ExpertFeatures,
        frame_mask: Tensor,
        prompt: Prompt,
        hands: HandPictures | None = None,
    ) -> Studied:
        """As ``UniSign.study``."""
        fused, _ = self.fused(keypoints, frame_mask)
        return super().study(answers, fused, frame_mask, prompt, hands)

    def embed(
        self,
        keypoints: Tensor | ExpertFeatures,
        frame_mask: Tensor,
        prompt: Prompt,
        hands: HandPictures | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As ``UniSign.embed``: the prompt, then the frames."""
        fused, _ = self.fused(keypoints, frame_mask)
        return super().embed(fused, frame_mask, prompt, hands)

    def _read_frames(self, keypoints: Tensor, hands: HandPictures | None) -> Tensor:
        """Frames that ``fused`` made already."""
        if hands is not None:
            raise ValueError("SIGNET has no use for pictures of hands: leave settings.hands empty")
        return keypoints


def features_of(
    encoder: PoseEncoder, keypoints: Tensor, frame_mask: Tensor
) -> tuple[Tensor, Tensor]:
    """One expert's frames (B, T, E), and the mean (B, G, C) of each region (Eq. 1, 2 and 4).

    keypoints : shape (B, T, 69, 3); a shorter clip holds its last frame, as ``pad_clips`` has it
    """
    held = keypoints[:, -1:].expand(-1, HEARS, *keypoints.shape[2:])
    regions = encoder.regions(torch.cat([keypoints, held], dim=1))[:, :-HEARS]  # (B, T, G C)
    real = frame_mask[..., None].to(regions.dtype)
    means = (regions * real).sum(dim=1) / real.sum(dim=1)
    return encoder.joined(regions), means.unflatten(-1, (len(GROUPS), -1))


def check_experts(experts: Mapping[str, UniSign], reader: UniSign) -> None:
    """ValueError, in one line, where one cannot stand beside the others before this reader."""
    width = reader.language_model.config.d_model
    for name, expert in experts.items():
        if expert.config.rgb:
            raise ValueError(f"expert {name} looks at pictures of hands; give a pose-only one")
        if expert.poses.projection.out_features != width:
            raise ValueError(
                f"expert {name} gives {expert.poses.projection.out_features} numbers a frame, the "
                f"language model reads {width}: give experts of one width"
            )


def expert_fields(name: str, config: UniSignConfig) -> dict[str, Any]:
    """What ``SignetConfig.experts`` says of one."""
    return {"name": name, "pose_widths": list(config.pose_widths), "placed": config.placed}


def with_changes(config: SignetConfig, **fields: Any) -> SignetConfig:
    """Another training's [model] on a checkpoint's config. ValueError for a field it has not."""
    of_others = {*UniSignConfig.__dataclass_fields__, "experts"} - {"label_smoothing"}
    known = [name for name in SignetConfig.__dataclass_fields__ if name not in of_others]
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise ValueError(f"[model] has no {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return replace(config, **fields)
