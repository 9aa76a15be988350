"""The source trees for phones: what is in them, and that they run without site-packages.

Java and Objective-C are stood in for (tests/stand_ins): what is tested is what we call, with what,
and what we make of the answers; not that a phone answers so.
"""

import ast
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC
from fingerpost.edge_runtime.manifest import GraphSpec, TensorSpec
from fingerpost.edge_runtime.pack import bundled_pack, open_pack
from fingerpost.edge_runtime.pack_check import GOLDEN, read_golden
from fingerpost.edge_runtime.translator import Translator

ROOT = Path(__file__).parent.parent
STAND_INS = ROOT / "tests" / "stand_ins"
SEEN = 33 + 21 + 468  # a body, a hand and a face, of the stand-ins; the irises are left out
TOO_HEAVY = {"torch", "transformers", "pandas", "scipy", "coremltools", "ai_edge_litert"}
NOT_IN_A_PHONE = {"trainer", "distill"}
WINDOW_NEEDS = ("numpy", "numpy.libs", "kivy", "Kivy.libs", "kivy.libs", "filetype", "msgspec")
WINDOW_NEEDS += ("platformdirs", "polib.py", "rich", "markdown_it", "mdurl", "pygments")


def load_program(name: str, path: Path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def phone_tree():
    """The program that writes trees, which is in no package."""
    return load_program("phone_tree", ROOT / ".ci" / "phone_tree.py")


@pytest.fixture(scope="module", params=["android", "ios"])
def tree(request, phone_tree, tmp_path_factory):
    """A tree, and which system's. A bundle is in it that the stand-ins take."""
    folder = tmp_path_factory.mktemp("phone") / request.param
    cache = tmp_path_factory.mktemp("cache")
    with zipfile.ZipFile(cache / "holistic_landmarker_v1.task", "w") as bundle:
        bundle.writestr("part", b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINGERPOST_CACHE", str(cache))
        phone_tree.write_tree(request.param, folder)
    return folder, request.param


def sources(folder: Path) -> list[Path]:
    return sorted((folder / "fingerpost").rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_a_tree_holds_no_training_and_nothing_heavy(tree):
    folder, _ = tree
    assert {path.name for path in (folder / "fingerpost").iterdir() if path.is_dir()} == {
        "app",
        "assets",
        "edge_runtime",
    }
    for path in sources(folder):
        names = imports_of(path)
        heavy = TOO_HEAVY & {name.partition(".")[0] for name in names}
        # A package's own checks need it, but nothing on a phone calls them.
        assert heavy <= ({"coremltools"} if path.name == "coreml_package.py" else set()), path
        assert not NOT_IN_A_PHONE & {name.split(".")[1] for name in names if "." in name}, path
        assert not path.name.startswith("cli"), path


def test_a_tree_holds_the_app_the_pack_and_the_landmarker(tree):
    folder, system = tree
    wanted = ["main.py", "buildozer.spec", "models/holistic_landmarker_v1.task"]
    wanted += ["fingerpost/app/ui/run.py", f"fingerpost/app/platforms/{system}.py"]
    wanted += ["fingerpost/app/locales/de/LC_MESSAGES/fingerpost.po", "fingerpost/LICENSE"]
    for name in wanted:
        assert (folder / name).is_file(), name
    assert open_pack(folder / "fingerpost/assets/demo/pack").manifest.name == "demo"
    assert not (folder / "fingerpost/assets/signs").exists()  # no screen looks up a sign
    other = {"android": "ios", "ios": "android"}[system]
    assert not list(folder.glob(f"fingerpost/app/platforms/{other}*"))


def test_whatever_a_tree_imports_of_ours_is_in_it(tree, phone_tree):
    folder, _ = tree
    there = {
        ".".join(path.relative_to(folder / "fingerpost").with_suffix("").parts)
        for path in sources(folder)
    }
    for path in sources(folder):
        for module in phone_tree.imported_by(ROOT / path.relative_to(folder / "fingerpost")):
            name = module if module in there else f"{module}.__init__"
            assert name in there or module in phone_tree.LEFT_OUT, f"{path}: {module}"


def test_a_tree_is_written_anew_and_nothing_else_is_overwritten(phone_tree, tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPOST_CACHE", str(tmp_path / "cache"))
    tree = tmp_path / "tree"
    phone_tree.write_tree("ios", tree)
    (tree / "left_over.py").write_text("")
    phone_tree.write_tree("ios", tree)
    assert not (tree / "left_over.py").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]  # and no half of one
    other = tmp_path / "photos"
    other.mkdir()
    with pytest.raises(ValueError, match="is something else"):
        phone_tree.write_tree("ios", other)
    with pytest.raises(ValueError, match="no 'windows'"):
        phone_tree.write_tree("windows", tmp_path / "new")


def run_alone(folder: Path, what: str, packages: tuple[str, ...], tmp_path: Path) -> dict:
    """Runs the smoke test where only the tree, the stand-ins and these packages can be imported."""
    site = Path(np.__file__).parent.parent
    links = tmp_path / "links"
    links.mkdir()
    for package in packages:
        if (site / package).exists():
            (links / package).symlink_to(site / package)
    path = os.pathsep.join(map(str, (folder, STAND_INS, links)))
    environment = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    environment |= {"FINGERPOST_HOME": str(tmp_path / "home"), "SDL_VIDEODRIVER": "offscreen"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # the tree stays as it was written
    command = [sys.executable, "-S", str(ROOT / "tests" / "phone_smoke.py"), str(folder), what]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_tree_runs_without_site_packages(tree, tmp_path):
    """``python -S`` sees the tree, numpy, and what stands in for the phone."""
    folder, system = tree
    told = run_alone(folder, system, ("numpy", "numpy.libs", "platformdirs"), tmp_path)
    assert told["seen"] == SEEN and told["pack"] == "demo"
    assert told["camera"] == ([48, 64, 3] if system == "android" else None)
    stand_in = "jnius" if system == "android" else "pyobjus"
    assert stand_in in told["loaded"]
    assert not {"torch", "mediapipe", "cv2", "kivy", "ai_edge_litert"} & set(told["loaded"])
    ours = {n: m for n, m in told["backends"].items() if m.startswith("fingerpost.app.platforms")}
    assert set(ours) == {"android": {"tflite", "executorch"}, "ios": {"coreml"}}[system]


def test_the_window_of_a_tree_opens_without_site_packages(tree, tmp_path):
    """Kivy is real here, and OpenCV is missing: talk says that there is no camera."""
    pytest.importorskip("kivy")
    folder, system = tree
    if system == "ios":
        pytest.skip("the same modules as for Android")
    told = run_alone(folder, "window", WINDOW_NEEDS, tmp_path)
    assert told == {"shown": ["welcome", "talk", "history", "packs", "settings"], "cv2": False}


# ---- the libraries of a phone, stood in for --------------------------------------------------


@pytest.fixture
def stand_ins(monkeypatch):
    """jnius and pyobjus, as fresh modules."""
    monkeypatch.syspath_prepend(str(STAND_INS))
    for name in ("jnius", "pyobjus", "pyobjus.dylib_manager"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in ("jnius", "pyobjus", "pyobjus.dylib_manager"):
        sys.modules.pop(name, None)


@pytest.fixture
def bundle(tmp_path):
    with zipfile.ZipFile(tmp_path / "bundle.task", "w") as archive:
        archive.writestr("part", b"")
    return tmp_path / "bundle.task"


@pytest.mark.parametrize("system", ["android", "ios"])
def test_points_of_a_phone_come_where_those_of_python_do(stand_ins, bundle, system):
    module = importlib.import_module(f"fingerpost.app.platforms.{system}")
    red = np.zeros((48, 64, 3), np.uint8)
    red[:, :32, 0] = 200  # the left half is red
    with module.Landmarker(64, 48, bundle) as landmarker:
        frame = landmarker.detect(red, 40)
        again = landmarker.detect(red, 40)
    assert (frame.time_ms, again.time_ms) == (40, 41)  # MediaPipe wants times that rise
    groups = MEDIAPIPE_HOLISTIC.groups
    body = frame.xyz[groups["body"]]
    np.testing.assert_allclose(body[2], (0.002, 0.5, -0.002), atol=1e-6)
    np.testing.assert_allclose(frame.confidence[groups["body"]], 0.8)
    assert (frame.xyz[groups["right_hand"]] == 0).all()  # not seen
    np.testing.assert_allclose(frame.xyz[groups["face"]][-1, 0], 0.467, atol=1e-6)
    mirrored = module.Landmarker(64, 48, bundle, mirrored=True)
    mirrored.detect(red, 0)
    name = {"android": "jnius", "ios": "pyobjus"}[system]
    pictures = [call for call in sys.modules[name].CALLS if len(call) == 3]
    firsts = [tuple(call[1]) for call in pictures]  # the first pixel, red green blue alpha
    assert firsts == [(200, 0, 0, 255), (200, 0, 0, 255), (0, 0, 0, 255)]


@pytest.mark.parametrize("system", ["android", "ios"])
def test_a_picture_or_bundle_that_does_not_fit_is_told(stand_ins, bundle, tmp_path, system):
    module = importlib.import_module(f"fingerpost.app.platforms.{system}")
    landmarker = module.Landmarker(64, 48, bundle)
    with pytest.raises(ValueError, match=r"expected a \(48, 64, 3\)"):
        landmarker.detect(np.zeros((64, 48, 3), np.uint8), 0)
    with pytest.raises(FileNotFoundError):
        module.Landmarker(64, 48, tmp_path / "absent.task")
    (tmp_path / "torn.task").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="does not open as a holistic landmarker") as told:
        module.Landmarker(64, 48, tmp_path / "torn.task")
    assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="nothing to look at"):
        module.Landmarker(0, 48, bundle)


def test_a_picture_as_a_bmp_is_what_opencv_reads():
    cv2 = pytest.importorskip("cv2")
    from fingerpost.app.platforms.ios import as_bmp

    rgba = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    rgba[..., 3] = 255
    read = cv2.imdecode(np.frombuffer(as_bmp(rgba), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(read[..., ::-1], rgba[..., :3])


def test_a_pack_says_by_litert_in_java_what_it_says_in_python(stand_ins, monkeypatch):
    """The stand-in computes with LiteRT itself: bytes in, bytes out, as in Java."""
    from ai_edge_litert.interpreter import Interpreter

    from fingerpost.app.platforms import android_litert
    from fingerpost.edge_runtime import backends

    made = {}

    def compute(model, key, inputs, sizes):
        if not made:
            made["litert"] = Interpreter(model_content=model, num_threads=1)
            made["litert"].allocate_tensors()
        runner = made["litert"].get_signature_runner(key)
        takes = runner.get_input_details()
        assert set(takes) == set(inputs)
        arrays = {
            name: np.frombuffer(content, takes[name]["dtype"]).reshape(takes[name]["shape"])
            for name, content in inputs.items()
        }
        found = {name: array.tobytes() for name, array in runner(**arrays).items()}
        assert {name: len(content) for name, content in found.items()} == sizes
        return found

    import jnius

    monkeypatch.setattr(jnius, "COMPUTE", compute)
    monkeypatch.setitem(backends.BACKENDS, "tflite", android_litert.__name__)
    pack = open_pack(bundled_pack())
    golden = read_golden(pack.read(GOLDEN))
    translator = Translator(pack)
    sentence = translator.begin()
    sentence.push_keypoints(golden["clip_0/keypoints"].astype(np.float32))
    answer = sentence.answer("English")
    assert answer.tokens == tuple(golden["clip_0/tokens/English"].tolist())
    translator.close()


SPEC = GraphSpec(
    file="one.bin",
    backend="executorch",
    backend_version="",
    signature="",
    inputs=(TensorSpec("x", (1, 3), "float32"),),
    outputs=(TensorSpec("y", (1, 3), "float32"),),
    state=(TensorSpec("memory", (2, 2), "float32"),),
)


def run_once(graph):
    memory = np.arange(4, dtype=np.float32).reshape(2, 2)
    given = {"x": np.float32([[1, 2, 3]]), "memory": memory}
    found = graph.run(given)
    np.testing.assert_array_equal(found["y"], [[2, 3, 4]])
    np.testing.assert_array_equal(found["memory"], memory + 1)
    with pytest.raises(ValueError, match="takes x of shape"):
        graph.run({**given, "x": np.float32([1])})
    graph.close()
    with pytest.raises(AssertionError):
        graph.run(given)


def test_executorch_in_java_has_states_under_one_name(stand_ins):
    from fingerpost.app.platforms import android_executorch

    run_once(android_executorch.load(b"....ET12....", {"encode": SPEC})["encode"])
    with pytest.raises(ValueError, match="not a working ExecuTorch file"):
        android_executorch.load(b"nothing", {"encode": SPEC})
    with pytest.raises(ValueError, match="at least 1 thread"):
        android_executorch.load(b"....ET12....", {"encode": SPEC}, 0)


def test_core_ml_on_a_phone_has_states_under_one_name(stand_ins, tmp_path):
    from fingerpost.app.platforms.ios_coreml import CoremlGraph

    run_once(CoremlGraph(tmp_path / "model.mlpackage", SPEC))
    with pytest.raises(ValueError, match="not a working Core ML graph"):
        CoremlGraph(tmp_path / "broken.mlpackage", SPEC)


def test_a_litert_file_that_is_none_is_told(stand_ins):
    from fingerpost.app.platforms import android_litert

    with pytest.raises(ValueError, match="not a working TFLite graph"):
        android_litert.load(b"0123456789", {"encode": SPEC})


def test_a_phone_is_known_as_kivy_knows_it(monkeypatch):
    from fingerpost.app.platforms.here import phone

    for name in ("KIVY_BUILD", "P4A_BOOTSTRAP", "ANDROID_ARGUMENT"):
        monkeypatch.delenv(name, raising=False)
    assert phone() == ""
    monkeypatch.setenv("ANDROID_ARGUMENT", "/data")
    assert phone() == "android"
    monkeypatch.setenv("KIVY_BUILD", "ios")
    assert phone() == "ios"


# ---- buildozer --------------------------------------------------------------------------------


def test_buildozer_reads_the_spec():
    parsers = pytest.importorskip("buildozer.specparser", reason="needs the extra android")
    spec = parsers.SpecParser()
    spec.read(str(ROOT / "app" / "buildozer.spec"))
    assert spec.getlist("app", "requirements")[:2] == ["python3", "kivy==2.3.1"]
    libraries = spec.getlist("app", "android.gradle_dependencies")
    assert [library.split(":")[1] for library in libraries] == [
        "tasks-vision",
        "litert",
        "executorch-android",
        "camera-core",
        "camera-camera2",
        "camera-lifecycle",
    ]
    kinds = set(spec.getlist("app", "source.include_exts"))
    assert {"py", "po", "json", "npz", "tflite", "task"} <= kinds


def test_every_kind_of_file_in_a_tree_gets_into_the_app(tree):
    """buildozer packs files by how their names end."""
    folder, _ = tree
    (line,) = [
        line
        for line in (ROOT / "app" / "buildozer.spec").read_text().splitlines()
        if line.startswith("source.include_exts")
    ]
    packed = {f".{kind}" for kind in line.partition("=")[2].strip().split(",")}
    here = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert here - packed <= {".spec", ""}  # the recipe itself, and the licence
