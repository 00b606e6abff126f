"""Cubic splines between voxels: SciPy's values, and the gradient of what is read by the places it is read at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_advseg.synthesis import sampling
from napari_advseg.synthesis.sampling import sample_spline, spline_coefficients


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=3),
    batch=st.integers(1, 3),
    at_once=st.sampled_from([1, 20, 2**20]),
    seed=st.integers(0, 2**31),
)
def test_values_are_scipys_inside_and_beyond_the_edges(sizes: list[int], batch: int, at_once: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    image = random.normal(0, 100, (batch, *sizes))
    places = random.uniform(-12, 20, (batch, len(sizes), *random.integers(1, 6, len(sizes))))
    coefficients = spline_coefficients(torch.from_numpy(image)[:, None], len(sizes))
    before, sampling._AT_ONCE = sampling._AT_ONCE, at_once
    try:
        found = sample_spline(coefficients, torch.from_numpy(places))[:, 0].numpy()
    finally:
        sampling._AT_ONCE = before
    for one, at, values in zip(image, places, found, strict=True):
        expected = ndimage.map_coordinates(one, at, order=3, mode="mirror")
        np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize("sizes", [(5, 6), (4, 5, 6), (2, 7)])
@pytest.mark.parametrize("at_once", [7, 2**20])
def test_the_gradient_is_that_of_the_values(
    sizes: tuple[int, ...], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "_AT_ONCE", at_once)
    random = torch.Generator().manual_seed(0)
    image = torch.randn(2, 1, *sizes, generator=random, dtype=torch.float64)
    coefficients = spline_coefficients(image, len(sizes))
    whole = torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in sizes), indexing="ij"))
    places = whole + torch.rand(2, len(sizes), *sizes, generator=random, dtype=torch.float64) * 3 - 1.5
    assert torch.autograd.gradcheck(lambda at: sample_spline(coefficients, at), places.requires_grad_(), eps=1e-6)


def test_whole_hu_at_the_voxels_come_back_as_they_are() -> None:
    random = torch.Generator().manual_seed(0)
    hu = torch.randint(-1024, 3072, (4, 1, 512, 384), generator=random).float()
    coefficients = spline_coefficients(hu, 2)
    places = sampling.identity((512, 384), hu.device).expand(4, -1, -1, -1)
    assert torch.equal(sample_spline(coefficients, places).round(), hu)
