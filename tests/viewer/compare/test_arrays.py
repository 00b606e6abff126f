"""The compare tools' arithmetic, on arrays and without a viewer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from viewer.compare.conftest import make_finding
from viewer.fake_core import FLIPPED

from napari_advseg.evidence import newly_wrong
from napari_advseg.viewer.compare.composed import Composed, Wiped
from napari_advseg.viewer.compare.error_maps import FALSE, KINDS, MISSED, OTHER, differences
from napari_advseg.viewer.compare.keys import KEYS, tip
from napari_advseg.viewer.compare.orientation import camera_vectors, edges, plane_vectors, towards
from napari_advseg.viewer.compare.surfaces import brightness, organ_mesh
from napari_advseg.viewer.compare.two_cells import two_cells
from napari_advseg.viewer.compare.warped_grid import lines_apart, warped_grid, where_it_goes
from napari_advseg.viewer.compare.windows import WINDOWS
from napari_advseg.viewer.placement import Placement
from napari_advseg.viewer.shown_field import ShownField
from napari_advseg.volume import Grid

SHAPE = (3, 4, 5)
LABELS = arrays(np.uint8, SHAPE, elements=st.integers(0, 3))
PARTS = st.tuples(
    *(
        st.one_of(st.integers(0, n - 1), st.just(slice(None)), st.slices(n).filter(lambda one: one.step != 0))
        for n in SHAPE
    )
)


def wiped(axis: int, edge: int) -> tuple[Wiped, np.ndarray]:
    before, after = np.zeros(SHAPE, np.float32), np.ones(SHAPE, np.float32)
    array = Wiped(lambda: before, lambda: after, "float32")
    array.axis, array.edge = axis, edge
    index = np.indices(SHAPE)[axis]
    return array, np.where(index < edge, before, after)


@given(axis=st.integers(0, 2), edge=st.integers(0, 6), key=PARTS)
def test_every_part_of_a_wipe_is_that_part_of_the_whole(axis: int, edge: int, key: Any) -> None:
    array, whole = wiped(axis, edge)
    assert np.array_equal(array[key], whole[key])
    assert np.array_equal(np.asarray(array), whole)


@given(key=PARTS)
def test_a_wipe_is_read_from_what_its_sources_hold_now(key: Any) -> None:
    held = {"before": np.zeros(SHAPE), "after": np.ones(SHAPE)}
    array = Wiped(lambda: held["before"], lambda: held["after"], "float32")
    held["before"] = np.full(SHAPE, 7.0)
    array.edge = SHAPE[2]
    assert np.all(array[key] == 7)
    array.edge = 0
    assert np.all(array[key] == 1)


def test_the_wipes_line_is_one_voxel_wide_and_stands_on_the_edge() -> None:
    array = Wiped(lambda: np.zeros(SHAPE), lambda: np.ones(SHAPE), "float32", line=9.0)
    array.edge = 2
    assert np.array_equal(np.asarray(array)[0, 0], [0, 0, 9, 1, 1])
    array.edge = 0
    assert np.array_equal(np.asarray(array)[0, 0], [1, 1, 1, 1, 1])


def test_arrays_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        Composed((lambda: np.zeros((1, 2, 3)), lambda: np.zeros((1, 2, 4))), np.add, "float32")


@given(found=LABELS, truth=LABELS)
def test_a_voxel_is_marked_exactly_where_the_labels_differ(found: np.ndarray, truth: np.ndarray) -> None:
    marked = differences(found, truth)
    assert np.array_equal(marked != 0, found != truth)
    assert np.array_equal(marked == MISSED, (found == 0) & (truth != 0))
    assert np.array_equal(marked == FALSE, (found != 0) & (truth == 0))
    assert np.array_equal(marked == OTHER, (found != truth) & (found != 0) & (truth != 0))


@given(found=LABELS, truth=LABELS)
def test_the_other_way_round_missed_is_false(found: np.ndarray, truth: np.ndarray) -> None:
    there, back = differences(found, truth), differences(truth, found)
    assert np.array_equal(there == MISSED, back == FALSE)
    assert np.array_equal(there == OTHER, back == OTHER)


@given(attacked=LABELS, moved=LABELS, clean=LABELS, scored=st.sets(st.integers(1, 3), min_size=1))
def test_newly_wrong_is_what_the_evidence_counts(
    attacked: np.ndarray, moved: np.ndarray, clean: np.ndarray, scored: set[int]
) -> None:
    result = make_finding().result
    organs = tuple(replace(result.organs[0], id=index) for index in sorted(scored))
    result = replace(result, attacked_labels=attacked, moved_reference=moved, clean_labels=clean, organs=organs)
    marked = differences(attacked, moved, scored, clean)
    assert np.array_equal(marked != 0, newly_wrong(result))


def test_organs_that_are_not_there_mark_nothing() -> None:
    found, truth = np.array([[[0, 1]]], np.uint8), np.array([[[1, 1]]], np.uint8)
    assert not differences(found, truth, [9]).any()
    assert not differences(found, truth, []).any()


def test_every_kind_of_map_has_a_legend() -> None:
    for kind in KINDS.values():
        assert len(set(kind.colours)) == len(set(kind.meanings)) == 3


def test_windows_are_centre_and_width() -> None:
    limits = {window.name: window.limits for window in WINDOWS}
    assert set(limits) == {"abdomen", "liver", "lung", "bone", "brain"}
    assert limits["abdomen"] == (-160, 240)
    assert limits["brain"] == (0, 80)
    assert limits["lung"][1] < limits["bone"][1]


LPS_AXES = np.eye(3)[:, ::-1]  # of the world's z, y, x


def test_an_axial_slice_has_the_patients_right_on_its_left_and_the_front_on_top() -> None:
    found = edges(*plane_vectors((0, 1, 2)), LPS_AXES)
    assert (found.left, found.right, found.top, found.bottom) == ("R", "L", "A", "P")


def test_rolled_axes_show_coronal_and_sagittal_letters() -> None:
    coronal = edges(*plane_vectors((1, 0, 2), vertical="up"), LPS_AXES)
    assert (coronal.left, coronal.top) == ("R", "S")
    sagittal = edges(*plane_vectors((2, 0, 1)), LPS_AXES)
    assert (sagittal.left, sagittal.right, sagittal.top, sagittal.bottom) == ("A", "P", "I", "S")


def test_a_mirrored_view_swaps_left_and_right() -> None:
    straight, mirrored = (edges(*plane_vectors((0, 1, 2), horizontal=way), LPS_AXES) for way in ("right", "left"))
    assert (straight.left, straight.right) == (mirrored.right, mirrored.left)


def test_a_camera_in_front_of_the_patient_sees_the_right_on_its_left() -> None:
    found = edges(*camera_vectors((0, 1, 2), view=(0, 1, 0), up=(1, 0, 0), right_handed=False), LPS_AXES)
    assert (found.left, found.right, found.top, found.bottom) == ("R", "L", "S", "I")


def test_an_oblique_axis_has_two_letters() -> None:
    assert towards((1, 0, 0)) == "L"
    assert towards((-0.99, 0.1, 0)) == "R"
    assert towards((0.6, -0.8, 0)) == "AL"


@given(arrays(np.float64, 3, elements=st.floats(-1, 1)).filter(lambda v: np.linalg.norm(v) > 0.1))
def test_the_opposite_edge_has_the_opposite_letters(vector: np.ndarray) -> None:
    opposite = str.maketrans("LRPASI", "RLAPIS")
    assert towards(-vector) == towards(vector).translate(opposite)
    assert 1 <= len(towards(vector)) <= 3


@given(shape=array_shapes(min_dims=2, max_dims=2, min_side=6, max_side=20), times=st.floats(1, 5))
def test_a_field_of_nothing_leaves_the_grid_straight(shape: tuple[int, int], times: float) -> None:
    segments, shift = warped_grid(np.zeros((2, *shape), np.float32), (1.0, 1.0), 4.0, times)
    assert not shift.any()
    assert (np.abs(segments[:, 1]).min(axis=1) < 1e-9).all(), "each runs along one axis"


@given(shift=st.tuples(st.floats(-2, 2), st.floats(-2, 2)))
def test_the_grid_goes_where_the_anatomy_goes(shift: tuple[float, float]) -> None:
    field = np.empty((2, 12, 14), np.float32)
    field[0], field[1] = shift
    points = np.array([[5.0, 6.0], [4.0, 9.0]])
    gone = where_it_goes(field, points)
    assert np.allclose(gone + np.array(shift)[:, None], points, atol=1e-4), "q + u(q) = p"


def test_the_inverse_holds_for_a_field_that_varies() -> None:
    rows, columns = np.indices((40, 40)) / 40
    field = np.stack([2 * np.sin(3 * columns), 1.5 * np.cos(4 * rows)]).astype(np.float32)
    points = np.stack([rows, columns]).reshape(2, -1) * 40
    points = points[:, ((points > 8) & (points < 30)).all(0)]
    gone = where_it_goes(field, points)
    from scipy.ndimage import map_coordinates

    back = gone + np.stack([map_coordinates(part, gone, order=1) for part in field])
    assert np.allclose(back, points, atol=1e-2)


def test_a_larger_drawing_keeps_the_mm() -> None:
    field = np.ones((2, 20, 20), np.float32)
    once, mm = warped_grid(field, (2.0, 1.0), 4.0, 1.0)
    thrice, mm_again = warped_grid(field, (2.0, 1.0), 4.0, 3.0)
    assert np.allclose(mm, np.sqrt(5), atol=1e-4)
    assert np.array_equal(mm, mm_again)
    assert np.allclose(once[:, 0] - thrice[:, 0], 2.0, atol=1e-4), "two more voxels back"


def test_lines_are_never_closer_than_four_millimetres() -> None:
    assert lines_apart((10, 10), (1.0, 1.0)) == 4.0
    assert lines_apart((512, 512), (0.8, 0.8)) == 15.0


@pytest.mark.parametrize("direction", [(1.0, 0, 0, 0, 1, 0, 0, 0, 1), FLIPPED, (0.0, 0, -1, 1, 0, 0, 0, -1, 0)])
def test_a_field_read_by_slices_is_the_field_turned_whole(direction: tuple[float, ...]) -> None:
    grid = Grid((4, 5, 6), (3.0, 2.0, 1.0), direction=direction)
    placement = Placement.of(grid)
    field = np.random.default_rng(0).normal(size=(3, *grid.shape)).astype(np.float32)
    whole, shown = placement.displacement_to_shown(field), ShownField.of(placement, field)
    assert shown.shape == whole.shape[1:]
    for axis in range(3):
        assert np.array_equal(shown.slice(axis, 2), np.take(whole, 2, axis + 1))


def test_a_surface_encloses_its_organ_and_is_closed_at_the_edge() -> None:
    labels = np.zeros((8, 9, 10), np.uint8)
    labels[:4, 2:6, 3:8] = 2
    mesh = organ_mesh(labels, (1, 2))
    assert set(mesh.organ) == {2}
    assert np.allclose(mesh.vertices.min(0), (-0.5, 1.5, 2.5))
    assert np.allclose(mesh.vertices.max(0), (3.5, 5.5, 7.5))
    pairs = np.sort(np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]), axis=1)
    _, counts = np.unique(pairs, axis=0, return_counts=True)
    assert (counts == 2).all(), "every edge has a triangle on both sides"


def test_the_light_falls_on_the_front_and_the_top_of_an_organ() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[5:15, 5:15, 5:15] = 1
    mesh = organ_mesh(labels, (1,))
    light = brightness(mesh, (3.0, 1.0, 1.0))
    assert 0.3 <= light.min() < light.max() <= 1.0
    for axis, darker_end in ((0, "low"), (1, "high")):  # z to S, y to P
        places = mesh.vertices[:, axis]
        low, high = light[places == places.min()].mean(), light[places == places.max()].mean()
        assert (low < high) == (darker_end == "low")


def test_no_organ_gives_an_empty_mesh() -> None:
    assert len(organ_mesh(np.zeros((3, 3, 3), np.uint8), (1,)).faces) == 0


def test_no_key_is_told_twice_and_each_has_a_meaning() -> None:
    keys = [key for key, _ in KEYS.values()]
    assert len(set(keys)) == len(keys)
    assert all(meaning for _, meaning in KEYS.values())
    assert tip("wipe").endswith("(key W)")


@given(left=st.integers(1, 3), hidden=st.integers(0, 4), right=st.integers(1, 4))
def test_each_group_gets_a_cell_of_its_own(left: int, hidden: int, right: int) -> None:
    names = [f"{kind}{n}" for kind, count in (("r", right), ("h", hidden), ("l", left)) for n in range(count)]
    group = {kind: [name for name in names if name[0] == kind] for kind in "lr"}
    if right > left + hidden:
        with pytest.raises(ValueError, match="right cell"):
            two_cells(names, group["l"], group["r"])
        return
    order, stride = two_cells(names, group["l"], group["r"])
    assert sorted(order) == sorted(names)
    assert {order.index(name) // stride for name in group["l"]} == {0}
    assert {order.index(name) // stride for name in group["r"]} == {1}
