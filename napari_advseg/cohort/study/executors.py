"""Where tasks are done: in this process, or on workers of a Dask cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ...attacks import Cancelled, CancelToken
from .task import Task
from .task_record import TaskRecord
from .working import run_task


@dataclass(frozen=True)
class Ended:
    """A task that an executor has let go of.

    Parameters
    ----------
    record
        None where the task's worker was lost, or the way to it.
    lost
        Why, on one line; "" where it is no fault of the task: the scheduler went away, and took all tasks along.
    """

    task: Task
    record: TaskRecord | None
    picture: bytes = b""
    lost: str = ""


class Executor(Protocol):
    """Does tasks in any order, several at a time.

    Parameters
    ----------
    dashboard
        Where the tasks can be looked at; "" where they cannot.
    """

    dashboard: str

    def slots(self) -> int:
        """How many tasks it wants to have in hand."""

    def running(self) -> int:
        """How many tasks are in hand."""

    def workers(self) -> int:
        """How many workers there are."""

    def submit(self, task: Task) -> None:
        """Take a task in hand."""

    def collect(self, timeout: float) -> list[Ended]:
        """The tasks that have ended since; waits up to ``timeout`` seconds for one.

        Raises
        ------
        Cancelled
            The tasks were stopped.
        ClusterLostError
            The scheduler is gone for good.
        """

    def stop(self) -> None:
        """Let the tasks in hand end early."""


class InProcess:
    """One task after the other in this process."""

    dashboard = ""

    def __init__(self, cancel: CancelToken) -> None:
        self._cancel = cancel
        self._waiting: list[Task] = []

    def slots(self) -> int:
        return 1

    def running(self) -> int:
        return len(self._waiting)

    def workers(self) -> int:
        return 1

    def submit(self, task: Task) -> None:
        self._waiting.append(task)

    def collect(self, timeout: float) -> list[Ended]:
        if not self._waiting:
            return []
        if self._cancel.cancelled:
            raise Cancelled
        task = self._waiting.pop(0)
        return [Ended(task, *run_task(task, self._cancel))]

    def stop(self) -> None:
        self._waiting.clear()
