"""Opens the app off screen and walks through it; a program for the tests, and for the pictures of
docs/screens (see docs/app.md).

    python tests/app_tour.py FOLDER [--real SOURCE] STEP…

writes FOLDER/STEP.png and FOLDER/STEP.json for each step. A step is a screen and what is changed
before it, "settings,theme=light,text_pt=72,size=400x800"; press=, type=, keys= and take= do what
they say on it (press=Cancel>OK one after the other), at= waits for a time of the source, slow=
makes each picture of the window take so many ms, voice= has replies by voice, with these words
understood. Every word in the window is in the .json: its text, where it is, how large it is drawn
and how much room it has. FOLDER/sockets.json has every socket for a network that was asked for.
--real captions a source with the bundled pack; else what is seen and said is made up.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from fingerpost.app.demo import demo_clip
from fingerpost.app.observer import Sight
from fingerpost.app.screen import settle_kivy
from fingerpost.app.session import Session
from fingerpost.edge_runtime.captions import Line, LineChanged, LineCompleted
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame
from fingerpost.edge_runtime.video import open_video

SOCKETS: list[str] = []
HOME = Path(sys.argv[1])
SETTLED = 8  # a screen is drawn as it stays after so many pictures: sizes follow each other
LARGEST = 1200, 900  # of the window; off screen it cannot grow
SIGN = 1000  # ms of the demo clip at which a sign is seen


class Camera:
    """A camera before which the demo clip's signer stands still."""

    name, fps, live, schema, problem, extractor = "camera 0", 25.0, True, SIGN69, "", "none"

    def __init__(self) -> None:
        with open_video(demo_clip()) as video:
            picture = video.at(SIGN)
        assert picture is not None
        self.picture = picture
        self.size = picture.shape[1], picture.shape[0]
        self.aspect = self.size[0] / self.size[1]

    def __iter__(self) -> Iterator[Sight]:
        for t in range(10**6):
            time.sleep(0.04)
            # Somebody is there, but too vague to be drawn.
            vague = np.zeros((69, 3), np.float32), np.full(69, 0.2, np.float32)
            yield Sight(t * 40, self.picture, KeypointFrame(t * 40, *vague))


class Script:
    """Says two lines, and begins a third."""

    LINES = (
        Line("Nice to meet you.", ("nice", "meet", "you"), ((), (), ()), 680, 3120, 0.93),
        Line(
            "I want a drink.",
            ("want", "drink"),
            ((), ()),
            5260,
            7500,
            0.34,
            others=(("I need a drink.", 0.3), ("I want a coffee.", 0.25), ("A drink again?", 0.2)),
            unsure=True,
        ),
        Line("MY FAMILY", ("my", "family"), ((), ()), 9740, 11580, 0.9),
    )

    def push(self, frame: KeypointFrame) -> list:
        number = frame.time_ms // 40
        if number < 2:
            return [LineCompleted(number, self.LINES[number])]
        return [LineChanged(2, self.LINES[2], 2)] if number == 2 else []

    def flush(self) -> list:
        return []


@contextmanager
def session() -> Iterator[Session]:
    yield Session(Camera(), Script())


def main() -> None:
    settle_kivy(HOME / "kivy")
    from fingerpost.app.ui import open_window

    open_window.WIDTH, open_window.HEIGHT = LARGEST
    open_window.open_window()
    from fingerpost.app.ui.app_state import AppState
    from fingerpost.app.ui.run import run_app

    steps = sys.argv[2:]
    source = None
    if steps[0] == "--real":
        source, steps = steps[1], steps[2:]
    state = AppState(HOME / "home", source or "demo", open_session=None if source else session)
    state.change(reduced_motion=True)
    walked = iter(steps)
    run_app(state, lambda shell: walk(shell, walked))
    (HOME / "sockets.json").write_text(json.dumps(SOCKETS + open_sockets()))


