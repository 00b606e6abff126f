"""Between a CT and the generator: what it is shown, and how its fields become parameters of the synthesis."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..synthesis import Lattice, Synthesis
from ..volume import SOFT_TISSUE
from .card import AttackerCard
from .model import SIDES

_LEAST_LIKELY = -8.0  # logarithm of a probability


def shown_to_generator(synthesis: Synthesis, scores: Tensor, card: AttackerCard) -> Tensor:
    """The CT in the soft-tissue window and the clean log-probabilities, at about the generator's pixel size.

    Both run from -1 to 1. Logarithms, as probabilities would hide how near to another class a voxel is.

    Parameters
    ----------
    scores
        (class, z, y, x) clean logits in the synthesis' region.

    Returns
    -------
    (n, channel, *moving axes): slices are the batch of a 2-D generator.
    """
    hu = torch.from_numpy(np.ascontiguousarray(synthesis.ct.hu[synthesis.region.slices])).to(scores.device)
    certain = scores.log_softmax(0).clamp(min=_LEAST_LIKELY) * (-2 / _LEAST_LIKELY) + 1
    stack = synthesis.batched(torch.cat([in_window(hu)[None], certain]))
    size = [
        SIDES * max(1, round(synthesis.region.shape[axis] * synthesis.ct.grid.spacing[axis] / card.spacing_mm / SIDES))
        for axis in synthesis.axes
    ]
    if tuple(stack.shape[2:]) == tuple(size):
        return stack
    mode = "bilinear" if len(size) == 2 else "trilinear"
    return F.interpolate(stack, size=size, mode=mode, align_corners=False, antialias=len(size) == 2)


def in_window(hu: Tensor) -> Tensor:
    """HU in the soft-tissue window as -1 to 1."""
    low, high = SOFT_TISSUE
    return (hu.clamp(low, high) - low) * (2 / (high - low)) - 1


def parameters_of(synthesis: Synthesis, velocity: Tensor, appearance: Tensor) -> Tensor:
    """The synthesis' parameters for the generator's fields: each control point takes the field's value at its place."""
    parts = []
    scales = appearance.shape[1]
    lattices = synthesis.lattices
    if synthesis.kind.deformation:
        parts.append(_at_control_points(synthesis, lattices[0][1], velocity))
    if synthesis.kind.appearance:
        for index, (_, lattice) in enumerate(lattices[len(lattices) - scales :]):
            parts.append(_at_control_points(synthesis, lattice, appearance[:, index : index + 1]))
    return torch.cat([part.flatten() for part in parts])


def _at_control_points(synthesis: Synthesis, lattice: Lattice, field: Tensor) -> Tensor:
    """(n, component, *moving axes) -> (component, *control shape), by linear interpolation along each axis."""
    values = synthesis.unbatched(field)
    for axis in range(3):
        matrix = _linear(lattice.centres[axis].cpu().numpy(), synthesis.region.shape[axis], values.shape[axis + 1])
        weights = torch.from_numpy(matrix).to(values.device, values.dtype)
        values = torch.movedim(torch.tensordot(values, weights, dims=([axis + 1], [1])), -1, axis + 1)
    return values


def _linear(centres: NDArray[np.float32], voxels: int, have: int) -> NDArray[np.float32]:
    """(control points, have) weights that read ``have`` samples, spread over ``voxels``, at ``centres`` in voxels."""
    at = np.clip((centres + 0.5) * have / voxels - 0.5, 0, have - 1)
    low = np.minimum(np.floor(at).astype(int), max(0, have - 2))
    weights = np.zeros((len(centres), have), np.float32)
    rows = np.arange(len(centres))
    weights[rows, low] += (1 - (at - low)).astype(np.float32)
    if have > 1:
        weights[rows, low + 1] += (at - low).astype(np.float32)
    return weights
