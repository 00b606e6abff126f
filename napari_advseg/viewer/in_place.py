"""New content for layers that are shown already: none is removed or added, so that it can follow a slider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .layer_source import KEY
from .layers import known, layers_of
from .scene import LayerPlan, Scene

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


class InPlace:
    """Fills layers with arrays of their own.

    Planned arrays belong to a step that is kept: what is painted on a layer must not reach them. And napari takes long
    over a new array, but not over new values in the one that it has.
    """

    def __init__(self) -> None:
        self._own: WeakKeyDictionary[Layer, NDArray[Any]] = WeakKeyDictionary()

    def show(self, viewer: ViewerModel, scene: Scene) -> None:
        """Give each layer of the case the planned content; what the user has removed stays away."""
        present = layers_of(viewer, scene.case_id)
        for plan in scene.plans:
            layer = present.get(plan.role)
            if layer is None:
                continue
            if plan.kind == "vectors":
                _fill_arrows(layer, plan)
            elif layer.data.shape == plan.data.shape:
                self._fill(layer, plan)
            layer.metadata[KEY] = known(layer) | plan.options["metadata"][KEY]
        if (attacked := present.get("attacked")) is not None:
            attacked.events.data(value=attacked.data)  # one tells for all: each costs napari as much as a new array

    def _fill(self, layer: Layer, plan: LayerPlan) -> None:
        own = self._own.get(layer)
        if own is not None and own is layer.data:
            np.copyto(own, plan.data, casting="unsafe")
            layer.refresh(extent=False)
        else:
            own = np.array(plan.data, dtype=layer.data.dtype, order="C")
            self._own[layer] = layer.data = own


def _fill_arrows(layer: Layer, plan: LayerPlan) -> None:
    """Other arrows with their lengths as colours; where there are none, one without length."""
    arrows, features = plan.data, plan.options["features"]
    if not len(arrows):
        arrows, features = np.zeros((1, 2, 3), np.float32), {"mm": np.zeros(1, np.float32)}
    visible = layer.visible
    with layer.events.blocker_all():
        layer.visible = False  # so that all of it is drawn once
        layer.data = arrows
        layer.features = features
        layer.edge_color = "mm"
        layer.edge_contrast_limits = plan.options["edge_contrast_limits"]
        layer.length = plan.options["length"]
    if layer.name.startswith("Displacement") and layer.name != plan.options["name"]:
        layer.name = plan.options["name"]
    layer.visible = visible
