"""New content for layers that are shown already: none is removed or added, so that it can follow a slider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from .arrows import fill_arrows
from .layer_source import KEY
from .layers import known, layers_of
from .scene import LayerPlan, Scene

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_REST_MS = 400


class InPlace:
    """Fills layers with arrays of their own.

    Planned arrays belong to a step that is kept: what is painted on a layer must not reach them. And napari takes long
    over a new array, but not over new values in the one that it has. The small pictures in the layer list follow, one by
    one, when nothing new has come for a moment.
    """

    def __init__(self) -> None:
        self._own: WeakKeyDictionary[Layer, NDArray[Any]] = WeakKeyDictionary()
        self._behind: list[Layer] = []
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.timeout.connect(self._catch_up)

    def stop(self) -> None:
        """The small pictures stay as they are."""
        self._rest.stop()
        self._behind = []

    def show(self, viewer: ViewerModel, scene: Scene) -> None:
        """Give each layer of the case the planned content; what the user has removed stays away."""
        present = layers_of(viewer, scene.case_id)
        for plan in scene.plans:
            layer = present.get(plan.role)
            if layer is None:
                continue
            if plan.kind == "vectors":
                fill_arrows(layer, plan)
            elif layer.data.shape == plan.data.shape:
                self._fill(layer, plan)
            layer.metadata[KEY] = known(layer) | plan.options["metadata"][KEY]
        self._behind = list(present.values())
        self._rest.start(_REST_MS)
        if (attacked := present.get("attacked")) is not None:
            attacked.events.data(value=attacked.data)  # one tells for all: each costs napari as much as a new array

    def _fill(self, layer: Layer, plan: LayerPlan) -> None:
        own = self._own.get(layer)
        if own is not None and own is layer.data:
            np.copyto(own, plan.data, casting="unsafe")
            layer.refresh(extent=False, thumbnail=False)
        else:
            own = np.array(plan.data, dtype=layer.data.dtype, order="C")
            self._own[layer] = layer.data = own

    def _catch_up(self) -> None:
        if self._behind:
            self._behind.pop().refresh(extent=False, data_displayed=False, highlight=False)
            self._rest.start(0)
