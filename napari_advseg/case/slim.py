"""A finding without its volumes: what it takes to have them again without running the network."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import torch

from ..attacks import as_saved
from .run import Finding

_LEVEL = 1  # labels are long runs of the same number


def slimmed(finding: Finding) -> tuple[Finding, bytes]:
    """The finding without its volumes, and the network's segmentation of the perturbed CT, packed.

    What is left has all figures, but can be neither shown nor saved before it is :func:`restored`.
    """
    result = finding.result
    none = np.zeros((0, 0, 0))
    slim = replace(
        result,
        perturbed=none.astype(np.int16),
        displacement=np.zeros((3, 0, 0, 0), np.float32),
        appearance=none.astype(np.float32),
        attacked_labels=none.astype(result.attacked_labels.dtype),
        moved_reference=none.astype(result.moved_reference.dtype),
    )
    return replace(finding, result=slim), zlib.compress(np.ascontiguousarray(result.attacked_labels), _LEVEL)


def restored(finding: Finding, labels: bytes) -> Finding:
    """What was :func:`slimmed`, whole again: one synthesis, no pass of the network."""
    case, result = finding.case, finding.result
    inside, synthesis = result.region.slices, result.synthesis
    with torch.no_grad():
        change = synthesis.change(result.parameters, result.strength)
        moved = case.reference.copy()
        moved[inside] = synthesis.move_labels(moved[inside], change.displacement)
    attacked = np.frombuffer(zlib.decompress(labels), dtype=result.attacked_labels.dtype)
    whole = replace(
        result,
        perturbed=as_saved(change.hu.cpu().numpy()),
        displacement=change.displacement.cpu().numpy(),
        appearance=change.appearance.cpu().numpy(),
        attacked_labels=attacked.reshape(case.ct.hu.shape).copy(),
        moved_reference=moved,
    )
    return replace(finding, result=whole)
