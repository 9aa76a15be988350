"""What stands around a kiosk: health endpoint, systemd, the command."""

import dataclasses
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from fingerpost.app import commands_kiosk, kiosk_health
from fingerpost.app.commands_kiosk import unit_of
from fingerpost.app.kiosk_health import STALE_MS, Health, HealthServer, Snapshot
from fingerpost.app.kiosk_pin import PinFile
from fingerpost.app.kiosk_systemd import Beat, unit

RUNNING = Snapshot(
    10_000, "talk", "running", pack="mine", sights_per_s=24.5, n_visitors=3, n_lines=17, n_losses=2
)


@pytest.fixture
def clock():
    return [10_000]


@pytest.fixture
def served(clock):
    """(what the kiosk publishes to, its port)"""
    health = Health(lambda: clock[0])
    server = HealthServer(health, 0)
    yield health, server.port
    server.close()


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def problem(port):
    status, said = get(port, "/healthz")
    said = json.loads(said)
    assert said["ok"] == (status == 200) == (said["problem"] == "")
    return said["problem"]


def metrics(port):
    rows = get(port, "/metrics")[1].splitlines()
    return {name: float(v) for name, v in (r.rsplit(" ", 1) for r in rows if r[0] != "#")}


def test_healthz_at_each_moment(served, clock):
    health, port = served
    assert problem(port) == "the camera has not started yet"
    health.publish(RUNNING)
    assert problem(port) == ""
    health.publish(dataclasses.replace(RUNNING, pipeline="down", trouble="camera 0 is gone"))
    assert problem(port) == "camera 0 is gone"
    health.publish(dataclasses.replace(RUNNING, pipeline="starting", trouble="camera 0 is gone"))
    assert problem(port) == "camera 0 is gone"
    health.publish(RUNNING)
    clock[0] += STALE_MS
    assert problem(port) == ""
    clock[0] += 2_000
    assert problem(port) == "the window has stood still for 7 s"


def test_metrics_for_prometheus(served, clock):
    health, port = served
    health.publish(RUNNING)
    told = metrics(port)
    assert told["fingerpost_up"] == 1 and told["fingerpost_visitors_total"] == 3
    assert told["fingerpost_lines_total"] == 17 and told["fingerpost_pipeline_losses_total"] == 2
    assert (
        told["fingerpost_sights_per_second"] == 24.5 and told['fingerpost_view{view="talk"}'] == 1
    )
    if sys.platform == "linux":
        assert told["process_resident_memory_bytes"] > 1e7
    clock[0] += 60_000
    assert metrics(port)["fingerpost_up"] == 0
    health.publish(dataclasses.replace(RUNNING, time_ms=clock[0], pipeline="down"))
    assert metrics(port)["fingerpost_sights_per_second"] == 0  # not what it was before


def test_only_these_two_and_only_to_this_machine(served):
    _, port = served
    assert get(port, "/")[0] == get(port, "/healthz/../x")[0] == 404
    with socket.socket() as other:
        other.settimeout(5)
        with pytest.raises(OSError):
            other.connect((own_address(), port))


def own_address():
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("there is no network here")
        return asking.getsockname()[0]


def test_a_client_that_says_nothing_or_nonsense_stops_nobody(served, monkeypatch):
    health, port = served
    monkeypatch.setattr(kiosk_health._Answers, "timeout", 0.2)  # instead of seconds
    health.publish(RUNNING)
    with socket.create_connection(("127.0.0.1", port)) as silent:
        assert problem(port) == ""  # once the silent one was left
        silent.close()
    with socket.create_connection(("127.0.0.1", port)) as mad:
        mad.sendall(b"\x00\xff nonsense\r\n\r\n")
    assert problem(port) == ""


def test_a_port_that_is_taken_is_said(served):
    with pytest.raises(OSError, match="choose another with --port"):
        HealthServer(Health(lambda: 0), served[1])


def test_a_sign_of_life_every_second(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.setblocking(False)
        beat = Beat({"NOTIFY_SOCKET": path})
        for now_ms in (5_000, 5_500, 6_000, 6_400, 7_100):
            beat(now_ms)
        heard = [systemd.recv(100) for _ in range(3)]
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
    assert heard == [b"READY=1\nWATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    beat(20_000)  # systemd is gone: nothing happens
    Beat({})(0)


def test_the_unit_starts_this_installation(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/finger post/bin/python")
    text = unit_of("csi", "50%$HOME", 20.0, 0)
    (start,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert start == (
        'ExecStart="/opt/finger post/bin/python" -m fingerpost.app kiosk '
        "--source csi --pack '50%%$$HOME' --absent 20 --port 0"
    )
    assert "WatchdogSec=30" in text and "{" not in text
    with pytest.raises(ValueError, match="one line"):
        unit("--pack x\nExecStart=/bin/sh")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_unit(tmp_path):
    path = tmp_path / "fingerpost.service"
    path.write_text(unit_of("0", None, 30.0, 8808))
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def command(*arguments, home, given=""):
    environment = os.environ | {"FINGERPOST_HOME": str(home)}
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY", "FINGERPOST_DEBUG"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-m", "fingerpost.app", "kiosk", *arguments],
        env=environment,
        input=given,
        capture_output=True,
        text=True,
    )


def test_the_pin_is_set_on_the_command_line_also_over_a_damaged_file(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPOST_HOME", str(tmp_path))
    path = tmp_path / commands_kiosk.PIN_FILE
    for pin in ("97531", "8642"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(pin + "\n"))
        commands_kiosk.set_pin()
        assert PinFile(path).is_right(pin)
        if pin == "97531":
            path.write_text("damaged")
    wrong = command("--set-pin", home=tmp_path, given="12\n")
    assert wrong.returncode == 2
    assert wrong.stderr == "fingerpost: a PIN has 4 to 12 digits, and nothing else\n"
    assert PinFile(path).is_right("8642")


@pytest.mark.skipif(sys.platform != "linux", reason="others always have a screen")
def test_without_a_screen_it_says_what_to_do(tmp_path):
    done = command("--port", "0", home=tmp_path)
    assert done.returncode == 2 and "SDL_VIDEODRIVER=kmsdrm" in done.stderr
    assert done.stderr.count("\n") == 1
