"""The main dock in a window of 1366 x 768: what matters is in sight without scrolling, and what is cut says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtWidgets import QApplication, QDockWidget, QLabel, QScrollArea
from viewer.fake_core import FakeCore
from viewer.test_dock import attacked, opened, settle

from napari_advseg.viewer.choice_box import ChoiceBox
from napari_advseg.viewer.fold import Fold

MakeDock = Callable[[FakeCore], Any]
WIDTH, HEIGHT = 345, 680  # of the dock in such a window, with tabs under it


def in_sight(widget: Any) -> bool:
    QApplication.processEvents()
    return bool(widget.isVisible() and widget.visibleRegion().boundingRect() == widget.rect())


def low(dock: Any, qtbot: Any) -> Any:
    dock.resize(WIDTH, HEIGHT)
    dock.show()
    qtbot.waitExposed(dock)
    return dock


@pytest.mark.parametrize("count", [2, 8, 40])
def test_slider_run_sentence_and_organs_are_in_sight_after_a_run(make_dock: MakeDock, qtbot: Any, count: int) -> None:
    dock = low(make_dock(FakeCore()), qtbot)
    attacked(dock, qtbot)
    organ = dock.controller.outcome.finding.result.organs[0]
    dock.result.table.show_organs([replace(organ, id=index, name=f"organ {index}") for index in range(1, count + 1)])
    for widget in (dock.slider, dock.job.run, dock.result.sentence, dock.result.table):
        assert in_sight(widget)
    assert dock.height() == HEIGHT
    table = dock.result.table
    assert table.viewport().height() >= min(count, 8) * table.rowHeight(0)


def test_run_stays_in_sight_wherever_the_dock_is_scrolled(make_dock: MakeDock, qtbot: Any) -> None:
    dock = low(make_dock(FakeCore()), qtbot)
    dock.resize(WIDTH, 400)
    attacked(dock, qtbot)
    bar = dock.findChild(QScrollArea).verticalScrollBar()
    QApplication.processEvents()
    assert bar.maximum() > 0
    for place in (0, bar.maximum()):
        bar.setValue(place)
        assert in_sight(dock.job.run)
        assert in_sight(dock.job.save)


def test_a_network_that_is_chosen_before_it_is_offered_is_named(qtbot: Any) -> None:
    """A sample chooses its network while the list of networks may still be loading."""
    box = ChoiceBox("choose a network…")
    qtbot.addWidget(box)
    named: list[str] = []
    box.changed.connect(lambda: named.append(box.text()))
    box.set_value("phantom2d")
    assert named == ["phantom2d"]
    box.set_offers([("phantom2d: a small one", "phantom2d")])
    assert box.text() == "phantom2d"
    box.set_value(None)
    assert named == ["phantom2d", "choose a network…"]


def test_an_open_case_takes_one_line_and_the_result_has_the_organs(make_dock: MakeDock, qtbot: Any) -> None:
    dock = low(make_dock(FakeCore()), qtbot)
    assert dock.inputs.ct.isVisible()
    opened(dock, qtbot)
    assert not dock.inputs.ct.isVisible()
    assert dock.inputs.fold.text() == "Case: mine, fake"
    assert dock.organs._list.isVisible()
    dock.organs.check(["liver"])
    assert dock.organs.fold.text() == "Organs: 1 of 2 scored, clean Dice 0.95"
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    settle(dock, qtbot)
    assert not dock.organs._list.isVisible()
    dock.organs.fold.expand()
    assert dock.organs._list.isVisible()


def test_what_is_missing_to_open_a_case_is_shown(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = low(make_dock(core), qtbot)
    opened(dock, qtbot)
    dock.inputs.network.set_value(None)
    assert dock.inputs.network.isVisible(), "the network must be chosen"
    core.fault = ValueError("no such network")
    dock.controller.leave()
    dock.inputs.fold.collapse()
    dock.inputs.network.set_value("fake")
    qtbot.waitUntil(lambda: "no such network" in dock._message.text(), timeout=10_000)
    assert dock.inputs.network.isVisible(), "another one can be chosen"


def test_a_title_without_room_is_cut_with_dots_and_told_whole(qtbot: Any) -> None:
    fold = Fold("Case: " + "a very long name " * 10, QLabel("content"))
    qtbot.addWidget(fold)
    fold.resize(200, 40)
    fold.show()
    qtbot.waitExposed(fold)
    head = fold._head
    assert "…" in head.text()
    assert head.toolTip() == fold.text()
    assert fold.width() == 200
    fold.setText("Case")
    assert (head.text(), head.toolTip()) == ("Case", "")


def test_a_choice_tells_whole_what_is_chosen(qtbot: Any) -> None:
    box = ChoiceBox("nothing", tip="The network")
    qtbot.addWidget(box)
    assert box._combo.toolTip() == "The network"
    box.set_value(Path("/a/folder/with/a/network.pth"))
    assert box._combo.toolTip() == "/a/folder/with/a/network.pth\n\nThe network"
    box.set_offers([("phantom2d: 2-D, eight organs", "phantom2d")])
    box.set_value("phantom2d")
    assert box._combo.toolTip().startswith("phantom2d: 2-D, eight organs")
    assert box.text() == "phantom2d"


def test_the_tab_of_a_dock_has_a_short_title(make_napari_viewer: Any) -> None:
    from napari_advseg.viewer import CompareDock

    viewer = make_napari_viewer()
    dock = viewer.window.add_dock_widget(CompareDock(viewer), name="Compare (napari-advseg)")
    assert isinstance(dock, QDockWidget)
    assert dock.windowTitle() == "Compare"
    viewer.window.remove_dock_widget(dock)
