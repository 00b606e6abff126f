"""After a run: the slider walks the strength path, and layers, table and plot follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QSignalBlocker

from .in_hand import Outcome
from .path_plot import PathPicture
from .state import Phase
from .strength_walk import Step

if TYPE_CHECKING:
    from .dock import AttackDock

WORST_KEY = "Shift-S"  # the worst slice; napari and the compare tools use no such key


class AfterRun(QObject):
    """Between the controller's walker and the panels of the dock that show it."""

    def __init__(self, dock: AttackDock) -> None:
        super().__init__(dock)
        controller, walker = dock.controller, dock.controller.walker
        self._controller, self._walker, self._viewer = controller, walker, dock.layers.viewer
        self._slider, self._organs, self._layers = dock.slider, dock.organs, dock.layers
        self._panel, self._result = dock.walk, dock.result
        self._show, self._say = dock.answers.show_result, dock.say
        controller.phase_changed.connect(self._on_phase)
        controller.case_ready.connect(self._on_case)
        controller.found.connect(self._take)
        controller.picked.connect(self._take)
        controller.saved.connect(self._on_saved)
        walker.walked.connect(self._on_walked)
        walker.completed.connect(self._on_completed)
        walker.measured.connect(self._on_measured)
        walker.told.connect(self._on_told)
        walker.path_changed.connect(self._draw)
        walker.player.changed.connect(self._panel.show_playing)
        self._slider.changed.connect(self._on_slider)
        self._panel.plot.strength_picked.connect(walker.set_strength)
        self._panel.play.clicked.connect(self._on_play)
        self._result.worst.clicked.connect(self._layers.go_to_focus)
        self._result.table.organ_clicked.connect(self.go_to_organ)
        dock.job.save.pressed.connect(walker.stop)
        self._bound = True
        try:
            self._viewer.bind_key(WORST_KEY, lambda _viewer: self._layers.go_to_focus())
        except ValueError:
            self._bound = False  # the user's own

    def let_go(self) -> None:
        """Take the key back from the viewer."""
        if self._bound:
            self._bound = False
            self._viewer.bind_key(WORST_KEY, None, overwrite=True)

    def go_to_organ(self, organ: int) -> None:
        """The slices on which most of an organ's voxels are newly wrong."""
        step = self._walker.shown
        row = next((row for row in step.rows if row.id == organ), None) if step is not None else None
        if row is None:
            return
        if row.worst_slices is None:
            self._say(f"Nothing of the {row.name.replace('_', ' ')} is newly wrong.", False)
            return
        outcome = self._controller.outcome
        if outcome is not None:
            self._layers.go_to_slices(outcome.case_id, row.worst_slices)

    def show_rows(self) -> None:
        """Fill the table with the rows of what is shown, where they are known."""
        step, outcome = self._walker.shown, self._controller.outcome
        if step is None or outcome is None:
            return
        if step.finding.result.attacked_labels is outcome.finding.result.attacked_labels:
            self._result.table.show_rows(step.rows)

    # What the user does

    def _on_slider(self, drop: float) -> None:
        outcome = self._controller.outcome
        if outcome is None or not self._walker.can_walk:
            return
        scored = {organ.id for organ in outcome.finding.result.organs}
        if scored != {organ.id for organ in self._organs.chosen()}:
            self._walker.refuse("Other organs are checked than were attacked: run again for them.")
            return
        self._walker.ask(drop)

    def _on_play(self) -> None:
        if self._walker.playing:
            self._walker.stop()
        else:
            self._walker.play()

    # What the controller and the walker tell

    def _on_phase(self, phase: Phase) -> None:
        self._walker.allowed = not phase.busy
        self._panel.setEnabled(not phase.busy)
        if phase.busy:
            self._walker.pause()
        else:
            self._walker.resume()

    def _on_case(self, _in_hand: object) -> None:
        self._walker.clear()

    def _take(self, outcome: Outcome) -> None:
        in_hand = self._controller.in_hand
        self._walker.take(outcome, case_open=in_hand is not None and in_hand.case is outcome.finding.case)
        self._follow(outcome)

    def _on_walked(self, outcome: Outcome) -> None:
        self._layers.show_walked(outcome)
        self._show(outcome)
        self._say("", False)
        self._follow(outcome)

    def _on_completed(self, outcome: Outcome) -> None:
        self._show(outcome)
        self._follow(outcome)

    def _on_measured(self, step: Step) -> None:
        self._result.table.show_rows(step.rows)

    def _on_told(self, line: str) -> None:
        self._panel.say(line)
        self._draw()

    def _on_saved(self, _saved: object) -> None:
        if (outcome := self._controller.outcome) is not None:
            self._walker.know(outcome)
            self._show(outcome)
            self._follow(outcome)

    def _follow(self, outcome: Outcome) -> None:
        """Slider, line and plot tell of what is shown; a slider that has been moved on meanwhile is left alone."""
        if not self._walker.can_walk:
            return
        if not self._walker.awaited:
            with QSignalBlocker(self._slider):
                self._slider.set_drop(outcome.finding.result.target_drop)
        self._panel.say(self._walker.line())
        self._draw()

    def _draw(self) -> None:
        outcome, walk = self._controller.outcome, self._walker.walk
        if outcome is None or walk is None or not self._walker.can_walk:
            self._panel.show_path(None)
            return
        result, chance = outcome.finding.result, self._walker.control
        asked = self._slider.drop() if self._walker.awaited else result.target_drop
        self._panel.show_path(
            PathPicture(dict(walk.points), result.clean_dice, asked, result.strength, result.achieved_drop, chance)
        )
