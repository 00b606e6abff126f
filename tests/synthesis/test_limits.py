"""The bounds themselves: what is allowed, at their very edge too, and fields that keep to them."""

from __future__ import annotations

import math

import pytest
import torch

from napari_advseg.synthesis import Budget, limit, make_lattice
from napari_advseg.synthesis.lattice import _basis
from napari_advseg.synthesis.sampling import identity, nearest_index, sample_linear

CPU = torch.device("cpu")


def test_the_defaults_are_those_of_the_docs() -> None:
    assert Budget() == Budget(5.0, 15.0, (0.5, 2.0))


@pytest.mark.parametrize(
    "edge", [(0.0, 15.0), (100.0, 15.0), (5.0, 0.0), (5.0, 1000.0), (5.0, 15.0, (0.01, 1.01)), (5.0, 15.0, (0.99, 9.0))]
)
def test_the_edge_of_what_is_allowed_is_allowed(edge: tuple) -> None:
    Budget(*edge)


@pytest.mark.parametrize(
    ("beyond", "word"),
    [
        ((-0.1,), "displacement"), ((100.1,), "displacement"), ((math.nan,), "displacement"),
        ((5.0, -0.1), "intensity"), ((5.0, 1000.1), "intensity"), ((5.0, math.nan), "intensity"),
        ((5.0, 15.0, (0.0, 2.0)), "Jacobian"), ((5.0, 15.0, (1.0, 2.0)), "Jacobian"), ((5.0, 15.0, (0.5, 1.0)), "Jacobian"),
    ],
)  # fmt: skip
def test_beyond_it_nothing_is(beyond: tuple, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Budget(*beyond)


def test_a_limited_field_keeps_its_direction_and_small_vectors_their_length() -> None:
    field = torch.tensor([[0.01, 3.0, 40.0], [0.0, 4.0, 0.0]]).view(2, 1, 3)
    bounded = limit(field, 2.0)
    assert torch.allclose(bounded[:, 0, 0], field[:, 0, 0], rtol=1e-4)
    length = bounded.square().sum(0).sqrt()[0]
    assert (length <= 2.0).all()
    assert length[2] > 1.99
    assert bounded[1, 0, 1] / bounded[0, 0, 1] == pytest.approx(4 / 3)
    ratio = limit(torch.tensor([2.0]).view(1, 1, 1), 2.0)
    assert 1.6 < float(ratio) < 1.75  # at the bound: its fourth root of a half


def test_no_bound_is_no_change_and_an_infinite_one_no_limit() -> None:
    field = torch.randn(2, 3, 4)
    assert not limit(field, 0.0).any()
    assert not limit(field, -1.0).any()
    assert torch.equal(limit(field, math.inf), field)
    assert torch.isfinite(limit(torch.zeros(2, 3), 1.0)).all()


@pytest.mark.parametrize("pinned", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("voxels", [9, 12, 41])
def test_a_lattice_holds_constants_inside_and_vanishes_at_pinned_ends(voxels: int, pinned: tuple[bool, bool]) -> None:
    basis, centres = _basis(voxels, 3.0, *pinned)
    total = basis.sum(1)
    assert basis.shape == (voxels, len(centres))
    assert (basis >= 0).all()
    assert (total <= 1 + 1e-6).all()
    for end, still in zip((0, -1), pinned, strict=True):
        assert float(total[end]) == pytest.approx(0.0 if still else 1.0, abs=1e-6)
    if not any(pinned):
        assert torch.allclose(total, torch.ones(voxels), atol=1e-6)
        line = basis @ centres  # cubic B-splines reproduce straight lines
        assert torch.allclose(line, torch.arange(float(voxels)), atol=1e-4)


def test_a_pinned_end_has_neither_slope_nor_curvature() -> None:
    basis, _ = _basis(401, 40.0, True, True)
    field = basis.double() @ torch.ones(basis.shape[1], dtype=torch.float64)
    assert float(field[200]) == pytest.approx(1.0)
    assert abs(float(field[1] - field[0])) < 1e-4
    assert abs(float(field[2] - 2 * field[1] + field[0])) < 1e-4


def test_the_distance_of_control_points_is_the_wanted_one_as_near_as_fits() -> None:
    lattice = make_lattice((61, 41), (2.0, 1.0), (12.0, 10.0), ((False, False), (False, False)), CPU)
    for centres, apart in zip(lattice.centres, (6.0, 10.0), strict=True):
        assert torch.allclose(centres.diff(), torch.full_like(centres.diff(), apart))
    assert lattice.control_shape == (13, 7)  # from one before the first voxel to one after the last
    fine = make_lattice((10,), (4.0,), (1.0,), ((False, False),), CPU)
    assert torch.allclose(fine.centres[0].diff(), torch.ones(1))  # never below a voxel


def test_one_voxel_has_one_control_point_and_nothing_fits_between_near_pins() -> None:
    basis, centres = _basis(1, 4.0, True, True)
    assert basis.tolist() == [[1.0]]
    assert centres.tolist() == [0.0]
    for voxels in (2, 3, 9):
        basis, centres = _basis(voxels, 100.0, True, True)
        assert not basis[[0, -1]].any()
        assert float(centres.mean()) == pytest.approx((voxels - 1) / 2)


@pytest.mark.parametrize("voxels", [2, 3, 5])
def test_a_short_axis_that_is_pinned_at_one_end_is_free_at_the_other(voxels: int) -> None:
    for pinned, free in (((True, False), -1), ((False, True), 0)):
        total = _basis(voxels, 100.0, *pinned)[0].sum(1)
        assert float(total[free]) > 0.8
        assert float(total[-1 - free]) == 0


def test_values_between_voxels_are_linear_and_edges_continue() -> None:
    image = torch.arange(12.0).view(1, 1, 3, 4)
    places = torch.tensor([[0.0, 1.0, 2.0, 0.5, 9.0, -5.0], [0.0, 2.0, 3.0, 1.25, 1.0, -5.0]]).view(1, 2, 1, 6)
    got = sample_linear(image, places)[0, 0, 0]
    assert torch.allclose(got, torch.tensor([0.0, 6.0, 11.0, 3.25, 9.0, 0.0]), atol=1e-5)
    flat = torch.arange(4.0).view(1, 1, 1, 4)
    assert torch.allclose(sample_linear(flat, identity((1, 4), CPU)[None]), flat)


def test_the_nearest_voxel_takes_halves_upwards_and_stays_inside() -> None:
    places = torch.tensor([0.49, 0.5, 1.5, 2.5, -3.0, 9.0]).view(1, 1, 6)
    (index,) = nearest_index(places, (4,))
    assert index[0].tolist() == [0, 1, 2, 3, 0, 3]
