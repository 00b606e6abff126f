"""What is shown of a case, as plain arrays with a place: made in the worker's thread, put into a viewer later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .arrows import drawn_length, thin_arrows
from .layer_source import KEY
from .placement import Placement
from .renaming import organ_features
from .shown_field import ShownField

if TYPE_CHECKING:
    from ..case import Case, Finding
    from ..volume import Volume

# From the bottom of the layer list to its top.
ROLES = (
    "ct",
    "perturbed",
    "shift",
    "intensity",
    "reference",
    "moved_reference",
    "clean",
    "attacked",
    "arrows",
)
RESULT_ROLES = ("perturbed", "shift", "intensity", "moved_reference", "attacked", "arrows")


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """A layer to be: ``kind`` is napari's name of the layer class, ``options`` its arguments."""

    role: str
    kind: Literal["image", "labels", "vectors"]
    data: Any
    options: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Scene:
    """Layers of one case, bottom first, and the shown slice (z, y, x) on which most of the change is seen."""

    case_id: str
    plans: tuple[LayerPlan, ...]
    focus: tuple[int, int, int] | None = None


def ct_plan(ct: Volume, case_id: str, taken_from: object = None) -> LayerPlan:
    """The CT in the soft-tissue window; ``taken_from`` is the id of the user's layer that it was read from."""
    from ..volume import SOFT_TISSUE

    placement = Placement.of(ct.grid)
    options = placement.layer_options() | {
        "name": "CT",
        "colormap": "gray",
        "contrast_limits": SOFT_TISSUE,
        "metadata": _metadata(case_id, "ct", placement, source=ct.source, taken_from=taken_from),
    }
    return LayerPlan("ct", "image", placement.to_shown(ct.hu), options)


def case_scene(case: Case, case_id: str) -> Scene:
    """What an open case shows: the CT, the clean segmentation, and the reference where one was given."""
    placement = Placement.of(case.ct.grid)
    plans = [ct_plan(case.ct, case_id)]
    if case.reference_given:
        plans.append(
            _labels_plan(case, case_id, placement, "reference", case.reference, "Reference", visible=False, contour=1)
        )
    plans.append(
        _labels_plan(case, case_id, placement, "clean", case.clean_labels, "Segmentation of the CT", contour=1)
    )
    return Scene(case_id, tuple(plans))


def finding_scene(finding: Finding, case_id: str) -> Scene:
    """The perturbed CT, what was changed, and what the network makes of it; bottom first, without the case's own."""
    case, result = finding.case, finding.result
    placement = Placement.of(case.ct.grid)
    budget = result.synthesis.budget
    plans = [_perturbed_plan(finding, case_id, placement)]
    in_region = placement.crop_options(result.region)
    plans.append(
        LayerPlan(
            "shift",
            "image",
            placement.to_shown(result.displacement_mm),
            in_region
            | {
                "name": "Shift (mm)",
                "colormap": "magma",
                "blending": "additive",
                "contrast_limits": (0.0, max(0.1, budget.max_displacement_mm)),
                "visible": False,
                "metadata": _metadata(case_id, "shift", None, field=ShownField.of(placement, result.displacement)),
            },
        )
    )
    bound = max(0.5, budget.max_hu)
    plans.append(
        LayerPlan(
            "intensity",
            "image",
            placement.to_shown(result.appearance),
            in_region
            | {
                "name": "Intensity change (HU)",
                "colormap": _diverging(),
                "contrast_limits": (-bound, bound),
                "visible": False,
                "metadata": _metadata(case_id, "intensity", None),
            },
        )
    )
    plans.append(
        _labels_plan(
            case,
            case_id,
            placement,
            "moved_reference",
            result.moved_reference,
            "Reference, moved with the anatomy",
            visible=False,
            contour=1,
        )
    )
    attacked = result.attacked_labels, "Segmentation of the perturbed CT"
    plans.append(_labels_plan(case, case_id, placement, "attacked", *attacked, opacity=0.45))
    plans[-1].options["metadata"][KEY]["scored"] = tuple(organ.id for organ in result.organs)
    plans.append(_arrows_plan(finding, case_id, placement))
    return Scene(case_id, tuple(plans), _focus(finding, placement))


