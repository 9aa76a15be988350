"""``fingerpost plot alignment``: reads the checkpoints, draws, and says where the pictures are."""

from collections.abc import Sequence
from pathlib import Path

from fingerpost.app.terminal import CountedBar, print_json, tell

TSNE, WORDS = "tsne.png", "words.png"


def run_alignment(
    checkpoints: Sequence[Path],
    shards: Sequence[str],
    output: Path,
    split: str,
    sample: tuple[int, int, int],
    as_json: bool,
) -> None:
    """checkpoints : the first one's words are drawn; sample : clips, heat maps and a seed"""
    from fingerpost.trainer.alignment import gap, read_pairs, tsne
    from fingerpost.trainer.alignment_pictures import draw_tsne, draw_words

    n, n_maps, seed = sample
    panels = []
    with CountedBar("checkpoints") as bar:
        for i, folder in enumerate(checkpoints):
            bar.show(folder.name, i, len(checkpoints))
            pairs = read_pairs(folder, shards, split, n, n_maps, seed)
            panels.append((folder.name, pairs, tsne(pairs, seed)))
    output.mkdir(parents=True, exist_ok=True)
    draw_tsne(output / TSNE, panels)
    note = draw_words(output / WORDS, panels[0][1])
    if as_json:
        found = {str(c): gap(p[1]) for c, p in zip(checkpoints, panels, strict=True)}
        print_json({"tsne": str(output / TSNE), "words": str(output / WORDS), "gap": found})
        return
    tell(f"{output / TSNE}, {output / WORDS}")
    if note:
        tell(note)