def note_sockets(event: str, arguments: tuple) -> None:
    """An audit hook: whatever in Python wants a network is written down."""
    asks = event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto")
    made = event == "socket.__new__" and arguments[1] not in (socket.AF_UNIX, -1)
    if asks or made:
        SOCKETS.append(f"{event} {arguments[1:]}")


def open_sockets() -> list[str]:
    """What the kernel says of this process's network: native code asks no audit hook."""
    found = []
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        table = Path(f"/proc/self/net/{kind}")
        rows = table.read_text().splitlines()[1:] if table.is_file() else []
        inodes = {row.split()[9] for row in rows}
        found += [f"{kind} {inode}" for inode in inodes & own_inodes()]
    return found


def own_inodes() -> set[str]:
    links = [os.readlink(fd) for fd in Path("/proc/self/fd").iterdir() if os.path.islink(fd)]
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def walk(shell, steps: Iterator[str]) -> None:
    """Takes a step, lets it settle, writes it down, goes on."""
    from kivy.app import App
    from kivy.clock import Clock

    step = next(steps, None)
    if step is None:
        App.get_running_app().stop()
        return
    where, *changes = step.split(",")
    given = dict(change.split("=") for change in changes)
    pressed = given.pop("press").split(">") if "press" in given else []
    typed = given.pop("type", None)
    keys = given.pop("keys", "").split()
    takes = given.pop("take", "").split()
    at_ms = int(given.pop("at")) if "at" in given else None
    slow_s = int(given.pop("slow", 0)) / 1000
    go(shell, where, given)

    drawn = least = 0

    def settled(_dt: float) -> None:
        nonlocal drawn, least
        drawn += 1
        time.sleep(slow_s)
        talk = shell.state.conversation
        said = len(talk.entries) >= 2 or talk.can_put_back
        starting = shell.state.worker is not None and not said
        if at_ms is not None:
            starting = shell.screen.picture.time_ms < at_ms
        if hasattr(shell.screen, "take"):  # what is signed there is not said
            starting = shell.state.worker is not None and shell.state.worker.observer is None
        busy = shell.errand is not None or getattr(shell.dialog, "awaited", False)
        if starting or busy:
            drawn = 0  # what comes of it is not drawn yet
        if not drawn or drawn % SETTLED:
            Clock.schedule_once(settled, 0)
        elif takes:
            least = begin_take(shell.screen, takes)
            takes.clear()
            Clock.schedule_once(settled, 0)
        elif getattr(shell.screen, "take", None) is not None and shell.screen.take.recording:
            if shell.state.worker.taped() >= least:
                shell.screen.take.turn()
            Clock.schedule_once(settled, 0)
        elif keys:
            send_key(keys.pop(0))
            Clock.schedule_once(settled, 0)
        elif pressed:
            Clock.schedule_once(settled, 0)  # first: what is pressed may raise, and be told
            find(shell, pressed.pop(0)).trigger_action(0)
        else:
            write_down(shell, step)
            walk(shell, steps)

    Clock.schedule_once(settled, 0)
    if typed:
        shell.screen.panel.field.text = typed
        shell.screen.panel.field.dispatch("on_text_validate")


def go(shell, where: str, given: dict[str, str]) -> None:
    """To a screen, with a size of the window and settings. name : only tells pictures apart"""
    from kivy.core.window import Window

    if "size" in given:
        Window.size = tuple(map(int, given.pop("size").split("x")))
    given.pop("name", None)
    if "voice" in given:
        given["voice_model"] = hear(given.pop("voice"))
    if given:
        shell.set(**{key: int(v) if v.isdecimal() else v for key, v in given.items()})
    if where != "welcome" and not shell.state.settings.welcomed:
        shell.state.change(welcomed=True)
    if shell.name != where or shell.dialog is not None:
        shell.go(where)


