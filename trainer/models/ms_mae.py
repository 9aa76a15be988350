"""MS-MAE: a masked autoencoder over streams of keypoints, trained on motion without any label.

"Improving Sign Language Understanding with a Multi-Stream Masked Autoencoder Trained on ASL
Videos" (Mo, Vo, Nakayama). Fig. 1, from left to right:

    keypoints -> streams -> cubelets -> tokens        CubeletEmbedding   Eq. 1, 2, 3
              -> those not masked -> encoder          MsMaeEncoder       Sec. 3.1
              -> with mask tokens -> decoder -> keypoints that were masked
                                                      MsMaeDecoder       Sec. 3.2

What differs, beside what ``ms_mae_streams`` lists: blocks are pre-norm (the paper does not say);
a cubelet in which a stream was not seen at all makes no token, for there is nothing in it to read
or to reconstruct, so hands alone cost no body; the decoder is not asked for such either.
"""

import contextlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from fingerpost.edge_runtime.preprocess import FILLED_CONFIDENCE
from fingerpost.trainer.models.ms_mae_streams import (
    N_POINTS,
    STREAMS,
    WEIGHTS,
    CubeletEmbedding,
    cubelets,
    positions,
    split_streams,
    tokens_with,
)

INIT_STD = 0.02


@dataclass(frozen=True)
class MsMaeConfig:
    """The defaults are the paper's (Sec. 4.1)."""

    width: int = 512
    depth: int = 8
    heads: int = 8
    decoder_depth: int = 4
    cubelet: int = 4  # frames of a token
    coordinates: int = 2  # of a keypoint: x and y, or 3 for z too
    face: bool = False
    expansion: int = 4  # of a block's perceptron
    dropout: float = 0.0
    drop_path: float = 0.0  # probability that a clip skips the last block; the first is never

    def __post_init__(self) -> None:
        if self.coordinates not in (2, 3):
            raise ValueError(f"MS-MAE reads 2 or 3 coordinates, got {self.coordinates}")
        if self.width % 2 or self.width % self.heads:
            raise ValueError(
                f"width {self.width} must be even and a multiple of {self.heads} heads"
            )
        if self.cubelet < 1 or self.depth < 1 or self.decoder_depth < 1:
            raise ValueError("cubelet, depth and decoder_depth are at least 1")

    @property
    def streams(self) -> tuple[str, ...]:
        return STREAMS if self.face else STREAMS[:-1]


