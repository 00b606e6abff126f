"""What a worker does for an attack: one Dask task, and short calls beside it that tell how far it is.

The calls are awaited in the worker's loop: what takes longer goes to a thread. They give faults back as lines; one that
raises means that the worker, or the way to it, is lost.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..attacks import Cancelled, CancelToken, Progress
from ..case import Finding, attack_case
from ..networks import DeviceLost, OutOfMemory, ran_out
from .found import message_of, packed_volumes
from .messages import JobMessage
from .receiving import attack_of, forget_network, opened_case, opened_network
from .store import PieceStore
from .worker_process import keep_freed_memory, own_device

_POLL_S = 0.02
_BEST_EVERY_S = 0.5  # at most; and it may take a twentieth of the time
_DESERTED_S = 120.0  # nobody has asked for so long: nobody waits for it
_FORESEEN = (ValueError, OSError, ImportError, OutOfMemory, DeviceLost, MemoryError)
_log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()  # a network counts its passes and is stopped as a whole


@dataclass(eq=False)
class Run:
    """An attack for one client, from its announcement until it is forgotten.

    Parameters
    ----------
    news
        Counts what there is to tell.
    found
        The fields of the finding's message, when the attack is over; before, ``best`` has those of the best so far.
    fault
        What ended it without a finding, in one line; "cancelled" is its ``kind`` where the user stopped it.
    """

    cancel: CancelToken = field(default_factory=CancelToken)
    started: bool = False
    ended: bool = False
    news: int = 0
    step: Progress | None = None
    best: dict[str, Any] | None = None
    best_number: int = 0
    found: dict[str, Any] | None = None
    fault: str = ""
    kind: str = ""
    finding: Finding | None = None
    volumes: bytes | None = None
    asked: float = field(default_factory=time.monotonic)

    def say(self, step: Progress) -> None:
        self.step = step
        self.news += 1
        if time.monotonic() - self.asked > _DESERTED_S:
            self.cancel.cancel()

    def end(self, kind: str = "", fault: str = "") -> None:
        self.kind, self.fault = kind, fault
        self.ended = True
        self.news += 1


_runs: dict[str, Run] = {}


class _Best:
    """Packs the best so far now and then, between two passes."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._made: Callable[[], Finding] | None = None
        self._not_before = 0.0

    def better(self, made: Callable[[], Finding]) -> None:
        self._made = made

    def pack(self) -> None:
        now = time.monotonic()
        if self._made is None or now < self._not_before:
            return
        self._run.best = message_of(self._made()).model_dump()
        self._run.best_number += 1
        self._run.news += 1
        self._made = None
        self._not_before = time.monotonic() + max(_BEST_EVERY_S, 20 * (time.monotonic() - now))


async def put(name: str, sender: str, offset: int, block: bytes, total: int, dask_worker: Any) -> str:
    """Take a part of a piece; "" or what is wrong, in one line."""
    store = PieceStore(dask_worker.local_directory)
    try:
        await asyncio.to_thread(store.put, name, sender, offset, block, total)
    except (ValueError, OSError) as fault:
        return _line(fault)
    return ""


async def announce(run: str) -> None:
    """A task of this name comes; what nobody has asked about for long is forgotten."""
    for name, one in list(_runs.items()):
        if time.monotonic() - one.asked > _DESERTED_S and (one.ended or not one.started):
            del _runs[name]
    _runs[run] = Run()
    logger = logging.getLogger("distributed.worker")
    if _told_quietly not in logger.filters:
        logger.addFilter(_told_quietly)


def attack(run: str, job: dict[str, Any]) -> None:
    """The task: open what was sent, attack, and keep what comes of it until it is fetched."""
    from distributed import get_worker

    state = _runs.get(run)
    if state is None or state.ended:  # Dask gives a lost worker's task to the next one at its address
        return
    keep_freed_memory()
    worker = get_worker()
    with _one_at_a_time:
        if state.ended:
            return
        state.started = True
        try:
            _attack(state, JobMessage.model_validate(job), PieceStore(worker.local_directory), str(worker.name))
        except Cancelled:
            state.end("cancelled")
        except Exception as fault:
            if not isinstance(fault, _FORESEEN):
                _log.exception("an attack failed in a way that nobody foresaw")
            if ran_out(fault) or isinstance(fault, OutOfMemory | DeviceLost):
                forget_network()
            state.end("fault", _line(fault))


def _attack(state: Run, job: JobMessage, store: PieceStore, worker: str) -> None:
    state.cancel.check()
    state.say(Progress("Opening the network on the worker", 0.0))
    network = opened_network(job.network, store, own_device("auto", worker))
    best = _Best(state)
    with tempfile.TemporaryDirectory(dir=store.folder) as folder:
        request = attack_of(job, store, Path(folder))
        case = opened_case(job.case, network, store)
        steps = attack_case(case, request, state.cancel, best.better)
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                finding: Finding = end.value
                break
            best.pack()
            state.say(step)
    state.found, state.finding = message_of(finding).model_dump(), finding
    forget_network(worn=network)
    state.end()


async def told(run: str, news: int, best: int, wait_s: float) -> dict[str, Any]:
    """How far the attack is, as soon as there is more to tell than ``news``, or after ``wait_s`` seconds.

    Parameters
    ----------
    best
        Number of the best so far that the client has.
    """
    state = _runs.get(run)
    if state is None:
        return {"known": False}
    until = time.monotonic() + wait_s
    while state.news <= news and time.monotonic() < until:
        await asyncio.sleep(_POLL_S)
    state.asked = time.monotonic()
    return {
        "known": True,
        "news": state.news,
        "started": state.started,
        "step": state.step,
        "best_number": state.best_number,
        "best": state.best if state.best_number > best and not state.ended else None,
        "ended": state.ended,
        "found": state.found,
        "kind": state.kind,
        "fault": state.fault,
    }


async def stop(run: str) -> None:
    """Let the attack end early, with the best so far."""
    state = _runs.get(run)
    if state is not None:
        state.cancel.cancel()
        if not state.started:
            state.end("cancelled")


async def volumes(run: str, offset: int, size: int) -> tuple[int, bytes]:
    """A part of the volumes on which all was measured, packed; before it, how many bytes there are in all."""
    state = _runs[run]
    if state.volumes is None and state.finding is not None:
        state.volumes = await asyncio.to_thread(packed_volumes, state.finding.result)
    whole = state.volumes or b""
    return len(whole), whole[offset : offset + size]


async def forget(run: str) -> None:
    """The client has what it wanted."""
    _runs.pop(run, None)


def _told_quietly(record: logging.LogRecord) -> bool:
    """Dask logs each call beside a task, and this one comes twice a second."""
    return not (isinstance(record.args, tuple) and record.args == (told.__name__,))


def _line(fault: BaseException) -> str:
    lines = str(fault).strip().splitlines()
    foreseen = isinstance(fault, _FORESEEN) and lines
    return lines[0] if foreseen else f"{type(fault).__name__}: {lines[0] if lines else 'no more is known'}"