def hear(words: str) -> str:
    """Has replies by voice, without vosk and a microphone: these words are understood at once, but
    for "-": there the microphone is missing. Returns what stands for the folder of a model; none
    where there are no words."""
    from fingerpost.app import speech_to_text

    class Recogniser:
        def AcceptWaveform(self, data: bytes) -> int:
            time.sleep(0.01)  # as long as a microphone is waited for
            return 0

        def PartialResult(self) -> str:
            return json.dumps({"partial": words})

        def FinalResult(self) -> str:
            return json.dumps({"text": words})

    @contextmanager
    def microphone() -> Iterator[speech_to_text.Microphone]:
        if words == "-":
            raise ValueError("the microphone needs: apt-get install libportaudio2")
        yield speech_to_text.Microphone(16000, lambda: b"")

    speech_to_text.why_not = lambda folder: "" if folder else "name the folder of a voice model"
    speech_to_text.open_recogniser = lambda folder, rate: Recogniser()
    speech_to_text.open_microphone = microphone
    return "vosk-model" if words else ""


def begin_take(screen, given: list[str]) -> int:
    """Fills in a signer and a sign, or for Teach the sign alone, and begins at once. Returns how
    many sights are to be taken: the last of what is given. video : after it, agrees to that too"""
    from fingerpost.app.ui import take

    take.COUNTDOWN_S = 0
    *words, least = [word for word in given if word != "video"]
    if hasattr(screen, "signer"):
        screen.signer.text, screen.gloss.text = words
        screen._agree("training", True)
        screen._agree("video", "video" in given)
    else:
        (screen.name.text,) = words
    screen.take.turn()
    return int(least)


def send_key(name: str) -> None:
    """As SDL gives it to the window: "tab", "alt+2", "enter"."""
    from kivy.core.window import Keyboard, Window

    *modifiers, key = name.split("+")
    code = Keyboard.keycodes[key]
    Window.dispatch("on_key_down", code, 0, None, modifiers)
    Window.dispatch("on_key_up", code, 0)


def find(shell, text: str):
    """The thing to press with this text, of those that can be pressed now the one on top."""
    from fingerpost.app.ui.widgets import Press

    found = [w for w in shell.walk() if isinstance(w, Press) and w.text == text and not w.disabled]
    return found[0]


def write_down(shell, step: str) -> None:
    from kivy.core.window import Window
    from kivy.uix.label import Label

    from fingerpost.app.ui.live_picture import text_width
    from fingerpost.app.ui.run import save_window
    from fingerpost.app.ui.widgets import Field, Press

    words, hints = [], []
    for widget in shell.walk():
        if isinstance(widget, Field) and not widget.text:
            hints.append([widget.hint_text, widget.hint_width, widget.hint_room])
        if isinstance(widget, Label) and widget.text.strip() and widget.get_parent_window():
            x, y = widget.to_window(*widget.pos)
            words.append(
                {
                    "text": widget.text,
                    "x": x,
                    "y": y,
                    "width": widget.width,
                    "height": widget.height,
                    "drawn": list(widget.texture_size),
                    "widest": 0 if widget.markup else widest_word(widget, text_width),
                    "press": isinstance(widget, Press),
                    "scrolls": scrolls(widget),
                }
            )
    about = {"window": list(Window.size), "words": words, "hints": hints, "screen": shell.name}
    if shell.name == "talk":
        live = shell.screen.picture
        about["picture"] = [*live.to_window(*live.shown.pos), *live.shown.size]
    save_window(HOME / f"{step}.png")
    written = HOME / f"{step}0001.png"
    if written.is_file():
        written.replace(HOME / f"{step}.png")
    (HOME / f"{step}.json").write_text(json.dumps(about, ensure_ascii=False))


def widest_word(widget, text_width) -> float:
    """In pixels, of what stands between spaces; as regular letters, which bold ones exceed."""
    size = widget.font_name, widget.font_size
    return max(text_width(word, *size) for word in widget.text.split())


def scrolls(widget) -> bool:
    """Whether it can be scrolled into view."""
    from kivy.uix.scrollview import ScrollView

    above = widget.parent
    while above is not None and above is not above.parent:
        if isinstance(above, ScrollView):
            return True
        above = above.parent
    return False


if __name__ == "__main__":
    sys.addaudithook(note_sockets)
    main()
