"""What the check resamples along axes of one, two and three voxels, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from napari_advseg.evidence.verification import _resample

_OUTSIDE = -5000.0


@pytest.mark.parametrize("voxels", [1, 2, 3])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_thin_volume_is_pulled_as_if_mirrored(voxels: int, axis: int) -> None:
    """ITK's B-spline reads beyond an image of two voxels: numbers from anywhere in memory, or a segmentation fault."""
    shape = [20, 21, 22]
    shape[axis] = voxels
    random = np.random.default_rng(axis)
    hu = random.normal(0, 300, shape).astype(np.float32)
    steps = random.uniform(-0.6, 0.6, (3, *shape)).astype(np.float32)
    image = sitk.GetImageFromArray(hu)
    field = sitk.GetImageFromArray(np.ascontiguousarray(np.moveaxis(steps[::-1], 0, -1)), isVector=True)
    pulled = _resample(image, field, sitk.sitkBSpline, _OUTSIDE)
    where = np.indices(shape) + steps
    within = np.all((where > -0.499) & (np.array(shape) - 0.501 > where.T).T, axis=0)
    expected = ndimage.map_coordinates(hu.astype(np.float64), where, order=3, mode="mirror")
    assert within.mean() > 0.5
    assert np.abs(pulled - expected)[within].max() < 0.01
    beyond = np.any((where < -0.501) | (np.array(shape) - 0.499 < where.T).T, axis=0)
    assert beyond.any()
    assert (pulled[beyond] == _OUTSIDE).all()
