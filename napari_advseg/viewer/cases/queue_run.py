"""Attacks all cases through the main dock's controller, and keeps what is found on one of them by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ..controller import Controller
from ..in_hand import Outcome
from ..later import later
from ..side_job import SideJob
from ..state import Phase
from ..take_along.exports import write_list_report
from ..wishes import AttackWish, CaseWish
from .core import CasesCore
from .desk import Desk
from .rows import CaseList, RowFound

if TYPE_CHECKING:
    from ...case import Finding
    from .controller import CasesController

_MOST_S = 10.0  # that the saving waits for the layers


def wait_while(filling: Callable[[], bool]) -> None:
    """In the worker's thread: work in Python beside napari's own would double the time that each layer holds the window."""
    until = time.monotonic() + _MOST_S
    while filling() and time.monotonic() < until:
        time.sleep(0.02)


class QueueRun(QObject):
    """One job of the main dock's worker: all cases, or the saving of one.

    ``progressed`` carries how far the queue is, ``written`` the path of a report.
    """

    progressed = Signal(object)
    written = Signal(object)

    def __init__(self, core: CasesCore, desk: Desk, cases: CasesController) -> None:
        super().__init__(cases)
        self._core, self._desk, self._cases, self._state = core, desk, cases, cases.state
        self._controller: Controller | None = None

    def listen(self) -> Controller:
        """The main dock's controller, listened to; another one where the dock has been closed and opened again."""
        controller = self._desk.controller()
        if controller is not self._controller:
            self.let_go()
            self._controller = controller
            controller.progressed.connect(self._on_progress)
            controller.phase_changed.connect(self._on_phase)
            controller.found.connect(self._on_found)
            controller.ended.connect(self._on_closed)
        return controller

    def let_go(self) -> None:
        """Stop what this has started, and listening."""
        controller, self._controller = self._controller, None
        if controller is None:
            return
        if self._state.queue:
            controller.cancel()
            self._state.set_queue(False)
        for name, heard in (
            ("progressed", self._on_progress),
            ("phase_changed", self._on_phase),
            ("found", self._on_found),
            ("ended", self._on_closed),
        ):
            with suppress(RuntimeError, TypeError):  # the dock is gone
                getattr(controller, name).disconnect(heard)

    def busy(self) -> bool:
        """Whether the main dock's worker has something to do."""
        return self._controller is not None and not self._controller.closed and self._controller.phase.busy

    def run(self, cases: CaseList, work: Path) -> None:
        """Attack every case that is not done."""
        controller, state = self.listen(), self._state
        if controller.phase.busy:
            state.say("Another job is running: wait for its end, or cancel it.", True)
            return
        try:
            wish, attack = self._desk.settings(cases.cases[0].ct)
        except ValueError as fault:
            state.say(str(fault), True)
            return
        in_hand = controller.in_hand
        network = in_hand.case.network if in_hand is not None and in_hand.wish.same_network(wish) else None

        def start(asked: CaseWish | None, token: Any) -> Generator[Any, None, str]:
            return self._core.attack_all(cases, work, asked or wish, attack, network, token)

        def returned(line: object) -> None:
            state.say(str(line))

        side = SideJob(
            Phase.QUEUE,
            start,
            stepped=self._on_step,
            returned=returned,
            ended=self._on_end,
            stopped="Stopped; what had been reached is saved.",
        )
        state.say("")
        state.set_queue(controller.begin(side, wish))

    def report(self, path: Path) -> None:
        """One page about all cases that are done, under their pseudonyms."""
        controller, rows = self.listen(), self._state.rows
        done = [(row.bundle, row.pseudonym) for row in rows if row.bundle is not None]
        path = path if path.suffix.lower() in (".html", ".htm") else path.with_name(f"{path.name}.html")
        bundles, names = [bundle for bundle, _ in done], [name for _, name in done]

        def start(_wish: object, token: Any) -> Generator[Any, None, Path]:
            return write_list_report(bundles, names, path, token)

        side = SideJob(Phase.EXPORTING, start, returned=self.written.emit, stopped="Stopped; no file was written.")
        if not controller.begin(side):
            self._state.say("Another job is running: wait for its end, or cancel it.", True)

    def cancel(self) -> None:
        if self._state.queue and self._controller is not None:
            self._controller.cancel()

    # What the controller tells

    def _on_step(self, step: object) -> None:
        if isinstance(step, RowFound):
            before = self._state.rows[step.index] if step.index < len(self._state.rows) else None
            self._state.set_row(step.index, step.row)
            if before is not None and before.bundle != step.row.bundle:
                self._state.pictures.pop(step.index, None)  # made anew, of the attacked case

    def _on_progress(self, progress: object) -> None:
        if self._state.queue:
            self.progressed.emit(progress)

    def _on_phase(self, phase: Phase) -> None:
        if phase is Phase.QUEUE:  # once more, after a question to the user
            self._state.set_queue(True)
        elif not phase.busy:
            self._cases.rest()

    def _on_end(self) -> None:
        self._state.set_queue(False)
        for index, row in enumerate(self._state.rows):
            if row.state == "running":  # when the queue failed
                self._state.set_row(index, replace(row, state="done" if row.bundle else "new"))

    def _on_closed(self) -> None:
        """The main dock is gone, and the queue with it."""
        if self._state.queue:
            self._state.say("The main dock was closed: attack all goes on where it was.")
        self._controller = None
        self._on_end()

    def _on_found(self, outcome: Outcome) -> None:
        """An attack on a case of the list by hand is kept with the others."""
        index, work, cases = self._cases.case_of(outcome.case_id), self._state.work, self._cases.cases
        controller = self._controller
        if (
            index is None
            or work is None
            or cases is None
            or controller is None
            or not outcome.live
            or outcome.draws
            or outcome.finding.result.stopped
            or controller.saved_to is not None
        ):
            return
        in_hand = controller.in_hand
        if in_hand is None or in_hand.case is not outcome.finding.case:
            return
        # The controller is still telling of what was found.
        later(self, lambda: self._keep(controller, outcome, index, cases, work, in_hand.wish))

    def _keep(
        self, controller: Controller, outcome: Outcome, index: int, cases: CaseList, work: Path, wish: CaseWish
    ) -> None:
        finding, attack, filling = outcome.finding, self._attack(outcome), self._desk.filling()

        def start(_wish: object, token: Any) -> Generator[Any, None, Finding]:
            wait_while(lambda: filling() and not token.cancelled)
            return self._core.keep(cases, index, work, finding, wish, attack, token)

        def returned(_whole: object) -> None:
            self._state.say(f"{self._state.name(index)}: saved in the work folder.")

        if controller.outcome is outcome:
            controller.begin(SideJob(Phase.SAVING, start, stepped=self._on_step, returned=returned))

    def _attack(self, outcome: Outcome) -> AttackWish:
        """As the queue would ask for it: every organ that can be scored is no choice."""
        chosen, case = set(outcome.attack.organs), outcome.finding.case
        every = chosen == {organ.name for organ in case.organs}
        return replace(outcome.attack, organs=()) if every else outcome.attack
