"""A client's visit to one worker: it sends pieces, starts the attack there, hears of it, and stops it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ..attacks import Cancelled, CancelToken, Progress
from . import on_worker
from .calls import POLL_S, SILENT_S, Call
from .connecting import ClusterLostError
from .messages import FoundMessage, JobMessage

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")
_BLOCK = 4 << 20  # bytes of a piece at a time
_WAIT_S = 0.5  # how long the worker waits for news before it answers
_STOPPING_S = 0.8  # after a cancel, for the worker's own best so far; then the last that was heard of
_SCHEDULER_S = 1.0  # for the scheduler to say that it is there, when a worker seems lost
_MB = 1e6


class WorkerLostError(OSError):
    """The worker is gone, or the way to it; one line without an address, which goes into results."""


class Visit:
    """One attack on one worker.

    ``best`` is the best so far that was heard of.
    """

    def __init__(self, client: Client, address: str, cancel: CancelToken) -> None:
        self._client, self._address, self._cancel = client, address, cancel
        self._run = f"advseg-{secrets.token_hex(8)}"
        self._future: Any = None
        self._stopping: float | None = None  # since when
        self.best: FoundMessage | None = None

    def send(self, pieces: dict[str, bytes]) -> Generator[Progress, None, None]:
        """Send pieces, a few MB at a time.

        Raises
        ------
        ValueError
            The worker cannot keep them; one line.
        """
        total, sent, sender = sum(map(len, pieces.values())), 0, secrets.token_hex(32)
        for name, content in pieces.items():
            for offset in range(0, max(1, len(content)), _BLOCK):
                yield Progress(f"Sending the case: {sent / _MB:.1f} of {total / _MB:.1f} MB", sent / max(1, total))
                block = content[offset : offset + _BLOCK]
                if line := self._ask(on_worker.put, name, sender, offset, block, len(content)):
                    raise ValueError(f"on the worker: {line}")
                sent += len(block)

    def attack(self, job: JobMessage) -> Generator[Progress, None, FoundMessage]:
        """Run the attack; what it found, after a cancel the best so far.

        Raises
        ------
        Cancelled
            Stopped before anything was measured.
        ValueError
            What failed there, in one line.
        WorkerLostError, ClusterLostError
            See there; ``best`` has what was heard of until then.
        """
        self._ask(on_worker.announce, self._run)
        self._future = self._guarded(
            lambda: self._client.submit(
                on_worker.attack, self._run, job.model_dump(), key=self._run, workers=[self._address], pure=False
            )
        )
        news, number = 0, 0
        yield Progress("Waiting for the worker", 0.0)
        while True:
            answer = self._heard(news, number)
            if answer is None:
                if self.best is None:
                    raise Cancelled
                return self.best.model_copy(update={"stopped": "cancelled"})
            if answer["best"] is not None:
                self.best, number = FoundMessage.model_validate(answer["best"]), answer["best_number"]
            if answer["ended"]:
                if answer["found"] is not None:
                    self.best = FoundMessage.model_validate(answer["found"])
                    return self.best
                if answer["kind"] == "cancelled":
                    raise Cancelled
                raise ValueError(f"on the worker: {answer['fault']}")
            if not answer["started"] and self._future.status == "error":
                raise ValueError(f"the worker could not begin: {self._future.exception()}")
            if answer["news"] > news and answer["step"] is not None:
                yield answer["step"]
            elif not answer["started"]:
                yield Progress("Waiting for the worker, which is busy", 0.0)
            news = answer["news"]

    def volumes(self) -> bytes:
        """What was measured on, packed; nothing where the worker has not come to an end. A cancel does not end it."""
        parts: list[bytes] = []
        while True:
            total, block = self._ask(on_worker.volumes, self._run, sum(map(len, parts)), _BLOCK, cancel=CancelToken())
            parts.append(block)
            if not block or sum(map(len, parts)) >= total:
                return b"".join(parts)

    def leave(self) -> None:
        """Let the worker forget it; nothing waits for that."""
        run, address, future = self._run, self._address, self._future

        def go() -> None:
            with suppress(Exception):
                if future is not None:
                    future.cancel()
                self._client.run(on_worker.forget, run, workers=[address])

        Call(go).done(_STOPPING_S)

    def _heard(self, news: int, number: int) -> dict[str, Any] | None:
        """What the worker tells; None where the user has stopped it and it does not come to an end at once."""
        call = self._call(on_worker.told, self._run, news, number, _WAIT_S)
        while not call.done(POLL_S):
            if self._cancel.cancelled:
                if self._stopping is None:
                    self._stopping = time.monotonic()
                    self._call(on_worker.stop, self._run)
                elif time.monotonic() - self._stopping > _STOPPING_S:
                    return None
            if time.monotonic() - call.began > SILENT_S:
                raise self._lost()
        return self._checked(call)

    def _checked(self, call: Call[Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._guarded(call.answer)
        if not answer["known"]:  # another process under the same address
            raise self._lost()
        return answer

    def _call(self, function: Callable[..., Any], *given: Any) -> Call[Any]:
        return Call(lambda: self._client.run(function, *given, workers=[self._address])[self._address])

    def _ask(self, function: Callable[..., Any], *given: Any, cancel: CancelToken | None = None) -> Any:
        call = self._call(function, *given)
        return self._guarded(lambda: call.within(cancel or self._cancel, SILENT_S))

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Cancelled:
            raise
        except Exception as fault:
            raise self._lost() from fault

    def _lost(self) -> OSError:
        there = Call(self._client.nthreads)
        if there.done(_SCHEDULER_S) and there.answered:
            return WorkerLostError("the worker was lost (killed, out of memory, or cut off)")
        return ClusterLostError("the connection to the Dask scheduler was lost")
