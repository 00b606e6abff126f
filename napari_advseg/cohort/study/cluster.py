"""Tasks on Dask's workers: started here, or those of a scheduler that runs elsewhere."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...attacks import CancelToken
from ...elsewhere.connecting import ClusterLostError, connect, let_go, names_scheduler, quiet
from ...logs import without_paths
from ...networks import working_devices
from .executors import Ended, Executor, InProcess
from .on_worker import work
from .task import Task
from .task_record import TaskRecord

if TYPE_CHECKING:
    from distributed import Client, Event, Future

_FEWEST_IN_HAND = 32  # tasks: clusters that grow with their work see some
_PER_THREAD = 3
_CONNECT_S = 30.0
_POLL_S = 0.1  # each look takes the client a millisecond or two, of a core that a worker could use
_PING_S = 5.0
_MISSING = "cohorts need Dask and pyarrow, which are not installed: pip install 'napari-advseg[cohort]'"


def need_packages(*, dask: bool = True) -> None:
    """Raise an ImportError of one line where what a cohort needs is not installed."""
    try:
        import pyarrow  # noqa: F401

        if dask:
            import distributed  # noqa: F401
    except ModuleNotFoundError as fault:
        raise ImportError(_MISSING) from fault


@contextmanager
def executor_for(
    scheduler: str, cancel: CancelToken, *, workers: int | None = None, device: str = "auto", patience_s: float = 600.0
) -> Iterator[Executor]:
    """The executor that a scheduler's name stands for; what was started for it ends with it.

    Parameters
    ----------
    scheduler
        "none": this process. "local": processes on this computer, see ``workers``. Else the address of a Dask scheduler
        (``tcp://...``, ``tls://...``), or the JSON file that a scheduler writes.
    workers
        Processes of "local"; by default one per GPU that ``device`` may use, or one per processor core.
    patience_s
        How long a scheduler that has gone away is waited for.

    Raises
    ------
    ValueError, ImportError
        One line each: no such scheduler, or a package is missing.
    ClusterLostError
        The scheduler does not answer.
    """
    need_packages(dask=scheduler != "none")
    if scheduler == "none":
        yield InProcess(cancel)
    elif scheduler == "local":
        yield from _local(workers or _local_workers(device), patience_s)
    elif names_scheduler(scheduler):
        if workers is not None:
            raise ValueError("--workers is of the scheduler 'local'; a scheduler elsewhere has its own workers")
        with quiet():
            cluster = DaskCluster(scheduler, patience_s)
            try:
                yield cluster
            finally:
                cluster.close()
    else:
        raise ValueError(
            f"the scheduler is 'local', 'none', an address such as tcp://host:8786, or a scheduler's .json file; got "
            f"{scheduler!r}"
        )


def _local(workers: int, patience_s: float) -> Iterator[Executor]:
    import dask
    from distributed import LocalCluster

    settings = {
        # Dask's own value gives memory back to the system with every tensor, which slows attacks down.
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
        # An hour of call stacks, 2 MB for every task of five seconds, that nobody looks at.
        "distributed.worker.profile.enabled": False,
    }
    with dask.config.set(settings), quiet(), LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", memory_limit=0,
        dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
    ) as started:  # fmt: skip
        cluster = DaskCluster(started.scheduler_address, patience_s)
        try:
            cluster.deaf_to_interrupts()
            yield cluster
        finally:
            cluster.close()


class DaskCluster:
    """Tasks as futures of a Dask scheduler.

    Parameters
    ----------
    scheduler
        Its address, or its JSON file.
    """

    def __init__(self, scheduler: str, patience_s: float = 600.0) -> None:
        self._scheduler, self._patience_s = scheduler, patience_s
        self._stop_name = f"advseg-stop-{secrets.token_hex(8)}"
        self._tasks: dict[Future, Task] = {}
        self._unsent: list[Task] = []
        self._attempt = 0
        self._asked = 0.0
        self._known: tuple[int, int] = (1, 1)
        self._client: Client = connect(scheduler, _CONNECT_S)
        # bokeh draws it, and without it there is a page that says so
        self.dashboard = str(self._client.dashboard_link) if find_spec("bokeh") is not None else ""

    def deaf_to_interrupts(self) -> None:
        """Let workers in this terminal, those to come too, not die of Ctrl-C: the client hears it and ends them."""
        from distributed import WorkerPlugin

        class Deaf(WorkerPlugin):  # type: ignore[misc]  # defined here it travels whole, and the worker imports nothing for it
            def setup(self, worker: object) -> None:
                import signal
                from contextlib import suppress

                with suppress(ValueError):  # a worker in a thread
                    signal.signal(signal.SIGINT, signal.SIG_IGN)

        self._client.register_plugin(Deaf(), name="advseg-deaf-to-interrupts")

    def slots(self) -> int:
        return max(_FEWEST_IN_HAND, _PER_THREAD * self._size()[1])

    def running(self) -> int:
        return len(self._tasks) + len(self._unsent)

    def workers(self) -> int:
        return self._size()[0]

    def submit(self, task: Task) -> None:
        self._attempt += 1
        key = f"attack-{task.id}-{self._attempt}"
        try:
            future = self._client.submit(work, task.model_dump_json(), self._stop_name, key=key, pure=False)
        except Exception:  # the scheduler has gone away since; it is looked for where tasks are collected
            self._unsent.append(task)
        else:
            self._tasks[future] = task

    def collect(self, timeout: float) -> list[Ended]:
        until = time.monotonic() + timeout
        while True:
            if not self._answers():
                return self._taken_along()
            ended = [Ended(self._unsent.pop(), None) for _ in range(len(self._unsent))]
            ended += [self._ended(future) for future in list(self._tasks) if future.status != "pending"]
            if ended or time.monotonic() > until:
                return ended
            time.sleep(_POLL_S)

    def stop(self) -> None:
        self._unsent.clear()
        if not self._tasks:
            return
        with suppress(Exception):  # the scheduler may be gone, which stops them too
            self._event().set()
            self._client.cancel(list(self._tasks))
        self._tasks.clear()

    def close(self) -> None:
        """Let go of the scheduler; workers that were not started here go on running."""
        self.stop()
        let_go(self._client, 5)

    def _ended(self, future: Future) -> Ended:
        task = self._tasks.pop(future)
        if future.status == "finished":
            try:
                record, picture = future.result(timeout=_CONNECT_S)
            except Exception:  # what had the result was lost before it was fetched
                return Ended(task, None)
            return Ended(task, TaskRecord.model_validate_json(record), picture)
        if future.status == "error":
            fault = future.exception()
            if type(fault).__name__ == "Cancelled":  # stopped by an event that is not this run's any more
                return Ended(task, None)
            why = "its worker was lost: killed, or out of memory" if _killed(fault) else without_paths(_told(fault))
            return Ended(task, None, lost=why)
        return Ended(task, None)  # lost or cancelled: the scheduler has forgotten it

    def _answers(self) -> bool:
        """Whether the scheduler is there and still the one that knows the tasks."""
        return self._client.status == "running" and not any(f.status in ("cancelled", "lost") for f in self._tasks)

    def _taken_along(self) -> list[Ended]:
        """All tasks that are not over, after the scheduler has been found again."""
        ended = [self._ended(future) for future in list(self._tasks)]
        let_go(self._client)
        self._client = self._found_again()
        return ended

    def _found_again(self) -> Client:
        until = time.monotonic() + self._patience_s
        while True:
            try:
                return connect(self._scheduler, min(_CONNECT_S, self._patience_s))
            except ClusterLostError as fault:
                if time.monotonic() > until:
                    raise ClusterLostError(
                        f"{fault}; what is done is kept, and the same command goes on from there"
                    ) from fault
                time.sleep(1.0)

    def _size(self) -> tuple[int, int]:
        """Workers and their threads, asked for once in a while."""
        if time.monotonic() - self._asked > _PING_S:
            self._asked = time.monotonic()
            with suppress(Exception):  # a scheduler that is gone is noticed where tasks are collected
                threads = self._client.nthreads()
                self._known = len(threads), max(1, sum(threads.values()))
        return self._known

    def _event(self) -> Event:
        from distributed import Event

        return Event(self._stop_name, client=self._client)


def _told(fault: BaseException | None) -> str:
    return f"the worker could not do it: {type(fault).__name__}: {fault}"


def _killed(fault: BaseException | None) -> bool:
    return type(fault).__name__ in ("KilledWorker", "CommClosedError", "WorkerStartTimeoutError")


def _local_workers(device: str) -> int:
    gpus = [name for name in working_devices() if name.startswith("cuda")]
    if device == "cuda" or (device == "auto" and gpus):
        return max(1, len(gpus))
    if device != "cpu" and device != "auto":
        return 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, usable)
