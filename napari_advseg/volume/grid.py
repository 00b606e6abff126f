"""The place of a voxel array in patient space: the one home of axis order and ITK's LPS.

Arrays run (z, y, x), slowest axis first, as SimpleITK hands them to numpy. Points and directions are in ITK's
LPS frame: millimetres towards the patient's Left, Posterior and Superior. Column ``j`` of ``direction`` is the
unit vector along which ITK's index axis ``j`` (x, y, z) runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Slices = tuple[slice, slice, slice]

_LETTERS = {"L": (0, 1.0), "R": (0, -1.0), "P": (1, 1.0), "A": (1, -1.0), "S": (2, 1.0), "I": (2, -1.0)}


@dataclass(frozen=True)
class Grid:
    """A voxel grid in patient space.

    Parameters
    ----------
    shape
        Voxels along (z, y, x).
    spacing
        Millimetres between voxel centres along (z, y, x).
    origin
        LPS position (x, y, z) of voxel (0, 0, 0), in mm.
    direction
        Row-major 3x3 matrix, orthonormal, as ITK gives it.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"a grid needs three axes of at least one voxel; got shape {self.shape}")
        if min(self.spacing) <= 0 or not np.all(np.isfinite(self.spacing)):
            raise ValueError(f"spacing must be positive mm along (z, y, x); got {self.spacing}")
        # ITK's inverse breaks down on denormal numbers, which rotations leave behind.
        snapped = tuple(0.0 if abs(value) < 1e-12 else float(value) for value in self.direction)
        object.__setattr__(self, "direction", snapped)
        matrix = self.direction_matrix
        if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-4):
            raise ValueError(f"the direction matrix must be orthonormal; got {self.direction}")

    @property
    def direction_matrix(self) -> FloatArray:
        """3x3; column j is the LPS unit vector of ITK's index axis j (x, y, z)."""
        return np.array(self.direction, dtype=np.float64).reshape(3, 3)

    @property
    def array_to_lps(self) -> FloatArray:
        """3x3 matrix that takes a step in array voxels (z, y, x) to mm in LPS (x, y, z)."""
        return np.asarray((self.direction_matrix * np.array(self.spacing[::-1]))[:, ::-1])

    def crop(self, region: Slices) -> Grid:
        """The grid of ``array[region]``."""
        starts = np.array([axis.indices(n)[0] for axis, n in zip(region, self.shape, strict=True)], dtype=float)
        shape = tuple(len(range(*axis.indices(n))) for axis, n in zip(region, self.shape, strict=True))
        origin = np.array(self.origin) + self.array_to_lps @ starts
        return replace(self, shape=(shape[0], shape[1], shape[2]), origin=_triple(origin))

    def matches(self, other: Grid, tolerance: float = 1e-3) -> bool:
        """Whether both grids have the same voxels, within ``tolerance`` mm."""
        return self.shape == other.shape and all(
            np.allclose(getattr(self, name), getattr(other, name), atol=tolerance)
            for name in ("spacing", "origin", "direction")
        )

    @property
    def size_mm(self) -> tuple[float, float, float]:
        """Extent along (z, y, x), in mm."""
        return _triple(np.array(self.shape) * np.array(self.spacing))


@dataclass(frozen=True)
class Reorientation:
    """A lossless change of axis order and sense: ``array.transpose(order)``, then a flip of ``flips``.

    Both are given in the axes of the array (z, y, x) and, after the transposition, of the result.
    """

    order: tuple[int, int, int]
    flips: tuple[int, ...]

    @property
    def inverse_order(self) -> tuple[int, int, int]:
        inverse = np.argsort(self.order)
        return int(inverse[0]), int(inverse[1]), int(inverse[2])


def reorientation(grid: Grid, axes: str) -> Reorientation:
    """How to bring an array on ``grid`` to axes that run towards ``axes``.

    Parameters
    ----------
    axes
        Where the result's first, second and third axis run to, for instance "SPL" (the array order of an
        LPS image) or "RAS". An oblique grid goes to the nearest of the 48 orientations.
    """
    if len(axes) != 3 or {_LETTERS.get(letter, (None,))[0] for letter in axes} != {0, 1, 2}:
        raise ValueError(f"an orientation has one letter each of L/R, A/P, I/S, such as 'SPL' or 'RAS'; got {axes!r}")
    direction = grid.direction_matrix[:, ::-1]  # columns: array axes z, y, x
    wanted = [_LETTERS[letter] for letter in axes]

    def agreement(order: tuple[int, ...]) -> float:
        return float(sum(abs(direction[world, axis]) for axis, (world, _) in zip(order, wanted, strict=True)))

    order = max(permutations(range(3)), key=agreement)
    flips = tuple(
        position
        for position, (axis, (world, sign)) in enumerate(zip(order, wanted, strict=True))
        if direction[world, axis] * sign < 0
    )
    return Reorientation((order[0], order[1], order[2]), flips)


def reorient(array: NDArray[np.generic], change: Reorientation) -> NDArray[np.generic]:
    """Apply ``change`` to the array's last three axes; a view where numpy allows."""
    lead = array.ndim - 3
    turned = array.transpose(*range(lead), *(lead + axis for axis in change.order))
    return np.flip(turned, tuple(lead + axis for axis in change.flips))


def restore(array: NDArray[np.generic], change: Reorientation) -> NDArray[np.generic]:
    """Undo :func:`reorient`."""
    lead = array.ndim - 3
    unflipped = np.flip(array, tuple(lead + axis for axis in change.flips))
    return unflipped.transpose(*range(lead), *(lead + axis for axis in change.inverse_order))


def reorient_grid(grid: Grid, change: Reorientation) -> Grid:
    """The grid on which ``reorient(array, change)`` lies."""
    columns = grid.direction_matrix[:, ::-1][:, list(change.order)].copy()
    spacing = [grid.spacing[axis] for axis in change.order]
    shape = [grid.shape[axis] for axis in change.order]
    origin = np.array(grid.origin, dtype=np.float64)
    for axis in change.flips:
        origin = origin + columns[:, axis] * spacing[axis] * (shape[axis] - 1)
        columns[:, axis] *= -1
    return Grid(
        (shape[0], shape[1], shape[2]),
        (spacing[0], spacing[1], spacing[2]),
        _triple(origin),
        tuple(float(v) for v in columns[:, ::-1].reshape(-1)),
    )


def _triple(values: FloatArray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
