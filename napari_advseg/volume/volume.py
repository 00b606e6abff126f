"""A CT in patient space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .grid import Grid


@dataclass(frozen=True)
class Source:
    """What a volume was read from: the path as given and the SHA-256 of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True, eq=False)
class Volume:
    """A CT: Hounsfield units on a grid.

    Parameters
    ----------
    hu
        float32, (z, y, x), Hounsfield units.
    grid
        Where the voxels lie in the patient.
    source
        The file or folder it came from, None for an array made in memory.
    warnings
        What a reader noticed and a user should see, one line each.
    """

    hu: NDArray[np.float32]
    grid: Grid
    source: Source | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.hu.shape != self.grid.shape:
            raise ValueError(f"the array's shape {self.hu.shape} is not the grid's {self.grid.shape}")


def volume_from_array(
    hu: NDArray[np.generic],
    *,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    source: Source | None = None,
) -> Volume:
    """A Volume from an array (z, y, x) in HU; ``spacing`` in mm along (z, y, x), ``origin`` LPS (x, y, z).

    Raises
    ------
    ValueError
        Where the array is not three-dimensional, is empty, or holds NaN or infinite values.
    """
    if hu.ndim != 3:
        raise ValueError(f"a CT has three axes (z, y, x); got an array of shape {hu.shape}: pick one volume of it")
    if hu.size == 0:
        raise ValueError(f"the CT is empty: its shape is {hu.shape}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
        values = np.ascontiguousarray(hu, dtype=np.float32)
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise ValueError(nan_line(bad))
    grid = Grid((hu.shape[0], hu.shape[1], hu.shape[2]), spacing, origin, direction)
    return Volume(values, grid, source, _not_hounsfield(values))


def nan_line(count: int) -> str:
    """What to say of a CT with ``count`` voxels that are no number."""
    return f"the CT holds {count} NaN or infinite voxels: replace them, for instance by -1024 HU (air), first"


def _not_hounsfield(hu: NDArray[np.float32]) -> tuple[str, ...]:
    """One line where the values are evidently no Hounsfield units."""
    low, high = float(hu.min()), float(hu.max())
    if low == high:
        return (f"every voxel is {low:g}: the CT shows nothing",)
    seen = f"the values run from {low:g} to {high:g}"
    if high - low <= 10:
        return (f"{seen}: this looks like a normalised image, not Hounsfield units; results will mean little",)
    if low >= 0:
        return (f"{seen}: no voxel is below 0, so air (-1000 HU) is missing; was the rescale intercept lost?",)
    if high > 32767 or low < -32768:
        return (f"{seen}: beyond what a CT stores (-32768 to 32767 HU)",)
    return ()
