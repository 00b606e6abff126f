"""The dock widget: panels over a controller, and the viewer's layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from napari.utils.notifications import show_error
from qtpy.QtCore import QCoreApplication, QEvent, Qt, QTimer
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from .case_layers import CaseLayers
from .column import scrolling_column
from .controller import CaseInHand, Controller, CtToShow, Outcome
from .core import Core, Offers, PackageCore, Saved
from .drop_slider import DropSlider
from .inputs_panel import InputsPanel
from .job_panel import JobPanel
from .layers import known
from .limits_panel import LimitsPanel
from .organs_panel import OrgansPanel
from .questions import ask_save_folder, ask_series, ask_trust
from .result_panel import ResultPanel
from .state import Phase
from .wishes import AttackWish

if TYPE_CHECKING:
    import napari

    from ..attacks import Organ, Progress

_SETTLE_MS = 300  # a sample adds two layers, so a case is opened a moment after the last choice


class AttackDock(QWidget):
    """Attack a segmentation network on a CT.

    Parameters
    ----------
    napari_viewer
        The viewer that the dock belongs to.
    core
        What does the work; the package's own rooms by default.
    """

    def __init__(self, napari_viewer: napari.Viewer, core: Core | None = None) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._docked = False
        self.controller = Controller(core or PackageCore())
        self.layers = CaseLayers(napari_viewer)
        self.inputs = InputsPanel()
        self.organs = OrgansPanel()
        self.slider = DropSlider()
        self.limits = LimitsPanel()
        self.job = JobPanel()
        self.result = ResultPanel()
        self._target: float | None = None
        self._message = QLabel()
        self._opening_timer = QTimer(self)
        self._opening_timer.setSingleShot(True)
        self._opening_timer.setInterval(_SETTLE_MS)
        self._lay_out()
        self._connect()
        self._list_layers()
        self._on_phase(Phase.IDLE)

    # What the user asks for

    def open_case(self) -> None:
        """Open the case that the inputs describe."""
        self._ask(lambda wish: self.controller.open(wish, self._shown_case()))

    def run(self) -> None:
        """Attack the case."""
        if self.organs.chosen() or self.controller.in_hand is None:
            self._target = self.slider.drop()
            self._ask(lambda wish: self.controller.run(wish, self._attack_wish(), self._shown_case()))
        else:
            self._say("Check at least one organ.", True)

    def save(self) -> None:
        """Ask for a folder and write the bundle there."""
        outcome = self.controller.outcome
        if outcome is None:
            return
        finding = outcome.finding
        name = f"attack-{finding.case.network.card.name}-drop-{finding.result.target_drop:.2f}"
        folder = ask_save_folder(self, name.replace("/", "-").replace(" ", "-"))
        if folder is not None:
            self.save_to(folder)

    def save_to(self, folder: Path) -> None:
        """Write the bundle of the last result."""
        self._say("", False)
        self.controller.save(folder)

    def shut_down(self) -> None:
        """Stop the work and let go of the viewer; returns at once, and may be called again."""
        if not self.controller.closed:
            self._opening_timer.stop()
            for emitter in (self._viewer.layers.events.inserted, self._viewer.layers.events.removed):
                emitter.disconnect(self._on_layers)
            self.layers.disconnect_all()
            self.controller.shut_down()

    # Wishes from the panels

    def _attack_wish(self) -> AttackWish:
        chosen = self.organs.chosen_names() if self.controller.in_hand is not None else ()
        return AttackWish(drop=self.slider.drop(), organs=chosen, **self.limits.values())

    def _ask(self, do: Any) -> None:
        self._say("", False)
        try:
            do(self.inputs.wish())
        except ValueError as fault:
            self._say(str(fault), True)

    def _shown_case(self) -> str | None:
        """The id of the case whose CT layer was chosen as the CT; None for files and other layers."""
        ct = self.inputs.ct.value()
        if ct is None or isinstance(ct, Path):
            return None
        noted = known(ct)
        return noted.get("case") if noted.get("role") == "ct" else None

    # What the controller tells

    def _on_phase(self, phase: Phase) -> None:
        ready = self.inputs.complete
        self.inputs.setEnabled(not phase.busy)
        for panel in (self.organs, self.slider, self.limits):
            panel.setEnabled(not phase.busy)
        self.inputs.open_button.setEnabled(ready)
        self.job.show_phase(phase, can_run=ready, can_save=self.controller.outcome is not None)

    def _on_progress(self, progress: Progress) -> None:
        if self.controller.phase is not Phase.CANCELLING:
            running = self.controller.phase is Phase.RUNNING
            self.job.show_progress(progress, self._target if running else None)

    def _on_ct(self, shown: CtToShow) -> None:
        self.layers.show_ct(shown)

    def _on_case(self, in_hand: CaseInHand) -> None:
        case = in_hand.case
        self.result.clear()
        self.layers.show_case(in_hand)
        self.organs.show_organs(case.organs, _colours(case.organs))
        self.limits.set_dimensions(case.network.card.dimensions)
        given = "the reference labels" if case.reference_given else "the network's own segmentation"
        notes = [f"The case is open; Dice is measured against {given}.", *case.warnings]
        if self.layers.oblique:
            notes.append("The CT is oblique: it is shown along its own axes, and saved exactly where it lies.")
        self._say(" ".join(notes), False)

    def _on_found(self, outcome: Outcome) -> None:
        self.layers.show_outcome(outcome)
        self._show_result(outcome)
        self._on_phase(self.controller.phase)

    def _show_result(self, outcome: Outcome) -> None:
        from ..evidence import sentence

        result = outcome.finding.result
        text = sentence(result, outcome.finding.evidence)
        self.result.show_result(text, result.organs, _colours(result.organs), can_go=outcome.scene.focus is not None)

    def _on_saved(self, saved: Saved) -> None:
        if self.controller.outcome is not None:
            self._show_result(self.controller.outcome)
        self._say(f"Saved in {saved.folder}", False)

    def _on_asked(self, question: Any) -> None:
        if hasattr(question, "sha256"):
            if ask_trust(self, question.path, question.sha256):
                self.controller.consent(question.sha256)
            else:
                self._say("Not loaded: the file is not trusted.", False)
        else:
            uid = ask_series(self, question.series)
            if uid is not None:
                self.controller.choose_series(uid)
            else:
                self._say("Not opened: no series was picked.", False)

    def _on_offers(self, offers: Offers) -> None:
        self.inputs.offer(offers)
        self._on_phase(self.controller.phase)

    def _say(self, line: str, failed: bool) -> None:
        self._message.setText(line)
        self._message.setVisible(bool(line))
        if failed and line:
            show_error(line)

    # The viewer's layers

    def _on_layers(self, event: Any) -> None:
        if self.controller.closed:  # the window is gone, the viewer's model is still used
            return
        self._list_layers()
        layer = event.value
        if (
            event.type == "inserted"
            and known(layer).get("role") in ("ct", "sample labels")
            and known(layer).get("sample")
        ):
            self._take_sample(layer)

    def _take_sample(self, layer: Any) -> None:
        """A sample was opened: it becomes the case, with the network that belongs to it."""
        if self.controller.phase.busy:
            return
        if known(layer)["role"] == "ct":
            self.inputs.ct.set_value(layer)
            self.inputs.network.set_value(known(layer)["network"])
        else:
            self.inputs.reference.set_value(layer)

    def _list_layers(self) -> None:
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image) and _is_ct(layer)]
        labels = [layer for layer in self._viewer.layers if isinstance(layer, Labels)]
        self.inputs.offer_layers(images, labels)

    def _on_inputs(self) -> None:
        """Both chosen: the case is opened, unless a result would be lost by it."""
        self._on_phase(self.controller.phase)
        if self.inputs.complete and self.controller.outcome is None and not self.controller.phase.busy:
            self._opening_timer.start()

    def _on_draw(self) -> None:
        try:
            self.layers.draw_region(self.inputs.region.setText)
        except ValueError as fault:
            self._say(str(fault), True)

    # Widgets

    def _lay_out(self) -> None:
        self._message.setWordWrap(True)
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._message.hide()
        groups: list[list[QWidget]] = [
            [self.inputs],
            [self.organs, self.slider, self.limits],
            [self.job, self._message, self.result],
        ]
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolling_column(groups, "Research use only."))
        self.setMinimumWidth(330)

    def _connect(self) -> None:
        controller = self.controller
        controller.phase_changed.connect(self._on_phase)
        controller.progressed.connect(self._on_progress)
        controller.said.connect(self._say)
        controller.asked.connect(self._on_asked)
        controller.offered.connect(self._on_offers)
        controller.ct_ready.connect(self._on_ct)
        controller.case_ready.connect(self._on_case)
        controller.found.connect(self._on_found)
        controller.saved.connect(self._on_saved)
        self.inputs.changed.connect(self._on_inputs)
        self.inputs.draw_asked.connect(self._on_draw)
        self.inputs.open_button.clicked.connect(self.open_case)
        self.organs.changed.connect(lambda: self.slider.set_clean(self.organs.clean_mean()))
        self.job.run.clicked.connect(self.run)
        self.job.cancel.clicked.connect(controller.cancel)
        self.job.save.clicked.connect(self.save)
        self.result.go_asked.connect(self.layers.go_to_focus)
        self._opening_timer.timeout.connect(self.open_case)
        self._viewer.layers.events.inserted.connect(self._on_layers)
        self._viewer.layers.events.removed.connect(self._on_layers)
        self.destroyed.connect(self.layers.disconnect_all)
        self.destroyed.connect(controller.shut_down)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(controller.shut_down)

    def event(self, event: QEvent) -> bool:
        """Taken out of its dock: the user has closed it."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._docked = True
            elif self._docked:
                self.shut_down()
        return bool(super().event(event))


def _is_ct(layer: Image) -> bool:
    return not layer.rgb and known(layer).get("role", "ct") in ("ct", "perturbed")


def _colours(organs: tuple[Organ, ...]) -> list[str]:
    from ..evidence import organ_colour

    return [organ_colour(organ.id) for organ in organs]
