"""Reading images between voxels; the one place that knows that torch's sampling grids run x, y, z.

Images are (n, channel, *spatial) and displacements (n, axis, *spatial) in voxels, axes in array order, for any
number of spatial axes: a 3-D field is one batch entry, an in-plane field has one entry per slice.
"""

from __future__ import annotations

from typing import Literal

import interpol
import torch
import torch.nn.functional as F
from torch import Tensor

Interpolation = Literal["bspline", "linear"]


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
    """Cubic B-spline values at ``positions`` (n, axis, *spatial) in voxels; agrees with ITK's B-spline resampling."""
    values: Tensor = interpol.grid_pull(
        coefficients,
        positions.movedim(1, -1),
        interpolation=3,
        bound="dct1",
        extrapolate=True,
        prefilter=False,
    )
    return values


def nearest_index(positions: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Index of the nearest voxel, halves upwards as ITK rounds; one (n, *spatial) tensor per axis."""
    return tuple(torch.floor(positions[:, axis] + 0.5).long().clamp_(0, n - 1) for axis, n in enumerate(shape))
