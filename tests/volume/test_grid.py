from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from strategies import AXIS_CODES, grids, volumes

from napari_advseg.volume import Grid, Region, Volume, reorient, reorient_grid, reorientation, restore
from napari_advseg.volume.reading import grid_of, image_on


@given(volumes(), st.sampled_from(AXIS_CODES))
def test_reorienting_and_back_gives_the_same_array(volume: Volume, axes: str) -> None:
    change = reorientation(volume.grid, axes)
    assert np.array_equal(restore(reorient(volume.hu, change), change), volume.hu)


@given(grids(), st.sampled_from(AXIS_CODES), st.data())
def test_reorienting_leaves_every_voxel_where_it_is_in_the_patient(grid: Grid, axes: str, data: st.DataObject) -> None:
    change = reorientation(grid, axes)
    index = np.array([data.draw(st.integers(0, n - 1)) for n in grid.shape])
    where = np.zeros(grid.shape, bool)
    where[tuple(index)] = True
    turned = np.argwhere(reorient(where, change))[0]
    new = reorient_grid(grid, change)
    before = np.array(grid.origin) + grid.array_to_lps @ index
    after = np.array(new.origin) + new.array_to_lps @ turned
    np.testing.assert_allclose(after, before, atol=1e-6)


@given(grids(oblique=False), st.sampled_from(AXIS_CODES))
def test_reoriented_axes_run_where_asked(grid: Grid, axes: str) -> None:
    world = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
    step = reorient_grid(grid, reorientation(grid, axes)).array_to_lps
    for axis, letter in enumerate(axes):
        component, sign = world[letter]
        assert step[component, axis] * sign > 0


@given(grids())
def test_the_grid_agrees_with_itk(grid: Grid) -> None:
    image = image_on(np.zeros(grid.shape, np.uint8), grid)
    assert grid_of(image).matches(grid, 1e-9)
    last = [n - 1 for n in grid.shape]
    itk = image.TransformIndexToPhysicalPoint(last[::-1])
    np.testing.assert_allclose(np.array(grid.origin) + grid.array_to_lps @ last, itk, atol=1e-6)


@given(grids(smallest=3))
def test_a_crop_lies_where_it_was_cut(grid: Grid) -> None:
    region = Region((1, 0, 2), grid.shape)
    image = image_on(np.zeros(grid.shape, np.uint8), grid)
    cut = sitk.RegionOfInterest(image, region.shape[::-1], region.start[::-1])
    assert grid_of(cut).matches(grid.crop(region.slices), 1e-6)


def test_a_direction_with_denormal_numbers_does_not_break_itk() -> None:
    tiny = 1.9e-310
    grid = Grid((3, 3, 3), (1.0, 0.4, 1.0), direction=(-1.0, 0.0, 0.0, 0.0, tiny, -1.0, 0.0, -1.0, -tiny))
    image = image_on(np.ones(grid.shape, np.uint8), grid)
    assert sitk.GetArrayFromImage(sitk.Resample(image, image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)).all()


@pytest.mark.parametrize(
    ("shape", "spacing", "direction", "word"),
    [
        ((0, 2, 2), (1.0, 1.0, 1.0), np.eye(3), "at least one voxel"),
        ((2, 2, 2), (1.0, 0.0, 1.0), np.eye(3), "positive"),
        ((2, 2, 2), (1.0, 1.0, 1.0), np.ones((3, 3)), "orthonormal"),
    ],
)
def test_impossible_grids_are_refused(shape, spacing, direction, word) -> None:
    with pytest.raises(ValueError, match=word):
        Grid(shape, spacing, direction=tuple(direction.reshape(-1)))


def test_orientations_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="one letter each"):
        reorientation(Grid((1, 1, 1), (1.0, 1.0, 1.0)), "LRS")


def test_regions_are_parsed_and_held_within_the_volume() -> None:
    grid = Grid((10, 20, 30), (1.0, 1.0, 1.0))
    assert Region.parse("1:5,2:,:30", grid) == Region((1, 2, 0), (5, 20, 30))
    assert str(Region.parse(str(Region((1, 2, 3), (4, 5, 6))), grid)) == "1:4,2:5,3:6"
    for text in ("1:2", "3:2,0:1,0:1", "a:b,0:1,0:1", "0:11,0:20,0:30", ""):
        with pytest.raises(ValueError, match="region"):
            Region.parse(text, grid)


def test_the_box_around_labels_grows_by_millimetres_and_stays_inside() -> None:
    grid = Grid((10, 20, 30), (5.0, 2.0, 1.0))
    mask = np.zeros(grid.shape, bool)
    mask[4:6, 10:12, 2:9] = True
    assert Region.around(mask, grid, (10.0, 4.0, 5.0)) == Region((2, 8, 0), (8, 14, 14))
    assert Region.around(mask, grid) == Region((4, 10, 2), (6, 12, 9))
    with pytest.raises(ValueError, match="no voxel"):
        Region.around(np.zeros(grid.shape, bool), grid, (1.0, 1.0, 1.0))