class MsMaeEncoder(nn.Module):
    """Keypoints (B, T, K, 4) of ``preprocess_ms_mae`` to states (B, S, N, D), N = T / cubelet."""

    def __init__(self, config: MsMaeConfig) -> None:
        super().__init__()
        self.config = config
        kinds = dict.fromkeys(WEIGHTS[name] for name in config.streams)
        sizes = {WEIGHTS[name]: N_POINTS[name] for name in config.streams}
        self.embedding = nn.ModuleDict(
            {
                kind: CubeletEmbedding(
                    sizes[kind], config.coordinates, config.cubelet, config.width
                )
                for kind in kinds
            }
        )
        self.stream = nn.Parameter(torch.randn(len(config.streams), config.width) * INIT_STD)
        self.blocks = nn.ModuleList(blocks(config, config.depth))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, keypoints: Tensor, frame_mask: Tensor | None = None) -> Tensor:
        """States (B, S, N, D), zero where a stream was not seen.

        frame_mask : shape (B, T), bool; False for frames that only fill up. None = all are real
        """
        keypoints = only_real(keypoints, frame_mask)
        tokens, there = self.embed(keypoints).flatten(1, 2), self.seen(keypoints)
        packed = pack(tokens, there.flatten(1))
        states = self.encode(packed.tokens, packed.mask)
        return unpack(states, packed, tokens.shape[1]).unflatten(1, there.shape[1:])

    def embed(self, keypoints: Tensor) -> Tensor:
        """Tokens (B, S, N, D) of all streams, with what says when and of which stream: Eq. 3."""
        return self.embed_cubes(cubes_of(keypoints, self.config))

    def embed_cubes(self, cubes: dict[str, Tensor]) -> Tensor:
        """``embed``, of what ``cubes_of`` gave."""
        tokens = [self.embedding[WEIGHTS[name]](cube) for name, cube in cubes.items()]
        return torch.stack(tokens, dim=1) + self.places(tokens[0].shape[1])

    def places(self, n_tokens: int) -> Tensor:
        """When and of which stream a token is, (S, N, D)."""
        return positions(n_tokens, self.config.width, self.stream) + self.stream[:, None]

    def seen(self, keypoints: Tensor, frame_mask: Tensor | None = None) -> Tensor:
        """Which tokens there are, (B, S, N) bool: something of the stream was seen."""
        seen = only_real(keypoints, frame_mask)[..., -1] > 0
        return tokens_with(seen, self.config.streams, self.config.cubelet)

    def encode(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """The transformer: tokens (B, N, D) to states; a token whose mask (B, N) is False is not
        looked at. Other tokens, such as [CLS], may be put before those of ``embed``."""
        for block in self.blocks:
            tokens = block(tokens, mask)
        return self.norm(tokens)

    def last_attention(self, keypoints: Tensor, frame_mask: Tensor | None = None) -> Tensor:
        """How much each token looks at each in the last block, (B, heads, S N, S N): appendix F.

        Rows of tokens that there are add up to 1; all else is 0.
        """
        keypoints = only_real(keypoints, frame_mask)
        tokens, there = self.embed(keypoints).flatten(1, 2), self.seen(keypoints).flatten(1)
        for block in self.blocks[:-1]:
            tokens = block(tokens, there)
        last: Any = self.blocks[-1]
        weights = last.attention_weights(tokens, there)
        return weights * there[:, None, :, None]


class MsMaeDecoder(nn.Module):
    """States of the tokens that were not masked to the keypoints of those that were: Sec. 3.2."""

    def __init__(self, config: MsMaeConfig) -> None:
        super().__init__()
        self.mask_token = nn.Parameter(torch.randn(config.width) * INIT_STD)
        self.blocks = nn.ModuleList(blocks(config, config.decoder_depth))
        self.norm = nn.LayerNorm(config.width)
        self.heads = nn.ModuleDict(
            {
                WEIGHTS[name]: nn.Linear(
                    config.width, config.cubelet * N_POINTS[name] * config.coordinates
                )
                for name in config.streams
            }
        )

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Tokens (B, N, D), masked ones being the mask token with its place, to (B, N, D)."""
        for block in self.blocks:
            tokens = block(tokens, mask)
        return self.norm(tokens)


class MsMae(nn.Module):
    """Encoder and decoder; called with what is masked, it gives the loss of the reconstruction."""

    def __init__(self, config: MsMaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = MsMaeEncoder(config)
        self.decoder = MsMaeDecoder(config)

    def forward(self, keypoints: Tensor, frame_mask: Tensor, masked: Tensor) -> Tensor:
        """The loss of Sec. 3.2: squared distance, summed over a token, mean over masked tokens.

        keypoints : shape (B, T, K, 4); frame_mask : (B, T), bool
        masked : (B, S, N), bool, of ``ms_mae_masks``
        """
        errors, _ = self.errors(keypoints, frame_mask, masked)
        return errors.sum() / max(1, len(errors))

    def errors(
        self, keypoints: Tensor, frame_mask: Tensor, masked: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Squared distances (M,) of the masked tokens, stream by stream, and each one's clip (M,).

        Only points that were seen count, and tokens that have one.
        """
        keypoints = only_real(keypoints, frame_mask)
        cubes = cubes_of(keypoints, self.config)
        states = self.reconstruct(cubes, self.encoder.seen(keypoints), masked)  # (B, S, N, D)
        asked = masked & wanted_tokens(keypoints, self.config)
        errors, clips = [], []
        for i, (name, cube) in enumerate(cubes.items()):
            hit = asked[:, i]
            truth, counts = target_of(cube[hit])  # (M, cubelet, K, C), (M, cubelet, K, 1)
            said = self.decoder.heads[WEIGHTS[name]](states[:, i][hit]).float().view_as(truth)
            errors.append(((said - truth) * counts).square().flatten(1).sum(1))
            clips.append(hit.nonzero()[:, 0])
        return torch.cat(errors), torch.cat(clips)

    def reconstruct(self, cubes: dict[str, Tensor], there: Tensor, masked: Tensor) -> Tensor:
        """What the decoder says of each token, (B, S, N, D); its heads make keypoints of it.

        cubes : of ``cubes_of``; there : (B, S, N), bool, tokens with anything in them
        """
        tokens = self.encoder.embed_cubes(cubes)
        visible = pack(tokens.flatten(1, 2), (there & ~masked).flatten(1))
        states = self.encoder.encode(visible.tokens, visible.mask)
        n_tokens = there[0].numel()  # S N
        unmasked = unpack(states, visible, n_tokens).view_as(tokens)
        canvas = torch.where(masked[..., None], self.decoder.mask_token, unmasked)
        canvas = canvas + self.encoder.places(tokens.shape[2])
        asked = pack(canvas.flatten(1, 2), there.flatten(1))
        answers = self.decoder(asked.tokens, asked.mask)
        return unpack(answers, asked, n_tokens).view_as(tokens)


def cubes_of(keypoints: Tensor, config: MsMaeConfig) -> dict[str, Tensor]:
    """Each stream of (B, T, K, 4) in cubelets, (B, N, cubelet, K of stream, coordinates + 1)."""
    streams = split_streams(keypoints, config.streams, config.coordinates)
    return {name: cubelets(frames, config.cubelet) for name, frames in streams.items()}


def target_of(cube: Tensor) -> tuple[Tensor, Tensor]:
    """What is to be reconstructed of a stream's cubelets: (..., K, C), and what counts (..., K, 1).

    What ``fill_gaps`` put there is a guess, and nothing to learn from: it does not count.
    """
    cube = cube.float()
    return cube[..., :-1], (cube[..., -1:] > FILLED_CONFIDENCE).float()


def wanted_tokens(keypoints: Tensor, config: MsMaeConfig) -> Tensor:
    """Which tokens can be asked for, (B, S, N) bool: those with a point that counts."""
    counts = keypoints[..., -1] > FILLED_CONFIDENCE
    return tokens_with(counts, config.streams, config.cubelet)


class Packed(NamedTuple):
    """tokens : (B, M, D), those wanted of each clip first; M = the most that a clip has
    real : (B, M), bool, which of them were wanted; None = all
    rows : (B, M), int, each one's place in the flat list of all B N tokens; None = as they were
    """

    tokens: Tensor
    real: Tensor | None
    rows: Tensor | None

    @property
    def mask(self) -> Tensor | None:
        """What may be looked at, (B, M). Of a clip without any token the first, which is zeros:
        a softmax over nothing has no value."""
        if self.real is None:
            return None
        nobody = ~self.real.any(dim=1, keepdim=True)
        first = torch.arange(self.real.shape[1], device=self.real.device) == 0
        return self.real | (nobody & first)


def pack(tokens: Tensor, wanted: Tensor) -> Packed:
    """The tokens wanted alone, (B, N, D) by (B, N) bool: what is left out then costs nothing."""
    if torch.compiler.is_compiling():  # a graph's shapes are fixed: nothing is left out
        return Packed(tokens * wanted[..., None], wanted, None)
    b, n, d = tokens.shape
    counts = wanted.sum(dim=1)
    most = max(1, int(counts.max()))
    order = wanted.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :most]
    rows = order + n * torch.arange(b, device=tokens.device)[:, None]
    kept = tokens.reshape(b * n, d)[rows.flatten()].view(b, most, d)
    if int(counts.min()) == most:
        return Packed(kept, None, rows)
    real = torch.arange(most, device=tokens.device) < counts[:, None]
    return Packed(kept * real[..., None], real, rows)


