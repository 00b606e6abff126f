"""Layers handed on from case to case: hidden and emptied when theirs is put away, filled again for the next one.

To remove a layer costs napari a sweep through all of Python's objects, and to add one a visual, controls and an entry in
every list: a fifth of a second each. Other content for a layer that is there costs a tenth of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from .arrows import fill_arrows
from .canvas import one_update
from .layer_source import KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from .scene import LayerPlan

_PARKED, _EVENT = "parked", "handed_on"
_colours: WeakKeyDictionary[Layer, tuple[Any, Any]] = WeakKeyDictionary()  # what a layer was given, what it made of it


def is_parked(layer: Any) -> bool:
    """Whether the layer waits for another case's content and belongs to none now."""
    return _PARKED in layer.metadata.get(KEY, {})


def parked(viewer: ViewerModel) -> list[Layer]:
    """The waiting layers."""
    return [layer for layer in viewer.layers if is_parked(layer)]


def parked_for(viewer: ViewerModel, plan: LayerPlan) -> Layer | None:
    """A waiting layer that can hold what is planned."""
    fitting = (
        layer
        for layer in parked(viewer)
        if layer.metadata[KEY][_PARKED] == plan.role
        and type(layer).__name__.lower() == plan.kind
        and (plan.kind == "vectors" or layer.data.dtype == plan.data.dtype)
    )
    return next(fitting, None)


def on_handed_on(viewer: ViewerModel, tell: Callable[..., Any]) -> Callable[[], None]:
    """Have ``tell`` called when layers were parked or filled again; what is given back ends that."""
    emitter = _emitter(viewer)
    emitter.connect(tell)
    return lambda: emitter.disconnect(tell)


def tell_handed_on(viewer: ViewerModel) -> None:
    """Layers belong to other cases now."""
    _emitter(viewer)()


def park(viewer: ViewerModel, layers: Iterable[Layer], place: dict[str, Any]) -> None:
    """Hide and empty layers.

    All that wait then lie at ``place``, as options of a layer, so that the view's extent is not theirs.
    """
    layers = list(layers)
    for layer in parked(viewer):
        _put(layer, place)
    if not layers:
        return
    with one_update(viewer):
        viewer.layers.unlink_layers(layers)
        for layer in layers:
            _empty(layer)
            _put(layer, place)
    viewer.layers.selection.difference_update(layer for layer in layers if layer.metadata[KEY][_PARKED] != "ct")


def _empty(layer: Layer) -> None:
    if layer.mode != "pan_zoom":
        layer.mode = "pan_zoom"  # or it would come back with the tool that was in hand
    if layer.visible:
        layer.visible = False
    with layer.events.blocker_all():
        layer.data = _nothing(layer)
    layer.metadata[KEY] = {_PARKED: layer.metadata[KEY]["role"]}


def take_over(layer: Layer, plan: LayerPlan, look: dict[str, Any]) -> None:
    """Fill a waiting layer; it looks as a new one would, but for ``look``."""
    options = plan.options | look
    if plan.kind == "vectors":
        fill_arrows(layer, plan)
    with layer.events.blocker_all():
        if plan.kind != "vectors":
            layer.data = plan.data
        if plan.kind == "labels":
            layer.editable = False  # forgets what was painted on the case before
            layer.editable = True
        layer.scale = options["scale"]
    layer.metadata[KEY] = options["metadata"][KEY]
    layer.translate = options["translate"]  # tells of the other two as well
    if plan.kind == "labels":
        layer.features = options["features"]
        _set(layer, "show_selected_label", False)
        _set(layer, "contour", options.get("contour", 0))
        give_colours(layer, options["colormap"])
    elif plan.kind == "image":
        if layer.colormap.name != _name_of(options["colormap"]):
            layer.colormap = options["colormap"]
        if not np.allclose(layer.contrast_limits, options["contrast_limits"]):
            layer.contrast_limits = options["contrast_limits"]
        _set(layer, "gamma", 1.0)
    _set(layer, "name", options["name"])
    _set(layer, "opacity", options.get("opacity", 1.0))
    if options.get("visible", True):
        layer.visible = True


def give_colours(layer: Any, colours: Any) -> None:
    """Set a segmentation's colours, unless it has these very ones."""
    given, made = _colours.get(layer, (None, None))
    if given != colours or made is not layer.colormap:
        layer.colormap = colours
        note_colours(layer, colours)


def note_colours(layer: Any, colours: Any) -> None:
    """A layer has just been given these colours."""
    _colours[layer] = (colours, layer.colormap)


def _put(layer: Layer, place: dict[str, Any]) -> None:
    with layer.events.blocker_all():
        layer.scale, layer.translate = place["scale"], place["translate"]


def _set(layer: Any, name: str, value: Any) -> None:
    if getattr(layer, name) != value:
        setattr(layer, name, value)


def _nothing(layer: Any) -> Any:
    if type(layer).__name__ == "Vectors":
        return np.zeros((1, 2, layer.ndim), np.float32)
    return np.zeros((1,) * layer.ndim, layer.data.dtype)


def _name_of(colormap: Any) -> str:
    return str(colormap["name"] if isinstance(colormap, dict) else colormap)


def _emitter(viewer: ViewerModel) -> Any:
    events = viewer.layers.events
    if _EVENT not in events.emitters:
        events.add(**{_EVENT: None})
    return getattr(events, _EVENT)
