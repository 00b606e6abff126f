"""One long-lived thread for everything that needs torch; results come back as Qt signals, queued."""

from __future__ import annotations

import atexit
import contextlib
import queue
import threading
import time
import weakref
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from .core import Core
from .giving_way import lower_priority, quick_switches
from .window_sweeps import sweep_in_window

if TYPE_CHECKING:
    from ..attacks import CancelToken

Steps = Generator[Any, None, Any]
_QUIET_S = 0.04  # progress is told at most this often; other messages always
_JOIN_S = 20.0  # how long the end of the program waits for a thread to stop


@dataclass(eq=False)
class Job:
    """One piece of work: ``start`` is called in the thread and gives a generator.

    Its yields are handed out as they come, its return value at the end.
    """

    start: Callable[[CancelToken], Steps]
    _wanted: threading.Event = field(default_factory=threading.Event)
    _token: CancelToken | None = None

    def cancel(self) -> None:
        """Ask the job to stop; from any thread, at any time, more than once."""
        self._wanted.set()
        if self._token is not None:
            self._token.cancel()

    def bind(self, token: CancelToken) -> CancelToken:
        """Give the job its token, in the thread; a job cancelled while it waited gets a cancelled one."""
        self._token = token
        if self._wanted.is_set():
            token.cancel()
        return token


class Worker(QObject):
    """Runs jobs one after the other on a thread of its own.

    The signals carry the job and what it gave: ``stepped`` (a yield), ``returned``, ``raised`` (an exception).
    """

    stepped = Signal(object, object)
    returned = Signal(object, object)
    raised = Signal(object, object)

    def __init__(self, core: Core) -> None:
        super().__init__()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._current: Job | None = None
        self._core = core
        self._closed = threading.Event()
        self._given, self._done = 1, 0  # jobs, and the start of the thread: each is written by one thread only
        self._thread = threading.Thread(target=self._work, name="napari-advseg", daemon=True)
        sweep_in_window(self._at_work)
        self._thread.start()
        _alive.add(self)

    def submit(self, start: Callable[[CancelToken], Steps]) -> Job:
        """Queue a job."""
        job = Job(start)
        self._given += 1
        sweep_in_window(self._at_work)
        self._queue.put(job)
        return job

    def close(self) -> None:
        """Cancel what runs, drop what waits, let the thread end; returns at once. No signal comes afterwards."""
        self._closed.set()
        if (job := self._current) is not None:
            job.cancel()
        sweep_in_window(self._at_work)  # the thread's end lets go of much
        self._queue.put(None)

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; True where it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _at_work(self) -> bool:
        return self._thread.is_alive() and (self._closed.is_set() or self._done < self._given)

    def _work(self) -> None:
        lower_priority()
        self._done += 1
        while (job := self._queue.get()) is not None:
            if self._closed.is_set():
                break
            self._current = job
            try:
                with quick_switches():
                    self._run(job)
            except BaseException as fault:
                self._tell(self.raised, job, fault)
            self._current = None
            del job  # nothing of a finished job is held while waiting for the next
            self._done += 1
        with contextlib.suppress(Exception):
            self._core.release()

    def _run(self, job: Job) -> None:
        steps = job.start(job.bind(self._core.cancel_token()))
        told, last_kind = 0.0, ""
        while True:
            if self._closed.is_set():
                job.cancel()  # not dropped: what it saves when it is stopped is not lost
            try:
                step = next(steps)
            except StopIteration as end:
                self._tell(self.returned, job, end.value)
                return
            now, kind = time.monotonic(), type(step).__name__
            if kind != last_kind or kind != "Progress" or now - told >= _QUIET_S:
                self._tell(self.stepped, job, step)
                told, last_kind = now, kind

    def _tell(self, signal: Any, job: Job, what: object) -> None:
        if not self._closed.is_set():
            with contextlib.suppress(RuntimeError):  # the Qt side is gone while the program ends
                signal.emit(job, what)


_alive: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """No thread may still be inside torch while the interpreter goes away."""
    workers = list(_alive)
    for worker in workers:
        worker.close()
    deadline = time.monotonic() + _JOIN_S
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
