"""New content for layers that are shown already: none is removed or added, so that it can follow a slider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .layer_source import KEY
from .layers import known, layers_of
from .scene import LayerPlan, Scene

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer, Vectors


def show_in_place(viewer: ViewerModel, scene: Scene) -> None:
    """Give each layer of the case the planned content; what the user has removed stays away."""
    present = layers_of(viewer, scene.case_id)
    for plan in scene.plans:
        layer = present.get(plan.role)
        if layer is None:
            continue
        if plan.kind == "vectors":
            _fill_arrows(layer, plan)
        elif layer.data.shape == plan.data.shape:
            # A segmentation is copied: what is painted on it must not come back with a step that is kept.
            layer.data = np.array(plan.data, dtype=layer.data.dtype) if plan.kind == "labels" else plan.data
        layer.metadata[KEY] = known(layer) | plan.options["metadata"][KEY]


def _fill_arrows(layer: Vectors | Layer, plan: LayerPlan) -> None:
    """Other arrows with their lengths as colours; where there are none, one without length."""
    arrows, features = plan.data, plan.options["features"]
    if not len(arrows):
        arrows, features = np.zeros((1, 2, 3), np.float32), {"mm": np.zeros(1, np.float32)}
    with layer.events.blocker_all():
        layer.data = arrows
        layer.features = features
        layer.edge_color = "mm"
        layer.edge_contrast_limits = plan.options["edge_contrast_limits"]
        layer.length = plan.options["length"]
    layer.name = plan.options["name"] if layer.name.startswith("Displacement") else layer.name
    layer.refresh()
