"""``fingerpost packs``: which packs there are, what is in them, and whether they are sound."""

import dataclasses
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from fingerpost.app.commands_caption import verified
from fingerpost.app.terminal import print_json, stdout_console, tell
from fingerpost.edge_runtime.pack import Pack, PackStore, open_pack


def list_packs(as_json: bool) -> None:
    """All packs that can be named; a broken one is listed with what is wrong with it."""
    rows = []
    for installed in PackStore().list():
        row: dict[str, Any] = {"name": installed.name, "path": str(installed.path)}
        row["bundled"] = installed.bundled
        try:
            pack = open_pack(installed.path)
        except (ValueError, OSError) as error:
            rows.append(row | {"problem": str(error)})
            continue
        manifest = pack.manifest
        row |= {"version": manifest.version, "languages": list(manifest.languages)}
        row |= {"signs": len(signs(pack)), "size_bytes": pack.size_bytes, "problem": ""}
        rows.append(row)
    if as_json:
        print_json(rows)
        return
    if not rows:
        tell("No pack is installed; see: fingerpost packs add")
    table = _table("name", "version", "languages", "signs", "size", "problem")
    for row in rows:
        size = f"{row['size_bytes'] / 1e6:.1f} MB" if "size_bytes" in row else ""
        languages, n_signs = " ".join(row.get("languages", [])), str(row.get("signs", ""))
        problem = row["problem"] or ("bundled" if row["bundled"] else "")
        _add_row(table, row["name"], row.get("version", ""), languages, n_signs, size, problem)
    if rows:
        stdout_console().print(table)


def show_pack(name: str, as_json: bool) -> None:
    """What a pack's manifest says, and its signs."""
    pack = open_pack(PackStore().find(name))
    manifest = pack.manifest
    if as_json:
        print_json(dataclasses.asdict(manifest) | {"signs": signs(pack)})
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    graphs = ", ".join(
        f"{graph} ({spec.backend} {spec.backend_version}, {manifest.quantization})"
        for graph, spec in manifest.graphs.items()
    )
    licences = manifest.licences
    for key, value in {
        "pack": f"{manifest.name} {manifest.version}",
        "where": str(pack.path),
        "notice": manifest.notice,
        "languages": ", ".join(manifest.languages),
        **({"writes": ", ".join(manifest.translation.languages)} if manifest.translation else {}),
        "runs": graphs,
        "eats": f"{manifest.view} keypoints, {manifest.window} frames at {manifest.fps:g} fps, "
        f"preprocessing {manifest.preprocess} {manifest.preprocess_version}",
        "licence": f"code {licences.code}; weights {licences.weights}; data {licences.data}",
        "measured": "\n".join(f"{k}: {v:.8g}" for k, v in sorted(manifest.measured.items())),
        "size": f"{pack.size_bytes / 1e6:.1f} MB",
        "signs": f"{len(signs(pack))}: {', '.join(signs(pack))}",
    }.items():
        _add_row(table, key, value)
    stdout_console().print(table)


def verify(name: str, as_json: bool) -> None:
    """Runs a pack's own test inputs on this machine; ValueError where an answer is off."""
    pack = open_pack(PackStore().find(name))
    rows = verified(pack)
    if as_json:
        print_json([dataclasses.asdict(row) for row in rows])
    else:
        table = _table("graph", "output", "against", "measure", "value", "limit", "")
        for row in rows:
            figures = f"{row.value:.5f}", f"{row.limit:.5f}"
            verdict = "ok" if row.passed else "FAILED"
            _add_row(table, row.graph, row.output, row.against, row.measure, *figures, verdict)
        stdout_console().print(table)
    failed = [f"{row.graph} {row.measure}" for row in rows if not row.passed]
    if failed:
        raise ValueError(
            f"pack {pack.manifest.name} does not compute here what it did where it was made: "
            f"{', '.join(failed)}; see `fingerpost doctor`"
        )


def add(source: str, as_json: bool) -> None:
    """Installs a pack, verified whole."""
    pack = PackStore().add(source)
    if as_json:
        print_json({"name": pack.manifest.name, "path": str(pack.path)})
    else:
        tell(f"Installed pack {pack.manifest.name} {pack.manifest.version}: {pack.path}")


def remove(name: str) -> None:
    """Deletes an installed pack."""
    PackStore().remove(name)
    tell(f"Removed pack {name}")


def add_adapter(name: str, file: str, as_json: bool) -> None:
    """A sign language more for an installed pack with experts."""
    from fingerpost.edge_runtime import expert_adapters

    told_changed(expert_adapters.add_adapter(PackStore(), name, Path(file)), as_json)


def remove_adapter(name: str, question: str, as_json: bool) -> None:
    """Undoes ``add_adapter``."""
    from fingerpost.edge_runtime import expert_adapters

    told_changed(expert_adapters.remove_adapter(PackStore(), name, question), as_json)


def told_changed(pack: Pack, as_json: bool) -> None:
    """What a pack writes from now on."""
    manifest = pack.manifest
    writes = list(manifest.translation.languages) if manifest.translation else []
    if as_json:
        print_json({"name": manifest.name, "path": str(pack.path), "writes": writes})
    else:
        tell(f"Pack {manifest.name} writes {', '.join(writes)} now: {pack.path}")


def signs(pack: Pack) -> list[str]:
    """A pack's vocabulary without its special classes."""
    return [gloss for gloss in pack.vocabulary if gloss not in pack.manifest.special.values()]


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _add_row(table: Table, *cells: str) -> None:
    """A row of plain texts: rich would read a gloss in [brackets] as markup."""
    table.add_row(*(Text(cell) for cell in cells))
