from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from strategies import grids

from napari_advseg.synthesis import Budget, Kind, Synthesis, integrate, jacobian_range, limit, make_lattice
from napari_advseg.volume import Grid, Region, Volume, displacement_lps
from napari_advseg.volume.reading import image_on

CPU = torch.device("cpu")


def smooth_ct(grid: Grid, seed: int = 0) -> Volume:
    """A body with texture in air."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(40, 30, grid.shape).astype(np.float32)
    hu[:, :2] = hu[:, -2:] = -1000
    return Volume(np.rint(hu), grid)


def synthesis(grid: Grid, budget: Budget | None = None, region: Region | None = None, **kind: object) -> Synthesis:
    kind = {"velocity_mm": 8.0, "appearance_mm": (6.0,)} | kind
    whole = Region.whole(grid)
    return Synthesis(smooth_ct(grid), region or whole, budget or Budget(), Kind(**kind), CPU)


GRID = Grid((14, 22, 26), (3.0, 2.0, 2.0), (10.0, -20.0, 30.0))
STILL = [None, 0, 2]


@pytest.mark.parametrize("still_axis", STILL)
@pytest.mark.parametrize("interpolation", ["bspline", "linear"])
def test_no_change_gives_the_ct_itself(still_axis: int | None, interpolation: str) -> None:
    made = synthesis(GRID, still_axis=still_axis, interpolation=interpolation)
    for change in (made.change(made.zeros()), made.change(torch.randn(made.size), strength=0.0)):
        assert torch.equal(change.hu.round(), torch.from_numpy(made.ct.hu))
        assert not change.displacement.any()
        assert not change.appearance.any()


@given(
    st.integers(0, 10**6),
    st.floats(0.1, 50),
    st.sampled_from(STILL),
    st.floats(0, 8),
    st.floats(0, 40),
    st.floats(0.2, 1),
)
def test_the_budget_is_never_exceeded(seed, size, still_axis, mm, hu, strength) -> None:
    made = synthesis(GRID, Budget(mm, hu, (0.6, 1.6)), still_axis=still_axis)
    parameters = made.project(torch.randn(made.size, generator=torch.Generator().manual_seed(seed)) * size)
    change = made.change(parameters, strength)
    spacing = torch.tensor(GRID.spacing).view(3, 1, 1, 1)
    assert float((change.displacement * spacing).square().sum(0).sqrt().max()) <= mm + 1e-4
    assert float(change.appearance.abs().max()) <= hu + 1e-4
    low, high = made.jacobian_range(made.change(parameters).displacement)
    assert low >= 0.6 - 1e-4
    assert high <= 1.6 + 1e-4


@pytest.mark.parametrize("still_axis", STILL)
@pytest.mark.parametrize("interpolation", ["bspline", "linear"])
def test_the_change_is_what_itk_makes_of_the_field(still_axis: int | None, interpolation: str) -> None:
    grid = Grid(GRID.shape, GRID.spacing, GRID.origin, (0.0, -1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    made = synthesis(grid, Budget(4.0, 10.0), still_axis=still_axis, interpolation=interpolation)
    parameters = made.project(torch.randn(made.size, generator=torch.Generator().manual_seed(3)))
    change = made.change(parameters)
    labels = (made.ct.hu.astype(np.int64) % 5).astype(np.uint16)
    field = image_on(displacement_lps(change.displacement.numpy(), grid), grid)
    transform = sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))
    ct = image_on(made.ct.hu, grid)
    kind = sitk.sitkBSpline if interpolation == "bspline" else sitk.sitkLinear
    moved = sitk.GetArrayFromImage(sitk.Resample(ct, ct, transform, kind, -5000.0))
    ours = (change.hu - change.appearance).numpy()
    inside = moved > -5000
    assert inside.mean() > 0.95
    assert np.abs(moved - ours)[inside].max() < 0.05
    itk_labels = sitk.GetArrayFromImage(
        sitk.Resample(image_on(labels, grid), ct, transform, sitk.sitkNearestNeighbor, 0)
    )
    agree = itk_labels[inside] == made.move_labels(labels, change.displacement)[inside]
    assert agree.mean() > 0.999


def test_a_region_leaves_no_seam() -> None:
    region = Region((3, 4, 5), (11, 18, 21))
    made = synthesis(GRID, Budget(4.0, 30.0), region)
    change = made.change(made.project(torch.randn(made.size, generator=torch.Generator().manual_seed(1)) * 3))
    assert change.displacement.abs().max() > 0.2
    for axis in range(3):
        for side in (0, -1):
            assert not change.displacement.select(axis + 1, side).any()
            assert float(change.appearance.select(axis, side).abs().max()) < 1e-5
            still = change.hu.select(axis, side).numpy() - smooth_ct(GRID).hu[region.slices].take(side, axis)
            assert np.abs(still).max() < 0.01


@pytest.mark.parametrize("still_axis", STILL)
def test_a_region_is_sampled_from_the_whole_ct(still_axis: int | None) -> None:
    region = Region((0, 5, 6), (14, 17, 20))
    made = synthesis(GRID, Budget(4.0, 30.0), region, appearance=False, still_axis=still_axis)
    change = made.change(made.project(torch.randn(made.size, generator=torch.Generator().manual_seed(2)) * 2))
    assert float(change.displacement.abs().max()) > 0.5
    start = np.array(region.start).reshape(3, 1, 1, 1)
    positions = np.indices(region.shape) + start + change.displacement.numpy()
    sampled = ndimage.map_coordinates(smooth_ct(GRID).hu.astype(np.float64), positions, order=3, mode="mirror")
    assert np.abs(sampled - change.hu.numpy()).max() < 0.05


def test_appearance_stays_in_the_body() -> None:
    made = synthesis(GRID, deformation=False)
    change = made.change(torch.ones(made.size))
    assert not change.appearance[:, :2].any()
    assert change.appearance[:, 6:-6].min() > 1


@given(grids(oblique=False, smallest=1, largest=9))
def test_any_shape_can_be_changed_in_space_and_in_plane(grid: Grid) -> None:
    for still_axis in STILL:
        made = Synthesis(smooth_ct(grid), Region.whole(grid), Budget(), Kind(still_axis=still_axis), CPU)
        change = made.change(made.project(torch.ones(made.size)))
        assert change.hu.shape == grid.shape
        assert torch.isfinite(change.hu).all()
        if still_axis is not None:
            assert not change.displacement[still_axis].any()


def test_in_plane_motion_is_smooth_along_the_slices() -> None:
    made = synthesis(Grid((24, 30, 30), (3.0, 2.0, 2.0)), Budget(3.0), still_axis=0)
    parameters = torch.randn(made.size, generator=torch.Generator().manual_seed(0))
    u = made.change(parameters).displacement[1:] * 2.0
    assert float(u.diff(dim=1).abs().max()) < 0.5 * float(u.abs().max()) + 1e-6


@pytest.mark.parametrize("still_axis", [None, 0])
def test_gradients_agree_with_finite_differences(still_axis: int | None) -> None:
    made = synthesis(GRID, still_axis=still_axis)
    generator = torch.Generator().manual_seed(5)
    point = torch.randn(made.size, generator=generator) * 0.4
    direction = torch.randn(made.size, generator=generator)
    weight = torch.randn(GRID.shape, generator=generator)

    def value(parameters: torch.Tensor) -> torch.Tensor:
        return (made.change(parameters).hu.double() * weight).sum()

    leaf = point.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(leaf), leaf)
    step = 2e-3
    slope = float(value(point + step * direction) - value(point - step * direction)) / (2 * step)
    assert float(gradient @ direction) == pytest.approx(slope, rel=0.02)


@given(st.integers(0, 10**6), st.floats(0.1, 4))
def test_integration_inverts_with_the_velocity_and_never_lengthens(seed: int, size: float) -> None:
    lattice = make_lattice((12, 16), (1.0, 1.0), (4.0, 4.0), ((True, True),) * 2, CPU)
    control = torch.randn((2, *lattice.control_shape), generator=torch.Generator().manual_seed(seed))
    velocity = limit(lattice.dense(control) * size, 1.5)[None]
    there, back = integrate(velocity), integrate(-velocity)
    assert there.square().sum(1).max() <= velocity.square().sum(1).max() + 1e-5
    from napari_advseg.synthesis.sampling import identity, sample_linear

    round_trip = there + sample_linear(back, identity((12, 16), CPU) + there)
    assert float(round_trip.abs().max()) < 0.25


def test_jacobians_know_a_stretch_and_a_fold() -> None:
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    stretch = torch.stack([0.5 * y, 0.25 * x])[None]
    assert jacobian_range(stretch) == pytest.approx((1.5 * 1.25, 1.5 * 1.25))
    # A single voxel moved by 1.2 voxels: central differences see a slope of 0.6, one-sided ones the fold.
    spike = torch.zeros(1, 2, 6, 7)
    spike[0, 1, 3, 3] = 1.2
    assert jacobian_range(spike)[0] == pytest.approx(-0.2)
    flat = torch.zeros(1, 3, 1, 5, 5)
    assert jacobian_range(flat) == (1.0, 1.0)


def test_jacobians_agree_with_the_linear_algebra() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(0, 0.2, (3, 3))
    index = np.stack(np.meshgrid(*(np.arange(4.0),) * 3, indexing="ij"))
    u = torch.from_numpy(np.einsum("ab,bzyx->azyx", matrix, index))[None].float()
    expected = np.linalg.det(np.eye(3) + matrix)
    assert jacobian_range(u) == pytest.approx((expected, expected), abs=1e-4)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Budget(-1.0), "displacement"),
        (lambda: Budget(1.0, -1.0), "intensity"),
        (lambda: Budget(1.0, 1.0, (1.2, 2.0)), "Jacobian"),
        (lambda: Kind(deformation=False, appearance=False), "nothing may change"),
        (lambda: synthesis(GRID, region=Region((0, 0, 0), (15, 2, 2))), "within the CT"),
    ],
)
def test_impossible_wishes_are_refused(make, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        make()
