"""Takes layers out of a viewer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from .canvas import make_current

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


def remove_layers(viewer: ViewerModel, layers: Sequence[Layer]) -> None:
    """All at once: napari sweeps memory once then, not for each layer."""
    if not layers:
        return
    viewer.layers.unlink_layers(layers)
    make_current(viewer)
    # Of layers that are not selected napari tells the selection all the same, and its buttons are styled anew each time.
    changed = viewer.layers.selection.events.changed
    quiet = changed.blocker() if viewer.layers.selection.isdisjoint(layers) else nullcontext()
    with viewer.layers.batched_update(), quiet:
        for layer in layers:
            viewer.layers.remove(layer)
