"""A further sign language for an installed pack with experts: one small file, checked and undone.

    about, adapters = read_adapter_file(Path("lsf.fpa"))
    pack = add_adapter(PackStore(), "signet", Path("lsf.fpa"))
    pack = remove_adapter(PackStore(), "signet", "French")

The file (``.fpa``, a zip) holds ``adapter.json``, which says what it is for, and ``weights.npz``,
of ``expert_routing``. The experts and the language model stay as they are, so it fits a pack with
the very experts and the very language model that it was trained on, and no other.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fingerpost.edge_runtime.expert_routing import Adapters, adapters_bytes, read_adapters
from fingerpost.edge_runtime.experts import read_all_adapters
from fingerpost.edge_runtime.manifest import Experts, Licences, Manifest
from fingerpost.edge_runtime.pack import Pack, PackStore, open_pack, write_pack
from fingerpost.edge_runtime.pack_files import pack_files, write_zip

ABOUT, WEIGHTS = "adapter.json", "weights.npz"
SUFFIX = ".fpa"
FOLDER = "adapters"  # in a pack
FORMAT_VERSION = 1
MOST_BYTES = 64 * 2**20  # of such a file, unpacked
_FORMS: dict[str, Any] = {  # of adapter.json: what each key must be
    "format_version": int,
    "question": str,
    "start": int,
    "languages": list,
    "experts": dict,
    "reader": str,
    "width": int,
    "prior_width": int,
    "licences": dict,
    "weights_sha256": str,
}


@dataclass(frozen=True)
class AdapterAbout:
    """What an adapter file is for.

    question : what the pack can be asked for with it, such as French
    start : the token that an answer begins with
    languages : sign languages, as in a pack's manifest
    experts : by name, the hash of the expert that the adapter was trained on
    reader : the hash of the language model that it was trained with
    width, prior_width : of the experts' frames and priors
    licences : code, weights and data, as in a pack's manifest
    weights_sha256 : of ``WEIGHTS``; filled in by ``write_adapter_file``
    """

    question: str
    start: int
    languages: tuple[str, ...]
    experts: Mapping[str, str]
    reader: str
    width: int
    prior_width: int
    licences: Mapping[str, str]
    weights_sha256: str = ""
    format_version: int = FORMAT_VERSION


def write_adapter_file(path: Path, about: AdapterAbout, adapters: Adapters) -> None:
    """Whole or not at all; the same bytes for the same adapters."""
    if path.suffix != SUFFIX:
        raise ValueError(f"{path} must end in {SUFFIX}")
    weights = adapters_bytes(adapters)
    about = replace(about, weights_sha256=hashlib.sha256(weights).hexdigest())
    text = json.dumps(dataclasses.asdict(about), indent=1, sort_keys=True, ensure_ascii=False)
    write_zip(path, {ABOUT: text.encode() + b"\n", WEIGHTS: weights})


def read_adapter_file(path: Path) -> tuple[AdapterAbout, Adapters]:
    """What a file is for, and its weights. ValueError says in one line what is wrong with it."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: give an adapter file, {SUFFIX}")
    files = pack_files(path)
    if set(files.sizes) != {ABOUT, WEIGHTS} or sum(files.sizes.values()) > MOST_BYTES:
        raise ValueError(f"{path} is no adapter file: it should hold {ABOUT} and {WEIGHTS} alone")
    about = _read_about(path, files.read(ABOUT))
    weights = files.read(WEIGHTS)
    if hashlib.sha256(weights).hexdigest() != about.weights_sha256:
        raise ValueError(f"{path}: {WEIGHTS} is damaged (its sha256 differs); get the file again")
    adapters = read_adapters(
        weights, tuple(about.experts), about.width, about.prior_width, f"{path}: {WEIGHTS}"
    )
    return about, adapters


def add_adapter(store: PackStore, name: str, file: Path) -> Pack:
    """A pack with what the file adds, in the place of the pack as it was.

    name : of an installed pack, or its path. The old pack is there until the new one is whole.
    ValueError where the file is not for it, or it can be asked for that already.
    """
    about, adapters = read_adapter_file(file)
    pack = _changeable(store, name)
    experts, words = pack.manifest.experts, pack.manifest.translation
    assert experts is not None and words is not None  # of ``_changeable``
    _check_fits(pack.manifest, experts, about, file)
    if about.question in words.questions:
        raise ValueError(
            f"pack {pack.manifest.name} writes {about.question} already; to replace that, first "
            f"run: fingerpost packs remove-adapter {pack.manifest.name} {about.question!r}"
        )
    content = adapters_bytes(adapters)
    inside = f"{FOLDER}/{_slug(about.question)}-{hashlib.sha256(content).hexdigest()[:8]}.npz"
    old = pack.manifest
    manifest = replace(
        old,
        languages=tuple(dict.fromkeys((*old.languages, *about.languages))),
        translation=replace(words, questions={**words.questions, about.question: about.start}),
        experts=replace(experts, adapters={**experts.adapters, about.question: inside}),
        licences=_joined(old.licences, about.licences),
    )
    made = {**{n: pack.read(n) for n in old.files}, inside: content}
    read_all_adapters(manifest, made.__getitem__)  # do all fit the graphs?
    return write_pack(pack.path, manifest, made)


