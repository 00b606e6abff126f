"""How soon a clicked case and a moved slider show, and how smoothly the viewer runs meanwhile.

    python benchmarks/cases.py --real CT_OR_FOLDER [LABELS LABEL_NAMES] --real ...

Eight phantoms and the given CTs in the Cases dock of a real napari, with a display or under
``xvfb-run -a -s "-screen 0 1600x1000x24"``. A time runs from the click, or from the slider's new value, to the end of
the first drawing of the canvas that holds it. Gaps are those of a 10 ms timer on the main thread; without a graphics card
much of them is drawing, which is told apart; *all along* is the time from the first click to the end, with the waits
between, of a run in one go. The rows of a bare napari are what one image layer costs without the plugin. ``--abdomen8``
attacks the first of the given CTs with the published network as well: many minutes. ``--kept`` names a file, in which a run
that was cut off finds what has been measured.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # nobody's preferences are read or written

import napari
import numpy as np
from drawing import Drawing, DrawnTicks, most
from drops import machine
from measured import put
from qtpy.QtCore import QTimer
from viewer_responsiveness import wait

from napari_advseg.samples import write_sample
from napari_advseg.viewer.layers import layers_of

PHANTOMS, ROUNDS = 8, 3
PATIENCE_S = 900.0
SETTLE_S = 0.3
HEADER = (
    "| what | times | median, ms | worst, ms | gaps: 95th percentile, ms | worst gap, ms "
    "| without drawing: 95th percentile, ms | worst, ms |\n|---|---|---|---|---|---|---|---|"
)


@dataclass
class Measured:
    """Times of one kind, ms, and the gaps of the main thread while they were taken."""

    what: str
    times: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    undrawn: list[float] = field(default_factory=list)

    def add(self, other: Measured) -> None:
        """More of the same kind."""
        self.times += other.times
        self.gaps += other.gaps
        self.undrawn += other.undrawn

    def row(self) -> str:
        times = f"{np.median(self.times):.0f} | {max(self.times):.0f}" if self.times else " | "
        return f"| {self.what} | {len(self.times) or ''} | {times} | {most(self.gaps)} | {most(self.undrawn)} |"


class Screen:
    """Tells when the canvas has drawn what is waited for."""

    def __init__(self, viewer: Any) -> None:
        self._until: Callable[[], bool] | None = None
        self._seen = 0.0
        viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(self._on_draw, position="last")

    def measure(self, into: Measured, do: Callable[[], object], until: Callable[[], bool]) -> None:
        """Do something, and note how long it takes until it is drawn."""
        with DrawnTicks() as ticks:
            self._seen = 0.0
            begun = 0.0

            def begin() -> None:
                nonlocal begun
                self._until, begun = until, time.perf_counter()
                do()

            QTimer.singleShot(50, begin)  # in the event loop, after some ticks: what it costs itself is a gap as well
            wait(lambda: self._seen > 0, PATIENCE_S)
            if not self._seen:
                raise TimeoutError(f"{into.what}: not drawn after {PATIENCE_S:.0f} s")
            into.times.append((self._seen - begun) * 1000)
            pause(SETTLE_S)  # what follows the drawing belongs to it
        into.gaps += ticks.gaps
        into.undrawn += ticks.undrawn

    def _on_draw(self, _event: Any) -> None:
        if self._until is not None and self._until():
            self._until, self._seen = None, time.perf_counter()


def pause(seconds: float) -> None:
    wait(lambda: False, seconds)


def write_list(folder: Path, real: list[list[str]]) -> tuple[Path, list[str]]:
    """The list of all cases, and what each is."""
    rows, kinds = [], []
    for seed in range(PHANTOMS):
        case = write_sample("phantom", folder / f"phantom{seed}", seed)
        rows.append([case.name, case / "ct.nii.gz", case / "labels.nii.gz", case / "labels.json"])
        kinds.append("phantom")
    for number, paths in enumerate(real):
        given = [Path(path).absolute() for path in paths]
        if given[0].exists():
            rows.append([f"real{number}", *given, *[""] * (3 - len(given))])
            kinds.append("a real CT, DICOM" if given[0].is_dir() else "a real CT")
        else:
            print(f"skipped: there is no {given[0]}", flush=True)
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["case", "ct", "reference", "label_names"], *rows])
    return folder / "list.csv", kinds


def click_through(screen: Screen, viewer: Any, cases: Any, kinds: list[str]) -> list[Measured]:
    """Forwards, when each CT has been read ahead, and backwards, when none has."""
    controller, found = cases.controller, {}

    def shown(index: int) -> bool:
        case_id = controller._ids.get(index)
        return case_id is not None and "ct" in layers_of(viewer, case_id)

    def rest() -> None:
        wait(lambda: controller._job is None and controller._idle_job is None and not controller._rest.isActive(), 120)

    def click(index: int, how: str) -> None:
        row = Measured(f"click to CT, {how}")
        screen.measure(row, lambda: cases.table.cellClicked.emit(index, 0), lambda: shown(index))
        size = " x ".join(str(n) for n in layers_of(viewer, controller._ids[index])["ct"].data.shape)
        kept = found.setdefault((kinds[index], how), Measured(f"click to CT, {how}: {kinds[index]}, {size}"))
        kept.add(row)

    for _ in range(ROUNDS):
        cases.table.cellClicked.emit(0, 0)
        wait(lambda: shown(0), 120)
        for index in range(1, len(kinds)):
            rest()
            assert controller._held is not None
            assert controller._held.index == index
            click(index, "read ahead")
        for index in range(len(kinds) - 2, -1, -1):
            rest()
            click(index, "cold")
        rest()
        click(len(kinds) - 1, "cold")
        rest()
    return [found[key] for key in sorted(found, key=lambda key: (kinds.index(key[0]), key[1]))]


def bare(screen: Screen, viewer: Any, data: np.ndarray, what: str) -> list[Measured]:
    """One image layer added and taken away, as often as the cases are clicked through."""
    size = " x ".join(str(n) for n in data.shape)
    added, removed = Measured(f"bare napari, a layer added: {what}, {size}"), Measured(f"bare napari, removed: {what}")
    for _ in range(ROUNDS):
        screen.measure(added, lambda: viewer.add_image(data, contrast_limits=(-160, 240)), lambda: True)
        screen.measure(removed, viewer.layers.clear, lambda: True)
    return [added, removed]


def click_with_network(screen: Screen, viewer: Any, dock: Any, cases: Any) -> list[Measured]:
    """Cases that the network that is chosen opens, and cases that are done and open from their bundles."""
    controller = cases.controller
    opened, done = (
        Measured("click to segmentation: phantom, phantom2d chosen"),
        Measured("click to result: phantom, done"),
    )

    def rest() -> None:
        for _ in range(2):
            wait(lambda: controller._job is None and not (dock.controller.phase.busy or dock.layers.showing), 120)
            pause(1.0)

    def click(row: Measured, index: int, role: str) -> None:
        def shown() -> bool:
            case_id = controller._ids.get(index)
            return case_id is not None and role in layers_of(viewer, case_id)

        rest()
        screen.measure(row, lambda: cases.table.cellClicked.emit(index, 0), shown)

    for _ in range(ROUNDS):
        for index in range(2, PHANTOMS):
            click(opened, index, "clean")
    click(Measured(""), 1, "clean")
    rest()
    dock.job.run.click()
    wait(lambda: not dock.controller.phase.busy, PATIENCE_S)
    rest()
    wait(lambda: all(cases.state.rows[index].bundle for index in (0, 1)), 60)
    for _ in range(ROUNDS):
        for index in (0, 1):
            click(done, index, "attacked")
        click(opened, 2, "clean")
    return [opened, done]


def walk(screen: Screen, viewer: Any, dock: Any, name: str, drop: float) -> list[Measured]:
    """Attack the case that is open, then move the slider to new values and to kept ones."""
    controller, walker = dock.controller, dock.controller.walker
    dock.slider.set_drop(drop)
    dock.job.run.click()
    wait(lambda: not controller.phase.busy, PATIENCE_S)

    def rest() -> None:
        """Until what is shown is saved and its random control measured."""
        for _ in range(2):  # the saving begins a moment after the run
            wait(lambda: not (controller.phase.busy or dock.layers.showing), PATIENCE_S)
            wait(lambda: controller.outcome.finding.evidence is not None, PATIENCE_S)
            pause(1.0)

    def set_drop(row: Measured, value: float) -> None:
        def shown() -> bool:
            return bool(controller.outcome.finding.result.target_drop == value)

        screen.measure(row, lambda: dock.slider.set_drop(value), shown)

    rest()
    most = walker.walk.strongest
    wanted = [round(share * min(most, drop), 2) for share in (0.85, 0.65, 0.45, 0.25)]
    new, kept = Measured(f"slider to overlay, new strength: {name}"), Measured(f"slider to overlay, kept: {name}")
    for value in wanted:
        set_drop(new, value)
        rest()
    for value in (*reversed(wanted), *wanted):
        if controller.outcome.finding.result.target_drop != value:
            set_drop(kept, value)
            pause(1.0)
    return [new, kept]


class Kept:
    """Rows per part of the benchmark, in a file: a run that was cut off goes on with the parts that are missing."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.parts: dict[str, list[str]] = json.loads(file.read_text()) if file and file.exists() else {}

    def add(self, part: str, rows: list[Measured]) -> None:
        """A part is done."""
        self.parts[part] = [row.row() for row in rows]
        print(*self.parts[part], sep="\n", flush=True)
        if self.file:
            self.file.write_text(json.dumps(self.parts, indent=1))

    def lacks(self, part: str) -> bool:
        """Whether the part is still to be measured."""
        return part not in self.parts


