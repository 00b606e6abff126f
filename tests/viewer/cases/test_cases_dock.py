"""The dock of cases beside the main dock, over cores that answer at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QShortcut
from viewer.cases.fake_cases import FakeCases
from viewer.fake_core import FakeCore, make_ct, make_labels

from napari_advseg.viewer.cases.desk import DockDesk
from napari_advseg.viewer.cases.dock import NEXT_KEY, PREVIOUS_KEY, CasesDock
from napari_advseg.viewer.layer_source import KEY
from napari_advseg.viewer.layers import known, layers_of
from napari_advseg.viewer.state import Phase

RESULT = {"perturbed", "shift", "intensity", "moved_reference", "attacked", "arrows"}
Make = Callable[..., tuple[CasesDock, Any]]


@pytest.fixture
def make(make_dock: Callable[[FakeCore], Any], qtbot: Any) -> Iterator[Make]:
    made: list[CasesDock] = []

    def one(core: FakeCases, main: FakeCore | None = None) -> tuple[CasesDock, Any]:
        dock = make_dock(main or FakeCore())
        cases = CasesDock(dock.viewer, core, FakeCore(), DockDesk(dock.viewer))
        qtbot.addWidget(cases)
        made.append(cases)
        return cases, dock

    yield one
    for cases in made:
        cases.shut_down()
        assert cases.controller.join(10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cohort").mkdir()
    return tmp_path / "cohort"


def listed(cases: CasesDock, qtbot: Any, folder: Path) -> None:
    cases.open_list(folder)
    qtbot.waitUntil(lambda: cases.table.rowCount() == 3 and cases.controller._job is None, timeout=10_000)


def texts(cases: CasesDock, column: int) -> list[str]:
    return [cases.table.item(row, column).text() for row in range(cases.table.rowCount())]


def click(cases: CasesDock, row: int) -> None:
    cases.table.cellClicked.emit(row, 0)


def test_the_table_names_no_patient_until_it_is_asked_to(make: Make, qtbot: Any, folder: Path) -> None:
    cases, _ = make(FakeCases())
    listed(cases, qtbot, folder)
    assert texts(cases, 0) == ["Case 1", "Case 2", "Case 3"]
    assert texts(cases, 3) == ["new", "new", "new"]
    cases.file_names.click()
    assert texts(cases, 0) == ["muster_1", "muster_2", "muster_3"]
    qtbot.waitUntil(lambda: not cases.table.item(2, 0).icon().isNull(), timeout=10_000)
    assert cases.work.value() == folder.parent / "cohort-attacks"


def test_a_clicked_case_is_shown_and_opened_with_the_chosen_network(make: Make, qtbot: Any, folder: Path) -> None:
    main = FakeCore()
    cases, dock = make(FakeCases(), main)
    listed(cases, qtbot, folder)
    click(cases, 1)
    qtbot.waitUntil(lambda: len(dock.viewer.layers) == 1, timeout=10_000)
    assert main.opened == []
    assert "choose a network" in cases.message.text()
    dock.inputs.network.set_value("fake")
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=10_000)
    qtbot.waitUntil(lambda: dock.controller.phase is Phase.IDLE, timeout=10_000)
    first = dock.controller.in_hand.id
    qtbot.waitUntil(lambda: set(layers_of(dock.viewer, first)) == {"ct", "clean"}, timeout=10_000)
    cases.next.click()
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None and dock.controller.in_hand.id != first, timeout=10_000)
    assert layers_of(dock.viewer, first) == {}, "the layers of the case before are gone"
    assert len(main.opened) == 2
    assert not cases.next.isEnabled()
    cases.previous.click()
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None and dock.controller.in_hand.id == first, timeout=10_000)


def test_keys_go_through_the_list(make: Make, qtbot: Any, folder: Path) -> None:
    cases, _ = make(FakeCases())
    listed(cases, qtbot, folder)
    keys = {shortcut.key().toString(): shortcut for shortcut in cases.findChildren(QShortcut)}
    assert {shortcut.context() for shortcut in keys.values()} == {Qt.ShortcutContext.WindowShortcut}
    for key, current in ((NEXT_KEY, 0), (NEXT_KEY, 1), (PREVIOUS_KEY, 0)):
        keys[key].activated.emit()  # a key press needs a window that a window manager has activated
        assert cases.state.current == current
    cases.table.setCurrentCell(2, 0)
    qtbot.keyClick(cases.table, Qt.Key.Key_Return)
    assert cases.state.current == 2


def test_attack_all_runs_beside_looking_and_is_cancelled(make: Make, qtbot: Any, folder: Path) -> None:
    core = FakeCases()
    core.endless = 2
    core.failing = {1}
    cases, dock = make(core)
    dock.inputs.network.set_value("fake")
    listed(cases, qtbot, folder)
    assert not cases.cancel.isEnabled()
    cases.attack.click()
    qtbot.waitUntil(lambda: texts(cases, 3) == ["done", "failed: the file is torn", "running"], timeout=10_000)
    assert cases.table.item(1, 3).toolTip() == "the file is torn"
    assert texts(cases, 1)[0] == "0.91"
    assert texts(cases, 2)[0] == "0.30"
    assert not cases.attack.isEnabled()
    assert "Case 3" in cases.line.text()
    click(cases, 0)
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    shown = dock.controller.outcome.case_id
    qtbot.waitUntil(lambda: set(layers_of(dock.viewer, shown)) == RESULT | {"ct", "clean"}, timeout=10_000)
    assert "Asked for a Dice drop" in dock.result.sentence.text()
    assert dock.controller.phase is Phase.QUEUE
    cases.cancel.click()
    qtbot.waitUntil(cases.attack.isEnabled, timeout=10_000)
    assert texts(cases, 3) == ["done", "failed: the file is torn", "new"]
    assert dock.job.run.isEnabled()


def test_an_attack_by_hand_is_kept_in_the_work_folder(make: Make, qtbot: Any, folder: Path) -> None:
    core = FakeCases()
    cases, dock = make(core)
    dock.inputs.network.set_value("fake")
    listed(cases, qtbot, folder)
    click(cases, 1)
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=10_000)
    qtbot.waitUntil(lambda: dock.controller.phase is Phase.IDLE, timeout=10_000)
    dock.job.run.click()
    qtbot.waitUntil(lambda: core.kept == [1], timeout=10_000)
    qtbot.waitUntil(lambda: texts(cases, 3) == ["new", "done", "new"], timeout=10_000)
    assert core.wishes[-1][1].organs == (), "every organ that can be scored is no choice"


def test_going_on_from_a_result_opens_the_next_case(make: Make, qtbot: Any, folder: Path) -> None:
    core, main = FakeCases(), FakeCore()
    cases, dock = make(core, main)
    dock.inputs.network.set_value("fake")
    listed(cases, qtbot, folder)
    click(cases, 0)
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=10_000)
    qtbot.waitUntil(lambda: dock.controller.phase is Phase.IDLE, timeout=10_000)
    dock.job.run.click()
    qtbot.waitUntil(lambda: core.kept == [0] and not dock.controller.phase.busy, timeout=10_000)
    cases.next.click()
    qtbot.waitUntil(lambda: len(main.opened) == 2 and not dock.controller.phase.busy, timeout=10_000)
    assert dock.controller.outcome is None
    qtbot.waitUntil(lambda: {known(layer).get("role") for layer in dock.viewer.layers} == {"ct", "clean"})
    cases.previous.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    assert len(main.opened) == 2, "what is done opens from its bundle, without the network"


def test_closing_the_cases_stops_the_queue(make: Make, qtbot: Any, folder: Path) -> None:
    core = FakeCases()
    core.endless = 0
    cases, dock = make(core)
    dock.inputs.network.set_value("fake")
    listed(cases, qtbot, folder)
    cases.attack.click()
    qtbot.waitUntil(lambda: texts(cases, 3)[0] == "running", timeout=10_000)
    cases.shut_down()
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=10_000)
    assert cases.controller.join(10)


def test_closing_the_main_dock_ends_the_queue_and_another_dock_takes_over(
    make: Make, make_dock: Callable[[FakeCore], Any], qtbot: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = FakeCases()
    core.endless = 1
    cases, dock = make(core)
    dock.inputs.network.set_value("fake")
    listed(cases, qtbot, folder)
    cases.attack.click()
    qtbot.waitUntil(lambda: texts(cases, 3)[1] == "running", timeout=10_000)
    dock.shut_down()
    assert dock.controller.join(10)
    qtbot.waitUntil(cases.attack.isEnabled, timeout=10_000)
    from napari_advseg.viewer import AttackDock

    second = AttackDock(dock.viewer, FakeCore())
    qtbot.addWidget(second)
    qtbot.waitUntil(lambda: len(second.inputs.network.texts()) > 1, timeout=20_000)
    second.inputs.network.set_value("fake")
    core.endless = None
    cases.attack.click()
    qtbot.waitUntil(lambda: texts(cases, 3) == ["done"] * 3, timeout=10_000)
    second.shut_down()
    assert second.controller.join(10)


def test_a_report_of_what_is_done_is_written_under_pseudonyms(
    make: Make, qtbot: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []

    def write(bundles: list[Path], names: list[str], path: Path, _token: Any) -> Any:
        yield from ()
        asked.append((bundles, names))
        return path

    monkeypatch.setattr("napari_advseg.viewer.cases.queue_run.write_list_report", write)
    monkeypatch.setattr("napari_advseg.viewer.cases.dock.ask_where", lambda *_: tmp_path / "page")
    core = FakeCases()
    core.failing = {1}
    cases, dock = make(core)
    dock.inputs.network.set_value("fake")
    listed(cases, qtbot, folder)
    assert not cases.report.isEnabled()
    cases.attack.click()
    qtbot.waitUntil(lambda: cases.attack.isEnabled(), timeout=10_000)
    cases.file_names.click()
    cases.report.click()
    qtbot.waitUntil(lambda: "page.html" in cases.written.text(), timeout=10_000)
    work = folder.parent / "cohort-attacks"
    assert asked == [([work / "0", work / "2"], ["Case 1", "Case 3"])]


def with_sample(dock: Any, qtbot: Any, *, run: bool) -> str:
    """The sample's CT and organs, opened in the dock and, where wanted, attacked; its id."""
    ct, labels = make_ct(), make_labels(make_ct())
    noted = {"sample": "phantom", "network": "fake"}
    place = {
        "scale": ct.grid.spacing, "translate": (30.0, -20.0, 10.0), "units": "mm", "axis_labels": ("z", "y", "x"),
    }  # fmt: skip
    about = {KEY: noted | {"role": "ct", "case": "the sample", "grid": ct.grid}}
    dock.viewer.add_image(ct.hu, name="phantom CT", metadata=about, **place)
    about = {KEY: noted | {"role": "sample labels", "names": {1: "liver", 2: "kidney_left"}}}
    dock.viewer.add_labels(labels.astype(np.int32), name="phantom organs", metadata=about, **place)
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=10_000)
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=10_000)
    if run:
        dock.job.run.click()
        qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
        qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=10_000)
        qtbot.waitUntil(lambda: set(layers_of(dock.viewer, "the sample")) >= RESULT, timeout=10_000)
    return str(dock.controller.in_hand.id)