def _perturbed_plan(finding: Finding, case_id: str, placement: Placement) -> LayerPlan:
    from ..volume import SOFT_TISSUE

    options = placement.layer_options() | {
        "name": "Perturbed CT",
        "colormap": "gray",
        "contrast_limits": SOFT_TISSUE,
        "metadata": _metadata(case_id, "perturbed", placement),
    }
    return LayerPlan("perturbed", "image", placement.to_shown(finding.result.whole_perturbed), options)


def _labels_plan(
    case: Case,
    case_id: str,
    placement: Placement,
    role: str,
    labels: NDArray[np.uint16],
    name: str,
    **options: Any,
) -> LayerPlan:
    """A segmentation; its values are copied, so that painting in the viewer changes no result."""
    from ..evidence import organ_colour

    organs = case.network.card.organs
    small = int(labels.max(initial=0)) < 256
    data = np.array(placement.to_shown(labels), dtype=np.uint8 if small else np.uint16, order="C")
    colours: dict[int | None, str] = {0: "transparent", None: "#888888"}
    colours |= {index: organ_colour(index) for index in organs}
    return LayerPlan(
        role,
        "labels",
        data,
        placement.layer_options()
        | {
            "name": name,
            "colormap": colours,
            "opacity": 0.9,
            "features": organ_features(organs),
            "metadata": _metadata(case_id, role, placement, names=dict(organs)),
        }
        | options,
    )


def _arrows_plan(finding: Finding, case_id: str, placement: Placement) -> LayerPlan:
    result = finding.result
    shown = placement.displacement_to_shown(result.displacement)
    arrows, length = thin_arrows(shown, placement.scale)
    most = max(0.1, float(length.max(initial=0.0)))
    note = "an arrow at p ends where the perturbed CT was taken from: perturbed(p) = CT(p + u(p)) + a(p)"
    times = drawn_length(arrows, length, placement.scale)
    options = placement.crop_options(result.region) | {
        "name": "Displacement" + (f", drawn {times} times as long" if times > 1 else ""),
        "length": times,
        "features": {"mm": length},
        "edge_color": "mm" if len(length) else "white",
        "edge_colormap": "turbo",
        "edge_contrast_limits": (0.0, most),
        "edge_width": 0.7,
        "vector_style": "arrow",
        "projection_mode": "none",
        "opacity": 0.9,
        "metadata": _metadata(case_id, "arrows", None, meaning=note),
    }
    if not len(length):
        options["ndim"] = 3
    return LayerPlan("arrows", "vectors", arrows, options)


def _focus(finding: Finding, placement: Placement) -> tuple[int, int, int] | None:
    """The place with most newly wrong voxels of the scored organs, axis by axis; None where nothing changed."""
    from ..evidence import newly_wrong

    changed = placement.to_shown(newly_wrong(finding.result))
    if not changed.any():
        return None
    z = int(changed.sum((1, 2)).argmax())
    return z, int(changed[z].sum(1).argmax()), int(changed[z].sum(0).argmax())


def _metadata(case_id: str, role: str, placement: Placement | None, **more: Any) -> dict[str, Any]:
    """What a layer of this plugin knows; the exact grid only where the layer covers the whole CT."""
    known: dict[str, Any] = {"case": case_id, "role": role}
    if placement is not None:
        known["grid"] = placement.grid
    return {KEY: known | {name: value for name, value in more.items() if value is not None}}


def _diverging() -> dict[str, Any]:
    """Blue for darker, red for brighter, nothing where nothing changed: drawn over the CT."""
    return {
        "name": "advseg change",
        "colors": [
            (0.10, 0.35, 1.0, 0.85),
            (0.35, 0.65, 1.0, 0.45),
            (1.0, 1.0, 1.0, 0.0),
            (1.0, 0.55, 0.30, 0.45),
            (1.0, 0.10, 0.05, 0.85),
        ],
    }


def all_plans(scenes: Iterable[Scene]) -> list[LayerPlan]:
    """The plans of several scenes of one case, bottom first."""
    return sorted((plan for scene in scenes for plan in scene.plans), key=lambda plan: ROLES.index(plan.role))
