"""Where a CT's arrays are shown: the one home of the viewer's axis order.

The viewer shows axes that run to Superior, Posterior and Left ("SPL"), in mm. Arrays are flipped and transposed to
that order, which loses nothing; the oblique part of a direction is left out of the display, and only there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..volume import Grid, Region, Reorientation

AXES = ("z", "y", "x")
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Placement:
    """How arrays (z, y, x) on the CT's ``grid`` are shown.

    Parameters
    ----------
    change
        From the CT's axes to those shown.
    shown
        The grid of a shown array.
    """

    grid: Grid
    change: Reorientation
    shown: Grid

    @classmethod
    def of(cls, grid: Grid) -> Placement:
        from ..volume import reorient_grid, reorientation

        change = reorientation(grid, "SPL")
        return cls(grid, change, reorient_grid(grid, change))

    @property
    def scale(self) -> Triple:
        """mm along the shown (z, y, x)."""
        return self.shown.spacing

    @property
    def translate(self) -> Triple:
        """Place of the first shown voxel, mm along (z, y, x) of LPS."""
        x, y, z = self.shown.origin
        return z, y, x

    @property
    def oblique(self) -> bool:
        """Whether the CT's axes are turned against the patient's, which the display does not show."""
        return not np.allclose(np.abs(self.grid.direction_matrix).max(0), 1.0, atol=1e-4)

    def to_shown(self, array: NDArray[Any]) -> NDArray[Any]:
        """(..., z, y, x) on the CT's grid -> as shown; a view."""
        from ..volume import reorient

        return reorient(array, self.change)

    def from_shown(self, array: NDArray[Any]) -> NDArray[Any]:
        """(..., z, y, x) as shown -> on the CT's grid; a view."""
        from ..volume import restore

        return restore(array, self.change)

    def displacement_to_shown(self, displacement: NDArray[np.float32]) -> NDArray[np.float32]:
        """(3, z, y, x) in voxels along the CT's axes -> the same along the shown axes, a copy."""
        turned = self.to_shown(displacement)[list(self.change.order)]  # indexing by a list copies
        for axis in self.change.flips:
            turned[axis] *= -1
        return np.asarray(turned, dtype=np.float32)

    def index_to_shown(self, index: tuple[int, int, int]) -> tuple[int, int, int]:
        """A voxel (z, y, x) of the CT's array -> the same as shown."""
        shown = [index[axis] for axis in self.change.order]
        for axis in self.change.flips:
            shown[axis] = self.shown.shape[axis] - 1 - shown[axis]
        return shown[0], shown[1], shown[2]

    def region_to_shown(self, region: Region) -> Region:
        """A box of the CT's voxels -> the same box in shown voxels."""
        from ..volume import Region

        start = [region.start[axis] for axis in self.change.order]
        stop = [region.stop[axis] for axis in self.change.order]
        for axis in self.change.flips:
            size = self.shown.shape[axis]
            start[axis], stop[axis] = size - stop[axis], size - start[axis]
        return Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

    def region_from_mm(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> Region:
        """The voxels of the CT whose centres lie between two shown points, mm along (z, y, x), cut to the CT.

        Raises
        ------
        ValueError
            Where no voxel does.
        """
        from ..volume import Region

        size = np.array(self.shown.shape)
        first = np.ceil((low - np.array(self.translate)) / np.array(self.scale) - 1e-6).astype(int).clip(0, size)
        last = np.floor((high - np.array(self.translate)) / np.array(self.scale) + 1e-6).astype(int) + 1
        last = last.clip(0, size)
        if (last <= first).any():
            raise ValueError("the drawn box holds no voxel of the CT: draw it over the CT")
        for axis in self.change.flips:
            first[axis], last[axis] = size[axis] - last[axis], size[axis] - first[axis]
        back = list(self.change.inverse_order)
        start, stop = [int(n) for n in first[back]], [int(n) for n in last[back]]
        return Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

    def layer_options(self) -> dict[str, Any]:
        """What every layer on the CT's whole grid is given."""
        return {"scale": self.scale, "translate": self.translate, "units": "mm", "axis_labels": AXES}

    def crop_options(self, region: Region) -> dict[str, Any]:
        """What a layer is given that shows only a box of the CT's voxels."""
        box = self.region_to_shown(region)
        translate = np.array(self.translate) + np.array(box.start) * np.array(self.scale)
        return self.layer_options() | {"translate": tuple(float(n) for n in translate)}
