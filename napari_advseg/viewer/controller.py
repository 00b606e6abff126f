"""Between the panels and the worker: one job at a time, its phase, and what it gives. Knows Qt, not napari."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from . import first_layers
from .card_fields import CardFields
from .case_ids import CaseIds
from .core import Core, Offers, Saved
from .earlier_result import EarlierResult
from .faults import QUESTIONS, fault_line, first_line, log
from .given_cards import GivenCards
from .in_hand import AttackerNote, CaseInHand, CtToShow, DrawShown, Outcome, TrainingEnd
from .jobs import Jobs
from .renaming import renamed_finding
from .side_job import SideJob
from .state import Phase
from .walker import Walker
from .wishes import AttackWish, CaseWish, Names, TrainingWish
from .worker import Job, Worker

if TYPE_CHECKING:
    from ..attacks import Progress
    from ..case import Finding
    from ..networks import ModelCard


class Controller(QObject):
    """Runs the user's wishes one at a time.

    All signals are sent in the main thread. ``said`` carries one line and whether it tells of a failure;
    ``asked`` an exception that only the user can settle (consent to a file, a model card, the choice of a DICOM series);
    ``noted`` a line on a learned attacker; ``ended`` is the last one.
    """

    phase_changed = Signal(object)
    progressed = Signal(object)
    said = Signal(str, bool)
    asked = Signal(object)
    offered = Signal(object)
    loaded = Signal()
    ct_ready = Signal(object)
    case_ready = Signal(object)
    found = Signal(object)
    saved = Signal(object)
    picked = Signal(object)
    trained = Signal(object)
    noted = Signal(object)
    ended = Signal()

    def __init__(self, core: Core) -> None:
        super().__init__()
        self._core = core
        self._jobs = Jobs(core)
        self._worker = Worker(core)
        self._worker.stepped.connect(self._on_step)
        self._worker.returned.connect(self._on_return)
        self._worker.raised.connect(self._on_fault)
        self._job: Job | None = None
        self._noting: Job | None = None
        self._wanted_draw: int | None = None
        self.filling: Callable[[], bool] = lambda: False  # whether the dock or layers are being shown; in any thread
        self._warm_up = self._worker.submit(lambda _token: self._jobs.warm_up(lambda: self.filling()))
        self.closed = False
        self.phase = self._started = Phase.IDLE
        self.in_hand: CaseInHand | None = None
        self.outcome: Outcome | None = None
        self.saved_to: Path | None = None
        self._last: tuple[CaseWish, AttackWish | TrainingWish | SideJob | None] | None = None
        self._side: SideJob | None = None
        self._cards = GivenCards()
        self._ids = CaseIds()
        self.earlier = EarlierResult()
        self.walker = Walker(core, self._worker)
        self.walker.walked.connect(self._on_walked)
        self.walker.completed.connect(self._on_completed)

    # What the user can ask for

    def open(self, wish: CaseWish, case_id: str | None = None) -> None:
        """Open a case; ``case_id`` where its CT is shown already."""
        if self.phase.busy:
            return
        wish = self._cards.added_to(wish)
        identity = self._ids.of(wish, case_id)
        self._last = (wish, None)
        self._start(Phase.OPENING, lambda token: self._jobs.opening(wish, identity, token))

    def run(self, wish: CaseWish, attack: AttackWish, case_id: str | None = None) -> None:
        """Attack the case, opening it first where it is not the one in hand."""
        if self.phase.busy:
            return
        wish = self._cards.added_to(wish)
        self._last = (wish, attack)
        in_hand = self.in_hand
        if in_hand is not None and in_hand.wish == wish:
            self._start(Phase.RUNNING, lambda token: self._jobs.attacking(in_hand, attack, token))
        else:
            identity = self._ids.of(wish, case_id)
            self._start(Phase.OPENING, lambda token: self._jobs.opening_and_attacking(wish, identity, attack, token))

    def save(self, folder: Path) -> None:
        """Write the bundle of what was found."""
        outcome = self.outcome
        if self.phase.busy or outcome is None:
            return
        self._start(Phase.SAVING, lambda token: self._core.save(outcome.finding, folder, token))

    def pick(self, index: int) -> None:
        """Show another draw of the last run; of several picks in a row the last one counts."""
        outcome = self.outcome
        if outcome is None:
            return
        if self.phase is Phase.SHOWING:
            self._wanted_draw = index
        elif not self.phase.busy and index != outcome.picked:
            self._start(Phase.SHOWING, lambda _token: self._jobs.showing(outcome, index))

    def train(self, wish: CaseWish, training: TrainingWish) -> None:
        """Train an attacker for the network, with the one that is open where it is the same."""
        if self.phase.busy:
            return
        wish = self._cards.added_to(wish)
        self._last = (wish, training)
        in_hand = self.in_hand
        case = in_hand.case if in_hand is not None and in_hand.wish.same_network(wish) else None
        self._start(Phase.TRAINING, lambda token: self._core.train(wish, training, case, token))

    def begin(self, side: SideJob, wish: CaseWish | None = None) -> bool:
        """Run a job of another panel's; False where one is running. ``wish`` names the network that it opens."""
        if self.phase.busy:
            return False
        if wish is not None:
            wish = self._cards.added_to(wish)
            self._last = (wish, side)
        self._start(side.phase, lambda token: side.start(wish, token))
        self._side = side
        return True

    def leave(self) -> None:
        """Nothing is in hand any more, and nothing is found."""
        if not self.phase.busy:
            self.in_hand = self.outcome = self.saved_to = None
            self.walker.clear()
            self._enter(Phase.IDLE)

    def take_up(self, outcome: Outcome, saved_to: Path) -> None:
        """What was found and saved before is the outcome now; a case on another CT is in hand no longer."""
        self.earlier.keep(self.in_hand, self.outcome)
        self.earlier.keep_only(outcome.case_id)
        if self.in_hand is not None and self.in_hand.id != outcome.case_id:
            self.in_hand = None
        self.outcome, self.saved_to = outcome, saved_to
        if not self.phase.busy:
            self._enter(Phase.DONE)
        self.found.emit(outcome)

    def undo(self) -> None:
        """Bring back the result before the one that is shown; once more brings that one back."""
        if self.phase.busy or not self.earlier.there:
            return
        in_hand, outcome = self.earlier.swap(self.in_hand, self.outcome)
        if in_hand is not self.in_hand:
            self.in_hand = in_hand
            self.case_ready.emit(in_hand)
        self.outcome, self.saved_to = replace(outcome, note=""), None
        self._enter(Phase.DONE)
        self.found.emit(self.outcome)

    def note_attacker(self, attacker: str) -> None:
        """Find out what is known of a learned attacker; ``noted`` tells it."""
        case = None if self.in_hand is None else self.in_hand.case
        self._noting = self._worker.submit(lambda _token: self._jobs.noting(attacker, case))

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

    def choose_series(self, uid: str, folder: Path) -> None:
        """The user has picked one series of a DICOM folder."""
        if self._last is not None:
            wish, asked = self._last
            if isinstance(asked, TrainingWish):
                self._last = (wish, replace(asked, series=(*asked.series, (folder, uid))))
            else:
                self._last = (replace(wish, series=uid), asked)
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

        def change(finding: Finding) -> Finding:
            return renamed_finding(finding, case, names)

        if outcome is not None:
            self.outcome = outcome.changed(change)
        self.earlier.change(in_hand, self.in_hand, change)
        self.walker.change(change)

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
        if self.closed:
            return
        self.closed = True
        self.ended.emit()
        for name in ("stepped", "returned", "raised"):
            try:
                getattr(self._worker, name).disconnect()
            except (RuntimeError, TypeError):
                continue  # disconnected before, or deleted by Qt where Python ends with the window open
        self.walker.close()
        self._worker.close()
        self.in_hand = self.outcome = None
        self.earlier.forget()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end after :meth:`shut_down`; True where it has."""
        return self._worker.join(timeout)

    # Back in the main thread

    def _on_step(self, job: Job, step: object) -> None:
        if job is self._warm_up:
            if isinstance(step, Offers):
                self.offered.emit(step)
            elif step is not None:
                first_layers.adopt(step)  # type: ignore[arg-type]
        elif job is not self._job:
            return
        elif isinstance(step, CtToShow):
            self.ct_ready.emit(step)
        elif isinstance(step, CaseInHand):
            self._take_case(step)
            if self.phase is not Phase.CANCELLING:
                self._enter(Phase.RUNNING)
        elif self._side is not None and type(step).__name__ != "Progress":
            self._side.stepped(step)
        else:
            progress: Progress = step  # type: ignore[assignment]
            self.progressed.emit(progress)

    def _on_return(self, job: Job, value: object) -> None:
        if job is self._noting and isinstance(value, AttackerNote):
            self.noted.emit(value)
        if job is self._warm_up:
            self.loaded.emit()
        if job is not self._job:
            return
        self._job = None
        if (side := self._end_side(self._after_side)) is not None:
            side.returned(value)
        elif isinstance(value, CaseInHand):
            self._take_case(value)
            self._enter(Phase.IDLE)
        elif isinstance(value, Outcome):
            self.earlier.keep(self.in_hand, self.outcome)
            self.outcome, self.saved_to = value, None
            self._enter(Phase.DONE)
            self.found.emit(value)
        elif isinstance(value, Saved):
            if self.outcome is not None:
                self.outcome = self.outcome.completed(value.finding)
            self.saved_to = value.folder
            self._enter(Phase.DONE)
            self.saved.emit(value)
        elif isinstance(value, DrawShown) and self.outcome is not None:
            self._take_draw(value, self.outcome)
        elif isinstance(value, TrainingEnd):
            self._enter(Phase.DONE if value.finished else Phase.IDLE)
            self.trained.emit(value)

    def _on_fault(self, job: Job, fault: BaseException) -> None:
        if job is self._warm_up:
            log.error("the package could not be loaded", exc_info=fault)
            self.said.emit(f"The package could not be loaded: {first_line(fault)}", True)
            return
        if job is not self._job:
            return
        self._job = None
        name = type(fault).__name__
        side = self._end_side(self.phase)
        if name == "Cancelled" and side is not None:
            self._enter(self._after_side)
            self.said.emit(side.stopped, False)
        elif name == "Cancelled":
            done = {Phase.TRAINING: "learned", Phase.SAVING: "written"}.get(self._started, "measured")
            self._enter(Phase.IDLE)
            self.said.emit(f"Stopped; nothing had been {done} yet.", False)
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
        self.earlier.keep(self.in_hand, self.outcome)
        self.earlier.keep_only(in_hand.id)
        self.in_hand, self.outcome, self.saved_to = in_hand, None, None
        self.case_ready.emit(in_hand)

    def _take_draw(self, shown: DrawShown, outcome: Outcome) -> None:
        self.outcome, self.saved_to = outcome.picking(shown), None
        wanted, self._wanted_draw = self._wanted_draw, None
        self._enter(Phase.DONE)
        self.picked.emit(self.outcome)
        if wanted is not None:
            self.pick(wanted)

    def _on_walked(self, outcome: Outcome) -> None:
        """Another strength of the same change: what has been saved is another one."""
        self.outcome, self.saved_to = outcome, None

    def _on_completed(self, outcome: Outcome) -> None:
        self.outcome = outcome

    @property
    def _after_side(self) -> Phase:
        return Phase.IDLE if self.outcome is None else Phase.DONE

    def _end_side(self, phase: Phase) -> SideJob | None:
        """The job of another panel's that has just ended, if it was one; ``phase`` comes after it."""
        side, self._side = self._side, None
        if side is not None:
            if phase is not self.phase:
                self._enter(phase)
            side.ended()
        return side

    def _start(self, phase: Phase, start: Any) -> None:
        self._started, self._wanted_draw = phase, None
        self._enter(phase)
        self._job = self._worker.submit(start)

    def _again(self) -> None:
        if self._last is not None:
            wish, asked = self._last
            if asked is None:
                self.open(wish)
            elif isinstance(asked, TrainingWish):
                self.train(wish, asked)
            elif isinstance(asked, SideJob):
                self.begin(asked, wish)
            else:
                self.run(wish, asked)

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
