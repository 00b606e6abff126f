"""Pre-processing steps against the libraries behind which networks are trained, and their way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from strategies import grids

from napari_advseg.networks import Intensity
from napari_advseg.networks.intensity import REACH_HU, clip
from napari_advseg.networks.resampling import apply_matrices, axis_matrix
from napari_advseg.networks.steps import Crop, Orient, Permute, Resample, Scale, run_steps
from napari_advseg.volume import Grid


@settings(max_examples=25)
@given(
    have=st.tuples(*[st.integers(2, 14)] * 3), want=st.tuples(*[st.integers(1, 20)] * 3), order=st.sampled_from([1, 3])
)
def test_matrices_are_scipys_zoom(have, want, order) -> None:
    image = np.random.default_rng(0).normal(size=have)
    ours = apply_matrices(
        torch.from_numpy(image), tuple(axis_matrix(n, m, order) for n, m in zip(have, want, strict=True))
    )
    factors = [m / n for n, m in zip(have, want, strict=True)]
    theirs = ndimage.zoom(image, factors, order=order, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-5)


@settings(max_examples=25)
@given(have=st.tuples(*[st.integers(2, 14)] * 3), want=st.tuples(*[st.integers(1, 20)] * 3))
def test_linear_matrices_are_torchs_interpolation(have, want) -> None:
    image = torch.randn(have)
    ours = apply_matrices(image, tuple(axis_matrix(n, m, 1) for n, m in zip(have, want, strict=True)))
    theirs = torch.nn.functional.interpolate(image[None, None], want, mode="trilinear", align_corners=False)[0, 0]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@settings(max_examples=30)
@given(grid=grids(smallest=4), seed=st.integers(0, 99))
def test_labels_come_back_to_the_voxels_they_belong_to(grid: Grid, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hu = torch.from_numpy(rng.normal(0, 100, grid.shape).astype(np.float32))
    steps = (
        Orient(axes="RAS"),
        Permute(order=(2, 0, 1)),
        Scale(intensity=Intensity(rule="window", low=-1e4, high=1e4)),
    )
    stage = run_steps(steps, hu, grid)
    np.testing.assert_allclose(stage.back(stage.image[None])[0] * 2e4 - 1e4, hu, atol=0.1)
    assert sorted(stage.grid.spacing) == sorted(grid.spacing)


@pytest.mark.parametrize("background", [True, False])
def test_what_a_crop_cut_off_is_background(background: bool) -> None:
    hu = torch.zeros(6, 7, 8)
    hu[2:5, 1:4, 3:7] = torch.randn(3, 3, 4) + 50
    stage = Crop(background=background).apply(hu, Grid((6, 7, 8), (1.0, 1.0, 1.0)))
    assert stage.image.shape == (3, 3, 4)
    back = stage.back(torch.ones(2, 3, 3, 4) * torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
    inside = torch.zeros(6, 7, 8, dtype=torch.bool)
    inside[2:5, 1:4, 3:7] = True
    assert (back[1][inside] == 1).all()
    assert (back[1][~inside] < -10).all()
    assert (back[0][~inside] > 10).all() == background


def test_an_empty_image_is_not_cropped() -> None:
    assert Crop().apply(torch.zeros(2, 3, 4), Grid((2, 3, 4), (1.0, 1.0, 1.0))).image.shape == (2, 3, 4)


def test_anisotropic_cts_are_resampled_apart_through_the_plane() -> None:
    grid = Grid((4, 10, 12), (6.0, 1.0, 1.0))
    image = torch.randn(grid.shape)
    stage = Resample(spacing=(3.0, 2.0, 2.0), order=3, anisotropic=True).apply(image, grid)
    assert stage.image.shape == (8, 5, 6)
    for index in range(8):
        plane = ndimage.zoom(image[index // 2].numpy(), 0.5, order=3, mode="nearest", grid_mode=True)
        plane = np.clip(plane, float(image[index // 2].min()), float(image[index // 2].max()))
        np.testing.assert_allclose(stage.image[index], plane, atol=1e-5)


def test_a_spline_stays_within_the_images_range() -> None:
    image = (torch.rand(8, 8, 8) > 0.5).float()
    stage = Resample(size=(15, 15, 15), order=3).apply(image, Grid((8, 8, 8), (1.0, 1.0, 1.0)))
    assert (float(stage.image.min()), float(stage.image.max())) == (0.0, 1.0)


def test_clipping_lets_the_gradient_fade_out_beyond_its_edges() -> None:
    hu = torch.tensor([-500.0, -100 - REACH_HU / 2, 0.0, 200 + REACH_HU / 2, 900.0], requires_grad=True)
    clipped = clip(hu, -100, 200)
    assert clipped.tolist() == [-100, -100, 0, 200, 200]
    clipped.sum().backward()
    assert hu.grad.tolist() == pytest.approx([0, 0.5, 1, 0.5, 0])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Intensity(rule="image_zscore"), lambda x: (x - x.mean()) / x.std()),
        (Intensity(rule="image_zscore", mask="nonzero"), lambda x: np.where(x != 0, (x - x[x != 0].mean()) / x[x != 0].std(), 0)),
        (Intensity(rule="image_range", out_low=-1, out_high=1), lambda x: 2 * (x - x.min()) / np.ptp(x) - 1),
    ],
)  # fmt: skip
def test_statistics_of_the_image(rule: Intensity, expected) -> None:
    image = np.random.default_rng(0).normal(20, 100, (4, 5, 6))
    image[:2] = 0
    np.testing.assert_allclose(rule.apply(torch.from_numpy(image)).numpy(), expected(image), atol=1e-6)
