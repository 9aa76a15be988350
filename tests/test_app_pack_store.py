"""Packs from an address, of a server of our own: whole or not there, and taken back."""

import dataclasses
import hashlib
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from fingerpost.app import pack_store
from fingerpost.app.pack_store import add_pack, can_roll_back, fetch, install, remove, roll_back
from fingerpost.edge_runtime.pack import PackStore, bundled_pack, open_pack, write_pack

pytestmark = pytest.mark.skipif(bundled_pack() is None, reason="built without its pack")


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    """Versions 1.0 and 2.0 of a pack "mine": the bundled one by another name."""
    demo, made = open_pack(bundled_pack()), {}
    for version in ("1.0", "2.0"):
        manifest = dataclasses.replace(demo.manifest, name="mine", version=version)
        path = tmp_path_factory.mktemp("packs") / "mine.fpk"
        files = {name: demo.read(name) for name in demo.manifest.files}
        made[version] = write_pack(path, manifest, files).path
    return made


@pytest.fixture(autouse=True)
def sound(request, monkeypatch):
    """Trying a pack takes a second: one test does it for real."""
    if "for_real" not in request.node.name:
        monkeypatch.setattr(pack_store, "verify_pack", lambda pack: [])


@pytest.fixture
def store(tmp_path):
    return PackStore(tmp_path / "store")


@pytest.fixture
def server():
    """Serves ``content``; ``broken_after`` bytes it hangs up, once. Notes the ranges asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content, start = state.content, 0
            asked = self.headers.get("Range", "")
            state.ranges.append(asked)
            if self.path == "/elsewhere":
                self.send_response(302)
                self.send_header("Location", "http://example.com/mine.fpk")
                self.end_headers()
                return
            if self.path != "/mine.fpk":
                self.send_error(404)
                return
            if asked and self.headers.get("If-Range") == state.etag:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                self.send_response(206)
            else:
                self.send_response(200)
            self.send_header("ETag", state.etag)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = state.broken_after or len(content)
            state.broken_after = None
            self.wfile.write(content[start:end])

        def log_message(self, *_):
            pass

    state = SimpleNamespace(content=b"", broken_after=None, ranges=[], etag='"one"')
    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    state.address = f"http://127.0.0.1:{served.server_port}/mine.fpk"
    yield state
    served.shutdown()
    served.server_close()


def left_over(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_pack_is_fetched_tried_for_real_and_installed_whole(server, store, packs):
    server.content = packs["1.0"].read_bytes()
    shares = []
    sha256 = hashlib.sha256(server.content).hexdigest()
    pack = add_pack(f"{server.address}#sha256={sha256}", store, shares.append)
    assert pack.path == store.find("mine") and pack.manifest.version == "1.0"
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert left_over(store.root) == ["mine.fpk"]


def test_a_download_goes_on_where_it_broke_off(server, tmp_path):
    server.content = bytes(range(256)) * 2000
    server.broken_after = 200_000
    with pytest.raises(OSError, match="try again to go on"):
        fetch(server.address, tmp_path)
    assert fetch(server.address, tmp_path).read_bytes() == server.content
    assert server.ranges == ["", "bytes=200000-"]


def test_a_file_that_has_changed_meanwhile_is_fetched_anew(server, tmp_path):
    server.content, server.broken_after = b"a" * 300_000, 100_000
    with pytest.raises(OSError, match="broke off"):
        fetch(server.address, tmp_path)
    server.content, server.etag = b"b" * 50_000, '"two"'
    assert fetch(server.address, tmp_path).read_bytes() == b"b" * 50_000


def test_a_cancelled_download_goes_on_later(server, tmp_path):
    server.content = b"x" * 400_000

    def cancel(share):
        if share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.address, tmp_path, cancel)
    assert fetch(server.address, tmp_path).read_bytes() == server.content
    assert server.ranges[1].startswith("bytes=1")


def test_what_is_not_as_announced_is_thrown_away(server, store):
    server.content = b"not what was meant"
    with pytest.raises(ValueError, match="its sha256 differs"):
        add_pack(f"{server.address}#sha256={'0' * 64}", store)
    with pytest.raises(ValueError, match="not a pack|neither|zip"):
        add_pack(server.address, store)
    assert left_over(store.root) == []
    with pytest.raises(ValueError, match="64 hexadecimal"):
        add_pack(f"{server.address}#sha256=123", store)


def test_addresses_that_are_refused(server, store, monkeypatch):
    for address in ("http://example.com/a.fpk", "ftp://example.com/a.fpk"):
        with pytest.raises(ValueError, match="https:// addresses only"):
            add_pack(address, store)
    with pytest.raises(ValueError, match="says 404"):
        add_pack(server.address + "x", store)
    with pytest.raises((ValueError, OSError), match="not https|cannot be reached"):
        add_pack(server.address.replace("mine.fpk", "elsewhere"), store)
    monkeypatch.setattr(pack_store, "LARGEST", 10)
    server.content = b"x" * 11
    with pytest.raises(ValueError, match="no pack is so large"):
        add_pack(server.address, store)


def test_a_full_disk_is_noticed_before_anything_is_written(server, store, monkeypatch):
    server.content = b"x" * 1_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=65_000_000))
    with pytest.raises(OSError, match="65 MB free, and 69 are needed"):
        add_pack(server.address, store)


def test_an_update_can_be_taken_back_and_forth(store, packs):
    install(packs["1.0"], store)
    assert not can_roll_back("mine", store)
    install(packs["2.0"], store)
    assert open_pack(store.find("mine")).manifest.version == "2.0"
    assert [pack.name for pack in store.list()] == ["demo", "signs", "mine"]  # not the old one
    assert roll_back("mine", store).manifest.version == "1.0"
    assert roll_back("mine", store).manifest.version == "2.0"
    remove("mine", store)
    assert left_over(store.root) == []
    with pytest.raises(ValueError, match="no earlier pack"):
        roll_back("mine", store)


def test_a_pack_that_computes_otherwise_here_is_not_installed(store, packs, monkeypatch):
    install(packs["1.0"], store)
    failed = SimpleNamespace(passed=False, measure="max difference", value=0.5)
    monkeypatch.setattr(pack_store, "verify_pack", lambda pack: [failed])
    with pytest.raises(ValueError, match="does not compute here"):
        install(packs["2.0"], store)
    assert open_pack(store.find("mine")).manifest.version == "1.0"
    assert left_over(store.root) == ["mine.fpk"]
