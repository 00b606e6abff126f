"""A study from its first task to its last: what is done is skipped, what is lost is done again, what fails is told."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from ...attacks import Cancelled, CancelToken, Progress
from ..identity import AttackJob
from ..status import CaseStatus
from ..work_folder import WorkFolder
from .executors import Ended, Executor
from .request import StudyRequest
from .task import NetworkSpec, Task
from .task_record import TaskRecord, TaskStore, without_places

_WAIT_S = 0.25  # between two looks at Ctrl-C
Jobs = tuple[tuple[NetworkSpec, AttackJob], ...]


@dataclass
class StudySummary:
    """What a run has come to.

    Parameters
    ----------
    total
        Tasks of the whole study.
    skipped
        Those that were done before.
    done, failed, absent
        Those of this run.
    reached
        Of all tasks that are done, those that reached their drop.
    stopped
        "" where it ran to its end, else "cancelled".
    """

    total: int
    skipped: int = 0
    done: int = 0
    failed: int = 0
    absent: int = 0
    reached: int = 0
    not_reached: int = 0
    lost_workers: int = 0
    stopped: str = ""
    started: float = field(default_factory=time.monotonic)

    @property
    def settled(self) -> int:
        """Tasks that are over, failed ones included."""
        return self.skipped + self.done + self.failed + self.absent

    def count(self, record: TaskRecord, before: bool = False) -> None:
        """Add a record; ``before``: it was done in an earlier run, or for another case of the same content."""
        if before:
            self.skipped += 1
        else:
            self.done += record.state == "done"
            self.failed += record.state == "failed"
            self.absent += record.state == "absent"
        if record.result is not None:
            self.reached += bool(record.result["reached"])
            self.not_reached += not record.result["reached"]

    def progress(self, executor: Executor) -> Progress:
        """One line on where the study stands."""
        own = self.settled - self.skipped
        spent = time.monotonic() - self.started
        left = spent / own * (self.total - self.settled) if own else None
        parts = [f"{self.settled} of {self.total}", f"{self.reached} reached"]
        parts += [f"{self.failed} failed"] if self.failed else []
        workers = executor.workers()
        parts += [f"{workers} worker{'' if workers == 1 else 's'}"]
        parts += [executor.dashboard] if executor.dashboard else []
        return Progress(", ".join(parts), self.settled / self.total, seconds_left=left)


def run_study(
    request: StudyRequest, jobs: Jobs, work: WorkFolder, executor: Executor, cancel: CancelToken
) -> Generator[Progress, None, StudySummary]:
    """Do all tasks that are not done; those that failed before are tried again.

    Parameters
    ----------
    jobs
        From ``request.jobs()``.
    work
        Gets a record per task, and a record per failed case where the viewer's list looks for it.

    Raises
    ------
    LockedError
        Another process works in the folder.
    ClusterLostError
        The scheduler is gone; what is done is kept.
    OSError
        The work folder cannot be written to.
    """
    with work.working():
        run = _Run(request, jobs, work, executor)
        try:
            yield from run.steps(cancel)
        except Cancelled:
            run.summary.stopped = "cancelled"
        finally:
            executor.stop()
        return run.summary


class _Run:
    """What is waiting, in hand and over."""

    def __init__(self, request: StudyRequest, jobs: Jobs, work: WorkFolder, executor: Executor) -> None:
        self.request, self.jobs, self.work, self.executor = request, jobs, work, executor
        self.store = TaskStore(work.folder)
        self.store.sweep()
        self.summary = StudySummary(len(request.cases) * len(jobs))
        self.again: deque[Task] = deque()
        self.tries: Counter[str] = Counter()
        self.failed_now: set[str] = set()  # another case of the same content is not tried again
        self.in_hand: dict[str, int] = {}  # how many cases of the list wait for a task: some have the same content

    def steps(self, cancel: CancelToken) -> Generator[Progress, None, None]:
        """One step per task that is over, and one per quarter second."""
        tasks = self.request.tasks(self.jobs, self.work)
        exhausted = False
        while not exhausted or self.in_hand:
            while not exhausted and self.executor.running() < self.executor.slots() and not cancel.cancelled:
                exhausted = not self._submit_next(tasks)
            while self.again:
                self.executor.submit(self.again.popleft())
            yield self.summary.progress(self.executor)
            if cancel.cancelled:
                raise Cancelled
            for ended in self.executor.collect(_WAIT_S) if self.in_hand else ():
                self._take(ended)
        yield self.summary.progress(self.executor)

    def _submit_next(self, tasks: Iterator[Task]) -> bool:
        """Take the next task that is not done in hand; False where there is none."""
        for task in tasks:
            record = self.store.read(task.id)
            if task.id in self.in_hand:
                self.in_hand[task.id] += 1
            elif record is not None and (task.id in self.failed_now or _is_over(task, record)):
                self.summary.count(record, before=True)
            else:
                self.in_hand[task.id] = 1
                self.executor.submit(task)
                return True
        return False

    def _take(self, ended: Ended) -> None:
        task, record = ended.task, ended.record
        if record is None and not ended.lost:  # taken along by the scheduler: no try of its own
            self.again.append(task)
            return
        self.summary.lost_workers += record is None
        self.tries[task.id] += 1
        if (record is None or record.passing) and self.tries[task.id] <= self.request.retries:
            self.again.append(task)
            return
        if record is None:
            reason = f"{ended.lost}, {self.tries[task.id]} times"
            job = without_places(task.job)
            record = TaskRecord(id=task.id, case_id=task.case_id, job=job, state="failed", reason=reason)
        del self.tries[task.id]
        if record.state == "failed":
            self.failed_now.add(task.id)
        self.store.write(record, ended.picture)
        self._tell_list(task, record)
        for number in range(self.in_hand.pop(task.id)):
            self.summary.count(record, before=number > 0)

    def _tell_list(self, task: Task, record: TaskRecord) -> None:
        """What the viewer's list of cases shows of it."""
        row = CaseStatus(task.case, task.job, self.work.place(task.case_id, task.job))
        if record.state == "failed":
            self.work.fail(row, record.reason, record.clean_dice)
        elif record.state == "done" and task.bundle is not None:
            self.work.done(row)
        else:
            self.work.forget(row)


def _is_over(task: Task, record: TaskRecord) -> bool:
    lacks_bundle = task.bundle is not None and record.state == "done" and not (task.bundle / "result.json").exists()
    return record.settled and not lacks_bundle
