"""What a generator is to make small, and with what weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ..synthesis import Change, Synthesis

_JUDGED, _SIDE = 4, 96  # slices of a CT, and pixels per side, that the critic looks at in one step


class TrainingSettings(BaseModel):
    """How a generator is trained.

    Parameters
    ----------
    steps
        One CT per process each: three slices of it for networks of slices, the whole for others.
    miss, size, smoothness, realism, diversity
        Weights of: the missed drop in units of 0.1, squared up to one unit and linear beyond (Huber); the mean square of
        the change in budgets, for drops of 0.9 (divided by the asked drop + 0.1); the mean square of the differences of
        neighbouring control values; the critic's verdict; the likeness of two draws, which is looked at every few steps.
    temperature
        Of the soft drop, logits: how far from a decision boundary a voxel still counts. One that is low sees only voxels
        near it, and large drops are learned slowly.
    filter_rate, learning_rate
        Of the convolutions' weights (Muon) and of the others (Adam) at the first step; both fall to a twentieth. With a
        ``filter_rate`` of 0 all learn with Adam, for a comparison.
    save_every
        Most steps between checkpoints.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(4500, ge=1)
    filter_rate: float = Field(0.015, ge=0)
    learning_rate: float = Field(1.5e-3, gt=0)
    miss: float = 1.0
    size: float = 1.0
    smoothness: float = 0.05
    realism: float = Field(0.02, ge=0)
    diversity: float = Field(0.3, ge=0)
    temperature: float = Field(3.0, gt=0)
    seed: int = 0
    save_every: int = Field(50, ge=1)


def size_of(change: Change, synthesis: Synthesis) -> Tensor:
    """Mean square of a change in units of the budget, differentiable."""
    budget, total = synthesis.budget, torch.zeros((), device=change.hu.device)
    if budget.max_displacement_mm > 0:
        spacing = torch.tensor(synthesis.ct.grid.spacing, device=change.hu.device).view(3, 1, 1, 1)
        moved = (change.displacement * spacing / budget.max_displacement_mm).square().sum(0)
        total = total + moved.mean()
    if budget.max_hu > 0:
        total = total + (change.appearance / budget.max_hu).square().mean()
    return total


def roughness(parameters: Tensor, synthesis: Synthesis) -> Tensor:
    """Mean square of the differences between neighbouring control values, over all axes and fields."""
    total = torch.zeros((), device=parameters.device)
    for part in synthesis.split(parameters):
        for axis in range(1, 4):
            if part.shape[axis] > 1:
                total = total + part.diff(dim=axis).square().mean()
    return total


def likeness(parameters: Tensor, others: Tensor, synthesis: Synthesis) -> Tensor:
    """How alike two draws are: 1 for the same field up to its size, 0 where they are 60 degrees apart or more, a mean
    over the fields.

    Nothing is asked beyond: every network has some spots that are its weakest. Distances, as a cosine has no slope
    between equal draws.
    """
    pairs = zip(synthesis.split(parameters), synthesis.split(others), strict=True)
    apart = [(F.normalize(one.flatten(), dim=0) - F.normalize(other.flatten(), dim=0)).norm() for one, other in pairs]
    return F.relu(1 - torch.stack(apart)).square().mean()


def part_of(images: Tensor, random: torch.Generator) -> Tensor:
    """A random part of (n, 1, *spatial) that is quick to judge: some of the slices, a box of them."""
    picked = torch.randperm(len(images), generator=random)[:_JUDGED]
    part = images[picked.to(images.device)]
    for axis in range(2, part.ndim):
        start = int(torch.randint(max(1, part.shape[axis] - _SIDE + 1), (1,), generator=random))
        part = part.narrow(axis, start, min(_SIDE, part.shape[axis]))
    return part
