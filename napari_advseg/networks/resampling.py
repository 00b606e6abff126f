"""Resampling as one matrix per axis: any separable interpolation, exactly, and differentiable.

The rows are what SciPy's spline interpolation answers to unit impulses, so that a network trained behind SciPy,
scikit-image or torch sees the same numbers here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

Order = Literal[0, 1, 3]
Alignment = Literal["edges", "first_voxel"]


@lru_cache(maxsize=64)
def axis_matrix(
    have: int, want: int, order: Order, alignment: Alignment = "edges", step: float | None = None
) -> NDArray[np.float32]:
    """Interpolation from ``have`` to ``want`` samples along one axis, (want, have).

    Parameters
    ----------
    order
        0 nearest, 1 linear, 3 cubic B-spline; beyond the ends the last sample is repeated.
    alignment
        "edges": both rows of voxels cover the same length. "first_voxel": the first voxels share their centre, and
        ``step`` is how many input voxels one output voxel is wide.
    """
    if have == want and (alignment == "edges" or step == 1.0):
        return np.eye(have, dtype=np.float32)
    impulses = np.eye(have)
    if alignment == "edges" and order > 0:
        answer = ndimage.zoom(impulses, (want / have, 1), order=order, mode="nearest", grid_mode=True)
        assert answer.shape == (want, have)
    else:
        width = have / want if step is None else step
        shift = 0.5 if alignment == "edges" else 0.0
        at = width * (np.arange(want) + shift) - shift
        if order == 0 and alignment == "first_voxel":
            at = np.rint(at.round(9))  # torch's way with halves, which MONAI's voxel sizes often hit
        rows, columns = np.meshgrid(at, np.arange(have), indexing="ij")
        answer = ndimage.map_coordinates(impulses, [rows, columns], order=order, mode="nearest")
    answer[np.abs(answer) < 1e-9] = 0.0
    return np.asarray(answer, dtype=np.float32)


def apply_matrices(tensor: Tensor, matrices: tuple[NDArray[np.float32], ...]) -> Tensor:
    """Apply one (want, have) matrix to each of the last axes of ``tensor``."""
    first = tensor.ndim - len(matrices)
    # Shrinking axes first keeps what lies between small.
    order = sorted(range(len(matrices)), key=lambda axis: matrices[axis].shape[0] / matrices[axis].shape[1])
    for axis in order:
        matrix = matrices[axis]
        if matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.eye(len(matrix), dtype=np.float32)):
            continue
        weights = torch.from_numpy(matrix).to(tensor.device, tensor.dtype)
        tensor = (tensor.movedim(first + axis, -1) @ weights.T).movedim(-1, first + axis)
    return tensor
