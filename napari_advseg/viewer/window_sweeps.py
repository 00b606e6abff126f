"""Sweeps of memory in the window's thread only, while threads of the plugin compute.

Python sweeps in whichever thread has just made something, and what a sweep finds dies there and then. PyQt6 hands a Qt object
that dies in a foreign thread over to its own; PySide6 deletes it on the spot: the OpenGL context of a canvas that was closed
is still the current one in the window's thread then, and the next window that goes there is a crash (seen with PySide6 6.8.3
and 6.11.3). So Python's own sweeps pause while such threads run, and a timer of the window's makes them.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import QCoreApplication, QTimer

_LOOK_MS = 50
_SHARE = 0.02  # of the time, at most, for sweeps through everything: without a thread's work they are as rare

_busy: list[Callable[[], bool]] = []
_timer: QTimer | None = None
_was_on = True  # Python's own sweeps, before
_next_full = 0.0


def sweep_in_window(busy: Callable[[], bool]) -> None:
    """Until ``busy`` says no, nothing is swept up in another thread than the window's.

    To be called in the window's thread before the work begins; from another thread, without a Qt application, or where that
    has been taken down, it does nothing. ``busy`` is asked in the window's thread, from the next turn of its event loop on.
    """
    global _timer, _was_on
    application = QCoreApplication.instance()
    if application is None or threading.current_thread() is not threading.main_thread():
        return
    if _timer is None:
        _timer = QTimer()
        _timer.setInterval(_LOOK_MS)
        _timer.timeout.connect(_look)
        application.aboutToQuit.connect(_end)  # a script goes on after the window, without turns of its event loop
    try:
        _timer.start()
    except RuntimeError:  # deleted by Qt, in any order with the windows, where Python ends while one is open
        _end()
        return
    if not _busy:
        _was_on = gc.isenabled()
        gc.disable()
    if busy not in _busy:
        _busy.append(busy)


def _look() -> None:
    _sweep()
    if still := [busy for busy in _busy if busy()]:
        _busy[:] = still
    else:
        _end()


def _end() -> None:
    if _timer is not None:
        with suppress(RuntimeError):  # as above
            _timer.stop()
    if _busy and _was_on:
        gc.enable()
    _busy.clear()


def _sweep() -> None:
    """What Python would have swept by now: the oldest generation that is due, with all that are younger."""
    global _next_full
    due = [count > threshold > 0 for count, threshold in zip(gc.get_count(), gc.get_threshold(), strict=True)]
    started = time.monotonic()
    if due[2] and started >= _next_full:
        gc.collect(2)
        _next_full = time.monotonic() + (time.monotonic() - started) / _SHARE
    elif due[1]:
        gc.collect(1)
    elif due[0]:
        gc.collect(0)
