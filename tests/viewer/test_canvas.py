"""napari's scene is put together once for several layers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QCoreApplication

from napari_advseg.viewer.canvas import canvas_of, drawn_later, one_update
from napari_advseg.viewer.handing_on import park
from napari_advseg.viewer.layer_source import KEY


def three_layers(viewer: Any) -> list[Any]:
    return [
        viewer.add_image(np.zeros((3, 8, 8), np.float32), metadata={KEY: {"role": role, "case": "a"}})
        for role in ("ct", "perturbed", "shift")
    ]


def count_updates(viewer: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever the scene is put together, which ends with a look at what is drawn."""
    told: list[int] = []
    monkeypatch.setattr(canvas_of(viewer), "on_draw", lambda *_: told.append(1))
    return told


def test_hidden_and_shown_together_the_scene_is_put_together_once(
    make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer()
    layers = three_layers(viewer)
    told = count_updates(viewer, monkeypatch)
    with one_update(viewer), one_update(viewer):
        for layer in layers:
            layer.visible = False
        assert told == []
    assert told == [1]
    for layer in layers:
        layer.visible = True
    assert len(told) == 1 + len(layers), "napari does it for each: else there is nothing to spare any more"


def test_layers_are_parked_with_one_update_and_drawing_goes_on_after_a_fault(
    make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer()
    layers = three_layers(viewer)
    told = count_updates(viewer, monkeypatch)
    park(viewer, layers, {"scale": (1, 1, 1), "translate": (0, 0, 0)})
    assert told == [1]
    with pytest.raises(KeyError), one_update(viewer):
        raise KeyError
    layers[0].visible = True
    assert len(told) == 3


def test_without_a_window_there_is_nothing_to_update() -> None:
    viewer = ViewerModel()
    assert canvas_of(viewer) is None
    layers = three_layers(viewer)
    with one_update(viewer), drawn_later(viewer):
        layers[0].visible = False
    assert not layers[0].visible


@pytest.mark.parametrize("fault", [False, True])
def test_what_was_added_is_drawn_in_a_later_turn(
    make_napari_viewer: Callable[..., Any], qtbot: Any, fault: bool
) -> None:
    viewer = make_napari_viewer(show=True)
    canvas = canvas_of(viewer)
    assert canvas is not None
    drawn: list[int] = []
    three_layers(viewer)  # the slider of the slices comes: the canvas is another size, and painted at once
    qtbot.wait(200)
    QCoreApplication.sendPostedEvents()
    canvas._scene_canvas.events.draw.connect(lambda _: drawn.append(len(viewer.layers)), position="last")
    with suppress(KeyError), drawn_later(viewer), drawn_later(viewer):
        three_layers(viewer)
        QCoreApplication.sendPostedEvents()  # painted now, where it was asked for
        assert drawn == []
        if fault:
            raise KeyError
    qtbot.waitUntil(lambda: drawn[-1:] == [6], timeout=5_000)
    drawn.clear()
    three_layers(viewer)  # asked for as ever
    qtbot.waitUntil(lambda: drawn[-1:] == [9], timeout=5_000)


def test_a_window_that_is_painted_meanwhile_shows_its_canvas(
    make_napari_viewer: Callable[..., Any], qtbot: Any
) -> None:
    viewer = make_napari_viewer(show=True)
    canvas = canvas_of(viewer)
    assert canvas is not None
    layer = viewer.add_image(np.ones((3, 8, 8), np.float32), contrast_limits=(0, 1))
    qtbot.wait(200)
    window, native = viewer.window._qt_window, canvas._scene_canvas.native
    before = window.grab().toImage()
    middle = native.mapTo(window, native.rect().center())
    with drawn_later(viewer):
        layer.contrast_limits = (0, 2)
        shown = window.grab().toImage()
    assert shown.size() == before.size()
    assert before.pixelColor(middle).getRgb()[:3] == (255, 255, 255)
    assert shown.pixelColor(middle).red() > 100  # the layer, and not the window behind the canvas


def test_a_canvas_that_is_closed_before_it_is_drawn_again(make_napari_viewer: Callable[..., Any], qtbot: Any) -> None:
    viewer = make_napari_viewer(show=True)
    with qtbot.captureExceptions() as faults:
        with drawn_later(viewer):
            three_layers(viewer)
        viewer.close()
        qtbot.wait(50)
    assert faults == []
