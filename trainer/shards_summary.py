"""What is in a folder of shards, in figures; read from the labels, without the keypoints."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from fingerpost.trainer.corpora.sample import SPLITS
from fingerpost.trainer.shards import Shards

MS_AN_HOUR = 3_600_000


def summarise(shards: Shards) -> dict[str, Any]:
    """The figures of ``fingerpost shards show``.

    Returns names to numbers, texts and lists, fit for JSON. ``splits`` has clips, hours, signers,
    glosses and sentences of each; ``shared_signers`` are in more than one split.
    """
    about = shards.about
    splits, signers = shards.column("split"), shards.column("signer")
    hours = shards.n_frames * 1000 / np.array(shards.column("fps")) / MS_AN_HOUR
    glosses, texts = shards.column("glosses"), shards.column("text")
    of_split: dict[str, list[int]] = defaultdict(list)
    for i, split in enumerate(splits):
        of_split[split].append(i)
    splits_of_signer: dict[str, set[str]] = defaultdict(set)
    for signer, split in zip(signers, splits, strict=True):
        splits_of_signer[signer].add(split)
    summary: dict[str, Any] = {
        "folder": str(shards.folder),
        "corpus": about.corpus,
        "schema": about.schema,
        "extractor": about.extractor,
        "fps": about.fps,
        "format_version": about.format_version,
        "content_hash": about.content_hash,
        "parts": len(shards.files),
        "bytes": sum(path.stat().st_size for path in shards.files),
        "clips": len(shards),
        "frames": int(shards.n_frames.sum()),
        "frames_of_a_clip": [int(f(shards.n_frames)) for f in (np.min, np.median, np.max)],
        "hours": float(hours.sum()),
        "signers": len({signer for signer in signers if signer}),
        "glosses": len({gloss for clip in glosses for gloss in clip}),
        "sentences": len({text for text in texts if text}),
        "unlabelled": sum(not (g or t) for g, t in zip(glosses, texts, strict=True)),
        "languages": dict(Counter(shards.column("language")).most_common()),
        "text_languages": dict(Counter(shards.column("text_language")).most_common()),
        "shared_signers": sorted(s for s, in_ in splits_of_signer.items() if s and len(in_) > 1),
    }
    summary["splits"] = {
        split: {
            "clips": len(chosen),
            "hours": float(hours[chosen].sum()),
            "signers": len({signers[i] for i in chosen if signers[i]}),
            "glosses": len({gloss for i in chosen for gloss in glosses[i]}),
            "sentences": len({texts[i] for i in chosen if texts[i]}),
        }
        for split, chosen in sorted(of_split.items(), key=lambda item: _place(item[0]))
    }
    return summary


def _place(split: str) -> tuple[int, str]:
    """Where a split stands in a table: train, val, test, then others."""
    known = list(dict.fromkeys(SPLITS.values()))
    return (known.index(split) if split in known else len(known)), split