def remove_adapter(store: PackStore, name: str, question: str) -> Pack:
    """The pack without what it has for a question. Its languages and licences stay as they are.

    ValueError where it has none for it, or no other.
    """
    pack = _changeable(store, name)
    experts, words = pack.manifest.experts, pack.manifest.translation
    assert experts is not None and words is not None  # of ``_changeable``
    if question not in experts.adapters:
        known = ", ".join(experts.adapters)
        raise ValueError(f"pack {pack.manifest.name} has no adapter for {question!r}; for: {known}")
    if len(experts.adapters) == 1:
        raise ValueError(
            f"{question} is all that pack {pack.manifest.name} writes: remove the pack instead, "
            f"with fingerpost packs remove"
        )
    gone = experts.adapters[question]
    manifest = replace(
        pack.manifest,
        translation=replace(words, questions=_without(words.questions, question)),
        experts=replace(experts, adapters=_without(experts.adapters, question)),
    )
    return write_pack(
        pack.path, manifest, {n: pack.read(n) for n in pack.manifest.files if n != gone}
    )


def _changeable(store: PackStore, name: str) -> Pack:
    """ValueError for the bundled pack, and for one without experts."""
    path = store.find(name)
    if any(one.bundled and one.path == path for one in store.list()):
        raise ValueError(f"pack {name!r} comes with Fingerpost and cannot be changed")
    pack = open_pack(path)
    if pack.manifest.experts is None:
        raise ValueError(
            f"pack {pack.manifest.name} has no experts, so no adapter fits it; packs that a SIGNET "
            "was exported to have some"
        )
    return pack


def _check_fits(manifest: Manifest, experts: Experts, about: AdapterAbout, file: Path) -> None:
    """ValueError where the adapter was trained on other experts, or with another reader."""
    if set(about.experts) != set(experts.names):
        raise ValueError(
            f"{file} is for the experts {', '.join(sorted(about.experts))}; pack {manifest.name} "
            f"has {', '.join(experts.names)}"
        )
    for name, made_for in about.experts.items():
        if experts.weights[name] != made_for:
            raise ValueError(
                f"{file} was trained on another expert {name!r} than pack {manifest.name} has; get "
                "the adapter for this pack"
            )
    if about.reader != experts.reader:
        raise ValueError(
            f"{file} was trained with another language model than pack {manifest.name} has; train "
            'it with frozen = ["language_model."], starting from what the pack was made of'
        )


def _read_about(path: Path, content: bytes) -> AdapterAbout:
    where = f"{path}: {ABOUT}"
    try:
        data = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{where} is not JSON; get the file again") from error
    if not isinstance(data, dict):
        raise ValueError(f"{where} must be an object; get the file again")
    if data.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {data.get('format_version')!r}, this Fingerpost reads "
            f"{FORMAT_VERSION}; get a file for it, or another Fingerpost"
        )
    for key in sorted(data.keys() ^ _FORMS.keys()):
        raise ValueError(f"{where} {'lacks' if key in _FORMS else 'has the unknown'} key {key!r}")
    for key, form in _FORMS.items():
        if type(data[key]) is not form:
            raise ValueError(f"{where}: {key} must be of type {form.__name__}")
    texts = [*data["languages"], *data["experts"].values(), *data["licences"].values()]
    if not all(isinstance(text, str) for text in texts) or not data["question"].strip():
        raise ValueError(f"{where}: languages, experts and licences must be texts, question too")
    if set(data["licences"]) != {"code", "weights", "data"}:
        raise ValueError(f"{where}: licences must be of code, weights and data")
    return AdapterAbout(**{**data, "languages": tuple(data["languages"])})


def _joined(old: Licences, new: Mapping[str, str]) -> Licences:
    """All licences that hold from now on, each named once."""

    def both(field: str) -> str:
        parts = [getattr(old, field), new[field]]
        return "; ".join(dict.fromkeys(part for part in parts if part))

    return Licences(both("code"), both("weights"), both("data"))


def _without(of: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in of.items() if k != key}


def _slug(question: str) -> str:
    """A part of a file name: "French" to "french"."""
    return re.sub(r"[^a-z0-9]+", "-", question.lower()).strip("-") or "language"
