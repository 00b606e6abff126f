"""A displacement field as few enough arrows to be drawn at once, in the planes that are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Vectors

    from .scene import LayerPlan

MOST_ARROWS = 12_000
_APART = 3  # voxels in the plane, at least
_FAINT = 0.05  # of the longest: shorter arrows are left out


def thin_arrows(
    displacement: NDArray[np.float32], spacing: tuple[float, float, float], most: int = MOST_ARROWS
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Arrows on every slice, thinned within it until at most ``most`` are left.

    Parameters
    ----------
    displacement
        (3, z, y, x) in voxels along the array axes.
    spacing
        mm along (z, y, x); in the plane the arrows stand about as far apart on both axes.

    Returns
    -------
    arrows
        (n, 2, 3), voxels: where each starts, and its components. Starts lie on voxel centres.
    length
        (n,), mm.
    """
    spacing_column = np.array(spacing, np.float32).reshape(3, 1, 1, 1)
    length = np.sqrt(np.square(displacement * spacing_column).sum(0))
    longest = float(length.max(initial=0.0))
    if longest <= 0:
        return np.zeros((0, 2, 3), np.float32), np.zeros(0, np.float32)
    shown = length >= max(_FAINT * longest, 1e-6)
    fine = min(spacing[1], spacing[2])
    for stride in range(_APART, max(displacement.shape[2:]) + _APART + 1):
        step_y, step_x = (max(1, round(stride * fine / spacing[axis])) for axis in (1, 2))
        offset_y, offset_x = min(step_y // 2, shown.shape[1] - 1), min(step_x // 2, shown.shape[2] - 1)
        picked = shown[:, offset_y::step_y, offset_x::step_x]
        if np.count_nonzero(picked) <= most:
            break
    z, y, x = np.nonzero(picked)
    y, x = y * step_y + offset_y, x * step_x + offset_x
    arrows = np.stack([np.stack([z, y, x], -1), displacement[:, z, y, x].T], axis=1).astype(np.float32)
    return arrows, length[z, y, x].astype(np.float32)


def drawn_length(arrows: NDArray[np.float32], length: NDArray[np.float32], spacing: tuple[float, float, float]) -> int:
    """How many times as long the arrows are to be drawn, so that the longest nearly reaches its neighbour.

    Parameters are what :func:`thin_arrows` gave, and mm along (z, y, x).
    """
    rows = np.unique(arrows[:, 0, 1])
    if len(rows) < 2:
        return 1
    apart = float(np.diff(rows).min()) * spacing[1]
    return int(np.clip(round(1.2 * apart / float(length.max())), 1, 10))


def fill_arrows(layer: Vectors, plan: LayerPlan) -> None:
    """Other arrows with their lengths as colours; where there are none, one without length."""
    arrows, features = plan.data, plan.options["features"]
    if not len(arrows):
        arrows, features = np.zeros((1, 2, 3), np.float32), {"mm": np.zeros(1, np.float32)}
    with layer.events.blocker_all(), layer._block_refresh():  # so that all of it is drawn once
        layer.data = arrows
        layer.features = features
        if layer.edge_color_mode != "colormap":  # each of these colours all arrows anew
            layer.edge_color = "mm"
        if layer.edge_contrast_limits != plan.options["edge_contrast_limits"]:
            layer.edge_contrast_limits = plan.options["edge_contrast_limits"]
        if layer.length != plan.options["length"]:
            layer.length = plan.options["length"]
    if layer.name.startswith("Displacement") and layer.name != plan.options["name"]:
        layer.name = plan.options["name"]
    layer.refresh(thumbnail=False)
