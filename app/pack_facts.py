"""What a pack says of itself, in words for people."""

import statistics

from fingerpost.app.commands_benchmark import figures_of
from fingerpost.app.commands_packs import signs
from fingerpost.app.translations import _
from fingerpost.edge_runtime.benchmark import Measured
from fingerpost.edge_runtime.pack import Pack


def languages_of(pack: Pack) -> list[str]:
    """The sign languages, by name where we know it."""
    names = {
        "ase": _("American Sign Language (ASL)"),
        "bfi": _("British Sign Language (BSL)"),
        "csl": _("Chinese Sign Language (CSL)"),
        "fsl": _("French Sign Language (LSF)"),
        "mis": _("no registered sign language"),  # ISO 639-3: uncoded
        "gsg": _("German Sign Language (DGS)"),
        "ssp": _("Spanish Sign Language (LSE)"),
    }
    return [names.get(code, code) for code in pack.manifest.languages]


def facts(pack: Pack) -> list[tuple[str, str]]:
    """What a card of the pack says: (what, value)."""
    manifest = pack.manifest
    does = _("names single signs") if manifest.translation is None else _("writes sentences")
    known = {
        "text.bleu4": _("sentences, by BLEU-4"),
        "live_glosses.wer": _("signs that are wrong while somebody signs"),
        "glosses.wer": "",  # what the sentence's reader makes of the signs: nobody is shown it
        "same answers": "",  # as the network before it was made small
    }
    named = [(known.get(name, name), figure) for name, figure in figures_of(manifest).items()]
    accuracy = [f"{name}: {figure['value']:.1f} %" for name, figure in named if name]
    return [
        (_("Languages"), ", ".join(languages_of(pack))),
        (_("What it does"), f"{does}, {len(signs(pack))} " + _("signs")),
        (_("Size"), f"{pack.size_bytes / 1e6:.1f} MB"),
        (_("Runs with"), ", ".join(sorted({g.backend for g in manifest.graphs.values()}))),
        (_("Accuracy where it was made"), "\n".join(accuracy) or _("not measured")),
        (
            _("Licence"),
            _("weights: {weights}; made from: {data}").format(
                weights=manifest.licences.weights, data=manifest.licences.data
            ),
        ),
    ]


def speed_words(pack: Pack, measured: Measured) -> str:
    """What a benchmark on this machine found, a line each."""
    lines = [_("loads in {ms:.0f} ms").format(ms=measured.load_ms)]
    for graph, timed in measured.graphs.items():
        typical = statistics.median(timed.calls_ms)
        lines.append(_("{graph}: {ms:.2f} ms a call").format(graph=graph, ms=typical))
    if measured.peak_mb is not None:
        lines.append(_("memory: {mb:.0f} MB").format(mb=measured.peak_mb))
    return "\n".join(lines)
