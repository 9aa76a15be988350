"""What is said of a Jetson: by its files, and by a jetson-stats that answers as its own does."""

import types

import pytest

from fingerpost.app import doctor
from fingerpost.app.platforms import jetson

RELEASE = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n"


@pytest.fixture
def board(monkeypatch, tmp_path):
    """The files of a board with JetPack 6, and no jetson-stats."""
    for name, text in (("RELEASE", RELEASE), ("MODEL", "NVIDIA Jetson Orin Nano\0")):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(jetson, name, tmp_path / name)
    monkeypatch.setitem(jetson.importlib.sys.modules, "jtop", None)
    return tmp_path


@pytest.fixture
def stats(board, monkeypatch):
    """Puts a jetson-stats in place; its values are those of its documentation."""

    class JtopException(Exception):
        pass

    class Jtop:
        error: Exception | None = None
        runs = True
        temperature = {
            "cpu": {"temp": 48.5, "online": True},
            "tj": {"temp": 51.25, "online": True},
            "cv0": {"temp": -256, "online": False},
        }
        cpu = {
            "total": {},
            "cpu": [
                {"online": True, "freq": {"min": 115200, "max": 1510400, "cur": 1190400}},
                {"online": False},
            ],
        }
        gpu = {"ga10b": {"type": "integrated", "freq": {"cur": 305999}}}
        power = {"rail": {}, "tot": {"volt": 5000, "curr": 1300, "power": 6512, "avg": 6100}}

        def __init__(self, interval):
            self.interval = interval

        def __enter__(self):
            if self.error:
                raise self.error
            return self

        def __exit__(self, *error):
            return False

        def ok(self):
            return self.runs

    module = types.SimpleNamespace(jtop=Jtop, JtopException=JtopException)
    monkeypatch.setitem(jetson.importlib.sys.modules, "jtop", module)
    return module


def test_a_board_is_known_by_its_files(board):
    assert jetson.is_jetson()
    assert jetson.about_board() == "NVIDIA Jetson Orin Nano, L4T 36.4.3, JetPack 6"


def test_a_release_that_is_not_known_is_no_guess(board):
    jetson.RELEASE.write_text(RELEASE.replace("R36", "R99"))
    assert jetson.about_board() == "NVIDIA Jetson Orin Nano, L4T 99.4.3"


def test_other_machines_are_none(board, tmp_path, monkeypatch):
    jetson.RELEASE.unlink()
    assert jetson.is_jetson()  # by its model alone
    jetson.MODEL.write_text("Raspberry Pi 5\0")
    assert not jetson.is_jetson()
    jetson.MODEL.unlink()
    assert not jetson.is_jetson()


def test_health_in_degrees_megahertz_and_watts(stats):
    health, problem = jetson.read_health()
    assert problem == ""
    assert health.celsius == {"cpu": 48.5, "tj": 51.25}  # a sensor that is off says -256
    assert health.megahertz == {"cpu0": 1190.4, "ga10b": 305.999}
    assert health.watts == 6.512


def test_a_board_without_a_power_sensor_has_no_watts(stats):
    stats.jtop.power = {}
    health, _ = jetson.read_health()
    assert health.watts is None and health.celsius


def test_a_service_that_does_not_answer_is_told_in_one_line(stats):
    stats.jtop.error = stats.JtopException("The jtop.service is\nnot active")
    assert jetson.read_health() == (None, "jetson-stats says The jtop.service is not active")
    stats.jtop.error, stats.jtop.runs = None, False
    assert jetson.read_health() == (None, "jetson-stats has stopped")


def test_another_version_of_jetson_stats_is_no_error(stats):
    stats.jtop.cpu = {"cores": 8}
    assert jetson.read_health() == (
        None,
        "jetson-stats answers in a way not known here ('cpu'); 7.2 is",
    )


def test_no_jetson_stats_is_no_problem(board):
    assert jetson.read_health() == (None, "")


def opencv(has: bool) -> types.SimpleNamespace:
    registry = types.SimpleNamespace(hasBackend=lambda number: has and number == 1800)
    return types.SimpleNamespace(CAP_GSTREAMER=1800, videoio_registry=registry)


def test_gstreamer_is_asked_of_opencv():
    assert jetson.has_gstreamer(opencv(True)) and not jetson.has_gstreamer(opencv(False))


def test_the_doctor_says_how_warm_a_board_is(stats):
    check = doctor.check_board()
    assert check.state == "ok"
    assert check.detail == "NVIDIA Jetson Orin Nano, L4T 36.4.3, JetPack 6, 51 °C, 6.5 W"


def test_the_doctor_says_how_to_get_jetson_stats(board):
    check = doctor.check_board()
    assert (check.state, check.needed) == ("later", False)
    assert "pip3 install -U jetson-stats" in check.hint


def test_the_doctor_says_that_executorch_needs_torch(board, monkeypatch):
    def installed(*names):
        monkeypatch.setattr(doctor.util, "find_spec", lambda name: name in names or None)

    installed("ai_edge_litert")
    check = doctor.check_backends()
    assert (check.state, check.detail) == ("ok", "tflite (ai_edge_litert)")
    assert "cannot load without torch" in check.hint
    monkeypatch.setattr(doctor, "is_jetson", lambda: False)
    assert doctor.check_backends().hint == ""  # a desktop that never asked for ExecuTorch
    installed("ai_edge_litert", "executorch")
    assert "cannot load without torch" in doctor.check_backends().hint
    installed("ai_edge_litert", "executorch", "torch")
    check = doctor.check_backends()
    assert (check.hint, check.detail) == ("", "tflite (ai_edge_litert), executorch")


def test_the_doctor_says_that_pypis_opencv_opens_no_ribbon_camera(board, monkeypatch):
    from fingerpost.edge_runtime import video

    monkeypatch.setattr(video, "import_cv2", lambda: opencv(False))
    check = doctor.check_ribbon_camera()
    assert (check.state, check.needed) == ("missing", False) and "docs/jetson.md" in check.hint
    monkeypatch.setattr(video, "import_cv2", lambda: opencv(True))
    assert doctor.check_ribbon_camera().state == "ok"
