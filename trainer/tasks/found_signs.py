"""Single signs for the backbones of the task ``found``: their pre-training.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.3, 4.1
and 4.2: clips of 24 frames. What a word means is taken from the embedding layer of the language
model that reads the backbone later, the mean over its pieces; it does not learn here.

What differs, and is ours: a clip of any length is brought to the window's frames, evenly, and
augmented as for the task ``isolated``; glosses are read as words, in small letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import to_view
from fingerpost.edge_runtime.preprocess import resample_window, trim
from fingerpost.edge_runtime.preprocess_found import preprocess_found
from fingerpost.trainer.augment import augment, evenly
from fingerpost.trainer.checkpoint import CONFIG, load_checkpoint, resolve_checkpoint
from fingerpost.trainer.models.found_lips import LATE_FUSION, fused
from fingerpost.trainer.models.found_poses import VIEWS
from fingerpost.trainer.models.found_signs import FoundSigns, FoundSignsConfig, SignLosses
from fingerpost.trainer.models.language_model import pretrained_language_model
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import convert
from fingerpost.trainer.recogniser_data import CLIP_FRAMES
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks import isolated
from fingerpost.trainer.tasks.found_settings import read_lips
from fingerpost.trainer.tasks.isolated import N_RANKED, Isolated, PreparedSign
from fingerpost.trainer.tasks.task import Batch
from fingerpost.trainer.text_tokenizer import TOKENIZER, load_tokenizer


class Settings(isolated.Settings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Beside those of the task isolated:

    view : of the keypoints, as in [model.poses]
    words : the language model for the contrastive loss, by name, folder or checkpoint; empty = none
    lips : folder of lip features, <clip id>.npy of (T, W), a row for each of the clip's frames
    fuse_with : checkpoint of a lip backbone of the same glosses, whose logits are added to answers
    """

    window: int = 24
    view: str = "found203"
    words: str = ""
    lips: str = ""
    fuse_with: str = ""


@dataclass(frozen=True)
class PreparedFoundSign(PreparedSign):
    """lips : (window, W), float16, of the window's frames; None where there are none"""

    lips: Tensor | None = None


