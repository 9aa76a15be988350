"""Packs: round trips, and a clear refusal of everything that is not a whole, fitting pack."""

import dataclasses
import json
import os
import stat
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fingerpost.edge_runtime import pack_files
from fingerpost.edge_runtime.manifest import (
    GraphSpec,
    Licences,
    Manifest,
    Parent,
    TensorSpec,
    Translation,
    is_file_name,
)
from fingerpost.edge_runtime.pack import (
    PackStore,
    bundled_pack,
    open_pack,
    pack_to_fpk,
    unpack,
    write_pack,
)
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION

FILES = {"net.tflite": bytes(range(256)) * 4, "vocabulary.json": b'["<none>", "BOOK", "DRINK"]'}
MANIFEST = Manifest(
    name="tiny",
    version="1.0",
    task="isolated-signs",
    languages=("ase",),
    view="sign69",
    preprocess_version=PREPROCESS_VERSION,
    fps=25,
    window=48,
    graphs={
        "recogniser": GraphSpec(
            file="net.tflite",
            backend="tflite",
            backend_version="2.3.0",
            inputs=(TensorSpec("keypoints", (1, 48, 69, 4), "float32"),),
            outputs=(TensorSpec("logits", (1, 3), "float32"),),
        )
    },
    vocabulary="vocabulary.json",
    special={"reject": "<none>"},
    quantization="int8",
    parent=Parent("0" * 64),
    licences=Licences("Apache-2.0", "Apache-2.0", "rendered signer"),
    measured={"top1": 0.7},
)


@pytest.fixture
def folder(tmp_path):
    return write_pack(tmp_path / "tiny", MANIFEST, FILES).path


@pytest.fixture
def fpk(tmp_path):
    return write_pack(tmp_path / "tiny.fpk", MANIFEST, FILES).path


def edit(folder, **changes):
    """Changes keys of the manifest on disk; a value of None removes the key."""
    file = folder / "manifest.json"
    data = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({k: v for k, v in data.items() if v is not None}))


def refuse(path, message):
    with pytest.raises(ValueError, match=message) as error:
        open_pack(path)
    assert "\n" not in str(error.value)


