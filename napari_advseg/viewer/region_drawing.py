"""A region drawn as rectangles in a Shapes layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes
from numpy.typing import NDArray

from .layer_source import KEY
from .placement import AXES

if TYPE_CHECKING:
    from napari.components import ViewerModel

_NAME = "Region of the attack"


def drawing_layer(viewer: ViewerModel) -> Shapes:
    """The layer for drawing, made where there is none, ready for a rectangle."""
    for layer in viewer.layers:
        if isinstance(layer, Shapes) and layer.metadata.get(KEY, {}).get("role") == "region":
            break
    else:
        layer = Shapes(
            ndim=3,
            name=_NAME,
            edge_color="yellow",
            edge_width=1,
            face_color="transparent",
            units="mm",
            axis_labels=AXES,
            metadata={KEY: {"role": "region"}},
        )
        viewer.layers.append(layer)
    viewer.layers.selection = {layer}
    layer.mode = "add_rectangle"
    return layer


def drawn_box(
    layer: Shapes, whole: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The box that the rectangles span, lowest and highest (z, y, x) in mm.

    Along an axis on which no rectangle extends it is as wide as ``whole``.
    """
    low, high = whole[0].copy(), whole[1].copy()
    spans = []
    for shape in layer.data:
        corners = np.array([layer.data_to_world(corner) for corner in shape])[:, -3:]
        spans.append((corners.min(0), corners.max(0)))
    for axis in range(3):
        wide = [(a[axis], b[axis]) for a, b in spans if b[axis] - a[axis] > 1e-3]
        if wide:
            low[axis], high[axis] = min(a for a, _ in wide), max(b for _, b in wide)
    return low, high