def roles_left(dock: Any) -> list[str]:
    """Of this plugin's layers that belong to a case or a sample."""
    noted = [known(layer) for layer in dock.viewer.layers]
    return sorted(str(one["role"]) for one in noted if "case" in one or "sample" in one)


def wait_for_case(cases: CasesDock, dock: Any, qtbot: Any, row: int) -> None:
    def there() -> bool:
        in_hand = dock.controller.in_hand
        return in_hand is not None and cases.controller.case_of(in_hand.id) == row and not dock.controller.phase.busy

    qtbot.waitUntil(there, timeout=10_000)
    qtbot.waitUntil(lambda: roles_left(dock) == ["clean", "ct"], timeout=10_000)


def answer(monkeypatch: pytest.MonkeyPatch, what: str) -> list[str]:
    asked: list[str] = []

    def ask(_parent: Any) -> str:
        asked.append(what)
        return what

    monkeypatch.setattr("napari_advseg.viewer.leaving.ask_unsaved", ask)
    return asked


def test_a_sample_is_put_away_when_a_listed_case_is_opened(
    make: Make, qtbot: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, "cancel")
    cases, dock = make(FakeCases())
    mine = dock.viewer.add_image(np.zeros((2, 3, 4)), name="mine", units="mm", axis_labels=("z", "y", "x"))
    sample = with_sample(dock, qtbot, run=False)
    listed(cases, qtbot, folder)
    click(cases, 0)
    wait_for_case(cases, dock, qtbot, 0)
    assert layers_of(dock.viewer, sample) == {}
    assert not [layer.name for layer in dock.viewer.layers if "[" in layer.name or "phantom" in layer.name]
    assert mine in dock.viewer.layers, "the user's own stays"
    assert asked == [], "there was nothing to lose"


