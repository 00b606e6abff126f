"""Between the panels and the worker: one job at a time, its phase, and what it gives. Knows Qt, not napari."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from .core import Core, CtRead, Offers, Saved
from .scene import LayerPlan, Scene, case_scene, ct_plan, finding_scene
from .state import Phase
from .wishes import AttackWish, CaseWish
from .worker import Job, Worker

if TYPE_CHECKING:
    from ..attacks import CancelToken, Progress
    from ..case import Case, Finding

log = logging.getLogger("napari_advseg")


@dataclass(frozen=True, eq=False)
class CtToShow:
    """The CT of the case being opened, as a layer."""

    case_id: str
    plan: LayerPlan


@dataclass(frozen=True, eq=False)
class CaseInHand:
    """An open case, the wish it came from, and its layers."""

    id: str
    wish: CaseWish
    case: Case
    scene: Scene


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run found, and its layers."""

    case_id: str
    finding: Finding
    scene: Scene


class Controller(QObject):
    """Runs the user's wishes one at a time.

    All signals are sent in the main thread. ``said`` carries one line and whether it tells of a failure;
    ``asked`` an exception that only the user can settle (consent to a file, the choice of a DICOM series).
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
        self._ct_id: tuple[object, str] | None = None

    # What the user can ask for

    def open(self, wish: CaseWish, case_id: str | None = None) -> None:
        """Open a case; ``case_id`` where its CT is shown already."""
        if self.phase.busy:
            return
        identity = self._id_for(wish, case_id)
        self._last = (wish, None)
        self._start(Phase.OPENING, lambda token: self._opening(wish, identity, token))

    def run(self, wish: CaseWish, attack: AttackWish, case_id: str | None = None) -> None:
        """Attack the case, opening it first where it is not the one in hand."""
        if self.phase.busy:
            return
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
                return CaseInHand(case_id, wish, case, case_scene(case, case_id))
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
            self.said.emit(f"The package could not be loaded: {_first_line(fault)}", True)
            return
        if job is not self._job:
            return
        self._job = None
        name = type(fault).__name__
        if name == "Cancelled":
            self._enter(Phase.IDLE)
            self.said.emit("Stopped; nothing had been measured yet.", False)
        elif name in ("ConsentNeededError", "SeveralSeriesError"):
            self._enter(Phase.IDLE)
            self.asked.emit(fault)
        elif name == "RegionNeededError":
            self._fail(
                "This network looks at one box, and without reference labels nothing says where: draw the region "
                "or type it (More about the case), or give reference labels."
            )
        elif name == "OutOfMemoryError":
            log.error("out of memory", exc_info=fault)
            self._core.release()
            self._fail("The device's memory is full: choose the device cpu, or a smaller region.")
        elif isinstance(fault, (ValueError, OSError)):
            self._fail(_first_line(fault))
        else:
            log.error("unexpected fault", exc_info=fault)
            self._fail(f"Something went wrong ({name}: {_first_line(fault)}); the details are in the log.")

    def _take_case(self, in_hand: CaseInHand) -> None:
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


def _first_line(fault: BaseException) -> str:
    """One line of an error, pydantic's lists of faults joined."""
    if hasattr(fault, "errors") and callable(fault.errors):
        parts = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in fault.errors()]
        return "; ".join(parts)
    if isinstance(fault, OSError) and fault.strerror:
        return f"{fault.strerror}: {fault.filename}" if fault.filename else fault.strerror
    return (str(fault).strip().splitlines() or [type(fault).__name__])[0]
