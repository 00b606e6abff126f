"""What was read from a bundle becomes the dock's outcome, and goes on once its network is opened."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from .in_hand import CaseInHand, Outcome
from .later import later
from .layers import known, outline_layers
from .reader import RECALLED
from .recalled import Recalled, reopened
from .side_job import SideJob
from .state import Phase

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from .dock import AttackDock


_docks: list[weakref.ref[AttackDock]] = []


def open_dock(viewer: ViewerModel) -> AttackDock | None:
    """The viewer's dock that was opened last; None where it has been closed."""
    for one in reversed(_docks):
        dock = one()
        if dock is not None and not dock.controller.closed and _bare(dock.viewer) is _bare(viewer):
            return dock
    return None


def _bare(viewer: ViewerModel) -> ViewerModel:
    """Without the proxy in which napari gives a plugin its viewer, another one for each widget."""
    return getattr(viewer, "__wrapped__", viewer)


class TakingUp(QObject):
    """Watches the layer list for a bundle that was opened, until :meth:`let_go`."""

    def __init__(self, viewer: ViewerModel, dock: AttackDock) -> None:
        super().__init__(dock)
        self._viewer, self._dock = viewer, dock
        self._recalled: Recalled | None = None
        self._region = ""
        _docks[:] = [*(one for one in _docks if one() is not None), weakref.ref(dock)]
        viewer.layers.events.inserted.connect(self._on_inserted)
        dock.controller.case_ready.connect(self._on_case)
        dock.controller.found.connect(self._on_found)
        dock.inputs.changed.connect(self._on_inputs)
        for layer in viewer.layers:
            self._look_at(layer)

    def let_go(self) -> None:
        """Stop watching; may be called again."""
        self._recalled = None
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)

    def take(self, recalled: Recalled, region: str = "") -> None:
        """Make it the outcome, or show it where it can only be looked at."""
        dock, self._recalled = self._dock, recalled
        dock.layers.adopt(recalled.bundle.grid)
        if recalled.whole:
            dock.controller.take_up(recalled.outcome, recalled.folder)  # first, so that no network is opened for the CT
        else:
            dock.layers.show_outcome(recalled.outcome)
            dock.result.show_outcome(recalled.outcome)
        outline_layers(self._viewer, recalled.scene.case_id)
        ct = dock.layers.ct_layer(recalled.scene.case_id)
        if recalled.whole:
            dock.organs.show_organs(recalled.outcome.finding.case.organs)
        if ct is not None and recalled.whole:
            dock.inputs.ct.set_value(ct)
        if region and recalled.whole:
            self._region = region
            dock.inputs.region.setText(region)
        dock.say(recalled.line)

    def _on_inserted(self, event: Any) -> None:
        self._look_at(event.value)

    def _look_at(self, layer: Any) -> None:
        recalled = known(layer).get(RECALLED)
        if isinstance(recalled, Recalled):
            # The reader's other layers are still coming in.
            later(self, lambda: self.take(recalled, str(recalled.bundle.region)) if self._free(recalled) else None)

    def _free(self, recalled: Recalled) -> bool:
        busy = self._dock.controller.phase.busy
        if busy:
            self._dock.say("The bundle is shown; the dock takes it up only while no job runs: open it again then.")
        return not busy and not self._dock.controller.closed

    def _on_inputs(self) -> None:
        """The bundle's region is that of its CT, not of another."""
        recalled, inputs = self._recalled, self._dock.inputs
        if self._region and (recalled is None or not self._same_ct(recalled)):
            if inputs.region.text() == self._region:
                inputs.region.clear()
            self._region = ""

    def _same_ct(self, recalled: Recalled) -> bool:
        return self._dock.layers.ct_layer(recalled.scene.case_id) is self._dock.inputs.ct.value()

    def _on_found(self, outcome: Outcome) -> None:
        if self._recalled is not None and outcome.finding is not self._recalled.outcome.finding and outcome.live:
            self._recalled = None  # a run has found something newer

    def _on_case(self, in_hand: CaseInHand) -> None:
        """The bundle's CT with a network: what was found goes on from where it was."""
        recalled = self._recalled
        if recalled is None or not recalled.whole:
            return
        if in_hand.id != recalled.scene.case_id:
            self._recalled = None
            return

        def start(_wish: object, _token: object) -> Generator[Any, None, Outcome]:
            yield from ()
            return reopened(recalled, in_hand.case)

        def returned(outcome: object) -> None:
            if isinstance(outcome, Outcome):
                self._dock.controller.take_up(outcome, recalled.folder)
                self._dock.say("The bundle's result goes on: its strength can be set.")

        def begin() -> None:
            if self._dock.controller.phase is Phase.IDLE and self._dock.controller.in_hand is in_hand:
                self._dock.controller.begin(SideJob(Phase.REOPENING, start, returned=returned))

        later(self, begin)  # the controller is still telling of the case
