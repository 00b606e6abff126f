"""Where things are shown: all kinds of image in register, on grids that are flipped, permuted and oblique."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from viewer.fake_core import EVIDENCE, FLIPPED, make_case, make_ct, make_result

from napari_advseg.case import Finding
from napari_advseg.viewer.arrows import thin_arrows
from napari_advseg.viewer.layer_source import KEY, take_layer
from napari_advseg.viewer.layers import layers_of
from napari_advseg.viewer.open import open_in_napari
from napari_advseg.viewer.placement import Placement
from napari_advseg.viewer.region_drawing import drawn_box
from napari_advseg.viewer.wishes import AttackWish
from napari_advseg.volume import Grid, Region, displacement_lps

STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
TURNED = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)  # x runs to P, y to I, z to R


def finding_on(direction: tuple[float, ...]) -> Finding:
    case = make_case(make_ct(direction))
    return Finding(case, make_result(case, AttackWish(), 0.3), EVIDENCE)


def shown(finding: Finding) -> dict[str, Any]:
    viewer = open_in_napari(finding, ViewerModel())
    case_id = viewer.layers[0].metadata[KEY]["case"]
    return layers_of(viewer, case_id)


def lps_of(grid: Grid, voxel: tuple[int, ...]) -> np.ndarray:
    return np.array(grid.origin) + grid.array_to_lps @ np.array(voxel, float)


def value_at(layer: Any, lps: np.ndarray) -> float:
    """What a layer shows at a place in the patient; the world is (z, y, x) of LPS."""
    index = np.rint(layer.world_to_data(lps[::-1])).astype(int)
    assert (index >= 0).all()
    return float(layer.data[tuple(index)])


@pytest.mark.parametrize("direction", [STRAIGHT, FLIPPED, TURNED])
def test_every_layer_shows_each_voxel_where_it_lies_in_the_patient(direction: tuple[float, ...]) -> None:
    finding = finding_on(direction)
    result, grid, layers = finding.result, finding.case.ct.grid, shown(finding)
    whole = result.whole_displacement * np.array(grid.spacing).reshape(3, 1, 1, 1)
    for voxel in [(0, 2, 3), (3, 6, 8), (3, 12, 17), (5, 17, 20)]:
        place = lps_of(grid, voxel)
        assert value_at(layers["ct"], place) == result.ct.hu[voxel]
        assert value_at(layers["perturbed"], place) == result.whole_perturbed[voxel]
        assert value_at(layers["clean"], place) == result.clean_labels[voxel]
        assert value_at(layers["attacked"], place) == result.attacked_labels[voxel]
        assert value_at(layers["moved_reference"], place) == result.moved_reference[voxel]
        assert value_at(layers["intensity"], place) == result.whole_appearance[voxel]
        length = float(np.linalg.norm(whole[(slice(None), *voxel)]))
        assert value_at(layers["shift"], place) == pytest.approx(length, abs=1e-5)


@pytest.mark.parametrize("direction", [STRAIGHT, FLIPPED, TURNED])
def test_arrows_point_as_the_saved_field_does(direction: tuple[float, ...]) -> None:
    finding = finding_on(direction)
    layer = shown(finding)["arrows"]
    grid = finding.case.ct.grid
    field = displacement_lps(finding.result.whole_displacement, grid)
    assert len(layer.data) > 20
    for start, component in layer.data:
        place = np.array(layer.data_to_world(start))[::-1]
        step = (np.array(layer.data_to_world(start + component)) - np.array(layer.data_to_world(start)))[::-1]
        voxel = np.linalg.solve(grid.array_to_lps, place - np.array(grid.origin))
        assert np.allclose(voxel, np.rint(voxel), atol=1e-3), "arrows start on voxels"
        assert np.allclose(step, field[tuple(np.rint(voxel).astype(int))], atol=1e-4)
    lengths = np.linalg.norm(layer.data[:, 1] * layer.scale, axis=1)
    assert np.allclose(layer.features["mm"], lengths, atol=1e-4)


def test_an_oblique_ct_is_shown_along_its_own_axes_and_says_so() -> None:
    turn = np.deg2rad(10)
    oblique = (np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1)
    placement = Placement.of(make_ct(tuple(float(v) for v in oblique)).grid)
    assert placement.oblique
    assert not Placement.of(make_ct(FLIPPED).grid).oblique
    layers = shown(finding_on(tuple(float(v) for v in oblique)))
    assert layers["ct"].metadata[KEY]["grid"].direction == tuple(float(v) for v in oblique)
    assert np.allclose(layers["ct"].rotate, np.eye(3))


@pytest.mark.parametrize("direction", [STRAIGHT, FLIPPED, TURNED])
def test_a_region_is_the_same_box_shown_and_drawn(direction: tuple[float, ...]) -> None:
    placement = Placement.of(make_ct(direction).grid)
    region = Region((1, 3, 4), (4, 9, 20))
    box = placement.region_to_shown(region)
    low = np.array(placement.translate) + np.array(box.start) * placement.scale
    high = np.array(placement.translate) + (np.array(box.stop) - 1) * placement.scale
    assert placement.region_from_mm(low, high) == region
    marked = np.zeros(placement.grid.shape, bool)
    marked[region.slices] = True
    assert placement.to_shown(marked)[box.slices].all()
    with pytest.raises(ValueError, match="over the CT"):
        placement.region_from_mm(high + 1000, high + 1010)


def test_rectangles_in_two_planes_span_a_box() -> None:
    from napari.layers import Shapes

    axial = np.array([[8, 2, 3], [8, 10, 3], [8, 10, 12], [8, 2, 12]], float)
    sagittal = np.array([[4, 2, 6], [12, 2, 6], [12, 10, 6], [4, 10, 6]], float)
    whole = (np.zeros(3), np.full(3, 50.0))
    low, high = drawn_box(Shapes([axial], ndim=3), whole)
    assert low.tolist() == [0, 2, 3]
    assert high.tolist() == [50, 10, 12]
    low, high = drawn_box(Shapes([axial, sagittal], ndim=3), whole)
    assert low.tolist() == [4, 2, 3]
    assert high.tolist() == [12, 10, 12]


@pytest.mark.parametrize("direction", [STRAIGHT, FLIPPED, TURNED])
def test_a_layer_of_this_plugin_gives_its_exact_volume_back(direction: tuple[float, ...]) -> None:
    finding = finding_on(direction)
    layer = shown(finding)["ct"]
    volume = take_layer(layer).volume()
    assert volume.grid == finding.case.ct.grid
    assert np.array_equal(volume.hu, finding.case.ct.hu)
    layer.translate = np.array(layer.translate) + 5.0  # moved by hand: where it is shown counts
    moved = take_layer(layer).volume()
    assert moved.grid.direction == STRAIGHT
    assert np.array_equal(moved.hu, layer.data)


def test_a_users_layer_is_taken_where_it_lies() -> None:
    data = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    layer = Image(data, scale=(3, 2, 1), translate=(30, 20, 10), units="mm", axis_labels=("z", "y", "x"))
    grid = take_layer(layer).volume().grid
    assert grid.spacing == (3, 2, 1)
    assert grid.origin == (10, 20, 30)
    assert grid.direction == STRAIGHT
    in_cm = Image(data, scale=(0.3, 0.2, 0.1), units="cm")
    assert take_layer(in_cm).volume().grid.spacing == pytest.approx((3, 2, 1))
    turned = Image(data, rotate=[[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    placed = take_layer(turned).volume().grid
    assert np.allclose(placed.array_to_lps @ [0, 1, 0], [1, 0, 0])  # the array's y runs to the world's x
    with pytest.raises(ValueError, match="sheared"):
        take_layer(Image(data, shear=[0.5, 0, 0])).volume()
    with pytest.raises(ValueError, match="colour"):
        take_layer(Image(np.zeros((3, 4, 5, 3), np.uint8), rgb=True, name="photo"))


def test_painted_labels_count_as_other_labels() -> None:
    layer = Labels(np.ones((3, 4, 5), np.uint8))
    before = take_layer(layer)
    assert before == take_layer(layer)
    layer.data[0] = 2
    assert before != take_layer(layer)


def test_arrows_are_thinned_until_they_are_few_enough() -> None:
    field = np.random.default_rng(0).normal(size=(3, 8, 90, 100)).astype(np.float32)
    arrows, length = thin_arrows(field, (5.0, 1.0, 1.0), most=2_000)
    assert 500 < len(arrows) <= 2_000
    assert set(arrows[:, 0, 0]) == set(range(8)), "every slice keeps its arrows"
    assert np.allclose(length, np.linalg.norm(arrows[:, 1] * (5.0, 1.0, 1.0), axis=1), atol=1e-4)
    nothing, none = thin_arrows(np.zeros((3, 2, 3, 4), np.float32), (1.0, 1.0, 1.0))
    assert len(nothing) == len(none) == 0
