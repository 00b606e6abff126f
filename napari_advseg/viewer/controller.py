"""Between the panels and the worker: one job at a time, its phase, and what it gives. Knows Qt, not napari."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from .card_fields import CardFields
from .core import Core, CtRead, Offers, Saved
from .faults import QUESTIONS, fault_line, first_line, log
from .given_cards import GivenCards
from .in_hand import CaseInHand, CtToShow, Outcome
from .renaming import renamed_finding
from .scene import case_scene, ct_plan, finding_scene
from .state import Phase
from .wishes import AttackWish, CaseWish, Names
from .worker import Job, Worker

if TYPE_CHECKING:
    from ..attacks import CancelToken, Progress
    from ..case import Case
    from ..networks import ModelCard


class Controller(QObject):
    """Runs the user's wishes one at a time.

    All signals are sent in the main thread. ``said`` carries one line and whether it tells of a failure;
    ``asked`` an exception that only the user can settle (consent to a file, a model card, the choice of a DICOM series).
    """

    phase_changed = Signal(object)
    progressed = Signal(object)
    said = Signal(str, bool)
    asked = Signal(object)
    offered = Signal(object)
    ct_ready = Signal(object)
    case_ready = Signal(object)
    found = Signal(object)
    saved = Signal(object)

    def __init__(self, core: Core) -> None:
        super().__init__()
        self._core = core
        self._worker = Worker(core)
        self._worker.stepped.connect(self._on_step)
        self._worker.returned.connect(self._on_return)
        self._worker.raised.connect(self._on_fault)
        self._job: Job | None = None
        self._warm_up = self._worker.submit(self._offers)
        self.closed = False
        self.phase = Phase.IDLE
        self.in_hand: CaseInHand | None = None
        self.outcome: Outcome | None = None
        self.saved_to: Path | None = None
        self._last: tuple[CaseWish, AttackWish | None] | None = None
        self._cards = GivenCards()
        self._ct_id: tuple[object, str] | None = None

    # What the user can ask for

    def open(self, wish: CaseWish, case_id: str | None = None) -> None:
        """Open a case; ``case_id`` where its CT is shown already."""
        if self.phase.busy:
            return
        wish = self._cards.added_to(wish)
        identity = self._id_for(wish, case_id)
        self._last = (wish, None)
        self._start(Phase.OPENING, lambda token: self._opening(wish, identity, token))

    def run(self, wish: CaseWish, attack: AttackWish, case_id: str | None = None) -> None:
        """Attack the case, opening it first where it is not the one in hand."""
        if self.phase.busy:
            return
        wish = self._cards.added_to(wish)
        self._last = (wish, attack)
        in_hand = self.in_hand
        if in_hand is not None and in_hand.wish == wish:
            self._start(Phase.RUNNING, lambda token: self._attacking(in_hand, attack, token))
        else:
            identity = self._id_for(wish, case_id)
            self._start(Phase.OPENING, lambda token: self._opening_and_attacking(wish, identity, attack, token))

    def save(self, folder: Path) -> None:
        """Write the bundle of what was found."""
        outcome = self.outcome
        if self.phase.busy or outcome is None:
            return
        self._start(Phase.SAVING, lambda token: self._core.save(outcome.finding, folder, token))

    def cancel(self) -> None:
        """Ask the running job to stop; it does within about a second."""
        if self._job is not None and self.phase.can_cancel:
            self._job.cancel()
            self._enter(Phase.CANCELLING)

    def consent(self, sha256: str) -> None:
        """The user trusts a file: note it and do again what was asked for."""
        try:
            self._core.trust(sha256)
        except OSError as fault:
            self._fail(f"the consent could not be kept: {fault}")
            return
        self._again()

    def choose_series(self, uid: str) -> None:
        """The user has picked one series of a DICOM folder."""
        if self._last is not None:
            wish, attack = self._last
            self._last = (replace(wish, series=uid), attack)
            self._again()

    def typed_card(self) -> CardFields | None:
        """What the user typed of the model card that is asked for, where an earlier one did not do."""
        return self._cards.typed(self._network)

    def make_card(self, content: dict[str, Any]) -> ModelCard:
        """A checked model card; ValueError, in one line, where it is not valid."""
        return self._core.make_card(content)

    def give_card(self, checkpoint: Path, card: ModelCard, fields: CardFields) -> None:
        """The user has filled in a model card: do again what was asked for. It is kept once it has served."""
        self._cards.give(self._network, checkpoint, card, fields)
        self._again()

    def rename(self, names: Names, *, noted: bool = True) -> None:
        """The labels of the open case's network go by other names.

        ``noted`` is False where the case has to be opened again for them to count.
        """
        in_hand, outcome = self.in_hand, self.outcome
        if in_hand is None or self.phase.busy:
            return
        case = self._core.rename(in_hand.case, names)
        wish = replace(in_hand.wish, labels=names) if noted else in_hand.wish
        self.in_hand = replace(in_hand, case=case, wish=wish)
        if outcome is not None:
            self.outcome = replace(outcome, finding=renamed_finding(outcome.finding, case, names))

    def withdraw_trust(self, sha256: str) -> None:
        """The user no longer trusts a file."""
        try:
            self._core.withdraw_trust(sha256)
        except OSError as fault:
            self._fail(f"The consent could not be withdrawn: {first_line(fault)}")
        else:
            self.said.emit("Trust withdrawn: you will be asked before this file is loaded again.", False)

    def shut_down(self) -> None:
        """Cancel and let the thread end; returns at once, and nothing is sent afterwards."""
        self.closed = True
        for signal in (self._worker.stepped, self._worker.returned, self._worker.raised):
            try:
                signal.disconnect()
            except (RuntimeError, TypeError):
                continue  # disconnected before
        self._worker.close()
        self.in_hand = self.outcome = None

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end after :meth:`shut_down`; True where it has."""
        return self._worker.join(timeout)

    # In the worker's thread

    def _offers(self, _token: CancelToken) -> Generator[Offers, None, None]:
        yield self._core.offers()

    def _opening(self, wish: CaseWish, case_id: str, token: CancelToken) -> Generator[Any, None, CaseInHand]:
        steps = self._core.open_case(wish, token)
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                case: Case = end.value
                return CaseInHand(case_id, wish, case, case_scene(case, case_id), self._core.describe(case))
            yield CtToShow(case_id, ct_plan(step.ct, case_id)) if isinstance(step, CtRead) else step

    def _attacking(self, in_hand: CaseInHand, wish: AttackWish, token: CancelToken) -> Generator[Any, None, Outcome]:
        finding = yield from self._core.attack_case(in_hand.case, wish, token)
        return Outcome(in_hand.id, finding, finding_scene(finding, in_hand.id))

    def _opening_and_attacking(
        self, wish: CaseWish, case_id: str, attack: AttackWish, token: CancelToken
    ) -> Generator[Any, None, Outcome]:
        in_hand = yield from self._opening(wish, case_id, token)
        yield in_hand
        return (yield from self._attacking(in_hand, attack, token))

    # Back in the main thread

    def _on_step(self, job: Job, step: object) -> None:
        if job is self._warm_up:
            self.offered.emit(step)
        elif job is not self._job:
            return
        elif isinstance(step, CtToShow):
            self.ct_ready.emit(step)
        elif isinstance(step, CaseInHand):
            self._take_case(step)
            if self.phase is not Phase.CANCELLING:
                self._enter(Phase.RUNNING)
        else:
            progress: Progress = step  # type: ignore[assignment]
            self.progressed.emit(progress)

    def _on_return(self, job: Job, value: object) -> None:
        if job is not self._job:
            return
        self._job = None
        if isinstance(value, CaseInHand):
            self._take_case(value)
            self._enter(Phase.IDLE)
        elif isinstance(value, Outcome):
            self.outcome, self.saved_to = value, None
            self._enter(Phase.DONE)
            self.found.emit(value)
        elif isinstance(value, Saved):
            if self.outcome is not None:
                self.outcome = replace(self.outcome, finding=value.finding)
            self.saved_to = value.folder
            self._enter(Phase.DONE)
            self.saved.emit(value)

    def _on_fault(self, job: Job, fault: BaseException) -> None:
        if job is self._warm_up:
            log.error("the package could not be loaded", exc_info=fault)
            self.said.emit(f"The package could not be loaded: {first_line(fault)}", True)
            return
        if job is not self._job:
            return
        self._job = None
        name = type(fault).__name__
        if name == "Cancelled":
            self._enter(Phase.IDLE)
            self.said.emit("Stopped; nothing had been measured yet.", False)
        elif name in QUESTIONS:
            self._enter(Phase.IDLE)
            self.asked.emit(fault)
        else:
            if name == "OutOfMemoryError":
                self._core.release()
            line = fault_line(fault)
            if name != "RegionNeededError" and isinstance(fault, ValueError) and self._cards.reject(self._network):
                line += " Open the case again to correct the model card."
            self._fail(line)

    def _take_case(self, in_hand: CaseInHand) -> None:
        wish, note = self._cards.keep(in_hand.wish, self._core.write_card)
        in_hand = replace(in_hand, wish=wish, note=note)
        self.in_hand, self.outcome, self.saved_to = in_hand, None, None
        self.case_ready.emit(in_hand)

    def _start(self, phase: Phase, start: Any) -> None:
        self._enter(phase)
        self._job = self._worker.submit(start)

    def _again(self) -> None:
        if self._last is not None:
            wish, attack = self._last
            if attack is None:
                self.open(wish)
            else:
                self.run(wish, attack)

    @property
    def _network(self) -> str:
        """The network that was last asked for."""
        return "" if self._last is None else self._last[0].network

    def _fail(self, line: str) -> None:
        self._enter(Phase.FAILED)
        self.said.emit(line, True)

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.phase_changed.emit(phase)

    def _id_for(self, wish: CaseWish, case_id: str | None) -> str:
        """One id per CT, so that a second case on it takes the place of the first in the layer list."""
        if case_id is None:
            same = self._ct_id is not None and self._ct_id[0] == wish.ct
            case_id = self._ct_id[1] if same and self._ct_id is not None else uuid.uuid4().hex
        self._ct_id = (wish.ct, case_id)
        return case_id
