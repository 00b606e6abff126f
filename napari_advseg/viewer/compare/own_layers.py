"""The layers that the compare tools add: marked, so that they are found, removed, and taken for no CT of a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..in_and_out import insert_layer, remove_layers
from ..layer_source import KEY
from ..layers import known

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


def own_metadata(tool: str) -> dict[str, Any]:
    return {KEY: {"role": f"compare {tool}", "compare": tool}}


def own_layer(viewer: ViewerModel, tool: str) -> Any:
    """The layer of a tool, None where it has none."""
    return next((layer for layer in viewer.layers if known(layer).get("compare") == tool), None)


def add_own(viewer: ViewerModel, tool: str, layer: Layer, above: Layer | None = None) -> None:
    """Put a tool's layer in place of its last one: above another layer, else on top. The selection stays."""
    remove_own(viewer, tool)
    layer.metadata.update(own_metadata(tool))
    place = viewer.layers.index(above) + 1 if above is not None else len(viewer.layers)
    insert_layer(viewer, place, layer)


def remove_own(viewer: ViewerModel, tool: str) -> None:
    old = own_layer(viewer, tool)
    if old is not None:
        remove_layers(viewer, [old])


def place_of(layer: Layer) -> dict[str, Any]:
    """What lays another layer of the same shape exactly over ``layer``."""
    return {name: getattr(layer, name) for name in ("scale", "translate", "units", "axis_labels")}
