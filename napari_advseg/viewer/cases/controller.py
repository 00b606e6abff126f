"""Between the cases' panels, the main dock and the thread that reads. Knows Qt, not napari."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer

from ..core import Core
from ..faults import fault_line
from ..in_hand import CtToShow
from ..recalled import Recalled
from ..worker import Job, Worker
from .core import CasesCore
from .desk import Desk
from .queue_run import QueueRun
from .reading import SURVEYED, CtRead, Picture, Readings, Told
from .rows import CaseList, RowFound, default_work
from .state import CasesState


class CasesController(QObject):
    """Opens cases, reads the next one ahead, makes the pictures when nothing else is to be done.

    Parameters
    ----------
    core
        What does the work on many cases.
    thread_core
        Tokens for the thread that reads.
    """

    def __init__(self, core: CasesCore, thread_core: Core, desk: Desk, state: CasesState | None = None) -> None:
        super().__init__()
        self.state = state or CasesState()
        self.closed = False
        self.cases: CaseList | None = None
        self._core, self._desk = core, desk
        self._readings = Readings(core)
        self._worker = Worker(thread_core)
        self._worker.stepped.connect(self._on_step)
        self._worker.returned.connect(self._on_return)
        self._worker.raised.connect(self._on_fault)
        self.queue = QueueRun(core, desk, self)
        self._job: Job | None = None  # what the user waits for
        self._idle_job: Job | None = None
        self._idle_index: int | None = None
        self._no_picture: set[int] = set()
        self._held: CtRead | None = None
        self._ids: dict[int, str] = {}
        self._shown: int | None = None  # whose layers are in the viewer
        self._series: dict[int, str] = {}
        self._surveying = False
        self.ask_series: Callable[[list[tuple[str, int]]], str | None] = lambda _series: None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(100)
        self._rest.timeout.connect(self._when_idle)

    # What the user asks for

    def open_list(self, source: Path) -> None:
        """List the cases of a folder or a CSV, and what has been done on them."""
        if self.state.queue:
            self.state.say("Attacking the cases: wait for the end, or cancel it, before another list is opened.", True)
            return
        self._put_away()
        self._surveying = False
        self.cases, self._held, self._ids, self._series, self._no_picture = None, None, {}, {}, set()
        self.state.set_rows(())
        self.state.work = default_work(source)
        self.state.say("Reading the list…")
        self._begin(lambda _token: self._readings.listing(source))

    def choose_work(self, folder: Path) -> None:
        """Where the bundles go; what has been done there is shown."""
        if self.state.queue:
            self.state.say("Attacking the cases: the work folder stays until the end.", True)
            return
        self.state.work = folder
        cases = self.cases
        if cases is not None:
            for index, row in enumerate(cases.rows()):
                self.state.set_row(index, row)
            self._survey(cases)

    def open(self, index: int) -> None:
        """Show a case: its CT at once, then its bundle, or what the network makes of it."""
        cases, state = self.cases, self.state
        if cases is None or not 0 <= index < len(state.rows):
            return
        if self._desk.controller().phase.busy and not state.queue:
            state.say("Another job is running: wait for its end, or cancel it.", True)
            return
        if not self._desk.may_leave(lambda case_id: self.case_of(case_id) is not None, lambda: self.open(index)):
            return
        self.queue.listen()
        state.set_current(index)
        row, case, held = state.rows[index], cases.cases[index], self._held
        case_id = self._ids.setdefault(index, uuid.uuid4().hex)
        series = self._series.get(index)
        state.say(f"Reading {state.name(index)}…" if held is None or held.index != index else "")
        self._begin(lambda token: self._readings.opening(case, index, case_id, row.bundle, held, series, token))

    def go(self, step: int) -> None:
        """To the case ``step`` further in the list."""
        rows, current = self.state.rows, self.state.current
        if rows:
            wanted = (0 if step > 0 else len(rows) - 1) if current is None else current + step
            if 0 <= wanted < len(rows):
                self.open(wanted)

    def attack_all(self) -> None:
        """Attack every case that is not done, with the main dock's network and settings."""
        if self.cases is not None and self.state.work is not None:
            self.queue.run(self.cases, self.state.work)

    def cancel(self) -> None:
        """Stop the queue; what has been reached is saved."""
        self.queue.cancel()

    def shut_down(self) -> None:
        """Stop and let the thread end; returns at once, and may be called again."""
        if self.closed:
            return
        self.closed = True
        self._rest.stop()
        self.queue.let_go()
        for signal in (self._worker.stepped, self._worker.returned, self._worker.raised):
            signal.disconnect()
        self._worker.close()
        self._held = None

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end after :meth:`shut_down`; True where it has."""
        return self._worker.join(timeout)

    def rest(self) -> None:
        """Something has ended: look for something to do in the meantime."""
        if not self.closed:
            self._rest.start()

    def case_of(self, case_id: str) -> int | None:
        """The number of the case whose layers have this id."""
        return next((index for index, known in self._ids.items() if known == case_id), None)

    @property
    def _ahead(self) -> set[int]:
        return set() if self._held is None else {self._held.index}

    # One reading at a time

    def _begin(self, start: Any) -> None:
        """A reading that the user waits for, in place of the one before."""
        for job in (self._job, self._idle_job):
            if job is not None:
                job.cancel()
        self._idle_job = None
        self._job = self._worker.submit(start)

    def _survey(self, cases: CaseList) -> None:
        work = self.state.work
        if work is not None:
            self._surveying = True
            self._begin(lambda token: self._readings.surveying(cases, work, token))

    def _when_idle(self) -> None:
        """The next CT is read ahead, one only; then pictures that are missing are made."""
        cases, state = self.cases, self.state
        if cases is not None and self._surveying and self._job is None:  # it was cut short by the opening of a case
            self._survey(cases)
        if self.closed or cases is None or self._job is not None or self._idle_job is not None or self.queue.busy():
            return
        if self._desk.filling()():
            self._rest.start()
            return
        following = None if state.current is None else state.current + 1
        if following is not None and following < len(state.rows) and following not in self._no_picture | self._ahead:
            self._idle(following, self._readings.ahead(cases.cases[following], following))
            return
        missing = (i for i in range(len(state.rows)) if i not in state.pictures and i not in self._no_picture)
        index = next(missing, None)
        if index is not None:
            bundle = state.rows[index].bundle
            self._idle(index, self._readings.picture(cases.cases[index], index, bundle, self._held))

    def _idle(self, index: int, steps: Any) -> None:
        self._idle_index = index
        self._idle_job = self._worker.submit(lambda _token: steps)

    # Back in the main thread

    def _on_step(self, job: Job, step: object) -> None:
        if job is not self._job:
            return
        if isinstance(step, CtRead):
            self._held = step
        elif isinstance(step, CtToShow):
            self._show_ct(step)
        elif isinstance(step, Picture):
            self.state.set_picture(step.index, step.picture)
        elif isinstance(step, RowFound):
            self.state.set_row(step.index, step.row)
        elif isinstance(step, Told):
            self.state.say(step.line, True)

    def _show_ct(self, shown: CtToShow) -> None:
        index = self.case_of(shown.case_id)
        if index is None or self.cases is None:
            return
        before = None if self._shown in (None, index) else self._ids[self._shown]
        self._shown = index
        row = self.state.rows[index]
        if row.bundle is None:
            opening = self._desk.show_ct(shown, self.cases.cases[index], before)
            if opening:
                self.state.say("")
            elif self.state.queue:
                self.state.say("The CT is shown; the network comes to it when all cases have been attacked.")
            else:
                self.state.say("The CT is shown: choose a network in the main dock to open the case.")
        else:
            self._desk.show_only_ct(shown, before)
            self.state.say("")

    def _on_return(self, job: Job, value: object) -> None:
        if job is self._idle_job:
            self._idle_job = None
            if isinstance(value, CtRead):
                self._held = value
            elif isinstance(value, Picture):
                self.state.set_picture(value.index, value.picture)
            self.rest()
            return
        if job is not self._job:
            return
        self._job = None
        if value is SURVEYED:
            self._surveying = False
        if isinstance(value, CaseList):
            self.cases = value
            self.state.set_rows(value.rows())
            count = len(value.cases)
            self.state.say(f"{count} case{'s' if count > 1 else ''}. Click one to open it, or attack all.")
            self._survey(value)
            return
        index = self.case_of(value.scene.case_id) if isinstance(value, Recalled) else None
        if isinstance(value, Recalled) and index is not None and self.cases is not None:
            self._desk.show_recalled(value, self.cases.cases[index])
        self.rest()

    def _on_fault(self, job: Job, fault: BaseException) -> None:
        if job is self._idle_job:
            self._idle_job = None
            if self._idle_index is not None:  # its own opening says what is wrong
                self._no_picture.add(self._idle_index)
            self.rest()
            return
        if job is not self._job:
            return
        self._job = None
        if type(fault).__name__ == "SeveralSeriesError" and self.state.current is not None:
            uid = self.ask_series(fault.series)  # type: ignore[attr-defined]
            if uid is not None:
                self._series[self.state.current] = uid
                self.open(self.state.current)
                return
            self.state.say("Not opened: no series was picked.")
        elif type(fault).__name__ != "Cancelled":
            self._surveying = False
            self.state.say(fault_line(fault), True)
        self.rest()

    def _put_away(self) -> None:
        if self._shown is not None:
            self._desk.put_away(self._ids[self._shown])
            self._shown = None
