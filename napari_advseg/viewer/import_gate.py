"""Imports in a thread that wait while the window is busy with layers."""

from __future__ import annotations

import importlib.abc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_S = 0.01
_MOST_S = (
    2.0  # from import to import; the main thread may itself wait for a module that this thread is in the middle of
)


class _Gate(importlib.abc.MetaPathFinder):
    """Finds nothing: it is asked before every new module, and answers late."""

    def __init__(self, busy: Callable[[], bool]) -> None:
        self._thread, self._busy, self._left = threading.get_ident(), busy, _MOST_S

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if threading.get_ident() != self._thread:
            return
        if not self._busy():
            self._left = _MOST_S
            return
        until = time.monotonic() + self._left
        while self._busy() and time.monotonic() < until:
            time.sleep(_LOOK_S)
        self._left = max(0.0, until - time.monotonic())


@contextmanager
def imports_wait_while(busy: Callable[[], bool]) -> Iterator[None]:
    """What this thread imports in here waits before each new module while ``busy`` says so, two seconds at most.

    torch and what comes with it are thousands of modules: loaded at the same time, they double or treble the time for which
    a layer that is added holds the window.
    """
    gate = _Gate(busy)
    sys.meta_path.insert(0, gate)
    try:
        yield
    finally:
        sys.meta_path.remove(gate)
