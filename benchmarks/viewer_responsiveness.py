"""How smoothly the viewer runs during an attack, and how soon Cancel is obeyed.

A 10 ms timer on the main thread of a real napari: the gaps between its ticks are what a user feels. Measured idle and
during an attack on the phantom, with torch's default number of threads and with one fewer than there are cores.
Run it with a display, or under ``xvfb-run -a -s "-screen 0 1600x1000x24"``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, Qt, QTimer

_TICK_MS = 10


class Ticks:
    """Gaps between the ticks of a timer on the main thread, in ms."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._gaps: list[float] = []
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)

    def __enter__(self) -> Ticks:
        self._timer.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        self._timer.stop()

    @property
    def gaps(self) -> list[float]:
        return list(self._gaps)

    def summary(self) -> dict[str, float]:
        gaps = np.array(self._gaps or [float("nan")])
        return {
            "median_ms": round(float(np.median(gaps)), 1),
            "p95_ms": round(float(np.percentile(gaps, 95)), 1),
            "worst_ms": round(float(gaps.max()), 1),
            "ticks": len(self._gaps),
        }

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self._gaps.append((now - self._last) * 1000)
        self._last = now


def wait(until: Callable[[], bool], seconds: float) -> None:
    """Run the event loop, as napari does, until something holds or the time is over."""
    deadline = time.monotonic() + seconds
    loop, look = QEventLoop(), QTimer()
    look.setInterval(20)
    look.timeout.connect(lambda: loop.quit() if until() or time.monotonic() > deadline else None)
    look.start()
    loop.exec()
    look.stop()


def watch(seconds: float, until: Callable[[], bool] = lambda: False, scrolled: Any | None = None) -> dict[str, float]:
    """Gaps over some seconds, the viewer left alone or ``scrolled`` through its slices, ten a second."""
    scroll = QTimer()
    scroll.setInterval(100)
    if scrolled is not None:
        dims = scrolled.dims
        scroll.timeout.connect(lambda: dims.set_current_step(0, (dims.current_step[0] + 1) % 15))
        scroll.start()
    with Ticks() as ticks:
        wait(until, seconds)
    scroll.stop()
    return ticks.summary()


def watch_attack(dock: Any, viewer: Any, seconds: float, *, scrolling: bool) -> tuple[dict[str, float], float]:
    """Gaps during an attack, and seconds from pressing Cancel until the worker had stopped."""
    dock.job.run.click()
    wait(lambda: bool(dock.job.bar.value()), 120)
    gaps = watch(seconds, lambda: not dock.controller.phase.busy, scrolled=viewer if scrolling else None)
    pressed = time.perf_counter()
    dock.job.cancel.click()
    wait(lambda: not dock.controller.phase.busy, 120)
    return gaps, round(time.perf_counter() - pressed, 2)


def measure(seconds: float) -> dict[str, Any]:
    """All measurements, by name."""
    viewer = napari.Viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-advseg", "Attack")
    viewer.open_sample("napari-advseg", "phantom")
    wait(lambda: dock.controller.in_hand is not None and not dock.controller.phase.busy, 600)
    import torch

    default, cores = torch.get_num_threads(), os.cpu_count() or 1
    found: dict[str, Any] = {"cores": cores, "rows": []}

    def note(name: str, gaps: dict[str, float], cancel_s: float | None = None) -> None:
        found["rows"].append({"what": name, **gaps, "cancel_s": cancel_s})

    note("idle", watch(min(seconds, 5)))
    for threads in dict.fromkeys((default, max(1, cores - 1))):
        torch.set_num_threads(threads)
        for scrolling in (False, True):
            gaps, cancel_s = watch_attack(dock, viewer, seconds, scrolling=scrolling)
            doing = "attack while scrolling" if scrolling else "attack"
            note(f"{doing}, {threads} torch threads", gaps, cancel_s)
    torch.set_num_threads(default)
    note("scrolling, no attack, same layers", watch(min(seconds, 5), scrolled=viewer))
    viewer.close()
    wait(lambda: False, 0.3)
    dock.controller.join(30)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15, help="how long each attack is watched")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    chosen = parser.parse_args()
    found = measure(chosen.seconds)
    print(f"{'gaps of a 10 ms timer, ms':40} {'median':>8} {'95th':>8} {'worst':>8} {'cancel, s':>10}")
    for row in found["rows"]:
        cancel = "" if row["cancel_s"] is None else f"{row['cancel_s']:.2f}"
        print(f"{row['what']:40} {row['median_ms']:8} {row['p95_ms']:8} {row['worst_ms']:8} {cancel:>10}")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
