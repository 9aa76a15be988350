"""Teach: signs of one's own, by three examples each. Kept as keypoints, on this device only."""

from functools import partial
from typing import TYPE_CHECKING

from kivy.uix.boxlayout import BoxLayout

from fingerpost.app.observer import Observer
from fingerpost.app.tape import Tape
from fingerpost.app.translations import _
from fingerpost.app.ui.dialogs import question
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.layouts import Column, Flow, Page, Panel
from fingerpost.app.ui.take import Beside, Take
from fingerpost.app.ui.widgets import Field, Press, Words, small, title
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.own_signs import OwnSign, OwnSigns, sign_name
from fingerpost.edge_runtime.teaching import ExampleCutter

if TYPE_CHECKING:
    from fingerpost.app.ui.shell import Shell

N_EXAMPLES = 3  # that are asked for
MOST_EXAMPLES = 5  # that are kept


class TeachScreen(BoxLayout):
    """What it means; three takes, or one with all three; the signs that were taught."""

    def __init__(self, shell: "Shell") -> None:
        super().__init__()
        self.shell, self.look, self.signs = shell, shell.look, OwnSigns()
        self.examples: list[PoseSequence] = []
        look = shell.look
        self.name = Field(look, _("The word that is shown: ANNA"))
        self.take = Take(shell, self._taken, self._check)
        self._count = Words(look, "")
        self._add_press = Press(look, _("Add this sign"), self._add, "accent")
        self._over_press = Press(look, _("Start over"), self._start_over)
        self._taught = Column()
        how = _("One take each: hands down, the sign, hands down.")
        sign_it = Page(
            look,
            Panel(
                look,
                Words(look, _("2. Sign it three times")),
                small(look, how),
                self.take,
                self._count,
                Flow(self._add_press, self._over_press),
            ),
        )
        form = Page(
            look,
            title(look, _("Teach")),
            small(look, _("Add a sign of your own: a name sign, a place, a word of your work.")),
            Panel(look, Words(look, _("1. What it means")), self.name),
            Panel(look, Words(look, _("Signs of your own")), self._taught),
        )
        self.add_widget(Beside(form, sign_it))
        self._draw()

    def tick(self) -> None:
        self.take.tick()

    def _check(self) -> None:
        if not self.name.text.strip():
            raise ValueError(_("Say what the sign means first."))
        sign_name(self.name.text)

    def _taken(self, tape: Tape, observer: Observer) -> None:
        """A take may hold one example or all of them, each from rest to rest."""
        hand = self.shell.state.settings.dominant_hand
        cutter = ExampleCutter(observer.schema, observer.aspect, hand)
        found = [example for sight in tape.sights for example in cutter.push(sight.keypoints)]
        found += cutter.flush()
        if not found:
            raise ValueError(_("No sign was seen in this take."))
        self.examples = [*self.examples, *found][-MOST_EXAMPLES:]
        self._draw()

    def _add(self) -> None:
        self._check()
        sign = OwnSign(sign_name(self.name.text), tuple(self.examples))
        self.signs.add(sign)
        self.name.text = ""
        self._start_over()
        self.shell.tell(_("Added: {name}").format(name=sign.name))
        self._take_effect()

    def _start_over(self) -> None:
        self.examples = []
        self._draw()

    def _take_effect(self) -> None:
        """The captioner knows the signs that were there when it was made."""
        if self.shell.state.worker is not None:
            self.shell.state.start_camera()

    def _draw(self) -> None:
        look = self.look
        n = len(self.examples)
        self._count.text = _("Takes: {n} of {total}").format(n=n, total=N_EXAMPLES)
        self._add_press.disabled = n < N_EXAMPLES
        self._over_press.disabled = not n
        self._taught.clear_widgets()
        signs = self.signs.list()
        if not signs:
            self._taught.add_widget(small(look, _("Nothing yet.")))
        for sign in signs:
            forget = Press(look, _("Forget"), partial(self._ask, sign.name), "danger")
            self._taught.add_widget(Words(look, sign.name, font_name=font_for(sign.name)))
            self._taught.add_widget(Flow(forget))
        if signs and not self._pack_looks_for_them():
            words = _("The pack in use cannot look for signs of your own.")
            self._taught.add_widget(Words(look, words, colour=look.theme.warn))
        where = _("Kept on this device only, as keypoints: no picture.")
        self._taught.add_widget(small(look, where))

    def _pack_looks_for_them(self) -> bool:
        try:
            return self.shell.state.open_pack().manifest.translation is not None
        except (ValueError, OSError):
            return False

    def _ask(self, name: str) -> None:
        def forget() -> None:
            self.signs.remove(name)
            self.shell.close_dialog()
            self._draw()
            self._take_effect()

        look = self.look
        self.shell.show_dialog(
            question(
                look,
                _("Forget?"),
                _("“{name}” will not be recognised any more.").format(name=name),
                Press(look, _("Cancel"), self.shell.close_dialog),
                Press(look, _("Forget"), forget, "danger"),
            )
        )