def measure(folder: Path, real: list[list[str]], abdomen_drop: float | None, kept: Kept) -> None:
    """All rows of the table that are missing."""
    source, kinds = write_list(folder, real)
    Drawing.watch()
    viewer: Any = napari.Viewer(show=True)
    viewer.window.resize(1560, 960)
    screen = Screen(viewer)
    if kept.lacks("bare"):
        rows = bare(screen, viewer, np.zeros((20, 112, 144), np.float32), "phantom")
        kept.add("bare", rows + bare(screen, viewer, np.zeros((20, 512, 512), np.float32), "a CT"))
    dock, cases = (viewer.window.add_plugin_dock_widget("napari-advseg", title)[1] for title in ("Attack", "Cases"))
    cases.open_list(source)
    wait(lambda: len(cases.state.pictures) == len(kinds), 300)
    whole, in_one_go = Measured("all along"), not {"clicks", "phantom2d", "abdomen8"} & set(kept.parts)
    with DrawnTicks() as ticks:
        click_and_walk(screen, viewer, dock, cases, kinds, abdomen_drop, kept)
    whole.gaps, whole.undrawn = ticks.gaps, ticks.undrawn
    if in_one_go:
        kept.add("all along", [whole])
    viewer.close()
    pause(0.5)
    cases.controller.join(30)
    dock.controller.join(30)


