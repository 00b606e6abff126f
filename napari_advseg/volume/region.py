"""Boxes in a volume: parsing, growing by millimetres, the box around labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .grid import Grid, Slices


@dataclass(frozen=True)
class Region:
    """A box of voxels: ``start`` inclusive and ``stop`` exclusive, along (z, y, x)."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    def __post_init__(self) -> None:
        if any(low < 0 or high <= low for low, high in zip(self.start, self.stop, strict=True)):
            raise ValueError(f"a region needs 0 <= start < stop on each axis (z, y, x); got {self}")

    def __str__(self) -> str:
        return ",".join(f"{low}:{high}" for low, high in zip(self.start, self.stop, strict=True))

    @property
    def slices(self) -> Slices:
        z, y, x = (slice(low, high) for low, high in zip(self.start, self.stop, strict=True))
        return z, y, x

    @property
    def shape(self) -> tuple[int, int, int]:
        z, y, x = (high - low for low, high in zip(self.start, self.stop, strict=True))
        return z, y, x

    def hull(self, other: Region) -> Region:
        """The smallest box that holds both."""
        start = [min(pair) for pair in zip(self.start, other.start, strict=True)]
        stop = [max(pair) for pair in zip(self.stop, other.stop, strict=True)]
        return Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

    def within(self, box: Region) -> Region:
        """The same voxels counted from the start of ``box``, which holds them."""
        start = [low - origin for low, origin in zip(self.start, box.start, strict=True)]
        stop = [high - origin for high, origin in zip(self.stop, box.start, strict=True)]
        return Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

    @classmethod
    def whole(cls, grid: Grid) -> Region:
        return cls((0, 0, 0), grid.shape)

    @classmethod
    def parse(cls, text: str, grid: Grid) -> Region:
        """Read "z0:z1,y0:y1,x0:x1" in voxels of ``grid``; an empty side means the volume's end."""
        try:
            pairs = [part.split(":") for part in text.split(",")]
            start = [int(low) if low.strip() else 0 for low, _ in pairs]
            stop = [int(high) if high.strip() else n for (_, high), n in zip(pairs, grid.shape, strict=True)]
            region = cls((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        except (ValueError, IndexError) as fault:
            raise ValueError(
                f"a region is written z0:z1,y0:y1,x0:x1 in voxels with start < stop; got {text!r}"
            ) from fault
        if any(high > n for high, n in zip(region.stop, grid.shape, strict=True)):
            raise ValueError(f"the region {region} leaves the volume, whose shape (z, y, x) is {grid.shape}")
        return region

    @classmethod
    def around(
        cls, mask: NDArray[np.bool_], grid: Grid, margin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ) -> Region:
        """The box around ``mask``, grown on each side by ``margin_mm`` (z, y, x), kept inside the grid."""
        if not mask.any():
            raise ValueError(
                "the labels hold no voxel of an organ that the network knows: no region can be put around them"
            )
        start, stop = [], []
        for axis in range(3):
            hit = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
            margin = round(margin_mm[axis] / grid.spacing[axis])
            start.append(max(0, int(hit[0]) - margin))
            stop.append(min(grid.shape[axis], int(hit[-1]) + 1 + margin))
        return cls((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
