"""napari's scene is put together once for several layers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

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
    qtbot.wait(100)
    canvas._scene_canvas.events.draw.connect(lambda _: drawn.append(len(viewer.layers)), position="last")
    with suppress(KeyError), drawn_later(viewer), drawn_later(viewer):
        three_layers(viewer)
        canvas._scene_canvas.native.repaint()  # at once, where it may be
        assert drawn == []
        if fault:
            raise KeyError
    qtbot.waitUntil(lambda: drawn[-1:] == [3], timeout=5_000)


def test_a_canvas_that_is_closed_before_it_is_drawn_again(make_napari_viewer: Callable[..., Any], qtbot: Any) -> None:
    viewer = make_napari_viewer(show=True)
    with qtbot.captureExceptions() as faults:
        with drawn_later(viewer):
            three_layers(viewer)
        viewer.close()
        qtbot.wait(50)
    assert faults == []
