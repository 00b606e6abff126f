"""What the controller tells, shown in the dock's panels and layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from .core import Offers, Saved
from .in_hand import AttackerNote, CaseInHand, CtToShow, Outcome, TrainingEnd, opening_notes
from .questions import settle
from .state import Phase
from .wishes import Names

if TYPE_CHECKING:
    from ..attacks import Progress
    from .dock import AttackDock


class Answers(QObject):
    """Between the controller and the panels of the dock that show what it tells."""

    def __init__(self, dock: AttackDock) -> None:
        super().__init__(dock)
        controller = dock.controller
        self._dock, self._controller, self._layers, self._say = dock, controller, dock.layers, dock.say
        self._inputs, self._network, self._organs, self._names = dock.inputs, dock.network, dock.organs, dock.names
        self._slider, self._attacker, self._limits, self._job = dock.slider, dock.attacker, dock.limits, dock.job
        self._draws, self._result, self._training = dock.draws, dock.result, dock.training
        controller.phase_changed.connect(self.show_phase)
        controller.progressed.connect(self._on_progress)
        controller.asked.connect(self._on_asked)
        controller.offered.connect(self._on_offers)
        controller.ct_ready.connect(self._on_ct)
        controller.case_ready.connect(self._on_case)
        controller.found.connect(self._on_found)
        controller.saved.connect(self._on_saved)
        controller.picked.connect(self._on_picked)
        controller.trained.connect(self._on_trained)
        controller.noted.connect(self._on_noted)

    def show_phase(self, phase: Phase) -> None:
        """What can be used in this phase."""
        ready = self._inputs.complete
        self._inputs.setEnabled(not phase.busy)
        for panel in (self._network, self._organs, self._slider, self._attacker, self._limits):
            panel.setEnabled(not phase.busy)
        self._draws.setEnabled(not phase.busy or phase is Phase.SHOWING)
        self._inputs.open_button.setEnabled(ready)
        self._job.show_phase(phase, can_run=ready, can_save=self._controller.outcome is not None)
        self._job.undo.setEnabled(self._controller.earlier.there and not phase.busy)
        self.show_training()
        if phase is Phase.FAILED and self._controller.in_hand is None:
            self._inputs.fold.expand()
        if phase is Phase.FAILED and self._controller.outcome is not None:
            self._draws.mark(self._controller.outcome.picked)

    def show_training(self) -> None:
        """What of the training can be used."""
        self._training.show_phase(self._controller.phase, network_chosen=self._inputs.network.value() is not None)

    def _on_progress(self, progress: Progress) -> None:
        if self._controller.phase is not Phase.CANCELLING:
            running = self._controller.phase is Phase.RUNNING
            self._job.show_progress(progress, self._dock.target if running else None)
            if self._controller.phase is Phase.TRAINING:
                self._training.show_progress(progress)

    def _on_ct(self, shown: CtToShow) -> None:
        self._layers.show_ct(shown)

    def _on_case(self, in_hand: CaseInHand) -> None:
        case = in_hand.case
        self._result.clear()
        self._draws.clear()
        self._inputs.fold.collapse()  # so that what comes next has room in a low window
        self._layers.show_case(in_hand)
        self._network.show_network(in_hand.about)
        self._organs.show_organs(case.organs)
        self._attacker.offer(in_hand.attackers)
        self._limits.set_dimensions(case.network.card.dimensions)
        self._say(opening_notes(in_hand, oblique=self._layers.oblique), False)

    def _on_found(self, outcome: Outcome) -> None:
        self._organs.fold.collapse()  # the table of the result has them
        if self._inputs.complete:
            self._inputs.fold.collapse()
        self._layers.show_outcome(outcome)
        self.show_result(outcome)
        self._say(outcome.note, False)
        self.show_phase(self._controller.phase)

    def _on_picked(self, outcome: Outcome) -> None:
        """Another draw, on the slice that is being looked at."""
        self._layers.show_outcome(outcome, go=False)
        self.show_result(outcome)
        self._say("", False)

    def show_result(self, outcome: Outcome) -> None:
        """What was found in the panels; the layers are shown apart from them."""
        self._draws.show_draws(outcome)
        self._result.show_outcome(outcome)
        self._dock.after.show_rows()

    def _on_trained(self, end: TrainingEnd) -> None:
        """A finished training's attacker is used from now on."""
        self._training.show_end(end)
        if not self._training.fold.isExpanded():
            self._say(end.line, False)
        if end.finished:
            self._attacker.choose(end.folder)

    def _on_noted(self, told: AttackerNote) -> None:
        if not self._attacker.show_note(told):
            self._say(told.line, True)

    def _on_saved(self, saved: Saved) -> None:
        if self._controller.outcome is not None:
            self.show_result(self._controller.outcome)
        self._say(f"Saved in {saved.folder}", False)

    def _on_asked(self, question: Any) -> None:
        if line := settle(self._dock, self._controller, question):
            self._say(line, False)

    def _on_offers(self, offers: Offers) -> None:
        self._inputs.offer(offers)
        self.show_phase(self._controller.phase)

    def rename(self, names: Names) -> None:
        """The user has given the labels other names."""
        self._names.rename(names)
        if self._controller.outcome is not None:
            self.show_result(self._controller.outcome)
