"""Takes layers out of a viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


def remove_layers(viewer: ViewerModel, layers: Sequence[Layer]) -> None:
    """All at once: napari sweeps memory once then, not for each layer."""
    if not layers:
        return
    viewer.layers.unlink_layers(layers)
    _make_current(viewer)
    with viewer.layers.batched_update():
        for layer in layers:
            viewer.layers.remove(layer)


def _make_current(viewer: ViewerModel) -> None:
    """Make the canvas' OpenGL context the current one.

    napari deletes the shaders of removed layers at once, in whatever context is current, which outside of a drawing is
    another one: Mesa's llvmpipe (22.3.6) then crashes in the next drawing, for want of a vertex shader.
    """
    try:
        canvas = viewer.window._qt_viewer.canvas._scene_canvas
    except (AttributeError, RuntimeError):  # no window, or one that is being closed
        return
    canvas.set_current()
