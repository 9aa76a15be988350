"""From data to a pack of single signs in one command: train, export to int8, verify, measure.

    python -m fingerpost.distill.make_pack -o signs-pack --research-data FOLDER
    python -m fingerpost.distill.make_pack -o my-pack.fpk --no-research-data
    python -m fingerpost.distill.make_pack -o my-pack.fpk --research-data FOLDER --trained runs/mine

With research data (WLASL: academic and computational use only), the pack reads 100 frequent ASL
signs as real people sign them. Without, it knows the rendered signer alone: free for any use, but
it has never seen a real person sign. With ``--trained`` nothing is trained: the pack is made of
that checkpoint, which a recipe may have trained on the shards of ``trainer.pack_corpus``.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from fingerpost.distill.export import export_pack
from fingerpost.edge_runtime.pack import Pack, write_pack
from fingerpost.trainer.corpora.wlasl_hands import FILE
from fingerpost.trainer.evaluate_recogniser import Result, wlasl_result
from fingerpost.trainer.train_recogniser import (
    N_WLASL_GLOSSES,
    data_of,
    read_research_data,
    run,
)


def make_pack(
    out: Path, checkpoint: Path, research_data: Path | None, seed: int, n_sentences: int
) -> Pack:
    """Trains into ``checkpoint``, exports to ``out``, and writes into the pack what it reaches."""
    research = read_research_data(research_data) if research_data else None
    run(checkpoint, research, seed, n_sentences)
    return export_measured(out, checkpoint, research_data)


def export_measured(out: Path, checkpoint: Path, research_data: Path | None) -> Pack:
    """A trained checkpoint as an int8 pack; with research data, its accuracy goes in too."""
    name = "single-signs" if research_data else "signer-only"
    data = data_of(research_data is not None)
    pack = export_pack(checkpoint, out, name=name, data=data, with_latency=True)
    if research_data is None:
        return pack
    file = research_data / "wlasl_hands" / FILE
    result = wlasl_result(out, file, N_WLASL_GLOSSES, "val")
    print(f"WLASL{N_WLASL_GLOSSES} val, int8, run by edge_runtime: {result}")
    return with_measured(pack, out, result)


def with_measured(pack: Pack, out: Path, result: Result) -> Pack:
    """The pack with its accuracy in the manifest."""
    figures = {
        "edge_runtime: WLASL100 val: top1": round(result.top1, 4),
        "edge_runtime: WLASL100 val: top5": round(result.top5, 4),
        "edge_runtime: WLASL100 val: n": result.n,
    }
    manifest = replace(pack.manifest, measured={**pack.manifest.measured, **figures})
    return write_pack(out, manifest, {name: pack.read(name) for name in pack.manifest.files})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder, or FILE.fpk")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--research-data", type=Path, help="folder with wlasl_hands/ ...")
    data.add_argument("--no-research-data", action="store_true", help="the rendered signer only")
    parser.add_argument("--checkpoint", type=Path, default=Path("runs/pocket"))
    parser.add_argument("--trained", type=Path, help="a checkpoint, or a training's folder")
    parser.add_argument("--sentences", type=int, default=3000, help="of the rendered signer")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        if given.trained:
            pack = export_measured(given.out, given.trained, given.research_data)
        else:
            pack = make_pack(
                given.out, given.checkpoint, given.research_data, given.seed, given.sentences
            )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"{pack.path}: {pack.size_bytes / 1e6:.2f} MB, {len(pack.vocabulary)} glosses")


if __name__ == "__main__":
    main()
