"""A bundle back in hand: from the files and the CT to a result whose strength can be set anew."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ..attacks import AttackResult, Cost, Repeats, Target, as_saved
from ..evidence import Bundle
from ..synthesis import Budget, Synthesis
from ..volume import Volume
from .case import Case


def result_from_bundle(bundle: Bundle, ct: Volume, device: torch.device | None = None) -> AttackResult:
    """The result that was saved, as the attack gave it.

    Parameters
    ----------
    ct
        The CT that was attacked.
    device
        Where changes are synthesised; None for the CPU.

    Raises
    ------
    ValueError
        Another CT, or a bundle without ``path.safetensors``.
    """
    _check_ct(bundle, ct)
    if bundle.path is None:
        raise ValueError(
            f"{bundle.folder} holds no path.safetensors, so its strength cannot be set anew: "
            "it can be looked at and verified; attack anew for the strength path"
        )
    device = device or torch.device("cpu")
    return _result(bundle, ct, bundle.path.parameters.to(device), bundle.path.synthesis(ct, device))


def result_to_look_at(bundle: Bundle, ct: Volume) -> AttackResult:
    """The result without what a change of another strength is made from: for a CT that is lost, or an old bundle.

    Parameters
    ----------
    ct
        The CT that was attacked, or something on its grid to stand in for it.
    """
    bound = bundle.record["budget"]
    budget = Budget(bound["max_displacement_mm"], bound["max_hu"], tuple(bound["jacobian"]))
    known = SimpleNamespace(budget=budget, region=bundle.region)
    return _result(bundle, ct, torch.zeros(0), cast("Synthesis", known))


def _result(bundle: Bundle, ct: Volume, parameters: Tensor, synthesis: Synthesis) -> AttackResult:
    record, inside = bundle.record, bundle.region.slices
    mm = bundle.displacement_mm[inside].astype(np.float64)
    steps = np.einsum("aw,zyxw->azyx", np.linalg.inv(ct.grid.array_to_lps), mm)
    cost, repeats = record["cost"], record.get("repeats")
    return AttackResult(
        ct=ct,
        region=bundle.region,
        organs=bundle.organs,
        target_drop=float(record["target_drop"]),
        tolerance=float(record["tolerance"]),
        perturbed=bundle.perturbed[inside],
        displacement=np.asarray(steps, dtype=np.float32),
        appearance=bundle.appearance[inside],
        clean_labels=bundle.clean_labels,
        attacked_labels=bundle.attacked_labels,
        reference=bundle.reference,
        moved_reference=bundle.moved_reference,
        path=bundle.points,
        strength=float(record["strength"]),
        parameters=parameters,
        synthesis=synthesis,
        cost=Cost(cost["forward"], cost["backward"], cost["seconds"], cost["peak_memory_mb"]),
        seed=record["seed"],
        stopped=record.get("stopped", ""),
        attacker=record["attacker"],
        generated=record.get("generated", ""),
        generator_sha256=record.get("generator_sha256", ""),
        note=record.get("attacker_note", ""),
        repeats=None if not repeats else Repeats(tuple(repeats["drops"])),
        half=bool(record.get("half_precision", False)),
        thorough=bool(record.get("thorough", False)),
    )


def target_from_bundle(case: Case, result: AttackResult, bundle: Bundle) -> Target:
    """What the saved attack was aimed at, on an open case: ``target.measure(result.parameters, strength)`` is asked anew.

    Parameters
    ----------
    case
        The CT with the network that was attacked, open.
    result
        From :func:`result_from_bundle`, on the network's device.

    Raises
    ------
    ValueError
        Another network (by its SHA-256), one that is run or placed in another way, or the result is on another device.
    """
    network = case.network
    wanted, got = bundle.record["network"].get("sha256"), network.card.sha256
    if wanted is not None and got != wanted:
        raise ValueError(
            f"the bundle's network has SHA-256 {wanted[:12]}..., the open one ('{network.card.name}') has "
            f"{'none' if got is None else got[:12] + '...'}: open the network that was attacked"
        )
    if result.synthesis.device != network.device:
        raise ValueError(
            f"the result is on {result.synthesis.device}, the network on {network.device}: "
            "give result_from_bundle the network's device"
        )
    axes = list(network.card.mirror_axes)
    saved = list(bundle.record["network"].get("mirror_axes", axes))
    if axes != saved:
        raise ValueError(
            f"the network was mirrored along {saved}, the open one is along {axes}: open it in the same way"
        )
    if network.needs_region and case.placed.view != result.region:
        raise ValueError(
            f"the network was shown the region {result.region}, on the open case it is shown {case.placed.view}: "
            f"open the case with the region {result.region}"
        )
    organs = [replace(organ, attacked=organ.clean) for organ in result.organs]
    return Target(case.placed, result.synthesis, result.reference, organs)


def _check_ct(bundle: Bundle, ct: Volume) -> None:
    if not bundle.grid.matches(ct.grid):
        raise ValueError(
            f"the CT's grid, {ct.grid.shape} voxels of {ct.grid.spacing} mm, is not the bundle's, {bundle.grid.shape} of "
            f"{bundle.grid.spacing} mm: give the CT that was attacked"
        )
    sha256 = bundle.record["ct"].get("sha256")
    if sha256 is not None and ct.source is not None:
        if ct.source.sha256 != sha256:
            raise ValueError(
                f"the CT's SHA-256 is {ct.source.sha256[:12]}..., the bundle was made from {sha256[:12]}...: "
                "give the CT that was attacked"
            )
        return
    outside = np.ones(ct.grid.shape, bool)
    outside[bundle.region.slices] = False
    if np.any(as_saved(ct.hu)[outside] != bundle.perturbed[outside]):
        raise ValueError("the CT differs from the bundle's where nothing was changed: give the CT that was attacked")
