"""Attack the phantom's network through the dock, as a user would, and save a picture of the window.

Run it with a display, or under ``xvfb-run -a -s "-screen 0 1600x1000x24"``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtCore import QEventLoop, QTimer

_SIZE = (1560, 960)


def wait(until: Callable[[], bool], seconds: float) -> None:
    """Run the event loop, as napari does, until something holds; TimeoutError where it does not in time."""
    deadline = time.monotonic() + seconds
    loop, look = QEventLoop(), QTimer()
    look.setInterval(20)
    look.timeout.connect(lambda: loop.quit() if until() or time.monotonic() > deadline else None)
    look.start()
    loop.exec()
    look.stop()
    if time.monotonic() > deadline and not until():
        raise TimeoutError(f"not done after {seconds:.0f} s")


def linger(seconds: float) -> None:
    """Let the window paint."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end, seconds + 5)


def take(out: Path, sample: str, drop: float, organs: list[str], seconds: float) -> int:
    """Open the sample, run the attack, save the picture; 0 where the drop was reached, else 3."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*_SIZE)
    _, dock = viewer.window.add_plugin_dock_widget("napari-advseg", "Attack")
    viewer.open_sample("napari-advseg", sample)
    wait(lambda: dock.controller.in_hand is not None and not dock.controller.phase.busy, seconds)
    if organs:
        dock.organs.check(organs)
    dock.slider.set_drop(drop)
    dock.job.run.click()
    wait(lambda: not dock.controller.phase.busy, seconds)
    viewer.reset_view()
    viewer.scene.camera.zoom *= 1.6
    linger(1.5)
    out.parent.mkdir(parents=True, exist_ok=True)
    viewer.screenshot(str(out), canvas_only=False, flash=False)
    print(dock.result.sentence.text())
    outcome = dock.controller.outcome
    viewer.close()
    linger(0.2)
    dock.controller.join(20)
    return 0 if outcome is not None and outcome.finding.result.reached else 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the picture, PNG")
    parser.add_argument("--sample", default="phantom", choices=("phantom", "abdomen"))
    parser.add_argument("--drop", type=float, default=0.3)
    parser.add_argument("--organs", default="", help="names, separated by commas; all by default")
    parser.add_argument("--seconds", type=float, default=900, help="give up after this long")
    chosen = parser.parse_args()
    organs = [name for name in chosen.organs.split(",") if name]
    return take(chosen.out, chosen.sample, chosen.drop, organs, chosen.seconds)


if __name__ == "__main__":
    sys.exit(main())
