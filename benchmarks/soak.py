"""An hour in a real napari: does anything grow?

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/soak.py --out DIR [--minutes 60] [--docs docs/soak.md]
    python benchmarks/soak.py --out DIR --only-fit [--docs docs/soak.md]

A few small made patients in the Cases dock, attacked with ``phantom2d``. Until the time is over it runs, cancels, switches
the case, moves the slider, scrolls, resizes the window, blinks, lays side by side, shows errors, and opens and leaves the
presentation, in an order drawn from a seed. Every half minute, between two of these, one line of JSON is added to
``DIR/samples.jsonl``: time, memory, threads, handles, layers, widgets, Qt's and Python's objects, what has been done, and
exceptions. ``DIR/types.json`` says which types of Python's objects have become more since the warm-up. What counts as growth
is said in ``soak_fit.py``. Exit status: 1 where an exception came.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # nobody's preferences are read or written

import napari
import numpy as np
import qtpy
from drops import machine
from measured import put
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from soak_fit import WARM_UP, read, text_of
from soak_look import count_types, look
from viewer_responsiveness import wait

from napari_advseg.samples import load_sample
from napari_advseg.volume import volume_from_array, write_image

CASES, SLICES = 4, slice(6, 14)  # of the phantom's twenty, which makes a run short
EVERY_S, PATIENCE_S = 30.0, 180.0
NETWORK = "phantom2d"
SIZES = ((1560, 960), (1366, 768), (1200, 900), (1500, 700))
TYPES = 40


def write_list(folder: Path) -> Path:
    """The list of the cases, with their files."""
    rows = []
    for seed in range(CASES):
        case, sample = folder / f"case{seed}", load_sample("phantom", seed)
        case.mkdir(parents=True)
        ct = volume_from_array(sample.ct.hu[SLICES], spacing=sample.ct.grid.spacing)
        write_image(case / "ct.nii.gz", ct.hu.astype(np.int16), ct.grid)
        write_image(case / "labels.nii.gz", sample.labels[SLICES], ct.grid)
        names = {organ: index for index, organ in sample.names.items()}
        (case / "labels.json").write_text(json.dumps(names), encoding="utf-8")
        rows.append([case.name, case / "ct.nii.gz", case / "labels.nii.gz", case / "labels.json"])
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["case", "ct", "reference", "label_names"], *rows])
    return folder / "list.csv"


class User:
    """Someone who clicks, one thing after the other; every method is one of them."""

    def __init__(self, source: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        sys.excepthook = self._on_fault
        self.viewer: Any = napari.Viewer(show=True)
        self.viewer.window.resize(*SIZES[0])
        self.dock, self.cases, self.compare = (
            self.viewer.window.add_plugin_dock_widget("napari-advseg", title, tabify=title != "Attack")[1]
            for title in ("Attack", "Cases", "Compare")
        )
        self._until(lambda: len(self.dock.inputs.network.texts()) > 1, "the package is loaded")
        self.dock.inputs.network.set_value(NETWORK)
        self.cases.open_list(source)
        self._until(lambda: len(self.cases.state.pictures) == CASES, "the pictures are there")
        self._boxes = QTimer()
        self._boxes.setInterval(500)
        self._boxes.timeout.connect(self._close_box)
        self._boxes.start()
        self.switch()

    @property
    def ways(self) -> dict[Callable[[], None], int]:
        """What may be done, and how often in comparison."""
        return {
            self.run: 4, self.cancel: 3, self.switch: 4, self.slider: 6, self.scroll: 3, self.resize: 2,
            self.blink: 3, self.side: 3, self.errors: 2, self.present: 2,
        }  # fmt: skip

    def act(self) -> None:
        """One thing, drawn by chance."""
        ways = self.ways
        do = self.random.choices(list(ways), weights=list(ways.values()))[0]
        do()
        self.rest()
        self.done[do.__name__] += 1

    def run(self) -> None:
        self._begin_run()
        self._until(lambda: not self._busy, "the attack has ended")

    def cancel(self) -> None:
        self._begin_run()
        self._pause(self.random.uniform(0.0, 2.5))
        self.dock.job.cancel.click()
        self._until(lambda: not self._busy, "the attack has been cancelled")

    def switch(self) -> None:
        index = self.random.choice([n for n in range(CASES) if n != self.cases.state.current])
        self.cases.table.cellClicked.emit(index, 0)
        self._pause(0.2)
        self.rest()

    def slider(self) -> None:
        walker = self.dock.controller.walker
        if walker.can_walk:
            self.dock.slider.set_drop(round(self.random.uniform(0.03, walker.walk.strongest), 2))
            self._pause(0.4)

    def scroll(self) -> None:
        for _ in range(5):
            self.viewer.dims.set_current_step(0, self.random.randrange(SLICES.stop - SLICES.start))
            self._pause(0.1)

    def resize(self) -> None:
        self.viewer.window.resize(*self.random.choice(SIZES))
        self._pause(0.3)

    def blink(self) -> None:
        self._toggle(self.compare.sight.blink)

    def side(self) -> None:
        self._toggle(self.compare.sight.side)

    def errors(self) -> None:
        for _ in range(2):
            self.compare.maps.toggle_errors("new")
            self._pause(0.3)

    def present(self) -> None:
        self.dock.take_along.present.click()
        window = self.dock.presenter.window
        if window is not None:
            self._pause(0.5)
            if window.slider.isEnabled():
                window.slider.setValue(self.random.randint(3, window.slider.maximum()))
                self._pause(0.5)
            self.rest()
            window.close()

    def rest(self) -> None:
        """Until nothing is being done, for a moment."""
        for _ in range(2):  # what has been found is saved a moment later
            self._until(lambda: not self._working, "everything is at rest")
            self._pause(0.3)

    def close(self) -> None:
        self._boxes.stop()
        self.viewer.close()
        self._pause(0.3)
        self.cases.controller.join(30)
        self.dock.controller.join(30)

    @property
    def _busy(self) -> bool:
        return bool(self.dock.controller.phase.busy)

    @property
    def _working(self) -> bool:
        cases, dock = self.cases.controller, self.dock
        return bool(self._busy or dock.layers.showing or self._measuring or cases._job is not None)

    @property
    def _measuring(self) -> bool:
        walker = self.dock.controller.walker
        return bool(walker.awaited and not walker._refused)  # the slider may ask for more than the path has

    def _begin_run(self) -> None:
        self.dock.attacker.choice.set_value(self.random.choice((None, NETWORK)))
        if not self.dock.job.run.isEnabled():
            raise RuntimeError(f"nothing can be run: {self.dock._message.text()!r}")
        self.dock.slider.set_drop(round(self.random.uniform(0.1, 0.4), 2))
        self.dock.controller.walker.pause()
        self._until(lambda: not self._busy, "the slider's value is taken")
        self.dock.job.run.click()

    def _toggle(self, button: Any) -> None:
        if button.isEnabled():
            for _ in range(2):
                button.click()
                self._pause(0.4)

    def _pause(self, seconds: float) -> None:
        wait(lambda: False, seconds)

    def _until(self, there: Callable[[], bool], what: str) -> None:
        met = False

        def look() -> bool:  # what holds for a moment only, as between an attack and its saving, has held
            nonlocal met
            met = met or there()
            return met

        wait(look, PATIENCE_S)
        if not look():
            raise TimeoutError(f"not within {PATIENCE_S:.0f} s: {what}; the dock says {self.dock._message.text()!r}")

    def _close_box(self) -> None:
        box: Any = QApplication.activeModalWidget()
        if box is not None:
            self.faults.append(f"a question: {getattr(box, 'text', box.windowTitle)()}")
            box.close()

    def _on_fault(self, kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        self.faults.append("".join(traceback.format_exception(kind, fault, trace)))
        print(self.faults[-1], file=sys.stderr, flush=True)


def soak(out: Path, source: Path, minutes: float, seed: int) -> bool:
    """Fill the folder; whether no exception came."""
    out.mkdir(parents=True, exist_ok=True)
    user = User(source, seed)
    about = {
        "date": f"{date.today():%d %B %Y}", "machine": machine(), "napari": napari.__version__,
        "qt": f"{qtpy.API_NAME} {qtpy.QT_VERSION}", "seed": seed, "minutes": minutes,
    }  # fmt: skip
    (out / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    began, looked, before = time.monotonic(), float("-inf"), None
    with (out / "samples.jsonl").open("w", encoding="utf-8") as file:
        while (passed := time.monotonic() - began) < 60 * minutes:
            if passed - looked >= EVERY_S:
                looked = passed
                file.write(json.dumps(look(passed, user.viewer, user.done, user.faults)) + "\n")
                file.flush()
            if before is None and passed >= 60 * minutes * WARM_UP:
                before = count_types()
            user.act()
        file.write(json.dumps(look(time.monotonic() - began, user.viewer, user.done, user.faults)) + "\n")
    more = count_types()
    more.subtract(before or {})
    (out / "types.json").write_text(json.dumps(dict(more.most_common(TYPES)), indent=1), encoding="utf-8")
    user.close()
    return not user.faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the samples")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-fit", action="store_true", help="no new run: the samples that the folder has")
    parser.add_argument("--docs", type=Path, help="put the table between the markers of this page")
    chosen = parser.parse_args()
    well = True
    if not chosen.only_fit:
        with tempfile.TemporaryDirectory(prefix="soak-") as aside:
            well = soak(chosen.out, write_list(Path(aside)), chosen.minutes, chosen.seed)
    text = text_of(*read(chosen.out))
    print(text)
    put(text, "soak", chosen.docs)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