class FoundSignsTask(Isolated):
    """For FoundSigns."""

    settings: Settings

    def __init__(self, vocabulary: Sequence[str], settings: Settings) -> None:
        super().__init__(vocabulary, settings)
        if settings.view not in VIEWS:
            raise ValueError(f"settings.view: {settings.view!r}; known: {', '.join(VIEWS)}")
        for name in ("sources", "hands_only"):
            if getattr(settings, name):
                raise ValueError(f"settings.{name} is for the task isolated; leave it out")
        if settings.fuse_with and not settings.lips:
            raise ValueError("settings.fuse_with needs settings.lips, the features that it reads")
        self.view = VIEWS[settings.view]
        self._lip_network: nn.Module | None = None

    @classmethod
    def from_data(
        cls, settings: dict[str, Any], clips: Any, start: Path | None
    ) -> "FoundSignsTask":
        chosen = convert(settings, Settings, "settings")
        plain = {name: value for name, value in settings.items() if name in _PLAIN}
        return cls(Isolated.from_data(plain, clips, start).vocabulary, chosen)

    @classmethod
    def from_checkpoint(cls, folder: Path, info: dict[str, Any]) -> "FoundSignsTask":
        return cls(info["vocabulary"], convert(info["settings"], Settings, "settings"))

    def save(self, folder: Path) -> dict[str, Any]:
        return {
            "vocabulary": list(self.vocabulary),
            "settings": msgspec.to_builtins(self.settings),
            "view": self.settings.view,
            "preprocess": "found",
        }

    def new_model(self, fields: dict[str, Any]) -> FoundSigns:
        poses = {"view": self.settings.view, **fields.get("poses", {})}
        if poses["view"] != self.settings.view:
            raise ValueError(f"[model.poses] view is {poses['view']}: give settings.view the same")
        set_here = ("n_labels", "word_width")
        known = [f for f in FoundSignsConfig.__dataclass_fields__ if f not in set_here]
        if unknown := [name for name in fields if name not in known]:
            raise ValueError(f"[model] has no {', '.join(unknown)}; known: {', '.join(known)}")
        words = word_vectors(self.settings.words, self.vocabulary) if self.settings.words else None
        width = 0 if words is None else words.shape[1]
        config = FoundSignsConfig(
            len(self.vocabulary), **{**fields, "poses": poses, "word_width": width}
        )
        model = FoundSigns(config)
        if words is not None:
            model.words.copy_(words)
        return model

    def prepare(self, clip: Clip) -> PreparedFoundSign:
        if len(clip.glosses) != 1:
            raise ValueError(f"clip {clip.id!r} has {len(clip.glosses)} glosses, expected one")
        sequence = to_view(clip.sequence, self.view)
        lips = read_lips(self.settings.lips, clip.id, len(sequence))
        if lips is None:  # lips have a row for each frame of the whole clip
            sequence = trim(sequence)
        frames = resample_window(preprocess_found(sequence, self.view), CLIP_FRAMES)
        label = self._number.get(clip.glosses[0], -1)
        keypoints = torch.from_numpy(frames.astype(np.float16))
        rows = None
        if lips is not None:
            at = np.linspace(0, len(lips) - 1, self.settings.window).round().astype(int)
            rows = torch.from_numpy(lips[at])
        return PreparedFoundSign(clip.id, clip.signer, clip.glosses[0], keypoints, label, lips=rows)

    def batch(self, clips: Sequence[Any], draws: Sequence[int] | None, at_least: int) -> Batch:
        """at_least : is of no use here, for all clips become equally long"""
        plain = torch.stack([clip.keypoints for clip in clips])
        keypoints = (
            evenly(plain, self.settings.window)
            if draws is None
            else augment(plain, self.settings.window, draws, self._augment, self.view)
        )
        inputs = {"keypoints": keypoints, "labels": torch.tensor([clip.label for clip in clips])}
        lips = [clip.lips for clip in clips if clip.lips is not None]
        if lips:
            inputs["lips"] = torch.stack(lips).float()
        return Batch(inputs, len(clips), list(clips))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        found: SignLosses = model(**batch.inputs)
        return found._asdict()

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, list[Prediction]]:
        given = {name: value for name, value in batch.inputs.items() if name != "labels"}
        scores = model(**given).float()
        if self.settings.fuse_with:
            scores = fused(scores, self._lips()(**given).float(), LATE_FUSION)
        ranked = scores.topk(min(N_RANKED, scores.shape[1]), dim=-1).indices.tolist()
        answers = []
        for clip, best in zip(batch.clips, ranked, strict=True):
            glosses = tuple(self.vocabulary[i] for i in best)
            answers.append(Prediction(clip.id, clip.signer, clip.gloss, glosses[0], glosses))
        return {"isolated": answers}

    def _lips(self) -> nn.Module:
        """The lip backbone of settings.fuse_with, loaded once."""
        if self._lip_network is None:
            network, info, _ = load_checkpoint(resolve_checkpoint(Path(self.settings.fuse_with)))
            known = info.get("vocabulary")
            if known != list(self.vocabulary) or not isinstance(network, FoundSigns):
                raise ValueError(
                    f"settings.fuse_with: {self.settings.fuse_with} knows other glosses; give a "
                    "lip backbone that was trained on the same"
                )
            self._lip_network = network
        return self._lip_network


_PLAIN = [field.name for field in msgspec.structs.fields(isolated.Settings)]


def word_vectors(name: str, glosses: Sequence[str]) -> Tensor:
    """What a language model's embedding layer makes of glosses, (L, E): the mean over pieces.

    name : at Hugging Face, or a folder, of a language model or of a checkpoint that has one.
    ValueError where there is none.
    """
    folder = resolve_checkpoint(Path(name))
    if (folder / TOKENIZER).is_dir() and (folder / CONFIG).is_file():
        network: Any = load_checkpoint(folder)[0]
        if not hasattr(network, "language_model"):
            raise ValueError(f"settings.words: {name} has no language model; give another")
        model, tokenizer = network.language_model, load_tokenizer(str(folder / TOKENIZER))
    else:
        model, tokenizer = pretrained_language_model(name), load_tokenizer(name)
    embeddings = model.get_input_embeddings().weight.detach().float()
    rows = tokenizer([gloss.lower() for gloss in glosses], add_special_tokens=False)["input_ids"]
    unknown = [tokenizer.unk_token_id]
    return torch.stack([embeddings[torch.tensor(row or unknown)].mean(dim=0) for row in rows])
