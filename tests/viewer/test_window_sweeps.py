"""While a thread of the plugin computes, Python's memory is swept in the window's thread only."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QTimer
from viewer.fake_core import FakeCore

from napari_advseg.viewer import window_sweeps
from napari_advseg.viewer.compare.background import Background
from napari_advseg.viewer.sample_data import while_painting
from napari_advseg.viewer.window_sweeps import sweep_in_window
from napari_advseg.viewer.worker import Worker


class Ring:
    """Only a sweep lets it go."""

    def __init__(self, died_in: list[threading.Thread]) -> None:
        self.own = self
        weakref.finalize(self, lambda: died_in.append(threading.current_thread()))


@pytest.fixture(autouse=True)
def own_sweeps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Python's sweeps are on before and after, whatever other tests left."""
    monkeypatch.setattr(window_sweeps, "_busy", [])
    monkeypatch.setattr(window_sweeps, "_next_full", 0.0)
    gc.collect()
    gc.enable()
    yield
    gc.enable()


def litter(until: threading.Event, died_in: list[threading.Thread]) -> None:
    """Makes rings, enough for many a sweep; a short breath after each few."""
    while not until.is_set() and len(died_in) < 5_000:
        for _ in range(200):
            Ring(died_in)
        time.sleep(0.001)


def test_what_a_thread_leaves_dies_in_the_window(qtbot: Any) -> None:
    died_in: list[threading.Thread] = []
    end = threading.Event()
    thread = threading.Thread(target=litter, args=(end, died_in))
    sweep_in_window(thread.is_alive)
    assert not gc.isenabled()
    thread.start()
    try:
        qtbot.waitUntil(lambda: len(died_in) > 1_000, timeout=20_000)
    finally:
        end.set()
        thread.join(10)
    assert set(died_in) == {threading.main_thread()}
    qtbot.waitUntil(gc.isenabled, timeout=5_000)


def test_python_sweeps_in_the_thread_otherwise() -> None:
    """What the one above would show without it."""
    died_in: list[threading.Thread] = []
    thread = threading.Thread(target=litter, args=(threading.Event(), died_in))
    thread.start()
    thread.join(20)
    assert thread in died_in


def test_a_worker_sweeps_nothing_from_its_start_to_its_end(qtbot: Any) -> None:
    worker, held, seen = Worker(FakeCore()), threading.Event(), []

    def work(_: Any) -> Iterator[str]:
        seen.append(gc.isenabled())
        assert held.wait(10)
        yield "done"

    qtbot.waitUntil(gc.isenabled, timeout=5_000)  # the thread waits for its first job
    with qtbot.waitSignal(worker.returned, timeout=10_000):
        worker.submit(work)
        assert not gc.isenabled()
        qtbot.waitUntil(lambda: bool(seen), timeout=5_000)
        qtbot.wait(3 * window_sweeps._LOOK_MS)
        assert not gc.isenabled()
        held.set()
    assert seen == [False]
    qtbot.waitUntil(gc.isenabled, timeout=5_000)
    worker.close()
    assert not gc.isenabled()
    assert worker.join(10)
    qtbot.waitUntil(gc.isenabled, timeout=5_000)


def test_a_short_computation_sweeps_nothing(qtbot: Any) -> None:
    background = Background()
    with qtbot.waitSignal(background.done, timeout=10_000) as told:
        background.start(gc.isenabled)
    assert told.args == [False]
    qtbot.waitUntil(gc.isenabled, timeout=5_000)


def test_reading_a_sample_sweeps_nothing(qtbot: Any) -> None:
    assert while_painting(gc.isenabled, "reading") is False
    qtbot.waitUntil(gc.isenabled, timeout=5_000)


def test_who_has_turned_the_sweeps_off_keeps_it_so(qtbot: Any) -> None:
    gc.disable()
    sweep_in_window(lambda: False)
    qtbot.waitUntil(lambda: not window_sweeps._busy, timeout=5_000)
    assert not gc.isenabled()


def test_a_script_that_goes_on_after_the_window_sweeps_as_before() -> None:
    """A job that never ends, as far as the window has heard."""
    script = (
        "import gc; from qtpy.QtCore import QTimer; from qtpy.QtWidgets import QApplication;"
        "from napari_advseg.viewer.window_sweeps import sweep_in_window; app = QApplication([]);"
        "sweep_in_window(lambda: True); print(gc.isenabled()); QTimer.singleShot(0, app.quit);"
        "app.exec(); print(gc.isenabled())"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.split() == ["False", "True"], done.stderr


def test_python_may_end_before_the_window_does(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Qt has deleted the timer when the window, on its way out, closes its worker."""
    timer = QTimer()
    monkeypatch.setattr(window_sweeps, "_timer", timer)
    sweep_in_window(lambda: True)
    assert not gc.isenabled()
    timer.deleteLater()
    QCoreApplication.sendPostedEvents(timer, QEvent.Type.DeferredDelete)
    with pytest.raises(RuntimeError):
        timer.isActive()
    sweep_in_window(lambda: True)
    window_sweeps._end()
    assert gc.isenabled()
    sweep_in_window(lambda: True)
    assert gc.isenabled()


def test_sweeps_through_everything_take_a_small_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[int] = []
    now = 100.0

    def collect(generation: int) -> None:
        nonlocal now
        swept.append(generation)
        now += 0.01 if generation == 2 else 0.001

    monkeypatch.setattr(gc, "collect", collect)
    monkeypatch.setattr(gc, "get_count", lambda: (900, 90, 90))
    monkeypatch.setattr(gc, "get_threshold", lambda: (700, 10, 10))
    monkeypatch.setattr(window_sweeps, "time", SimpleNamespace(monotonic=lambda: now))
    window_sweeps._sweep()
    window_sweeps._sweep()
    now = 100.0 + 0.01 / window_sweeps._SHARE
    window_sweeps._sweep()
    assert swept == [2, 1, 1]
    now += 0.02
    window_sweeps._sweep()
    assert swept == [2, 1, 1, 2]
