"""Reading images between voxels; the one place that knows that torch's sampling grids run x, y, z.

Images are (n, channel, *spatial) and displacements (n, axis, *spatial) in voxels, axes in array order, for any
number of spatial axes: a 3-D field is one batch entry, an in-plane field has one entry per slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import Any, Literal

import interpol
import torch
import torch.nn.functional as F
from torch import Tensor

Interpolation = Literal["bspline", "linear"]
_AT_ONCE = 2**20  # voxels of a spline's piece


def identity(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """(axis, *shape): each voxel's own index."""
    return torch.stack(
        torch.meshgrid(*(torch.arange(n, dtype=torch.float32, device=device) for n in shape), indexing="ij")
    )


def sample_linear(image: Tensor, positions: Tensor, mode: Literal["bilinear", "nearest"] = "bilinear") -> Tensor:
    """Multilinear (or nearest) values of ``image`` at ``positions`` (n, axis, *spatial) in voxels; edges continue."""
    sizes = image.shape[2:]
    scale = [2 / (n - 1) if n > 1 else 0.0 for n in sizes]
    normalised = torch.stack(
        [positions[:, axis] * scale[axis] - (1 if n > 1 else 0) for axis, n in reversed(list(enumerate(sizes)))],
        -1,
    )
    values: Tensor = F.grid_sample(image, normalised, mode=mode, padding_mode="border", align_corners=True)
    return values


def spline_coefficients(image: Tensor, axes: int) -> Tensor:
    """Cubic B-spline coefficients over the last ``axes`` axes, mirrored at the edges as ITK does."""
    coefficients: Tensor = interpol.spline_coeff_nd(image, interpolation=3, bound="dct1", dim=axes)
    return coefficients


def sample_spline(coefficients: Tensor, positions: Tensor) -> Tensor:
    """Cubic B-spline values at ``positions`` (n, axis, *spatial) in voxels; agrees with ITK's B-spline resampling.

    Differentiable with respect to the positions. Two neighbouring coefficients are read as one linear interpolation between
    them (Sigg, Hadwiger, Fast third-order texture filtering, GPU Gems 2, 2005): a quarter of the reading in the plane, an
    eighth in space. Where it is read is right to some hundred-thousandths of a voxel.
    """
    values: Tensor = _Spline.apply(coefficients, positions)  # type: ignore[no-untyped-call]
    return values


class _Spline(torch.autograd.Function):
    """Piece by piece, and on the way back once more, as what lies between takes many times the image's memory."""

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, positions: Tensor) -> Tensor:
        ctx.save_for_backward(coefficients, positions)
        padded = _mirrored(coefficients)
        values = (
            torch.empty_like(positions[:, :1]).expand(-1, coefficients.shape[1], *[-1] * (positions.ndim - 2)).clone()
        )
        for piece in _pieces(positions):
            values[piece] = _cubic(padded[piece[0]], positions[piece], coefficients.shape[2:])
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        coefficients, positions = ctx.saved_tensors
        padded, wanted = _mirrored(coefficients), torch.empty_like(positions)
        for piece in _pieces(positions):
            with torch.enable_grad():
                here = positions[piece].detach().requires_grad_()
                values = _cubic(padded[piece[0]], here, coefficients.shape[2:])
            (wanted[piece],) = torch.autograd.grad(values, here, gradients[0][piece])
        return None, wanted


def _pieces(positions: Tensor) -> list[tuple[slice, slice, slice]]:
    """Parts of (n, axis, *spatial) of about a million voxels, along the batch or, where it is one, the first axis after."""
    along = 0 if len(positions) > 1 else 2
    count = positions.shape[along]
    step = max(1, _AT_ONCE * count * positions.shape[1] // max(1, positions.numel()))
    every = slice(None)
    parts = [slice(start, start + step) for start in range(0, count, step)]
    return [(part, every, every) if along == 0 else (every, every, part) for part in parts]


def _mirrored(coefficients: Tensor) -> Tensor:
    """One more coefficient before and two after, along every axis, mirrored at the edge voxels' centres."""
    for axis in range(2, coefficients.ndim):
        n = coefficients.shape[axis]
        at = torch.arange(-1, n + 2, device=coefficients.device).remainder(max(1, 2 * (n - 1)))
        coefficients = coefficients.index_select(axis, torch.minimum(at, (2 * (n - 1) - at).abs()))
    return coefficients


def _cubic(padded: Tensor, positions: Tensor, sizes: Sequence[int]) -> Tensor:
    """Values of mirrored coefficients; ``sizes`` without the mirrored ones."""
    places, weights = [], []
    for axis, n in enumerate(sizes):
        period = 2.0 * max(1, n - 1)
        at = positions[:, axis].remainder(period)
        at = torch.where(at > n - 1, period - at, at) if n > 1 else at * 0
        whole = at.detach().floor()
        far, near = at - whole, 1 - (at - whole)
        # The weights of the two coefficients beyond, together, and of the two before.
        second = ((3 - 2 * far) * far + 3) * far / 6 + 1 / 6
        first = 1 - second
        scale = 2 / (n + 2)
        places.append(
            (
                (whole + 1 - near**3 / (6 * first)) * scale - 1,
                (whole + 2 + far**3 / (6 * second)) * scale - 1,
            )
        )
        weights.append((first, second))
    total: Tensor | None = None
    for side in product((0, 1), repeat=len(sizes)):
        place = torch.stack([places[axis][side[axis]] for axis in reversed(range(len(sizes)))], -1)
        value = F.grid_sample(padded, place, mode="bilinear", padding_mode="border", align_corners=True)
        weight = reduce(torch.mul, [weights[axis][side[axis]] for axis in range(len(sizes))])
        total = value * weight[:, None] if total is None else total + value * weight[:, None]
    assert total is not None
    return total


def nearest_index(positions: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Index of the nearest voxel, halves upwards as ITK rounds; one (n, *spatial) tensor per axis."""
    return tuple(torch.floor(positions[:, axis] + 0.5).long().clamp_(0, n - 1) for axis, n in enumerate(shape))