def click_and_walk(
    screen: Screen, viewer: Any, dock: Any, cases: Any, kinds: list[str], abdomen_drop: float | None, kept: Kept
) -> None:
    """What a user does: click through the cases, attack, move the slider, with what lies between."""
    if kept.lacks("clicks"):
        kept.add("clicks", click_through(screen, viewer, cases, kinds))

    def opened(index: int, network: str) -> None:
        dock.inputs.network.set_value(network)
        cases.table.cellClicked.emit(index, 0)
        wait(lambda: dock.controller.in_hand is not None and not dock.controller.phase.busy, PATIENCE_S)
        pause(1.0)

    if kept.lacks("phantom2d"):
        opened(0, "phantom2d")
        dock.attacker.choice.set_value("phantom2d")
        rows = walk(screen, viewer, dock, "phantom2d", 0.3)
        kept.add("phantom2d", rows + click_with_network(screen, viewer, dock, cases))
    if abdomen_drop is not None and len(kinds) > PHANTOMS and kept.lacks("abdomen8"):
        dock.controller.leave()
        dock.attacker.choice.set_value(None)
        opened(PHANTOMS, "abdomen8")
        kept.add("abdomen8", walk(screen, viewer, dock, "abdomen8", abdomen_drop))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="+", action="append", default=[], help="a CT, and its labels and their names")
    parser.add_argument("--abdomen8", type=float, help="attack the first real CT with abdomen8 at this drop, too")
    parser.add_argument("--kept", type=Path, help="a file of what has been measured, to go on from")
    parser.add_argument("--docs", type=Path, help="put the table between the markers of this page")
    chosen = parser.parse_args()
    kept = Kept(chosen.kept)
    with tempfile.TemporaryDirectory(prefix="cases-") as aside:
        measure(Path(aside), chosen.real, chosen.abdomen8, kept)
    table = "\n".join([HEADER, *(row for part in kept.parts.values() for row in part)])
    text = f"{table}\n\nMeasured on {machine()}, {os.cpu_count()} cores, napari {napari.__version__}."
    print(text)
    put(text, "cases", chosen.docs)


if __name__ == "__main__":
    main()
