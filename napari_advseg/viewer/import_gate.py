"""Imports in a thread that wait while the window is busy with layers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from types import ModuleType

_LOOK_S = 0.01
_MOST_S = 2.0  # for one stay of the window's: it may itself need a module that this thread is in the middle of

_gates: dict[int, _Gate] = {}  # by thread
_lock = threading.Lock()
_run = SourceFileLoader.exec_module


class _Gate:
    def __init__(self, busy: Callable[[], bool]) -> None:
        self._busy, self._left = busy, _MOST_S

    def wait(self) -> None:
        if not self._busy():
            self._left = _MOST_S
            return
        until = time.monotonic() + self._left
        while self._busy() and time.monotonic() < until:
            time.sleep(_LOOK_S)
        self._left = max(0.0, until - time.monotonic())


def _run_later(loader: SourceFileLoader, module: ModuleType) -> None:
    if gate := _gates.get(threading.get_ident()):
        gate.wait()
    _run(loader, module)


@contextmanager
def imports_wait_while(busy: Callable[[], bool]) -> Iterator[None]:
    """What this thread imports in here waits before each module while ``busy`` says so, two seconds at most.

    torch and what comes with it are thousands of modules: loaded at the same time, they double or treble the time for which
    a layer that is added holds the window. What runs a module's source is taken over, and only in here: whoever is asked
    earlier, as the finders of modules are, holds the lock of all imports, for which the window would wait in turn; and the
    import statement is taken over by PySide6 too (with 6.8.3 the two have called each other until the stack was spent).
    """
    own = threading.get_ident()
    with _lock:
        _gates[own] = _Gate(busy)
        SourceFileLoader.exec_module = _run_later  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        with _lock:
            _gates.pop(own, None)
            if not _gates:
                SourceFileLoader.exec_module = _run  # type: ignore[method-assign]
