"""``fingerpost teach``: signs of one's own, taught by a few examples, on this machine alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fingerpost.app.commands_caption import load_pack
from fingerpost.app.output_files import check_destinations
from fingerpost.app.terminal import CaptionPrinter, print_columns, print_json, tell
from fingerpost.app.watched_signs import Watching, watch_signs
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.own_signs import OwnSign, OwnSigns, sign_name
from fingerpost.edge_runtime.pack import BUNDLED
from fingerpost.edge_runtime.teaching import limit_of, remarks_on

LEAST, MOST = 3, 5  # examples of a sign


@dataclass(frozen=True)
class TeachOptions:
    """camera : its number, for a recording; n_examples : that it ends with
    replacing : a sign of the same name
    pack : that the sign is checked with
    """

    camera: int = 0
    n_examples: int = LEAST
    replacing: bool = False
    pack: str = BUNDLED
    landmarker: Path | None = None
    mirrored: bool = False
    dominant_hand: str = "auto"
    json: bool = False


def teach(name: str, clips: Sequence[str], options: TeachOptions) -> None:
    """Keeps a sign, of clips or, without any, of a recording. ValueError, and nothing is kept,
    where there are too few or too many examples, or a sign of that name."""
    store, name = OwnSigns(), sign_name(name)
    if not options.replacing and any(s.key == name.casefold() for s in store.list()):
        raise ValueError(f"there is a sign {name!r} already: give another name, or --replace")
    if not LEAST <= options.n_examples <= MOST:
        raise ValueError(f"--examples is {LEAST} to {MOST}, got {options.n_examples}")
    if clips:
        examples = [example for clip in clips for example in examples_in(clip, options)]
    else:
        examples = examples_in(str(options.camera), options)
    if not LEAST <= len(examples) <= MOST:
        raise ValueError(
            f"{name}: {LEAST} to {MOST} examples are needed, and {len(examples)} were seen; sign "
            "it once, lower the hands, and sign it again"
        )
    sign = OwnSign(name, tuple(examples))
    remarks = remarks_by(options.pack, sign, store.list())
    store.add(sign, options.replacing)
    if options.json:
        print_json(_record(sign) | {"remarks": remarks})
        return
    for remark in remarks:
        tell(f"Note: {remark}")
    tell(f"{name}: {len(examples)} examples kept in {store.root}; fingerpost caption knows it now")


def examples_in(source: str, options: TeachOptions) -> list[PoseSequence]:
    """The examples that a source shows; a camera is watched until there are enough."""
    found: list[PoseSequence] = []
    wanted = options.n_examples if source.isdecimal() else None

    def seen(printer: CaptionPrinter, example: PoseSequence) -> bool:
        found.append(example)
        if wanted:
            printer.tell(f"{len(found)} of {wanted}")
        return len(found) == wanted

    how = Watching(options.landmarker, options.mirrored, options.dominant_hand)
    invitation = f"Sign it {options.n_examples} times; lower the hands after each."
    watch_signs(source, how, "examples", seen, invitation)
    return found


def remarks_by(pack_name: str, sign: OwnSign, others: Sequence[OwnSign]) -> list[str]:
    """What a user should know of a sign before it is relied on, a line each."""
    from fingerpost.edge_runtime.translator import Translator

    pack = load_pack(pack_name)
    if pack.manifest.translation is None:
        return [f"pack {pack.manifest.name} names single signs: own signs need one that translates"]
    translator = Translator(pack)
    try:
        return remarks_on(translator, sign, others, limit_of(pack))
    finally:
        translator.close()


def list_signs(as_json: bool) -> None:
    """All signs that were taught."""
    signs = OwnSigns().list()
    if as_json:
        print_json([_record(sign) for sign in signs])
    elif not signs:
        tell("No sign was taught yet: fingerpost teach NAME")
    else:
        rows = [(s.name, str(len(s.examples)), f"{_seconds(s):.1f} s") for s in signs]
        print_columns([("sign", "examples", "recorded"), *rows])


def remove_sign(name: str) -> None:
    """Deletes a sign."""
    OwnSigns().remove(name)
    tell(f"Removed the sign {sign_name(name)}")


def export_signs(path: Path) -> None:
    """Writes all signs into one file, for another machine."""
    check_destinations("", path)
    signs = OwnSigns().write(path)
    tell(f"{path}: {', '.join(sign.name for sign in signs)}")


def import_signs(path: Path, replacing: bool) -> None:
    """Keeps the signs of a file."""
    signs = OwnSigns().read(path, replacing)
    tell(f"Taught: {', '.join(sign.name for sign in signs)}")


def _record(sign: OwnSign) -> dict[str, Any]:
    return {"name": sign.name, "examples": len(sign.examples), "seconds": round(_seconds(sign), 2)}


def _seconds(sign: OwnSign) -> float:
    return sum(len(example) / example.fps for example in sign.examples)