def unpack(states: Tensor, packed: Packed, n_tokens: int) -> Tensor:
    """States (B, M, D) at the places of their tokens, (B, N, D); zeros elsewhere."""
    if packed.real is not None:
        states = states * packed.real[..., None]
    if packed.rows is None:
        return states
    b, _, d = states.shape
    flat = states.new_zeros(b * n_tokens, d)
    return flat.index_copy(0, packed.rows.flatten(), states.flatten(0, 1)).view(b, n_tokens, d)


def only_real(keypoints: Tensor, frame_mask: Tensor | None) -> Tensor:
    """Keypoints (B, T, K, C) without the frames that only fill up, (B, T): those become zeros."""
    return keypoints if frame_mask is None else keypoints * frame_mask[..., None, None]


def blocks(config: MsMaeConfig, depth: int) -> list["Block"]:
    """As many blocks; the later one is, the more often a clip skips it."""
    return [Block(config, config.drop_path * i / max(1, depth - 1)) for i in range(depth)]


class Block(nn.Module):
    """Self-attention, then a two-layer perceptron: each normed first, and added to its input."""

    def __init__(self, config: MsMaeConfig, drop_path: float) -> None:
        super().__init__()
        width = config.width
        self.n_heads, self.drop_path = config.heads, drop_path
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, config.expansion * width),
            nn.GELU(),
            nn.Linear(config.expansion * width, width),
        )
        self.dropout = nn.Dropout(config.dropout)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, N, D) to (B, N, D); mask : (B, N), bool, True for what is looked at."""
        q, k, v = self._heads(x)
        looked_at = None if mask is None else mask[:, None, None, :]
        with _fastest(q):
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=looked_at)  # (B, H, N, D / H)
        x = x + self._dropped(self.out(mixed.transpose(1, 2).flatten(2)))
        return x + self._dropped(self.mlp(self.norm2(x)))

    def attention_weights(self, x: Tensor, mask: Tensor) -> Tensor:
        """What ``forward`` mixes by, (B, H, N, N)."""
        q, k, _ = self._heads(x)
        scores = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
        nobody = ~mask.any(dim=1, keepdim=True)  # a softmax over nothing has no value
        return scores.masked_fill(~(mask | nobody)[:, None, None, :], -torch.inf).softmax(dim=-1)

    def _heads(self, x: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, (B, H, N, D / H) each."""
        qkv = self.qkv(self.norm1(x)).unflatten(-1, (3, self.n_heads, -1))
        return tuple(qkv.permute(2, 0, 3, 1, 4).unbind(0))

    def _dropped(self, y: Tensor) -> Tensor:
        y = self.dropout(y)
        if not self.training or not self.drop_path:
            return y
        keep = 1 - self.drop_path
        return y * (torch.rand(len(y), 1, 1, device=y.device) < keep) / keep


def _fastest(q: Tensor) -> contextlib.AbstractContextManager:
    """On a CPU, PyTorch's own choice in bfloat16 takes five times as long as the plain products."""
    slow = q.device.type == "cpu" and q.dtype is torch.bfloat16
    return sdpa_kernel(SDPBackend.MATH) if slow else contextlib.nullcontext()
