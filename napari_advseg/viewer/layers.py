"""Planned layers into a viewer, and this plugin's layers found again; nobody else's are touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .arrows import fill_arrows
from .canvas import one_update
from .handing_on import is_parked, note_colours, park, parked, parked_for, take_over, tell_handed_on
from .in_and_out import insert_layer, remove_layers
from .layer_source import KEY
from .renaming import organ_features
from .scene import RESULT_ROLES, ROLES, LayerPlan, Scene

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

_LINKED = ("contrast_limits", "gamma")


def known(layer: Any) -> dict[str, Any]:
    """What a layer of this plugin knows of itself; empty for the user's own."""
    return dict(layer.metadata.get(KEY, {}))


def can_be_ct(layer: Image) -> bool:
    """Whether an image layer is the user's own or a CT of this plugin, not something that an attack shows."""
    return not layer.rgb and not is_parked(layer) and known(layer).get("role", "ct") in ("ct", "perturbed")


def cts_to_learn_from(images: list[Image]) -> list[Image]:
    """The image layers that are CTs of their own: neither perturbed ones nor a case's copy of a layer that is open."""
    present = {layer.unique_id for layer in images}
    return [
        layer
        for layer in images
        if known(layer).get("role", "ct") == "ct"
        and known(layer).get("taken_from", layer.unique_id) not in present - {layer.unique_id}
    ]


def ct_case(chosen: object) -> str | None:
    """The case whose CT layer this is; None for files and other layers."""
    noted = known(chosen) if hasattr(chosen, "metadata") else {}
    return noted.get("case") if noted.get("role") == "ct" else None


def sample_role(layer: Layer) -> str:
    """What a layer of a sample is, "ct" or "sample labels"; empty for other layers."""
    noted = known(layer)
    return str(noted["role"]) if noted.get("sample") and noted.get("role") in ("ct", "sample labels") else ""


def layers_of(viewer: ViewerModel, case_id: str) -> dict[str, Layer]:
    """The layers of a case by role, whatever they are named by now."""
    return {known(layer)["role"]: layer for layer in viewer.layers if known(layer).get("case") == case_id}


def show_scene(viewer: ViewerModel, scene: Scene) -> None:
    """Put the planned layers in, each in place of the one of the same case and role; the contrast stays linked.

    A layer of the same shape and place is given the new content; another is replaced, and hands on whether it is
    shown, its opacity and its contour.
    """
    with one_update(viewer):
        _show_scene(viewer, scene)


def _show_scene(viewer: ViewerModel, scene: Scene) -> None:
    selected, handed_on = set(viewer.layers.selection), False
    present = layers_of(viewer, scene.case_id)
    for plan in scene.plans:
        old = present.get(plan.role)
        if old is not None and _fits(old, plan):
            if plan.kind == "vectors":
                fill_arrows(old, plan)
            elif old.data is not plan.data and (plan.role != "ct" or not np.array_equal(old.data, plan.data)):
                old.data = plan.data  # a CT seldom changes
            old.metadata[KEY] = known(old) | plan.options["metadata"][KEY]
            if plan.kind == "labels":
                old.features = plan.options["features"]
            continue
        kept = _look(old) if old is not None else {}
        if old is not None:
            remove_layers(viewer, [old])
        waiting = parked_for(viewer, plan)
        if waiting is not None:
            take_over(waiting, plan, kept)
            handed_on = True
        else:
            _add(viewer, scene.case_id, plan, kept)
    if handed_on:
        tell_handed_on(viewer)
    present = layers_of(viewer, scene.case_id)
    images = [present[role] for role in ("ct", "perturbed") if role in present]
    if len(images) == 2 and not {"ct", "perturbed"}.isdisjoint(plan.role for plan in scene.plans):
        images[1].contrast_limits = images[0].contrast_limits
        images[1].gamma = images[0].gamma
        viewer.layers.link_layers(images, _LINKED)
    kept_selected = {layer for layer in selected if layer in viewer.layers}
    if kept_selected != viewer.layers.selection:
        viewer.layers.selection = kept_selected


