"""Progress of long work, and stopping it: plain data and an event, so that shell, viewer and tests share them."""

from __future__ import annotations

import threading
from dataclasses import dataclass


class Cancelled(Exception):
    """The user asked to stop."""


class CancelToken:
    """Set from any thread; the work looks at it between the layers of a network, so within about a second."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise :class:`Cancelled` where the user asked to stop."""
        if self._event.is_set():
            raise Cancelled


@dataclass(frozen=True)
class Progress:
    """One step of long work.

    Parameters
    ----------
    text
        What is being done, in plain words.
    fraction
        How much of the whole is done, 0 to 1.
    drop
        Dice drop of the latest measurement, None before the first.
    seconds_left
        Estimate, None where there is none yet.
    """

    text: str
    fraction: float
    drop: float | None = None
    seconds_left: float | None = None
