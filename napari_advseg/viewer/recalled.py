"""A bundle back from disk, ready to be shown; everything here runs in a thread, not in the interface's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .faults import first_line
from .in_hand import Outcome
from .scene import RESULT_ROLES, LayerPlan, Scene, all_plans, case_scene, finding_scene
from .wishes import AttackWish

if TYPE_CHECKING:
    from ..attacks import AttackResult
    from ..case import Case, Finding
    from ..evidence import Bundle, Evidence
    from ..networks import ModelCard, SegmentationNetwork
    from ..volume import Volume

_LINE_OF_A_FOLDER = "Opened from the bundle, without running the network."


@dataclass(frozen=True, eq=False)
class Recalled:
    """What a bundle shows.

    Parameters
    ----------
    scene
        All layers, the CT among them where it is there.
    outcome
        What was found; ``outcome.scene`` holds the layers that a run adds.
    whole
        Whether the outcome can be saved anew and its strength set, which takes the CT and the strength path.
    line
        For the user.
    """

    folder: Path
    scene: Scene
    outcome: Outcome
    bundle: Bundle
    whole: bool
    line: str

    @property
    def clean_plans(self) -> tuple[LayerPlan, ...]:
        """The layers that a run does not add: the CT and what belongs to it."""
        return tuple(plan for plan in self.scene.plans if plan.role not in RESULT_ROLES)

    @property
    def ct(self) -> Volume | None:
        """The CT that was attacked, where it is there."""
        return self.outcome.finding.result.ct if any(plan.role == "ct" for plan in self.scene.plans) else None


def recall(folder: Path, case_id: str, ct: Volume | None = None) -> Recalled:
    """Read a bundle and plan its layers; ``ct`` is the CT where it has been read, else it is looked for.

    Raises
    ------
    FileNotFoundError, ValueError
        No bundle, or one that is not whole, or another CT than the one given; one line.
    """
    from ..evidence import read_bundle

    bundle = read_bundle(folder, None if ct is None else ct.grid)
    if ct is None:
        ct, line = _look_for_ct(bundle)
    else:
        line = ""
    finding, whole, why = _finding(bundle, ct)
    found = finding_scene(finding, case_id)
    own = case_scene(finding.case, case_id).plans
    scene = Scene(case_id, tuple(all_plans([Scene(case_id, own if ct is not None else own[1:]), found])), found.focus)
    outcome = Outcome(
        case_id, finding, found, _asked(bundle.record), note=" ".join(filter(None, (line, why))), live=False
    )
    return Recalled(folder, scene, outcome, bundle, whole, outcome.note or _LINE_OF_A_FOLDER)


def reopened(recalled: Recalled, case: Case) -> Outcome:
    """The outcome on an open case, whose network goes on from it.

    Raises
    ------
    ValueError
        Another CT or another network, one line.
    """
    from ..case import Finding, result_from_bundle, target_from_bundle

    result = result_from_bundle(recalled.bundle, case.ct, case.network.device)
    target_from_bundle(case, result, recalled.bundle)
    before = recalled.outcome
    finding = Finding(case, result, before.finding.evidence)
    return replace(before, finding=finding, scene=finding_scene(finding, before.case_id), note="", live=True)


def _look_for_ct(bundle: Bundle) -> tuple[Volume | None, str]:
    """The very CT that was attacked, where it is found; else a line for the user."""
    from ..cohort import find_ct, lost_ct_line

    ct = find_ct(bundle)
    return ct, "" if ct is not None else f"{lost_ct_line(bundle)}. Until then the perturbed CT is shown alone."


def _finding(bundle: Bundle, ct: Volume | None) -> tuple[Finding, bool, str]:
    """What was found, whether the strength can be set anew, and a line where it cannot."""
    from ..case import Finding, result_from_bundle, result_to_look_at
    from ..volume import Volume

    why, result = "", None
    if ct is not None:
        try:
            result = result_from_bundle(bundle, ct)
        except ValueError as fault:
            if bundle.path is not None:  # not an old bundle: another CT
                raise
            why = first_line(fault)
    whole = result is not None
    if result is None:
        result = result_to_look_at(bundle, ct or Volume(bundle.perturbed.astype(np.float32), bundle.grid))
    return Finding(_case(bundle, result), result, _evidence(bundle.record)), whole, why


def _case(bundle: Bundle, result: AttackResult) -> Case:
    """The case as far as the bundle tells of it: its network says what it is called, and cannot be run."""
    from ..case import Case, CaseRequest

    network = recorded_network(bundle)
    return Case(
        request=CaseRequest(ct=result.ct, network=network.card.name, region=str(bundle.region)),
        ct=result.ct,
        network=network,
        placed=cast("Any", None),
        region=bundle.region,
        reference=bundle.reference,
        reference_given=not np.array_equal(bundle.reference, bundle.clean_labels),
        clean_labels=bundle.clean_labels,
        organs=bundle.organs,
    )


def recorded_network(bundle: Bundle) -> SegmentationNetwork:
    """What a bundle says of its network, in the place of one: enough to be written down again, not to be run."""
    record = bundle.record
    about = record["network"]
    execution = SimpleNamespace(notes=list(about.get("fell_back", [])))
    return cast(
        "SegmentationNetwork",
        SimpleNamespace(
            card=_card(bundle),
            source=about.get("source", ""),
            format=about.get("format", ""),
            device=record.get("device", "cpu"),
            execution=execution,
            random=bool(record.get("repeats")),
        ),
    )


def _card(bundle: Bundle) -> ModelCard:
    """Labels that were not scored have no name in a bundle."""
    from ..networks import ModelCard

    about, known = bundle.record["network"], {organ.id: organ.name for organ in bundle.organs}
    last = max([int(bundle.clean_labels.max()), int(bundle.attacked_labels.max()), *known])
    labels = {0: "background"} | {index: known.get(index, f"label_{index}") for index in range(1, last + 1)}
    return ModelCard(
        name=str(about["name"]),
        dimensions=3,
        labels=labels,
        mirror_axes=tuple(about.get("mirror_axes", ())),
        sha256=about.get("sha256"),
        format=str(about.get("format") or ""),
    )


def _evidence(record: dict[str, Any]) -> Evidence:
    from ..evidence import Evidence

    control = record["control"]
    return Evidence(
        control_drop=float(control["drop"]),
        control_drops=tuple(float(drop) for drop in control.get("drops", [control["drop"]])),
        control_organ_drops=(),
        **{name: float(record["change"][name]) for name in _CHANGE},
    )


_CHANGE = (
    "max_displacement_mm",
    "mean_displacement_mm",
    "max_hu",
    "rms_hu",
    "min_jacobian",
    "max_jacobian",
    "noise_ratio",
    "ssim",
)


def _asked(record: dict[str, Any]) -> AttackWish:
    """What was asked for, as far as it is shown."""
    generated = record.get("generated", "")
    return AttackWish(
        drop=float(record["target_drop"]),
        organs=tuple(str(organ["name"]) for organ in record["organs"]),
        attacker="search" if record["attacker"] == "search" else "generator",
        tolerance=float(record["tolerance"]),
        max_displacement_mm=float(record["budget"]["max_displacement_mm"]),
        max_hu=float(record["budget"]["max_hu"]),
        generated=generated if generated in ("alone", "strength", "start") else "strength",
        interpolation="linear" if record["interpolation"] == "linear" else "bspline",
        thorough=bool(record.get("thorough", False)),
        seed=int(record["seed"]),
    )