def test_an_unsaved_result_is_asked_about_before_a_listed_case_is_opened(
    make: Make, qtbot: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, "cancel")
    cases, dock = make(FakeCases())
    sample = with_sample(dock, qtbot, run=True)
    listed(cases, qtbot, folder)
    outcome, before = dock.controller.outcome, roles_left(dock)
    click(cases, 1)
    qtbot.wait(200)
    assert asked == ["cancel"]
    assert dock.controller.outcome is outcome
    assert roles_left(dock) == before
    assert cases.state.current is None
    asked = answer(monkeypatch, "discard")
    click(cases, 1)
    wait_for_case(cases, dock, qtbot, 1)
    assert asked == ["discard"]
    assert layers_of(dock.viewer, sample) == {}


def test_a_result_that_is_wanted_is_saved_before_the_case_is_opened(
    make: Make, qtbot: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, "save")
    monkeypatch.setattr("napari_advseg.viewer.dock.ask_save_folder", lambda *_: None)
    cases, dock = make(FakeCases())
    with_sample(dock, qtbot, run=True)
    listed(cases, qtbot, folder)
    click(cases, 1)
    qtbot.wait(200)
    assert cases.state.current is None, "no folder was named: nothing is lost"
    assert dock.controller.outcome is not None
    monkeypatch.setattr("napari_advseg.viewer.dock.ask_save_folder", lambda *_: tmp_path / "saved")
    click(cases, 1)
    wait_for_case(cases, dock, qtbot, 1)
    assert (tmp_path / "saved" / "result.json").is_file()
    assert asked == ["save", "save"]


def test_results_on_listed_cases_are_kept_without_a_question(
    make: Make, qtbot: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, "cancel")
    core = FakeCases()
    cases, dock = make(core)
    dock.inputs.network.set_value("fake")
    listed(cases, qtbot, folder)
    click(cases, 0)
    wait_for_case(cases, dock, qtbot, 0)
    dock.job.run.click()
    qtbot.waitUntil(lambda: core.kept == [0] and not dock.controller.phase.busy, timeout=10_000)
    click(cases, 1)
    wait_for_case(cases, dock, qtbot, 1)
    assert asked == []
