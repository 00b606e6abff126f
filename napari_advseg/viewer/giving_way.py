"""Threads that give way to the window: what they compute may take longer, what the user does may not."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

# Every call into Qt or OpenGL lets go of Python's lock, and a thread that computes in Python keeps it for this long before
# it gives it back: with Python's own 5 ms a new layer, hundreds of such calls, takes far longer than alone.
_SWITCH_S = 0.0005
_NICE = 5  # behind the main thread, which goes first where there are fewer cores than threads

_lock = threading.Lock()
_running = 0
_before = 0.0


@contextlib.contextmanager
def quick_switches() -> Iterator[None]:
    """While any thread is in here, the main thread gets Python's lock back soon after it has asked for it."""
    global _running, _before
    with _lock:
        if _running == 0:
            _before = sys.getswitchinterval()
            if _before > _SWITCH_S:  # setting one cuts it to whole microseconds: a shorter one is not touched
                sys.setswitchinterval(_SWITCH_S)
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0 and _before > _SWITCH_S:
                sys.setswitchinterval(_before)


def lower_priority() -> None:
    """Of this thread and those that it starts, where the system keeps priorities by thread, as Linux does."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            own = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _NICE)
