"""Puts layers into a viewer and takes them out, at the least cost that napari allows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from .canvas import make_current

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


def insert_layer(viewer: ViewerModel, place: int, layer: Layer) -> None:
    """Insert a layer; what is selected stays, be it nothing.

    napari selects every new layer, which has its panel of controls styled and laid out, and then, with the selection put
    back, the earlier one's again: a good part of what a layer costs, and there is no public way around it.
    """
    # Plugins are given a proxy that keeps private names from them.
    layers = getattr(viewer, "__wrapped__", viewer).layers
    selected = set(layers.selection)
    layers._activate_on_insert = False
    try:
        layers.insert(place, layer)
    finally:
        layers._activate_on_insert = True
    if layers.selection != selected:  # a napari that knows no such name has selected the layer
        layers.selection = selected


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
