"""Record: keypoints of signing, and video where the signer agrees to that too. For developers."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from fingerpost.app.observer import Observer
from fingerpost.app.recording import Consent, Label, RecordingFolder, sequence_of_sights
from fingerpost.app.tape import Tape
from fingerpost.app.translations import _
from fingerpost.app.ui.app_state import now_ms
from fingerpost.app.ui.dialogs import question
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.layouts import Column, Flow, Page, Panel
from fingerpost.app.ui.take import Beside, Take
from fingerpost.app.ui.widgets import Field, Press, Words, choices, small, title

if TYPE_CHECKING:
    from fingerpost.app.ui.shell import Shell

FOLDER = "recordings"  # in the app's folder


class RecordScreen(BoxLayout):
    """Who signs and what they agree to; what is signed; the take; what was recorded."""

    def __init__(self, shell: "Shell") -> None:
        super().__init__()
        self.shell, self.look = shell, shell.look
        self.folder = RecordingFolder(shell.state.folder / FOLDER)
        self._agreed = {"training": False, "sharing": False, "video": False}
        self._drawn_with = shell.errand
        look = shell.look
        self.signer = Field(look, _("The signer's name, or a number you know them by"))
        self.gloss = Field(look, _("The sign, or the signs in order: HOW YOU"))
        self.text = Field(look, _("The sentence, if it is one: How are you?"))
        self._switches = Column()
        self._recorded = Column()
        self._says = small(look, "")
        self.take = Take(shell, self._add, self._check, lambda: self._agreed["video"])
        form = Page(
            look,
            title(look, _("Record")),
            small(look, _("For developers: clips to train with, in a folder on this device.")),
            Panel(look, Words(look, _("1. Who signs")), self.signer, self._switches),
            Panel(look, Words(look, _("2. What is signed")), self.gloss, self.text),
            Panel(look, Words(look, _("Recorded so far")), self._recorded),
        )
        sign_it = Page(
            look,
            Panel(look, Words(look, _("3. Sign it")), self._says, self.take),
        )
        self.add_widget(Beside(form, sign_it))
        self._draw_switches()
        self._draw_recorded()

    def tick(self) -> None:
        """What was recorded is drawn once it is written."""
        self.take.tick()
        if self._drawn_with is not self.shell.errand:
            self._drawn_with = self.shell.errand
            self._draw_recorded()

    def _check(self) -> None:
        if not self.signer.text.strip():
            raise ValueError(_("Name the signer first."))
        if not self.gloss.text.strip() and not self.text.text.strip():
            raise ValueError(_("Say what is signed first."))
        self.shell.require_idle()

    def _add(self, tape: Tape, observer: Observer) -> None:
        """Has it written; a video takes seconds, so a window does not wait."""
        languages = self.shell.state.open_pack().manifest.languages
        label = Label(self.gloss.text, self.text.text, languages[0] if languages else "")
        video = self._agreed["video"] and tape.with_pictures  # not where agreed to meanwhile
        consent = Consent(self.signer.text, **self._agreed | {"video": video})
        sequence, said = sequence_of_sights(tape.sights, observer), _("Recorded: {name}")

        def work(_tell: Callable[[float], None]) -> str:
            path = self.folder.add(sequence, label, consent, now_ms(), tape)
            return said.format(name=path.name)

        self.shell.begin(_("Writing the clip …"), work)

    def _draw_switches(self) -> None:
        """Three consents, each on its own; none is given before somebody presses."""
        self._switches.clear_widgets()
        self._says.text = (
            _("Keypoints and video: the face and the room can be recognised.")
            if self._agreed["video"]
            else _("Keypoints only: where body, hands and face are. No picture is kept.")
        )
        for name, words in (
            ("training", _("The signer agrees that models are trained with these clips")),
            ("sharing", _("The signer agrees that these clips are passed on to others")),
            ("video", _("The signer agrees that video is kept too, with face and room")),
        ):
            yes_no = [(True, _("Yes")), (False, _("No"))]
            row = choices(self.look, yes_no, self._agreed[name], partial(self._agree, name))
            self._switches.add_widget(Words(self.look, words))
            self._switches.add_widget(row)

    def _agree(self, name: str, agreed: bool) -> None:
        self._agreed[name] = agreed
        self._draw_switches()

    def _draw_recorded(self) -> None:
        look = self.look
        self._recorded.clear_widgets()
        signers = self.folder.signers()
        if not signers:
            self._recorded.add_widget(small(look, _("Nothing yet.")))
        for signer, n_clips in signers.items():
            words = _("Clips of {signer}: {n}").format(signer=signer, n=n_clips)
            withdraw = Press(
                look, _("Withdraw: delete all"), partial(self._ask, signer, n_clips), "danger"
            )
            self._recorded.add_widget(Words(look, words, font_name=font_for(words)))
            self._recorded.add_widget(Flow(withdraw))
        self._recorded.add_widget(small(look, str(self.folder.root)))

    def _ask(self, signer: str, n_clips: int) -> None:
        def withdraw() -> None:
            self.folder.withdraw(signer)
            self.shell.close_dialog()
            self._draw_recorded()

        look = self.look
        words = _("All clips of {signer} will be gone ({n}).").format(n=n_clips, signer=signer)
        dialog: Widget = question(
            look,
            _("Withdraw?"),
            words,
            Press(look, _("Cancel"), self.shell.close_dialog),
            Press(look, _("Delete"), withdraw, "danger"),
        )
        self.shell.show_dialog(dialog)
