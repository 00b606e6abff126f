"""Imports wait while the window is busy, in their own thread only, and not for ever."""

from __future__ import annotations

import builtins
import sys
import threading
import time
from importlib.machinery import SourceFileLoader
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
    busy, entered, before = threading.Event(), threading.Event(), SourceFileLoader.exec_module
    busy.set()

    def load() -> None:
        with imports_wait_while(busy.is_set):
            entered.set()
            exec(f"import {module}", {})

    thread = threading.Thread(target=load)
    thread.start()
    assert entered.wait(5)
    time.sleep(0.1)
    assert not hasattr(sys.modules.get(module), "there")
    busy.clear()
    thread.join(5)
    assert sys.modules[module].there
    assert SourceFileLoader.exec_module is before


def test_the_import_statement_itself_is_left_alone() -> None:
    """PySide6 puts its own in its place: a second one that does so ends in a loop between the two."""
    before = builtins.__import__
    with imports_wait_while(lambda: False):
        assert builtins.__import__ is before


def test_other_threads_import_at_once(module: str) -> None:
    with imports_wait_while(lambda: True):
        started = time.monotonic()
        thread = threading.Thread(target=exec, args=(f"import {module}", {}))
        thread.start()
        thread.join(5)
        assert module in sys.modules
        assert time.monotonic() - started < import_gate._MOST_S


def test_a_window_that_stays_busy_is_not_waited_for_for_ever(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_gate, "_MOST_S", 0.05)
    with imports_wait_while(lambda: True):
        exec(f"import {module}", {})
    assert module in sys.modules


def test_the_lock_of_all_imports_is_not_held_meanwhile(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}_too.py").write_text("there = True\n")
    busy, waiting = threading.Event(), threading.Event()
    busy.set()

    def look() -> bool:
        waiting.set()
        return busy.is_set()

    def load() -> None:
        with imports_wait_while(look):
            exec(f"import {module}", {})

    thread = threading.Thread(target=load)
    thread.start()
    try:
        assert waiting.wait(5)
        started = time.monotonic()
        exec(f"import {module}_too", {})
        assert time.monotonic() - started < import_gate._MOST_S / 2
    finally:
        busy.clear()
        thread.join(5)
