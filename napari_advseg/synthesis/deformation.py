"""Diffeomorphic deformation: a stationary velocity field, integrated by scaling and squaring.

Arsigny, Commowick, Pennec, Ayache, "A log-Euclidean framework for statistics on diffeomorphisms" (MICCAI 2006).
Folding is judged by one-sided differences as Liu et al. (arXiv 2212.06060) show to be needed: four determinants
in the plane, the eight corner ones in space.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from .sampling import identity, sample_linear

_SQUARINGS = 6


def integrate(velocity: Tensor, squarings: int = _SQUARINGS) -> Tensor:
    """Displacement of the flow of ``velocity`` after unit time.

    Parameters
    ----------
    velocity
        (n, axis, *spatial), in voxels.

    Returns
    -------
    Same shape, in voxels, pull-back: the image moves as ``moved(p) = image(p + u(p))``. Each composition averages
    vectors, so no displacement is longer than the longest velocity.
    """
    displacement: Tensor = velocity * 0.5**squarings
    grid = identity(tuple(velocity.shape[2:]), velocity.device)
    for _ in range(squarings):
        displacement = displacement + sample_linear(displacement, grid + displacement)
    return displacement


@torch.no_grad()
def jacobian_range(displacement: Tensor) -> tuple[float, float]:
    """Smallest and largest one-sided Jacobian determinant of p -> p + u(p), over all 2^axes corner combinations.

    ``displacement`` is (n, axis, *spatial) in voxels. An axis with one voxel has no slope.
    """
    low, high = float("inf"), float("-inf")
    for determinant in _corner_jacobians(displacement):
        low, high = min(low, float(determinant.min())), max(high, float(determinant.max()))
    return low, high


@torch.no_grad()
def jacobian_excess(displacement: Tensor, low: float, high: float) -> Tensor:
    """How much of the way from 1 to the bounds each voxel's determinants go, the worst corner, (n, *spatial): above 1 where
    one lies outside of [low, high]."""
    worst = torch.zeros_like(displacement[:, 0])
    for determinant in _corner_jacobians(displacement):
        worst = torch.maximum(worst, torch.maximum((1 - determinant) / (1 - low), (determinant - 1) / (high - 1)))
    return worst


def _corner_jacobians(displacement: Tensor) -> Iterator[Tensor]:
    """The determinants (n, *spatial) of each combination of forward and backward differences."""
    axes = displacement.shape[1]
    slopes = [_one_sided(displacement, axis + 2) for axis in range(axes)]
    for sides in itertools.product((0, 1), repeat=axes):
        yield _determinant([slopes[axis][side] for axis, side in enumerate(sides)])


def _one_sided(displacement: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Forward and backward difference along ``dim`` plus the identity, (n, component, *spatial) each."""
    if displacement.shape[dim] == 1:
        forward = backward = torch.zeros_like(displacement)
    else:
        step = displacement.diff(dim=dim)
        forward = torch.cat([step, step.narrow(dim, -1, 1)], dim)
        backward = torch.cat([step.narrow(dim, 0, 1), step], dim)
    own = torch.zeros(displacement.shape[1], device=displacement.device)
    own[dim - 2] = 1
    own = own.view(1, -1, *([1] * (displacement.ndim - 2)))
    return forward + own, backward + own


def _determinant(columns: list[Tensor], rows: tuple[int, ...] | None = None) -> Tensor:
    """Determinant of the matrices whose columns are given, (n, *spatial), by expansion along the first column."""
    rows = tuple(range(len(columns))) if rows is None else rows
    first, *others = columns
    if not others:
        return first[:, rows[0]]
    terms = [first[:, row] * _determinant(others, (*rows[:i], *rows[i + 1 :])) for i, row in enumerate(rows)]
    total = terms[0]
    for i, term in enumerate(terms[1:], 1):
        total = total + term if i % 2 == 0 else total - term
    return total