def select_ct(viewer: ViewerModel, case_id: str) -> None:
    """Select the CT of a case, unless something is selected."""
    if not viewer.layers.selection and (ct := layers_of(viewer, case_id).get("ct")) is not None:
        viewer.layers.selection = {ct}


def rename_organs(viewer: ViewerModel, case_id: str, organs: dict[int, str]) -> None:
    """The case's segmentations under other names of the organs."""
    for layer in layers_of(viewer, case_id).values():
        if "names" in known(layer):
            layer.features = organ_features(organs)
            layer.metadata[KEY] = known(layer) | {"names": dict(organs)}


def outline_layers(viewer: ViewerModel, case_id: str) -> None:
    """The case's segmentations as lines, but for the attacked one, which is filled."""
    for role, layer in layers_of(viewer, case_id).items():
        if hasattr(layer, "contour") and role != "attacked":
            layer.contour = 1


def remove_case(viewer: ViewerModel, case_id: str) -> None:
    """Remove all layers of a case."""
    remove_layers(viewer, list(layers_of(viewer, case_id).values()))


def park_case(viewer: ViewerModel, case_id: str, place: dict[str, Any]) -> None:
    """Keep the layers of a case, empty and at ``place``, for the next one."""
    park(viewer, layers_of(viewer, case_id).values(), place)


def park_result(viewer: ViewerModel, case_id: str) -> None:
    """Take away what an earlier run on the case had shown; its layers wait for the next run."""
    present = layers_of(viewer, case_id)
    gone = [layer for role, layer in present.items() if role in RESULT_ROLES]
    if gone:
        lies_at = present.get("ct", gone[0])
        park(viewer, gone, {"scale": lies_at.scale, "translate": lies_at.translate})
        tell_handed_on(viewer)


def remove_parked(viewer: ViewerModel, most: int | None = None) -> bool:
    """Remove the layers that no case has taken over, at ``most`` so many of them; whether some are left."""
    waiting = parked(viewer)
    remove_layers(viewer, waiting[:most])
    return most is not None and len(waiting) > most


def go_to(viewer: ViewerModel, layer: Layer, index: tuple[int, int, int]) -> None:
    """Show the slice through a voxel of ``layer``, given as (z, y, x)."""
    point = layer.data_to_world(np.array(index, dtype=float))
    viewer.dims.set_point(range(len(point)), tuple(float(n) for n in point))


def _add(viewer: ViewerModel, case_id: str, plan: LayerPlan, kept: dict[str, Any]) -> None:
    """Add one layer above those of the same case that belong below it."""
    from napari.layers import Image, Labels, Vectors

    options = plan.options | {name: value for name, value in kept.items() if name != "contour"}
    contour = kept.get("contour", options.pop("contour", None))
    options.pop("contour", None)
    layer = {"image": Image, "labels": Labels, "vectors": Vectors}[plan.kind](plan.data, **options)
    if contour is not None:
        layer.contour = contour
    if plan.kind == "labels":
        note_colours(layer, plan.options["colormap"])
    below = [
        position
        for position, other in enumerate(viewer.layers)
        if known(other).get("case") == case_id and ROLES.index(known(other)["role"]) < ROLES.index(plan.role)
    ]
    insert_layer(viewer, max(below) + 1 if below else len(viewer.layers), layer)


def _fits(layer: Layer, plan: LayerPlan) -> bool:
    """Whether the layer can take the plan's content as it is."""
    return (
        type(layer).__name__.lower() == plan.kind
        and (plan.kind == "vectors" or (layer.data.shape, layer.data.dtype) == (plan.data.shape, plan.data.dtype))
        and np.allclose(layer.scale, plan.options["scale"])
        and np.allclose(layer.translate, plan.options["translate"])
    )


def _look(layer: Layer) -> dict[str, Any]:
    look = {"visible": layer.visible, "opacity": layer.opacity}
    return look | {"contour": layer.contour} if hasattr(layer, "contour") else look
