"""Dice, hard and soft."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Labels = NDArray[np.uint16]


def organ_dice(labels: Labels, reference: Labels, ids: Sequence[int]) -> NDArray[np.float64]:
    """Dice of each class in ``ids`` between two label arrays of one shape; 1 where both are empty."""
    length = max(int(labels.max()), int(reference.max()), *ids) + 1
    total = np.bincount(labels.ravel(), minlength=length) + np.bincount(reference.ravel(), minlength=length)
    shared = np.bincount(labels[labels == reference].ravel(), minlength=length)
    return np.array([2 * shared[i] / total[i] if total[i] else 1.0 for i in ids])


def soft_dice(
    scores: Tensor, reference: Tensor, ids: Sequence[int], temperature: float, elsewhere: Tensor | None = None
) -> Tensor:
    """A differentiable Dice that tends to the hard one as ``temperature`` goes to 0.

    A voxel counts for a class by the sigmoid of its margin, the class's score less the best other one: voxels near
    a decision boundary carry the gradient, those that are decided, either way, do not.

    Parameters
    ----------
    scores
        (class, z, y, x) logits.
    reference
        (organ, z, y, x) membership in [0, 1], in the order of ``ids``.
    temperature
        Logits.
    elsewhere
        (organ,) voxels that the network gives each organ outside of what is looked at, where the reference has none.

    Returns
    -------
    (organ,) Dice.
    """
    best, second = scores.topk(2, 0).values
    dice = []
    classes = scores.unbind()  # one by one each would leave a gradient as large as all of them
    for organ, (index, truth) in enumerate(zip(ids, reference.unbind(), strict=True)):
        own = classes[index]
        other = torch.where(own >= best, second, best)
        member = torch.sigmoid((own - other) / temperature)
        total = member.sum() + truth.sum() + (0 if elsewhere is None else elsewhere[organ])
        dice.append(2 * (member * truth).sum() / total.clamp_min(1e-6))
    return torch.stack(dice)
