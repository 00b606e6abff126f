"""Smooth fields from few numbers: cubic B-splines on a coarse control lattice.

A field is the tensor product of one basis matrix per axis, so the same lines serve any number of axes. At a
side marked as pinned only basis functions whose whole support lies inside are kept: the field, its slope and its
curvature are zero there, and what lies beyond is left alone without a seam.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Lattice:
    """Basis matrices, one per axis (z, y, x), each (voxels, control points), and where the points lie, in voxels."""

    bases: tuple[Tensor, ...]
    centres: tuple[Tensor, ...]

    @property
    def control_shape(self) -> tuple[int, ...]:
        return tuple(int(basis.shape[1]) for basis in self.bases)

    def dense(self, control: Tensor) -> Tensor:
        """(component, *control shape) -> (component, *voxels); at most the largest |control value| anywhere."""
        for axis, basis in enumerate(self.bases):
            control = torch.movedim(torch.tensordot(control, basis, dims=([axis + 1], [1])), -1, axis + 1)
        return control

    def largest_in_reach(self, field: Tensor) -> Tensor:
        """(*voxels) -> (*control shape): the largest value among the voxels that each control point moves;
        0 for one that moves none."""
        for axis, reach in enumerate(self._reach):
            parts = [
                field.narrow(axis, first, count).amax(axis) if count else torch.zeros_like(field.select(axis, 0))
                for first, count in reach
            ]
            field = torch.stack(parts, axis)
        return field

    @cached_property
    def _reach(self) -> list[list[tuple[int, int]]]:
        """Per axis and control point, the first voxel that it moves and how many there are."""
        moved = [(basis > 0).cpu().numpy() for basis in self.bases]
        return [[(int(column.argmax()), int(column.sum())) for column in matrix.T] for matrix in moved]


def make_lattice(
    shape: tuple[int, ...],
    spacing: tuple[float, ...],
    control_mm: tuple[float, ...],
    pinned: tuple[tuple[bool, bool], ...],
    device: torch.device,
) -> Lattice:
    """A lattice over ``shape`` voxels.

    Parameters
    ----------
    spacing, control_mm
        Voxel size and wanted distance of the control points per axis, in mm; the distance is adjusted to fit and
        never below one voxel.
    pinned
        Per axis, whether the field vanishes at the lower and at the upper end.
    """
    bases, centres = zip(
        *(
            _basis(n, max(1.0, distance / size), low, high)
            for n, size, distance, (low, high) in zip(shape, spacing, control_mm, pinned, strict=True)
        ),
        strict=True,
    )
    return Lattice(tuple(b.to(device) for b in bases), tuple(c.to(device) for c in centres))


def _basis(voxels: int, distance: float, pinned_low: bool, pinned_high: bool) -> tuple[Tensor, Tensor]:
    """(voxels, control points) values of the cubic B-splines along one axis, rows summing to at most 1, and the
    control points' places in voxels."""
    if voxels == 1:
        return torch.ones(1, 1), torch.zeros(1)
    least = 4 if pinned_low and pinned_high else 2 if pinned_low or pinned_high else 1
    intervals = max(least, round((voxels - 1) / distance))
    step = (voxels - 1) / intervals
    first, last = (2 if pinned_low else -1), intervals - (2 if pinned_high else -1)
    centres = torch.arange(first, last + 1, dtype=torch.float64) * step
    offset = (torch.arange(voxels, dtype=torch.float64)[:, None] - centres) / step
    return _cubic(offset).float(), centres.float()


def _cubic(offset: Tensor) -> Tensor:
    """The cubic B-spline at distances given in knot intervals."""
    t = offset.abs()
    near = 2 / 3 - t**2 + t**3 / 2
    far = (2 - t).clamp_min(0) ** 3 / 6
    return torch.where(t < 1, near, far)


def limit(field: Tensor, bound: float) -> Tensor:
    """Bound the length of the vectors (component, *voxels) smoothly: unchanged when small, never above ``bound``."""
    if bound <= 0:
        return torch.zeros_like(field)
    size = (field.square().sum(0, keepdim=True) + 1e-24).sqrt() / bound
    # Two square roots: a power of a quarter takes longer.
    return field / (1 + size.square().square()).sqrt().sqrt() if math.isfinite(bound) else field