def rezip(source, target, change):
    """A zip of the same entries after ``change(name, info, content)``, which returns a list."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            for entry, content in change(info, old.read(info)):
                new.writestr(entry, content)
    return target


# Round trips


def test_a_pack_reads_back_as_it_was_written(folder, fpk):
    for path in (folder, fpk):
        pack = open_pack(path)
        assert {name: pack.read(name) for name in pack.manifest.files} == FILES
        assert pack.vocabulary == ("<none>", "BOOK", "DRINK")
        assert pack.manifest.reject == "<none>"
        assert dataclasses.replace(pack.manifest, files={}) == MANIFEST


def test_the_same_pack_is_the_same_bytes(folder, fpk, tmp_path):
    again = pack_to_fpk(unpack(open_pack(fpk), tmp_path / "unpacked"), tmp_path / "again.fpk")
    assert again.path.read_bytes() == fpk.read_bytes()
    assert (tmp_path / "unpacked/manifest.json").read_bytes() == (
        folder / "manifest.json"
    ).read_bytes()


words = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**9), 10**9)
tensors = st.builds(
    TensorSpec,
    name=words,
    shape=st.lists(st.integers(1, 500), max_size=4).map(tuple),
    dtype=st.sampled_from(["float32", "int8"]),
)
tensor_lists = st.lists(tensors, max_size=2).map(tuple)
file_names = st.from_regex(r"[a-z0-9_][a-z0-9_.]{0,8}(/[a-z0-9_]{1,4})?", fullmatch=True)
graphs = st.builds(
    GraphSpec,
    file_names,
    st.just("tflite"),  # one file is for one backend
    words,
    inputs=tensor_lists,
    outputs=tensor_lists,
    signature=words,
)
manifests = st.builds(
    Manifest,
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True),
    version=st.just("1"),
    task=st.just("isolated-signs"),
    languages=st.lists(words).map(tuple),
    view=st.just("sign69"),
    preprocess_version=st.just(PREPROCESS_VERSION),
    fps=st.floats(1, 100),
    window=st.integers(1, 500),
    graphs=st.dictionaries(words, graphs, min_size=1, max_size=2),
    vocabulary=st.just("vocabulary.json"),
    special=st.just({}),
    quantization=st.sampled_from(["none", "int8"]),
    parent=st.builds(Parent, words),
    licences=st.builds(Licences, words, words, words),
    measured=st.dictionaries(words, numbers, max_size=3),
    settings=st.dictionaries(words, numbers, max_size=3),
    notice=words,
    kept=st.lists(words, max_size=3).map(tuple),
    delegated=st.dictionaries(words, st.floats(0, 1), max_size=2),
    parity=st.sampled_from(["run", "not yet run"]),
)


@settings(max_examples=40, deadline=None)
@given(manifests)
def test_any_manifest_survives_json(manifest):
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert Manifest.from_json(manifest.to_json()).to_json() == manifest.to_json()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(manifests, st.binary(max_size=300), st.lists(words.filter(bool), min_size=1, unique=True))
def test_any_pack_survives_folder_and_zip(tmp_path_factory, manifest, content, glosses):
    tmp_path = tmp_path_factory.mktemp("pack")
    files = {graph.file: content for graph in manifest.graphs.values()}
    files["vocabulary.json"] = json.dumps(glosses).encode()
    parts = [name.split("/")[0] for name in files]
    if len(set(parts)) < len(parts) or "manifest.json" in parts:
        return  # a file cannot be a folder too
    pack = pack_to_fpk(write_pack(tmp_path / "a", manifest, files), tmp_path / "a.fpk")
    assert {name: pack.read(name) for name in files} == files
    assert pack.vocabulary == tuple(glosses)
    assert dataclasses.replace(pack.manifest, files={}) == manifest


# Refusals


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_flipped_byte_in_a_file_is_refused(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    refuse(folder, f"{name} is not the file that was packed")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_flipped_byte_anywhere_in_a_zip_is_refused_or_harmless(fpk, data):
    whole = fpk.read_bytes()
    content = bytearray(whole)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    broken = fpk.with_name("broken.fpk")
    broken.write_bytes(content)
    try:
        pack = open_pack(broken)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert {name: pack.read(name) for name in FILES} == FILES


@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.99])
def test_a_truncated_zip_is_refused(fpk, part):
    whole = fpk.read_bytes()
    fpk.write_bytes(whole[: int(len(whole) * part)])
    refuse(fpk, "damaged, or no pack")


def test_a_file_that_changes_after_opening_is_noticed(folder):
    pack = open_pack(folder)
    (folder / "net.tflite").write_bytes(b"another")
    with pytest.raises(ValueError, match="net.tflite is not the file that was packed"):
        pack.read("net.tflite")
    with pytest.raises(ValueError, match="has no file 'secret'"):
        pack.read("secret")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "format version 2, this Fingerpost reads 1"),
        ({"format_version": None}, "missing key format_version"),
        ({"preprocess_version": 99}, "preprocess_version 99, this Fingerpost has"),
        ({"window": None}, "missing key window"),
        ({"windows": 3}, "unknown key windows"),
        ({"window": "48"}, "window must be of type int, got '48'"),
        ({"window": True}, "window must be of type int"),
        ({"window": 0}, "fps and window must be above 0"),
        ({"licences": {"code": "MIT", "weights": "MIT"}}, "missing key licences.data"),
        ({"settings": {"min_probability": "high"}}, "settings.min_probability must be of type"),
        ({"view": "sign70"}, "unknown keypoint schema 'sign70'"),
        ({"task": "poetry"}, "task 'poetry'; known: isolated-signs"),
        ({"name": "../evil"}, "name '../evil': use a-z"),
        ({"graphs": {}}, "graphs must name at least one"),
        ({"special": {"reject": "<other>"}}, "lacks '<other>', which the manifest names as reject"),
        ({"vocabulary": "words.json"}, "names words.json, which is not among its files"),
        ({"files": {"../x": "0" * 64}}, "'../x' is not a plain relative path"),
        ({"quantization": "int3"}, "quantization 'int3'; known"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder, changes, message):
    edit(folder, **changes)
    refuse(folder, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "is not JSON"),
        ("[]", "the whole must be an object"),
        ('{"name": "a", "name": "b"}', "'name' is there twice"),
        ('{"fps": NaN}', "NaN is not a number"),
        ("[" * 100_000, "is not JSON"),
        ('{"format_version": 1, "measured": {"a": 1e999}}', "missing key|must be finite"),
    ],
)
def test_a_manifest_that_is_none_is_refused(folder, text, message):
    (folder / "manifest.json").write_text(text)
    refuse(folder, message)


def test_files_missing_or_extra_are_refused(folder):
    (folder / "notes.txt").write_text("hello")
    refuse(folder, "holds notes.txt, which its manifest does not list")
    (folder / "notes.txt").unlink()
    (folder / "net.tflite").unlink()
    refuse(folder, "net.tflite is missing")
    (folder / "manifest.json").unlink()
    refuse(folder, "it has no manifest.json")


@pytest.mark.parametrize(
    "glosses", ["{}", "[]", '["A", "A"]', '["<none>", 3]', '["<none>", ""]', "["]
)
def test_a_bad_vocabulary_is_refused(tmp_path, glosses):
    with pytest.raises(ValueError, match="vocabulary.json (is not JSON|must)"):
        write_pack(tmp_path / "p.fpk", MANIFEST, {**FILES, "vocabulary.json": glosses.encode()})


def test_no_pack_at_all(tmp_path):
    with pytest.raises(FileNotFoundError, match="no pack at"):
        open_pack(tmp_path / "nothing")
    (tmp_path / "text.fpk").write_text("hello")
    refuse(tmp_path / "text.fpk", "damaged, or no pack")
    refuse(tmp_path, "holds|has no manifest.json")


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/evil", "a/../../evil", "C:/evil", "a\\evil", ".hidden", "a//b", "a\0b"],
)
def test_zip_slip_is_refused(fpk, name):
    assert not is_file_name(name)
    with zipfile.ZipFile(fpk, "a") as archive:
        archive.writestr("PLACEHOLDER", b"x")
    content = fpk.read_bytes()
    if len(name) <= len("PLACEHOLDER"):  # written past zipfile, which would clean it up
        bad = name.encode().ljust(len("PLACEHOLDER"), b"x")
        fpk.write_bytes(content.replace(b"PLACEHOLDER", bad))
    else:
        with zipfile.ZipFile(fpk, "a") as archive:
            archive.writestr(name, b"x")
    refuse(fpk, "holds a file of a bad name")


def test_links_are_refused(fpk, folder, tmp_path):
    def as_link(info, content):
        if info.filename == "net.tflite":
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
        return [(info, content)]

    refuse(rezip(fpk, tmp_path / "link.fpk", as_link), "holds a link, net.tflite")
    os.replace(folder / "net.tflite", tmp_path / "outside")
    (folder / "net.tflite").symlink_to(tmp_path / "outside")
    refuse(folder, "holds a link, net.tflite")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["net.tflite", "NET.tflite"])
def test_duplicate_names_are_refused(fpk, second):
    with zipfile.ZipFile(fpk, "a") as archive:
        archive.writestr(second, b"another")
    refuse(fpk, "holds .* twice")


def test_a_zip_bomb_is_refused_unread(fpk, tmp_path, monkeypatch):
    monkeypatch.setattr(pack_files, "MAX_BYTES", 100_000)
    with zipfile.ZipFile(fpk, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(200_000))
    assert fpk.stat().st_size < 10_000
    refuse(fpk, "too big for a pack")


def test_too_many_files_are_refused(fpk, monkeypatch):
    monkeypatch.setattr(pack_files, "MAX_FILES", 2)
    refuse(fpk, "too big for a pack: at most 2 files")


# Writing by halves


def test_writing_never_replaces_what_is_no_pack(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(ValueError, match="exists and is no pack"):
        write_pack(tmp_path / "photos", MANIFEST, FILES)
    assert (tmp_path / "photos" / "cat.jpg").read_bytes() == b"cat"


@pytest.mark.parametrize("name", ["tiny", "tiny.fpk"])
def test_a_pack_takes_the_place_of_the_one_before(tmp_path, name):
    write_pack(tmp_path / name, MANIFEST, FILES)
    newer = dataclasses.replace(MANIFEST, version="2.0")
    assert write_pack(tmp_path / name, newer, FILES).manifest.version == "2.0"
    assert [p.name for p in tmp_path.iterdir()] == [name]  # no left-overs


@pytest.mark.parametrize("name", ["tiny", "tiny.fpk"])
def test_a_write_that_fails_leaves_the_old_pack(tmp_path, name, monkeypatch):
    write_pack(tmp_path / name, MANIFEST, FILES)

    def full_disk(source, target):
        if str(target).endswith(name):
            raise OSError("no space left on device")
        return real_rename(source, target)

    real_rename = os.rename
    monkeypatch.setattr(pack_files.os, "replace", full_disk)
    monkeypatch.setattr(pack_files, "_move_into_place", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_pack(tmp_path / name, dataclasses.replace(MANIFEST, version="2.0"), FILES)
    assert open_pack(tmp_path / name).manifest.version == "1.0"
    assert [p.name for p in tmp_path.iterdir()] == [name]


# Installed packs


@pytest.fixture
def store(tmp_path):
    return PackStore(tmp_path / "store")


def installed(store):
    return [pack.name for pack in store.list() if not pack.bundled]


def test_add_find_and_remove(store, folder, fpk):
    assert installed(store) == []
    assert store.add(folder).path == store.root / "tiny.fpk"
    assert installed(store) == ["tiny"]
    assert open_pack(store.find("tiny")).vocabulary == ("<none>", "BOOK", "DRINK")
    assert store.find(fpk) == fpk
    store.remove("tiny")
    assert installed(store) == []
    for act in (store.remove, store.find):
        with pytest.raises(ValueError, match="no pack 'tiny' is installed"):
            act("tiny")


def test_add_takes_file_addresses_and_no_others(store, fpk):
    assert store.add(fpk.as_uri()).manifest.name == "tiny"
    with pytest.raises(ValueError, match="not on this machine: download"):
        store.add("https://example.org/tiny.fpk")


def test_a_bad_pack_is_not_added_and_the_old_one_stays(store, fpk):
    store.add(fpk)
    before = store.find("tiny").read_bytes()
    fpk.write_bytes(fpk.read_bytes()[:-30])
    with pytest.raises(ValueError, match="damaged"):
        store.add(fpk)
    assert store.find("tiny").read_bytes() == before
    assert [p.name for p in store.root.iterdir()] == ["tiny.fpk"]


@pytest.mark.parametrize("name", ["demo", "signs"])
def test_the_bundled_packs_are_safe(store, tmp_path, name):
    other = write_pack(tmp_path / "d.fpk", dataclasses.replace(MANIFEST, name=name), FILES)
    with pytest.raises(ValueError, match="name of a bundled pack"):
        store.add(other.path)
    bundled = [pack for pack in store.list() if pack.bundled]
    if not bundled:
        pytest.skip("this copy holds no bundled pack")
    assert [pack.name for pack in bundled] == ["demo", "signs"]
    assert open_pack(store.find(name)).manifest.name == name
    with pytest.raises(ValueError, match="cannot be removed"):
        store.remove(name)


def test_an_own_pack_of_a_name_that_became_ours_is_not_seen_and_changes_nothing(store, folder):
    if bundled_pack("signs") is None:
        pytest.skip("this copy holds no bundled pack")
    store.add(folder)
    (store.root / "tiny.fpk").rename(store.root / "signs.fpk")
    assert [pack.name for pack in store.list()].count("signs") == 1
    assert store.find("signs") == bundled_pack("signs")


def test_for_captions_the_pack_of_single_signs_is_not_offered(store, folder):
    store.add(folder)
    assert [pack.name for pack in store.captioning() if pack.name != "demo"] == ["tiny"]


def test_the_store_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPOST_PACKS", str(tmp_path / "mine"))
    assert PackStore().root == tmp_path / "mine"


WORDS = Translation("pieces.json", 1, {"English": 3, "glosses": 4}, 8, 256)
TRANSLATOR = dataclasses.replace(
    MANIFEST,
    task="translation",
    translation=WORDS,
    preprocess="live",
    graphs={
        name: dataclasses.replace(MANIFEST.graphs["recogniser"], signature=name)
        for name in ("encode", "ctc")
    },
)


def test_a_translation_survives_json_and_belongs_to_its_task_alone():
    assert Manifest.from_json(TRANSLATOR.to_json()) == TRANSLATOR
    for change in ({"translation": None}, {"task": "isolated-signs"}):
        with pytest.raises(ValueError, match="translation must be there for the task translation"):
            dataclasses.replace(TRANSLATOR, **change)
    content = json.loads(TRANSLATOR.to_json())
    del content["translation"]["end"]
    with pytest.raises(ValueError, match="missing key translation.end"):
        Manifest.from_json(json.dumps(content))


def test_a_file_is_for_one_backend():
    graphs = dict(TRANSLATOR.graphs)
    graphs["ctc"] = dataclasses.replace(graphs["ctc"], backend="executorch")
    with pytest.raises(ValueError, match="net.tflite is for several backends: .*executorch"):
        dataclasses.replace(TRANSLATOR, graphs=graphs)


def test_a_translation_pack_needs_its_pieces_and_reads_live(tmp_path):
    refuse_to_write(tmp_path, TRANSLATOR, FILES, "names pieces.json, which is not among its files")
    files = FILES | {"pieces.json": b'["", "a"]'}
    assert write_pack(tmp_path / "sound", TRANSLATOR, files).manifest.translation == WORDS
    other = dataclasses.replace(TRANSLATOR, preprocess="sign")
    refuse_to_write(tmp_path, other, files, "a translator reads frames live, not by 'sign'")


def refuse_to_write(folder, manifest, files, message):
    with pytest.raises(ValueError, match=message):
        write_pack(folder / "refused.fpk", manifest, files)


def test_what_an_old_manifest_does_not_say_is_not_written():
    content = json.loads(MANIFEST.to_json())
    newer = {"preprocess", "translation", "kept", "delegated", "parity"}
    assert newer.isdisjoint(content) and "signature" not in content["graphs"]["recogniser"]
