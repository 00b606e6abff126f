"""Questions in threads of their own, so that a cancel is heard within a tenth of a second whatever the way there does."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ..attacks import Cancelled, CancelToken

T = TypeVar("T")
POLL_S = 0.05
SILENT_S = 60.0  # no answer for so long: lost


class Call(Generic[T]):
    """A question in a thread of its own; ``late`` is given an answer that nobody waits for any more."""

    def __init__(self, ask: Callable[[], T], late: Callable[[T], object] | None = None) -> None:
        self._ask, self._late = ask, late
        self._answer: list[T] = []
        self._fault: Exception | None = None
        self._deserted = False
        self._lock = threading.Lock()
        self.began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="napari-advseg-call", daemon=True)
        self._thread.start()

    def done(self, wait_s: float) -> bool:
        """Whether it has been answered; waits up to ``wait_s`` seconds for that."""
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    @property
    def answered(self) -> bool:
        """Whether there is an answer, and no fault."""
        return bool(self._answer)

    def answer(self) -> T:
        """The answer, once it is done; raises what asking has raised."""
        if self._fault is not None:
            raise self._fault
        return self._answer[0]

    def within(self, cancel: CancelToken, most_s: float = math.inf) -> T:
        """The answer; :class:`Cancelled` as soon as the user asks to stop, TimeoutError after ``most_s`` seconds."""
        while True:
            late = time.monotonic() - self.began > most_s
            if cancel.cancelled or late:
                self.desert()
                raise TimeoutError if late else Cancelled
            if self.done(POLL_S):
                return self.answer()

    def desert(self) -> None:
        """Nobody waits for the answer any more."""
        with self._lock:
            self._deserted = True
            late = self._answer
        if late and self._late is not None:
            self._late(late[0])

    def _run(self) -> None:
        try:
            answer = self._ask()
        except BaseException as fault:
            # What Dask raises where a client is closed meanwhile is no Exception.
            self._fault = fault if isinstance(fault, Exception) else OSError(f"given up: {type(fault).__name__}")
            return
        with self._lock:
            self._answer.append(answer)
            deserted = self._deserted
        if deserted and self._late is not None:
            self._late(answer)
