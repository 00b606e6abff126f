"""Drive a real napari through a folder of cases as a user would, and save a picture of every step.

From the empty window over one attacked phantom to a work folder that goes on after a restart and the presentation. What
a picture is to show is asserted before it is taken. Run it with a display, or under
``xvfb-run -a -s "-screen 0 1366x768x24"``: the presentation fills the screen.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # nobody's preferences are read or written

import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox, QScrollArea, QWidget
from screenshot import linger, wait

from napari_advseg.samples import write_sample
from napari_advseg.viewer.layers import known, layers_of
from napari_advseg.viewer.state import Phase
from napari_advseg.viewer.take_along.files import KINDS

PLUGIN, ATTACK, CASES = "napari-advseg", "Attack", "Cases"
NETWORK = ATTACKER = "phantom2d"
RESULT = {"perturbed", "shift", "intensity", "moved_reference", "attacked", "arrows"}
FIRST_DROP, SECOND_DROP, NEAR = 0.3, 0.15, 0.01
SEEDS = 0, 2, 4  # phantoms on which the shipped attacker comes near enough in its few passes


class Story:
    """A viewer with the docks, and the pictures taken so far."""

    def __init__(self, out: Path, theme: str, size: tuple[int, int], seconds: float) -> None:
        self.out, self.size, self.seconds = out, size, seconds
        self._faults: list[str] = []
        sys.excepthook = self._on_fault
        self.viewer: Any = napari.Viewer(show=True)
        self.viewer.theme = theme
        self.viewer.window.resize(*size)
        self.viewer.window._qt_window.move(0, 0)
        self.dock: Any = self.open(ATTACK)

    def open(self, title: str) -> Any:
        """A dock of the plugin's."""
        _, widget = self.viewer.window.add_plugin_dock_widget(PLUGIN, title, tabify=title != ATTACK)
        return widget

    def wait(self, until: Callable[[], bool]) -> None:
        wait(until, self.seconds)

    def idle(self) -> None:
        """Wait until the main dock has nothing left to do or to measure, and every layer is shown."""
        dock, walker = self.dock, self.dock.controller.walker
        self.wait(lambda: not dock.controller.phase.busy and not dock.layers.showing and not walker.awaited)

    def settled(self, drop: float) -> None:
        """Wait until the change that costs ``drop`` is shown with its random control, and check that it does."""
        dock = self.dock

        def there() -> bool:
            outcome = dock.controller.outcome
            return (
                outcome is not None
                and outcome.finding.result.target_drop == drop
                and outcome.finding.evidence is not None
            )

        self.wait(there)
        self.idle()
        result = dock.controller.outcome.finding.result
        check(result.reached and abs(result.achieved_drop - drop) <= NEAR, f"asked {drop}, got {result.achieved_drop}")
        check(self.roles() >= RESULT | {"ct", "clean"}, f"layers are missing: {sorted(self.roles())}")
        check(f"{result.achieved_drop:.3f}" in dock.walk.line.text(), f"the line says {dock.walk.line.text()!r}")
        check(dock.result.table.rowCount() == len(result.organs), "the organ table is not filled")

    def roles(self) -> set[str]:
        """Of the layers of the case that is shown."""
        return set(layers_of(self.viewer, self.dock.controller.outcome.case_id))

    def layer(self, role: str) -> Any:
        return layers_of(self.viewer, self.dock.controller.outcome.case_id)[role]

    def front(self, widget: QWidget) -> None:
        """Bring a dock to the front."""
        holder = widget.parentWidget()
        while holder is not None and not hasattr(holder, "setFloating"):
            holder = holder.parentWidget()
        if holder is not None:
            holder.show()
            holder.raise_()

    def scroll(self, widget: QWidget) -> None:
        """Bring a part of the main dock into sight."""
        area = self.dock.findChild(QScrollArea)
        linger(0.2)
        area.ensureWidgetVisible(widget, 0, 10)

    def near(self) -> None:
        """As near as someone looks at it."""
        self.viewer.reset_view()
        self.viewer.scene.camera.zoom *= 1.1

    def take(self, name: str) -> Path:
        """Save the window; exceptions since the last picture end the story."""
        linger(1.0)
        path = self._next(name)
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        width, height = self.viewer.window._qt_window.width(), self.viewer.window._qt_window.height()
        check((width, height) == self.size, f"the window has grown to {width} x {height}")
        return self._end(path)

    def take_window(self, window: QWidget, name: str) -> Path:
        """The same of a window of its own."""
        linger(1.0)
        path = self._next(name)
        window.grab().save(str(path))
        return self._end(path)

    def answer(self, do: Callable[[], object], button: QMessageBox.StandardButton, name: str) -> None:
        """Do something that asks a question, and answer it as a user does."""
        look = QTimer()
        look.setInterval(300)

        def on_look() -> None:
            box = QApplication.activeModalWidget()
            if isinstance(box, QMessageBox):
                look.stop()
                box.grab().save(str(self._next(name)))
                box.button(button).click()

        look.timeout.connect(on_look)
        look.start()
        do()
        self.wait(lambda: not look.isActive())

    def close(self) -> None:
        self.viewer.close()
        linger(0.3)
        self.dock.controller.join(30)

    def _next(self, name: str) -> Path:
        return self.out / f"{len(list(self.out.glob('[0-9]*.png'))) + 1:02}-{name}.png"

    def _end(self, path: Path) -> Path:
        check(not self._faults, "\n".join(self._faults))
        print(path.name, flush=True)
        return path

    def _on_fault(self, kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        self._faults.append("".join(traceback.format_exception(kind, fault, trace)))


def check(holds: bool, otherwise: str) -> None:
    """An assertion that -O leaves in."""
    if not holds:
        raise AssertionError(otherwise)


def one_case(story: Story) -> None:
    """The sample, a run, the slider, and the ways to compare."""
    viewer, dock = story.viewer, story.dock
    story.wait(lambda: len(dock.inputs.network.texts()) > 1)
    check(dock.first_steps.isVisible() and not dock.job.run.isEnabled(), "an empty dock says what to do first")
    story.take("empty")

    dock.first_steps.sample_asked.emit()
    story.wait(lambda: dock.inputs.ct.value() is not None)
    check(dock.inputs.network.value() == NETWORK, "the sample brings its network")
    story.take("sample")

    story.wait(lambda: dock.controller.in_hand is not None)
    story.idle()
    check(dock.job.run.isEnabled() and dock.organs.clean_mean() > 0.5, "the case is open and can be attacked")
    story.near()
    story.take("network")

    dock.attacker.choice.set_value(ATTACKER)
    dock.slider.set_drop(FIRST_DROP)
    dock.job.run.click()
    story.wait(lambda: dock.controller.outcome is not None)
    story.settled(FIRST_DROP)
    story.take("run")
    story.scroll(dock.result.worst)
    story.take("result")
    story.scroll(dock.inputs)

    found = np.array(story.layer("perturbed").data)
    dock.slider.set_drop(SECOND_DROP)
    story.settled(SECOND_DROP)
    check(bool(np.any(story.layer("perturbed").data != found)), "the layers follow the slider")
    story.take("slider")
    dock.slider.set_drop(FIRST_DROP)
    story.settled(FIRST_DROP)

    compared(story)

    viewer.dims.set_current_step(0, 1)
    dock.result.worst.click()
    outcome = dock.controller.outcome
    shown = story.layer("attacked").world_to_data(viewer.dims.point)[0]
    check(round(shown) == outcome.scene.focus[0], f"slice {shown} instead of {outcome.scene.focus[0]}")
    story.front(dock)
    story.take("worst-slice")

    report = story.out / "report.html"
    dock.take_along.write(next(kind for kind in KINDS if kind.content == "report"), report)
    story.wait(lambda: not dock.take_along.line.isHidden())
    page = report.read_text(encoding="utf-8")
    check(f"{outcome.finding.result.achieved_drop:.3f}" in page, "the report tells the drop")
    check('src="http' not in page and "<link" not in page, "the report loads nothing")
    story.scroll(dock.take_along)
    story.take("report")
    story.scroll(dock.inputs)


def compared(story: Story) -> None:
    """Blink, errors, side by side; everything as before afterwards."""
    viewer = story.viewer
    compare = story.open("Compare")
    story.front(compare)
    linger(0.5)
    before = [(layer.name, layer.visible) for layer in viewer.layers]

    compare.sight.blink.click()
    check(story.layer("ct").visible and not story.layer("perturbed").visible, "the clean CT is shown instead")
    story.take("blink")
    compare.sight.blink.click()
    check(before == [(layer.name, layer.visible) for layer in viewer.layers], "blinking leaves all as it was")

    compare.maps.toggle_errors("new")
    layer = next(layer for layer in viewer.layers if known(layer).get("compare") == "errors")
    check(bool(np.any(np.asarray(layer.data[:]))), "something is newly wrong")
    story.take("errors")

    compare.sight.side.click()
    check(viewer.canvas.grid.enabled, "there are two cells")
    story.take("side-by-side")
    compare.sight.side.click()
    compare.maps.toggle_errors("new")
    check(before == [(layer.name, layer.visible) for layer in viewer.layers], "comparing leaves all as it was")


def many_cases(story: Story, folder: Path) -> None:
    """A folder in the Cases dock: the list, the next case, attack all."""
    dock, cases = story.dock, story.open(CASES)
    story.front(cases)
    cases.open_list(folder)
    story.wait(lambda: cases.table.rowCount() == 3 and len(cases.state.pictures) == 3)
    check(states(cases) == ["new"] * 3, f"nothing has been done: {states(cases)}")
    check("patient" not in " ".join(cases.state.name(i) for i in range(3)), "cases go by pseudonyms")
    story.take("cases")

    for number in range(2):
        if number == 0:
            story.answer(cases.next.click, QMessageBox.StandardButton.Discard, "unsaved")
        else:
            cases.next.click()
        story.wait(lambda number=number: cases.state.current == number and cases.controller._job is None)
        story.wait(lambda: dock.controller.in_hand is not None and dock.inputs.reference.value() is not None)
        story.idle()
    check(dock.controller.in_hand.case.reference_given, "the case's own labels are taken")
    story.near()
    story.take("next-case")

    cases.attack.click()
    story.wait(lambda: states(cases)[0] == "done" or not cases.state.queue)
    check(cases.state.queue, f"the queue has ended: {cases.state.line}")
    story.take("attack-all")
    story.wait(lambda: not cases.state.queue)
    done(cases)
    story.wait(lambda: len(cases.state.pictures) == 3)
    cases.table.cellClicked.emit(0, 0)
    story.wait(lambda: dock.controller.outcome is not None and not cases.controller._job)
    story.idle()
    check(story.roles() >= RESULT, "a case that is done opens from its bundle")
    story.take("all-done")


def restarted(story: Story, folder: Path) -> None:
    """The same work folder in another process, a case from its bundle, the presentation."""
    dock, cases = story.dock, story.open(CASES)
    story.wait(lambda: len(dock.inputs.network.texts()) > 1)
    story.front(cases)
    cases.open_list(folder)
    story.wait(lambda: len(cases.state.pictures) == 3 and states(cases) != ["new"] * 3)
    done(cases)
    cases.table.cellClicked.emit(1, 0)
    story.wait(lambda: dock.controller.outcome is not None and dock.controller.phase is Phase.DONE)
    story.idle()
    check(story.roles() >= RESULT | {"ct", "clean"}, "the bundle's layers are shown without the network")
    check(dock.controller.in_hand is None, "no network was opened")
    story.near()
    story.take("restarted")

    dock.inputs.network.set_value(NETWORK)
    dock.inputs.open_button.click()
    story.wait(lambda: dock.controller.outcome is not None and dock.controller.outcome.live)
    story.settled(FIRST_DROP)
    story.front(dock)
    story.take("goes-on")

    dock.take_along.present.click()
    window = dock.presenter.window
    check(window is not None and window.slider.isEnabled(), "the presentation's slider is alive")
    window.setGeometry(0, 0, *story.size)  # where no window manager does it
    window.slider.setValue(round(100 * SECOND_DROP))
    story.settled(SECOND_DROP)
    linger(0.2)
    check("a random change of the same size" in window.sentence.text(), f"it says {window.sentence.text()!r}")
    check(bool(np.any(window.clean.shown != window.attacked.shown)), "the two images are not one")
    story.take_window(window, "presentation")
    window.close()
    check(dock.presenter.window is None, "the presentation is left")


def states(cases: Any) -> list[str]:
    return [row.state for row in cases.state.rows]


def done(cases: Any) -> None:
    """All three are, each as near to the drop as was asked for."""
    check(states(cases) == ["done"] * 3, f"{states(cases)}; {[row.reason for row in cases.state.rows]}")
    for row in cases.state.rows:
        check(abs(row.lost[-1].drop - FIRST_DROP) <= NEAR, f"{row.pseudonym} lost {row.lost[-1].drop}")


def tell(part: str, out: Path, folder: Path, theme: str, size: tuple[int, int], seconds: float) -> None:
    story = Story(out, theme, size, seconds)
    try:
        if part == "before":
            one_case(story)
            many_cases(story, folder)
        else:
            restarted(story, folder)
    except BaseException:
        story.viewer.screenshot(str(out / "failed.png"), canvas_only=False, flash=False)
        print(f"the dock says: {story.dock._message.text()}", file=sys.stderr)
        sys.excepthook = sys.__excepthook__
        raise
    finally:
        story.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    parser.add_argument("--size", default="1366x768", choices=("1366x768", "1920x1080"))
    parser.add_argument("--seconds", type=float, default=300, help="give up on a step after this long")
    parser.add_argument("--part", choices=("before", "after"), help="only before or after the restart")
    parser.add_argument("--cases", type=Path, help="folder of the three phantoms; one of its own by default")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    width, height = (int(n) for n in chosen.size.split("x"))
    if chosen.part is not None:
        tell(chosen.part, chosen.out, chosen.cases, chosen.theme, (width, height), chosen.seconds)
        return 0
    for picture in chosen.out.glob("*.png"):
        picture.unlink()
    with tempfile.TemporaryDirectory(prefix="story-") as aside:
        folder = chosen.cases or Path(aside) / "cohort"
        if not folder.exists():
            for seed in SEEDS:
                write_sample("phantom", folder / f"patient{seed}", seed)
        for part in ("before", "after"):
            again = [sys.executable, __file__, *sys.argv[1:], "--part", part, "--cases", str(folder)]
            status = subprocess.run(again, check=False).returncode
            if status:
                return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
