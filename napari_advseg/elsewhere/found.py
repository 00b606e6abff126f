"""A finding as a message, and the finding that a message tells of: whole, on the case that is open here."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import asdict, replace

import numpy as np
import torch

from ..attacks import AttackResult, Cost, Organ, PathPoint, Repeats, as_saved
from ..case import Case, Finding, restored, slimmed
from ..evidence import Evidence
from ..synthesis import Synthesis
from .messages import FoundMessage, OrganMessage
from .pieces import packed_labels, unpacked_labels

_LEVEL = 1


def message_of(finding: Finding) -> FoundMessage:
    """What a finding comes to, without the volumes that can be made again."""
    slim, attacked = slimmed(finding)
    result = slim.result
    own_clean = result.clean_labels is not finding.case.clean_labels
    return FoundMessage(
        parameters=result.parameters.detach().cpu().contiguous().numpy().astype("<f4").tobytes(),
        strength=result.strength,
        organs=tuple(OrganMessage(**asdict(organ)) for organ in result.organs),
        target_drop=result.target_drop,
        tolerance=result.tolerance,
        path=tuple((point.strength, point.drop) for point in result.path),
        cost=(result.cost.forward, result.cost.backward, result.cost.seconds, result.cost.peak_memory_mb),
        seed=result.seed,
        stopped=result.stopped,
        attacker=result.attacker,
        generated=result.generated,
        generator_sha256=result.generator_sha256,
        note=result.note,
        repeats=None if result.repeats is None else result.repeats.drops,
        attacked_labels=attacked,
        clean_labels=packed_labels(result.clean_labels) if own_clean else b"",
        evidence=None if finding.evidence is None else asdict(finding.evidence),
        sha256=volumes_sha256(finding.result),
        device=str(finding.case.network.device),
        half=result.half,
        thorough=result.thorough,
    )


def finding_of(found: FoundMessage, case: Case, synthesis: Synthesis) -> Finding:
    """The finding on the case; one synthesis, on the case's own device.

    Where that is another kind of device than the worker's, single voxels of the perturbed CT may round otherwise:
    hold :func:`volumes_sha256` against the message's.
    """
    none = np.zeros((0, 0, 0))
    result = AttackResult(
        ct=case.ct,
        region=synthesis.region,
        organs=tuple(Organ(**organ.model_dump()) for organ in found.organs),
        target_drop=found.target_drop,
        tolerance=found.tolerance,
        perturbed=none.astype(np.int16),
        displacement=np.zeros((3, 0, 0, 0), np.float32),
        appearance=none.astype(np.float32),
        clean_labels=unpacked_labels(found.clean_labels, case.ct.grid.shape)
        if found.clean_labels
        else case.clean_labels,
        attacked_labels=none.astype(np.uint16),
        reference=case.reference,
        moved_reference=none.astype(np.uint16),
        path=tuple(PathPoint(strength, drop) for strength, drop in found.path),
        strength=found.strength,
        parameters=torch.from_numpy(np.frombuffer(found.parameters, "<f4").astype(np.float32)).to(synthesis.device),
        synthesis=synthesis,
        cost=Cost(*found.cost),
        seed=found.seed,
        stopped=found.stopped,
        attacker=found.attacker,
        generated=found.generated,
        generator_sha256=found.generator_sha256,
        note=found.note,
        repeats=None if found.repeats is None else Repeats(found.repeats),
        device=f"{found.device} of a Dask worker",
        half=found.half,
        thorough=found.thorough,
    )
    return restored(
        Finding(case, result, None if found.evidence is None else Evidence(**found.evidence)), found.attacked_labels
    )


def volumes_sha256(result: AttackResult) -> str:
    """Of the volumes on which everything is measured: the perturbed CT in the region, and the moved reference."""
    total = hashlib.sha256(np.ascontiguousarray(result.perturbed, "<i2"))
    total.update(np.ascontiguousarray(result.moved_reference, "<u2"))
    return total.hexdigest()


def packed_volumes(result: AttackResult) -> bytes:
    """These volumes, in the region; the perturbed CT as its difference to the CT, which is small."""
    inside = result.region.slices
    difference = result.perturbed - as_saved(result.ct.hu[inside])  # wraps around, and back
    moved = np.ascontiguousarray(result.moved_reference[inside], "<u2")
    return zlib.compress(np.ascontiguousarray(difference, "<i2").tobytes() + moved.tobytes(), _LEVEL)


def with_volumes(finding: Finding, content: bytes) -> Finding:
    """The finding with the volumes that :func:`packed_volumes` has packed."""
    result, inside = finding.result, finding.result.region.slices
    raw, shape = zlib.decompress(content), result.region.shape
    half = len(raw) // 2
    difference = np.frombuffer(raw[:half], "<i2").reshape(shape).astype(np.int16)
    moved = result.reference.copy()
    moved[inside] = np.frombuffer(raw[half:], "<u2").reshape(shape)
    perturbed = as_saved(result.ct.hu[inside]) + difference
    return replace(finding, result=replace(result, perturbed=perturbed, moved_reference=moved))
