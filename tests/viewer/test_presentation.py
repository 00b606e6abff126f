"""The presentation: two images, one sentence, a slider, and everything as it was afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from viewer.fake_core import FakeCore
from viewer.test_dock import attacked, case_layers, opened

from napari_advseg.viewer.presentation.pictures import plain_sentence

MakeDock = Callable[[FakeCore], Any]


def presented(dock: Any, qtbot: Any) -> Any:
    attacked(dock, qtbot)
    dock.take_along.present.click()
    assert dock.presenter.window is not None
    return dock.presenter.window


def test_both_images_are_shown_with_their_own_segmentation(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    window = presented(dock, qtbot)
    dock.presenter.refresh()
    layers = case_layers(dock)
    z = round(layers["ct"].world_to_data(dock.viewer.dims.point)[0])
    for picture, labels in ((window.clean, layers["clean"]), (window.attacked, layers["attacked"])):
        shown = picture.shown
        assert shown.shape == (*layers["ct"].data.shape[1:], 3)
        coloured = shown.max(-1) != shown.min(-1)
        assert np.array_equal(coloured, np.asarray(labels.data[z]) > 0)
    assert np.any(window.clean.shown != window.attacked.shown)
    assert "falls from 0.91 to 0.61" in window.sentence.text()
    for caption, picture in zip(window.captions, (window.clean, window.attacked), strict=True):
        middle = caption.mapTo(window, caption.rect().center())
        below = picture.mapTo(window, picture.rect().center())
        assert middle.x() == pytest.approx(below.x(), abs=2)
        assert middle.y() < below.y()
    assert [caption.text() for caption in window.captions] == ["The CT as it is", "The CT, changed"]
    assert window.only.text() == "Research use only"
    window.close()


def test_escape_and_f11_leave_and_the_slice_is_as_it_was(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    attacked(dock, qtbot)
    qtbot.wait(100)
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_F11):
        before, visible = tuple(dock.viewer.dims.point), [layer.visible for layer in dock.viewer.layers]
        dock.presenter.toggle()
        window = dock.presenter.window
        first = window.clean.shown.copy()
        turn(window.clean)
        assert tuple(dock.viewer.dims.point) != before
        qtbot.waitUntil(lambda window=window, first=first: np.any(window.clean.shown != first), timeout=5_000)
        qtbot.keyClick(window, key)
        qtbot.waitUntil(lambda: dock.presenter.window is None, timeout=5_000)
        assert tuple(dock.viewer.dims.point) == before
        assert [layer.visible for layer in dock.viewer.layers] == visible


def turn(picture: Any) -> None:
    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    picture.wheelEvent(event)


def test_the_sliders_move_together(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    window = presented(dock, qtbot)
    assert window.slider.value() == 30
    assert window.slider.maximum() == round(dock.slider.most() * 100)
    window.slider.setValue(12)
    assert dock.slider.drop() == 0.12
    dock.slider.set_drop(0.2)
    assert window.slider.value() == 20
    window.close()


def test_the_sentence_tells_of_the_random_change_once_that_is_measured(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    window = presented(dock, qtbot)
    dock.presenter.refresh()
    qtbot.wait(50)
    window.sentence.setText("before it was measured")
    dock.controller.walker.completed.emit(dock.controller.outcome)
    qtbot.waitUntil(lambda: "a random change of the same size" in window.sentence.text(), timeout=5_000)
    window.close()


def test_without_a_result_there_is_nothing_to_present(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    opened(dock, qtbot)
    dock.presenter.toggle()
    assert dock.presenter.window is None
    assert "nothing to present yet" in dock._message.text()


def test_closing_the_dock_leaves_the_presentation(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    presented(dock, qtbot)
    dock.shut_down()
    assert dock.presenter.window is None


def test_the_sentence_is_plain_where_the_random_change_was_not_measured(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    attacked(dock, qtbot)
    finding = dock.controller.outcome.finding
    assert "2.3 mm" in plain_sentence(finding.result, finding.evidence)
    assert plain_sentence(finding.result, None).endswith("hard to see.")


def test_the_sentence_says_where_a_random_change_costs_as_much(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    attacked(dock, qtbot)
    finding = dock.controller.outcome.finding
    assert "no particular weakness" not in plain_sentence(finding.result, finding.evidence)
    evidence = replace(finding.evidence, control_drop=finding.result.achieved_drop)
    text = plain_sentence(finding.result, evidence)
    assert f"costs {evidence.control_drop:.2f}" in text
    assert text.endswith("costs as much or more: the attack as such shows no particular weakness.")
    dock.controller.found.emit(replace(dock.controller.outcome, finding=replace(finding, evidence=evidence)))
    assert "no particular weakness" in dock.result.sentence.text()
