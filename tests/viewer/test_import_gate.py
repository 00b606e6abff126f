"""Imports wait while the window is busy, in their own thread only, and not for ever."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from pathlib import Path

import pytest

from napari_advseg.viewer import import_gate
from napari_advseg.viewer.import_gate import imports_wait_while


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that nobody has imported yet."""
    name = f"not_imported_yet_{time.monotonic_ns()}"
    (tmp_path / f"{name}.py").write_text("there = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_an_import_waits_until_the_window_is_free(module: str) -> None:
    busy, entered = threading.Event(), threading.Event()
    busy.set()

    def load() -> None:
        with imports_wait_while(busy.is_set):
            entered.set()
            importlib.import_module(module)

    thread = threading.Thread(target=load)
    thread.start()
    assert entered.wait(5)
    time.sleep(0.1)
    assert module not in sys.modules
    busy.clear()
    thread.join(5)
    assert module in sys.modules
    assert not any(isinstance(finder, import_gate._Gate) for finder in sys.meta_path)


def test_other_threads_import_at_once(module: str) -> None:
    with imports_wait_while(lambda: True):
        started = time.monotonic()
        thread = threading.Thread(target=importlib.import_module, args=(module,))
        thread.start()
        thread.join(5)
        assert module in sys.modules
        assert time.monotonic() - started < import_gate._MOST_S


def test_a_window_that_stays_busy_is_not_waited_for_for_ever(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_gate, "_MOST_S", 0.05)
    with imports_wait_while(lambda: True):
        importlib.import_module(module)
    assert module in sys.modules
