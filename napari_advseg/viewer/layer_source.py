"""A volume taken from an open layer: what the layer holds, and where that lies in the patient.

A layer's world is taken as the patient's: its last three axes run to Superior, Posterior and Left, in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .placement import Placement

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from ..volume import Grid, Source, Volume

KEY = "napari_advseg"  # under which layers of this plugin keep what they know, in layer.metadata


@dataclass(frozen=True, eq=False)
class LayerSource:
    """What a layer held when it was asked.

    Parameters
    ----------
    data
        The layer's array, not copied.
    axes
        3x3; column j is the world step (z, y, x), mm, along array axis j.
    corner
        World place (z, y, x) of the first voxel, mm.
    grid
        The exact grid for layers of this plugin that still lie where they were put, else None.
    names
        Label names by id, where the layer knows them.
    stamp
        Changes when the values do; only kept for labels, which are painted in place.
    layer
        The layer's own id.
    """

    name: str
    data: Any
    axes: NDArray[np.float64]
    corner: NDArray[np.float64]
    grid: Grid | None = None
    source: Source | None = None
    names: dict[int, str] | None = None
    stamp: int = 0
    layer: object = None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LayerSource)
            and self.data is other.data
            and self.stamp == other.stamp
            and np.array_equal(self.axes, other.axes)
            and np.array_equal(self.corner, other.corner)
        )

    def __hash__(self) -> int:
        return hash((id(self.data), self.stamp))

    def volume(self) -> Volume:
        """The layer as a volume, on its exact grid where that is known. Slow for large layers: not for the interface.

        Raises
        ------
        ValueError
            The layer is sheared, is not three-dimensional, or holds no finite numbers.
        """
        from ..volume import volume_from_array

        values = np.asarray(self.data)
        if self.grid is not None:
            native = Placement.of(self.grid).from_shown(values)
            grid = self.grid
            return volume_from_array(
                native, spacing=grid.spacing, origin=grid.origin, direction=grid.direction, source=self.source
            )
        spacing = np.linalg.norm(self.axes, axis=0)
        directions = self.axes / spacing
        if not np.allclose(directions.T @ directions, np.eye(3), atol=1e-4):
            raise ValueError(f"the layer '{self.name}' is sheared: its axes are not at right angles")
        lps = directions[::-1, ::-1]  # rows and columns from (z, y, x) to (x, y, z)
        return volume_from_array(
            values,
            spacing=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
            origin=(float(self.corner[2]), float(self.corner[1]), float(self.corner[0])),
            direction=tuple(float(v) for v in lps.reshape(-1)),
        )


def take_layer(layer: Image | Labels) -> LayerSource:
    """Note what a layer holds and where, without copying it.

    Raises
    ------
    ValueError
        The layer is in colour or does not have three axes.
    """
    if getattr(layer, "rgb", False):
        raise ValueError(f"the layer '{layer.name}' is in colour: a CT has one value per voxel")
    if layer.ndim != 3:
        raise ValueError(
            f"the layer '{layer.name}' has {layer.ndim} axes: a CT has three (z, y, x), so pick one volume of it"
        )
    data = layer.data[0] if layer.multiscale else layer.data
    to_mm = np.array([_in_mm(unit) for unit in layer.units])
    corner = np.array(layer.data_to_world(np.zeros(3)), dtype=np.float64)
    axes = np.stack([np.array(layer.data_to_world(step)) - corner for step in np.eye(3)], axis=1)
    axes, corner = axes * to_mm[:, None], corner * to_mm
    known = layer.metadata.get(KEY, {})
    grid = known.get("grid")
    if grid is not None and not _still_there(Placement.of(grid), data.shape, axes, corner):
        grid = None
    return LayerSource(
        layer.name,
        data,
        axes,
        corner,
        grid,
        known.get("source") if grid is not None else None,
        known.get("names"),
        _stamp(data) if _is_labels(layer) else 0,
        layer.unique_id,
    )


def _still_there(placement: Placement, shape: Any, axes: NDArray[np.float64], corner: NDArray[np.float64]) -> bool:
    return (
        tuple(shape) == placement.shown.shape
        and np.allclose(axes, np.diag(placement.scale), atol=1e-6)
        and np.allclose(corner, placement.translate, atol=1e-4)
    )


def _in_mm(unit: Any) -> float:
    """How many mm one of a layer's units is; pixels count as mm, for layers that were never told."""
    try:
        return float((1 * unit).to("mm").magnitude)
    except Exception:  # pint has an error class of its own for units that are no length
        return 1.0


def _is_labels(layer: Any) -> bool:
    return hasattr(layer, "contour")


def _stamp(data: Any) -> int:
    from zlib import adler32

    return adler32(np.ascontiguousarray(data)) if isinstance(data, np.ndarray) else 0
