"""Blinking, side by side, wipe and HU windows in a real napari, and what is left when the dock closes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QResizeEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from viewer.compare.conftest import make_finding, put_in

from napari_advseg.viewer.compare.keys import KEYS
from napari_advseg.viewer.compare.own_layers import own_layer, place_of
from napari_advseg.viewer.layers import known


def role(dock: Any, name: str) -> Any:
    layer = dock.watch.layer(name)
    assert layer is not None, name
    return layer


def looks(dock: Any) -> list[Any]:
    """Everything that a tool may change, of all layers in their order."""
    return [
        (layer.name, layer.visible, layer.opacity, getattr(layer, "contour", None)) for layer in dock._viewer.layers
    ]


def canvas(dock: Any) -> Any:
    return dock.letters._canvas


def shown_slice(layer: Any) -> np.ndarray:
    return np.asarray(layer._slice.image.view)


def test_holding_the_key_shows_the_clean_ct_and_letting_go_restores_all(compare: Any, qtbot: Any) -> None:
    before = looks(compare)
    assert role(compare, "perturbed").visible
    QTest.keyPress(canvas(compare), Qt.Key.Key_H)
    assert role(compare, "ct").visible
    assert not role(compare, "perturbed").visible
    assert role(compare, "clean").visible
    assert not role(compare, "attacked").visible
    assert not role(compare, "arrows").visible
    assert role(compare, "clean").contour == role(compare, "attacked").contour, "drawn alike"
    QTest.keyRelease(canvas(compare), Qt.Key.Key_H)
    assert looks(compare) == before


def test_the_clean_segmentation_stays_hidden_where_the_user_sees_none(compare: Any) -> None:
    for name in ("clean", "attacked"):
        role(compare, name).visible = False
    before = looks(compare)
    compare.sight.blink.click()
    assert not role(compare, "clean").visible
    compare.sight.blink.click()
    assert looks(compare) == before


def test_the_button_stays_down_and_the_key_does_not_lift_it(compare: Any) -> None:
    compare.sight.blink.click()
    compare.sight.hold()
    compare.sight.release()
    assert not role(compare, "perturbed").visible
    compare.sight.blink.click()
    assert role(compare, "perturbed").visible


def test_side_by_side_has_the_clean_ct_left_and_the_perturbed_right(compare: Any) -> None:
    viewer = compare._viewer
    viewer.add_points(np.zeros((1, 3)), name="mine", units="mm", axis_labels=("z", "y", "x"))
    before = looks(compare)
    compare.sight.side.click()
    grid, layers = viewer.canvas.grid, viewer.layers
    assert grid.enabled
    assert grid.actual_shape(layers) == (1, 2)
    cells = {
        known(layer).get("role", layer.name): grid.position(index, layers)
        for index, layer in enumerate(layers)
        if layer.visible
    }
    assert cells["ct"] == cells["clean"] == (0, 0)
    assert cells["perturbed"] == cells["attacked"] == cells["arrows"] == (0, 1)
    assert "mine" not in cells
    assert layers.index(role(compare, "attacked")) > layers.index(role(compare, "perturbed"))
    role(compare, "ct").contrast_limits = (-77, 99)
    assert list(role(compare, "perturbed").contrast_limits) == [-77, 99]
    compare.sight.side.click()
    assert not grid.enabled
    assert looks(compare) == before


def test_side_by_side_survives_a_layer_that_comes_and_one_that_goes(compare: Any, qtbot: Any) -> None:
    viewer = compare._viewer
    compare.sight.side.click()
    viewer.add_points(np.zeros((1, 3)), name="mine", units="mm", axis_labels=("z", "y", "x"))
    viewer.layers.remove(role(compare, "arrows"))
    qtbot.wait(50)
    grid, layers = viewer.canvas.grid, viewer.layers
    assert grid.position(layers.index(role(compare, "ct")), layers) == (0, 0)
    assert grid.position(layers.index(role(compare, "perturbed")), layers) == (0, 1)
    viewer.layers.remove(role(compare, "perturbed"))
    qtbot.waitUntil(lambda: not grid.enabled, timeout=5000)
    assert not compare.sight.side.isChecked()
    assert not compare.sight.side.isEnabled()


def test_the_wipe_shows_the_perturbed_ct_left_of_the_line(compare: Any) -> None:
    viewer, clean, changed = compare._viewer, role(compare, "ct").data, role(compare, "perturbed").data
    before = looks(compare)
    compare.sight.wipe.click()
    layer = own_layer(viewer, "wiped CT")
    assert layer.visible
    assert not role(compare, "perturbed").visible
    assert compare.sight._ends.isVisibleTo(compare)
    z = round(float(layer.world_to_data(viewer.dims.point)[0]))
    seen = shown_slice(layer)
    assert np.array_equal(seen[:, :12], changed[z][:, :12].astype(np.float32))
    assert np.array_equal(seen[:, 13:], clean[z][:, 13:])
    compare.sight.slider.setValue(0)
    assert np.array_equal(shown_slice(layer), clean[z]), "all clean"
    compare.sight.slider.setValue(compare.sight.slider.maximum())
    assert np.array_equal(shown_slice(layer), changed[z]), "all perturbed"
    compare.sight.wipe.click()
    assert own_layer(viewer, "wiped CT") is None
    assert looks(compare) == before


def test_the_wipe_follows_a_rolled_view_and_new_content(compare: Any, qtbot: Any) -> None:
    viewer = compare._viewer
    compare.sight.wipe.click()
    viewer.dims.order = (2, 0, 1)
    layer = own_layer(viewer, "wiped CT")
    x = round(float(layer.world_to_data(viewer.dims.point)[2]))
    seen = shown_slice(layer)
    assert np.array_equal(seen[:, 11:], role(compare, "ct").data[:, 11:, x])
    assert np.array_equal(seen[:, :10], role(compare, "perturbed").data[:, :10, x].astype(np.float32))
    role(compare, "perturbed").data = np.full_like(role(compare, "perturbed").data, 123)
    qtbot.waitUntil(lambda: bool((shown_slice(layer)[:, :10] == 123).all()), timeout=5000)


def test_the_wipes_segmentation_is_the_attacked_one_left_and_the_clean_one_right(compare: Any) -> None:
    compare.sight.wipe.click()
    layer = own_layer(compare._viewer, "wiped segmentation")
    whole = np.asarray(layer.data)
    assert np.array_equal(whole[..., :12], role(compare, "attacked").data[..., :12])
    assert np.array_equal(whole[..., 12:], role(compare, "clean").data[..., 12:])


def laid_out(dock: Any) -> int:
    """The canvas at a known size, the whole CT in it; the column of its middle."""
    area = canvas(dock)
    area.resize(640, 480)
    QApplication.sendEvent(area, QResizeEvent(area.size(), area.size()))  # Qt keeps it back from hidden windows
    dock._viewer.reset_view()
    return int(area.width() // 2)


def drag(dock: Any, qtbot: Any, start: int, *stops: int) -> None:
    """Press the left button on the canvas at a column of pixels, move to others, let go."""
    area = canvas(dock)
    row = area.height() // 2
    QTest.mousePress(area, Qt.MouseButton.LeftButton, pos=QPoint(start, row))
    for stop in stops:
        where = QPointF(stop, row)
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        QApplication.sendEvent(
            area, QMouseEvent(QEvent.Type.MouseMove, where, where, none, left, Qt.KeyboardModifier.NoModifier)
        )
        qtbot.wait(30)  # napari gathers moves for a few milliseconds
    QTest.mouseRelease(area, Qt.MouseButton.LeftButton, pos=QPoint((start, *stops)[-1], row))


def test_the_wipes_line_is_dragged_in_the_canvas_and_the_camera_stands_still(compare: Any, qtbot: Any) -> None:
    viewer, sight = compare._viewer, compare.sight
    line, camera = laid_out(compare), viewer.scene.camera
    sight.wipe.click()
    voxel = camera.zoom * role(compare, "ct").scale[2]
    panning: list[bool] = []
    sight.slider.valueChanged.connect(lambda _value: panning.append(camera.mouse_pan))
    drag(compare, qtbot, line, line + round(2 * voxel), line + round(6 * voxel))
    assert sight._wipe._arrays["wiped CT"].edge == pytest.approx(18, abs=1)
    assert sight.slider.value() / sight.slider.maximum() == pytest.approx(18 / 24, abs=0.05)
    assert sight._wipe._arrays["wiped segmentation"].edge == sight._wipe._arrays["wiped CT"].edge
    assert len(panning) >= 2
    assert not any(panning), "or the image would move under the line"
    assert camera.mouse_pan
    moved = sight.slider.value()
    drag(compare, qtbot, line, line - round(3 * voxel))
    assert sight.slider.value() == moved, "away from the line the mouse is the camera's"


def test_a_brush_keeps_its_mouse_and_without_the_wipe_nothing_is_dragged(compare: Any, qtbot: Any) -> None:
    viewer, sight = compare._viewer, compare.sight
    line = laid_out(compare)
    heard = [list(viewer.mouse_drag_callbacks), list(viewer.mouse_move_callbacks)]
    sight.wipe.click()
    before = sight.slider.value()
    painted = viewer.add_labels(np.zeros((6, 20, 24), np.uint8), name="mine", **place_of(role(compare, "ct")))
    painted.mode = "paint"
    drag(compare, qtbot, line, line + 60)
    assert sight.slider.value() == before
    painted.mode = "pan_zoom"
    sight.wipe.click()
    assert painted.data.any(), "it has painted"
    assert [viewer.mouse_drag_callbacks, viewer.mouse_move_callbacks] == heard
    drag(compare, qtbot, line, line + 60)
    assert sight.slider.value() == before


def test_only_one_view_at_a_time_and_the_first_look_comes_back(compare: Any) -> None:
    before = looks(compare)
    for button in (compare.sight.blink, compare.sight.side, compare.sight.wipe, compare.sight.side):
        button.click()
        down = [one for one in (compare.sight.blink, compare.sight.side, compare.sight.wipe) if one.isChecked()]
        assert down == [button]
    compare.sight.hold()  # the key rests while two cells are shown
    assert role(compare, "perturbed").visible
    compare.sight.release()
    compare.sight.side.click()
    assert looks(compare) == before


def test_a_window_is_applied_to_all_cts_by_button_and_key(compare: Any) -> None:
    compare.windows.buttons["lung"].click()
    for name in ("ct", "perturbed"):
        assert list(role(compare, name).contrast_limits) == [-1350, 150]
    compare.sight.wipe.click()
    QTest.keyClick(canvas(compare), Qt.Key.Key_F9)
    for layer in (role(compare, "ct"), role(compare, "perturbed"), own_layer(compare._viewer, "wiped CT")):
        assert list(layer.contrast_limits) == [0, 80]
    assert list(role(compare, "intensity").contrast_limits) != [0, 80]


def test_every_key_is_bound_and_none_is_one_of_naparis(compare: Any) -> None:
    from napari.utils.key_bindings import coerce_keybinding
    from napari.utils.shortcuts import default_shortcuts

    of_napari = {key for keys in default_shortcuts.values() for key in keys}
    mine = {coerce_keybinding(key) for key, _ in KEYS.values()}
    assert not mine & of_napari
    assert mine <= set(compare._viewer.keymap)
    assert compare._keys.taken == ()


def test_a_key_that_another_tool_has_is_left_to_it(make_napari_viewer: Any) -> None:
    from napari_advseg.viewer import CompareDock

    viewer, pressed = make_napari_viewer(), []
    viewer.bind_key("w", lambda _: pressed.append("w"))
    dock = CompareDock(viewer)
    put_in(viewer, dock)
    assert dock._keys.taken == ("W",)
    QTest.keyClick(canvas(dock), Qt.Key.Key_W)
    dock.shut_down()
    QTest.keyClick(viewer.window._qt_window, Qt.Key.Key_W)
    assert pressed == ["w", "w"]


def test_every_control_names_its_key(compare: Any) -> None:
    controls = {
        "blink lock": compare.sight.blink,
        "side": compare.sight.side,
        "wipe": compare.sight.wipe,
        "surfaces": compare.solid,
        "letters": compare.lettered,
        "keys": compare.keys_button,
    } | {f"window {name}": button for name, button in compare.windows.buttons.items()}
    for what, control in controls.items():
        assert f"key {KEYS[what][0]}" in control.toolTip()


def test_the_list_of_keys_has_them_all(compare: Any) -> None:
    from qtpy.QtWidgets import QDialog, QLabel

    QTest.keyClick(canvas(compare), Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier)
    dialog = compare.findChild(QDialog, "compare keys")
    assert dialog is not None
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    for key, _ in KEYS.values():
        assert f"<b>{key}</b>" in texts
    compare.show_keys()
    assert len(compare.findChildren(QDialog, "compare keys")) == 1
    dialog.close()


@pytest.mark.parametrize("button", ["blink", "side", "wipe"])
def test_closing_the_dock_gives_everything_back(compare: Any, button: str) -> None:
    viewer, before = compare._viewer, looks(compare)
    labels = list(compare.letters.labels.values())
    assert labels[0].isVisibleTo(canvas(compare))
    compare.maps.toggle_errors("new")
    compare.maps.deformation.setCurrentIndex(compare.maps.deformation.findData("warped grid"))
    role(compare, "arrows").visible = True
    getattr(compare.sight, button).click()
    viewer.window.remove_dock_widget(compare)
    assert viewer.keymap == {}
    assert looks(compare) == before
    assert not viewer.canvas.grid.enabled
    assert not compare.letters.labels


def test_without_a_case_the_tools_rest(make_napari_viewer: Any, qtbot: Any) -> None:
    from napari_advseg.viewer import CompareDock, open_in_napari

    viewer = make_napari_viewer()
    dock = CompareDock(viewer)
    put_in(viewer, dock)
    assert dock.hint.isVisibleTo(dock)
    assert not dock.sight.wipe.isEnabled()
    for key in (Qt.Key.Key_H, Qt.Key.Key_G, Qt.Key.Key_W, Qt.Key.Key_N, Qt.Key.Key_U, Qt.Key.Key_J, Qt.Key.Key_F5):
        QTest.keyClick(canvas(dock), key)
    assert len(viewer.layers) == 0
    open_in_napari(make_finding(), viewer)
    qtbot.waitUntil(dock.sight.wipe.isEnabled, timeout=5000)
    assert not dock.hint.isVisibleTo(dock)
    dock.shut_down()
