"""Plays strengths over and over; knows Qt, not what is measured."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer, Signal

STEP_MS = 140


class Player(QObject):
    """``step`` carries the next strength while ``ready`` gives True; ``changed`` tells whether it plays."""

    step = Signal(float)
    changed = Signal(bool)

    def __init__(self, ready: Callable[[], bool]) -> None:
        super().__init__()
        self._ready = ready
        self._strengths: tuple[float, ...] = ()
        self._next = 0
        self._timer = QTimer(self)
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self._on_time)

    @property
    def playing(self) -> bool:
        return bool(self._timer.isActive())

    def start(self, strengths: tuple[float, ...]) -> None:
        """From the first one on, until :meth:`stop`."""
        self._strengths, self._next = strengths, 0
        self._timer.start()
        self.changed.emit(True)

    def stop(self) -> bool:
        """Stop; False where it did not play."""
        if not self.playing:
            return False
        self._timer.stop()
        self.changed.emit(False)
        return True

    def _on_time(self) -> None:
        if self._ready():
            strength = self._strengths[self._next]
            self._next = (self._next + 1) % len(self._strengths)
            self.step.emit(strength)
