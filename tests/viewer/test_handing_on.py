"""The layers of a case serve the next one: none is removed and added for what they have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_advseg.viewer.handing_on import is_parked, on_handed_on
from napari_advseg.viewer.layer_source import KEY
from napari_advseg.viewer.layers import (
    can_be_ct,
    layers_of,
    park_case,
    park_result,
    remove_case,
    remove_parked,
    show_scene,
)
from napari_advseg.viewer.open_layers import can_be_reference
from napari_advseg.viewer.scene import LayerPlan, Scene

COLOURS = {0: "transparent", None: "#888888", 1: "#ff0000"}


def plan(role: str, case_id: str, shape: tuple[int, ...], value: int, **options: Any) -> LayerPlan:
    place = {"scale": (value, 1.0, 1.0), "translate": (10.0 * value, 0.0, 0.0), "units": "mm"}
    about = {"name": role, "metadata": {KEY: {"case": case_id, "role": role}}}
    if role in ("ct", "perturbed"):
        data: Any = np.full(shape, value, np.float32)
        look: dict[str, Any] = {"colormap": "gray", "contrast_limits": (-160.0, 240.0)}
        return LayerPlan(role, "image", data, place | about | look | options)
    if role == "arrows":
        arrows = np.full((value, 2, 3), value, np.float32)
        look = {"features": {"mm": np.arange(value, dtype=np.float32)}, "edge_color": "mm", "length": 1.0}
        return LayerPlan(role, "vectors", arrows, place | about | look | {"edge_contrast_limits": (0.0, 5.0)} | options)
    look = {"colormap": COLOURS, "opacity": 0.9, "features": {"index": [1], "name": ["liver"]}, "contour": 1}
    return LayerPlan(role, "labels", np.full(shape, value, np.uint8), place | about | look | options)


def scene(case_id: str, shape: tuple[int, ...], value: int, *roles: str) -> Scene:
    return Scene(case_id, tuple(plan(role, case_id, shape, value) for role in roles))


ALL = ("ct", "perturbed", "clean", "arrows")


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    show_scene(made, scene("first", (4, 5, 6), 2, *ALL))
    return made


def hand_on(viewer: ViewerModel, *roles: str) -> None:
    following = scene("second", (7, 8, 9), 3, *roles)
    park_case(viewer, "first", following.plans[0].options)
    show_scene(viewer, following)


def test_the_next_case_is_shown_by_the_same_layers(viewer: ViewerModel) -> None:
    before = layers_of(viewer, "first")
    hand_on(viewer, *ALL)
    after = layers_of(viewer, "second")
    assert {role: id(layer) for role, layer in after.items()} == {role: id(layer) for role, layer in before.items()}
    assert not layers_of(viewer, "first")
    assert all(layer.visible for layer in viewer.layers)
    for role in ("ct", "perturbed", "clean"):
        assert after[role].data.shape == (7, 8, 9)
        assert (np.asarray(after[role].data) == 3).all()
    assert len(after["arrows"].data) == 3
    for layer in viewer.layers:
        assert tuple(layer.translate) == (30.0, 0.0, 0.0)
        assert tuple(layer.scale) == (3.0, 1.0, 1.0)


def test_the_view_reaches_as_far_as_the_case_that_is_shown(viewer: ViewerModel) -> None:
    hand_on(viewer, "ct")
    low, high = viewer.layers.extent.world
    assert np.allclose(low, (30.0, 0.0, 0.0))
    assert np.allclose(high, (30.0 + 6 * 3, 7.0, 8.0))


def test_what_waits_is_hidden_empty_and_offered_nowhere(viewer: ViewerModel) -> None:
    before = layers_of(viewer, "first")
    hand_on(viewer, "ct")
    for role in ("perturbed", "clean", "arrows"):
        layer = before[role]
        assert is_parked(layer)
        assert not layer.visible
        assert not np.any(layer.data)
        assert layer not in viewer.layers.selection
    assert not can_be_ct(before["perturbed"])
    assert not can_be_reference(before["clean"])
    remove_parked(viewer)
    assert list(viewer.layers) == [before["ct"]]


def test_the_look_of_the_case_before_does_not_stay(viewer: ViewerModel) -> None:
    before = layers_of(viewer, "first")
    before["ct"].contrast_limits, before["ct"].gamma = (0.0, 100.0), 0.5
    before["clean"].opacity, before["clean"].contour, before["clean"].mode = 0.1, 0, "paint"
    before["perturbed"].visible = False
    hand_on(viewer, *ALL)
    assert tuple(before["ct"].contrast_limits) == (-160.0, 240.0)
    assert before["ct"].gamma == 1.0
    assert (before["clean"].opacity, before["clean"].contour, before["clean"].mode) == (0.9, 1, "pan_zoom")
    assert before["perturbed"].visible


def test_what_was_painted_before_cannot_be_undone_on_the_next_case(viewer: ViewerModel) -> None:
    clean = layers_of(viewer, "first")["clean"]
    clean.data_setitem((np.array([0]), np.array([0]), np.array([0])), 1)
    hand_on(viewer, *ALL)
    clean.undo()
    assert (clean.data == 3).all()


def test_other_colours_and_types_are_taken_too(viewer: ViewerModel) -> None:
    clean = layers_of(viewer, "first")["clean"]
    other = plan("clean", "second", (7, 8, 9), 3, colormap=COLOURS | {2: "#00ff00"})
    wide = LayerPlan("clean", "labels", np.full((7, 8, 9), 300, np.uint16), other.options)
    hand_on(viewer, "ct")
    show_scene(viewer, Scene("second", (other,)))
    assert layers_of(viewer, "second")["clean"] is clean
    assert np.allclose(clean.get_color(2), (0, 1, 0, 1))
    park_case(viewer, "second", other.options)
    show_scene(viewer, Scene("second", (wide,)))
    assert layers_of(viewer, "second")["clean"] is not clean, "a layer of bytes cannot hold 300"
    assert is_parked(clean)


def test_a_result_that_goes_makes_room_for_the_next_one(viewer: ViewerModel) -> None:
    before, told = layers_of(viewer, "first"), []
    end = on_handed_on(viewer, lambda _event: told.append(set(layers_of(viewer, "first"))))
    park_result(viewer, "first")
    show_scene(viewer, scene("first", (4, 5, 6), 4, "perturbed", "arrows"))
    assert told == [{"ct", "clean"}, {"ct", "clean", "perturbed", "arrows"}]
    assert layers_of(viewer, "first")["perturbed"] is before["perturbed"]
    end()
    park_result(viewer, "first")
    assert len(told) == 2


def test_layers_of_the_user_are_left_alone(viewer: ViewerModel) -> None:
    own = viewer.add_layer(Image(np.zeros((4, 5, 6)), name="mine"))
    hand_on(viewer, "ct")
    remove_parked(viewer)
    remove_case(viewer, "second")
    assert list(viewer.layers) == [own]
    assert own.visible
