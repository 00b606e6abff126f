"""What computes gives way to the window, and leaves the interpreter as it was."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from napari_advseg.attacks import CancelToken
from napari_advseg.viewer.giving_way import quick_switches
from napari_advseg.viewer.worker import Worker

from .fake_core import FakeCore


def test_the_interval_is_short_until_the_last_thread_has_left() -> None:
    before = sys.getswitchinterval()
    with quick_switches():
        short = sys.getswitchinterval()
        with quick_switches():
            pass
        assert sys.getswitchinterval() == short < before
    assert sys.getswitchinterval() == before


def test_a_shorter_interval_of_the_users_stays() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    shorter = sys.getswitchinterval()
    try:
        with quick_switches():
            assert sys.getswitchinterval() == shorter
        assert sys.getswitchinterval() == shorter
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("fails", [False, True])
def test_a_job_of_the_worker_gives_way(qtbot: QtBot, fails: bool) -> None:
    seen: list[tuple[float, int]] = []

    def job(_token: CancelToken) -> Generator[Any, None, Any]:
        nice = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) if sys.platform == "linux" else 99
        seen.append((sys.getswitchinterval(), nice))
        if fails:
            raise ValueError("no")
        yield from ()

    before, worker = sys.getswitchinterval(), Worker(FakeCore())
    main = os.getpriority(os.PRIO_PROCESS, 0) if sys.platform == "linux" else 0
    try:
        with qtbot.waitSignal(worker.raised if fails else worker.returned):
            worker.submit(job)
        interval, nice = seen[0]
        assert interval < before
        assert nice > main
        qtbot.waitUntil(lambda: sys.getswitchinterval() == before)
    finally:
        worker.close()
        assert worker.join(5)
    if sys.platform == "linux":
        assert os.getpriority(os.PRIO_PROCESS, 0) == main
