"""Resampling as one matrix per axis: any separable interpolation, exactly, and differentiable.

The rows are what SciPy's spline interpolation answers to unit impulses, so that a network trained behind SciPy,
scikit-image or torch sees the same numbers here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from .boxes import box_above

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
    """Apply one (want, have) matrix to each of the last three axes of ``tensor``, (a, b, c) or (n, a, b, c)."""
    if tensor.ndim == 3:
        return apply_matrices(tensor[None], matrices)[0]
    result: Tensor = _Applied.apply(tensor, matrices)  # type: ignore[no-untyped-call]
    return result


class _Applied(torch.autograd.Function):
    """The gradient of an attack is nothing beyond a box, and a box of it is quicker to take back than all."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, matrices: tuple[NDArray[np.float32], ...]) -> Tensor:
        ctx.matrices, ctx.shape = matrices, tensor.shape
        return _product(tensor, matrices)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0]
        result = gradient.new_zeros(ctx.shape)
        box = box_above(gradient, 0.0)
        if box is not None:
            rows = [matrix[part] for matrix, part in zip(ctx.matrices, box, strict=True)]
            columns = [_columns(some) for some in rows]
            turned = tuple(some[:, part].T for some, part in zip(rows, columns, strict=True))
            result[(slice(None), *columns)] = _product(gradient[(slice(None), *box)], turned)
        return result, None


def _columns(rows: NDArray[np.float32]) -> slice:
    """The columns outside of which all is 0."""
    used = np.flatnonzero(rows.any(0))
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)


def _product(tensor: Tensor, matrices: tuple[NDArray[np.float32], ...]) -> Tensor:
    # Shrinking axes first keeps what lies between small.
    order = sorted(range(3), key=lambda axis: matrices[axis].shape[0] / max(1, matrices[axis].shape[1]))
    for axis in order:
        matrix = matrices[axis]
        if matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.eye(len(matrix), dtype=np.float32)):
            continue
        weights = torch.from_numpy(np.ascontiguousarray(matrix)).to(tensor.device, tensor.dtype)
        tensor = (tensor.movedim(1 + axis, -1) @ weights.T).movedim(-1, 1 + axis)
    return tensor
