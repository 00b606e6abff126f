"""How much of a gap of the main thread is drawing: the canvas, the docks and the putting together of the window."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from napari._qt.qt_main_window import _QtMainWindow
from qtpy.QtCore import QEvent
from viewer_responsiveness import Ticks


class Drawing:
    """Seconds that the main windows made after :meth:`watch` have taken to draw themselves."""

    seconds = 0.0
    _watched = False

    @classmethod
    def watch(cls) -> None:
        if cls._watched:
            return
        cls._watched = True
        handle = _QtMainWindow.event

        def event(window: Any, told: QEvent) -> bool:
            if told.type() != QEvent.Type.UpdateRequest:
                return bool(handle(window, told))
            begun = time.perf_counter()
            try:
                return bool(handle(window, told))
            finally:
                cls.seconds += time.perf_counter() - begun

        _QtMainWindow.event = event


class DrawnTicks(Ticks):
    """Ticks that know how much of each gap was not drawing."""

    def __init__(self) -> None:
        super().__init__()
        self.undrawn: list[float] = []
        self._drawn = Drawing.seconds

    def _tick(self) -> None:
        count = len(self._gaps)
        super()._tick()
        drawn, self._drawn = Drawing.seconds - self._drawn, Drawing.seconds
        if len(self._gaps) > count:
            self.undrawn.append(max(0.0, self._gaps[-1] - drawn * 1000))


def most(gaps: list[float]) -> str:
    """The 95th percentile and the largest, as two cells of a table."""
    return f"{np.percentile(gaps, 95):.0f} | {max(gaps):.0f}"
