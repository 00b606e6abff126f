"""A short computation beside the interface; only the last one that was asked for is handed back."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from ..giving_way import lower_priority, quick_switches
from ..window_sweeps import sweep_in_window


class Background(QObject):
    """``done`` carries the result, ``failed`` the exception; both come in the main thread."""

    done = Signal(object)
    failed = Signal(object)
    _ended = Signal(int, object, object)

    def __init__(self) -> None:
        super().__init__()
        self._ticket = 0
        self._thread: threading.Thread | None = None
        self._ended.connect(self._on_end)

    @property
    def busy(self) -> bool:
        return self._thread is not None

    def start(self, compute: Callable[[], Any]) -> None:
        self._ticket += 1
        self._thread = threading.Thread(target=self._work, args=(self._ticket, compute), daemon=True)
        sweep_in_window(self._thread.is_alive)
        self._thread.start()

    def drop(self) -> None:
        """Nothing that was asked for until now is handed back."""
        self._ticket += 1
        self._thread = None

    def _work(self, ticket: int, compute: Callable[[], Any]) -> None:
        result: Any = None
        fault: BaseException | None = None
        try:
            lower_priority()
            with quick_switches(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = compute()
        except Exception as raised:
            fault = raised
        with contextlib.suppress(RuntimeError):  # the window is gone
            self._ended.emit(ticket, result, fault)

    def _on_end(self, ticket: int, result: Any, fault: Any) -> None:
        if ticket != self._ticket:
            return
        self._thread = None
        if fault is None:
            self.done.emit(result)
        else:
            self.failed.emit(fault)
