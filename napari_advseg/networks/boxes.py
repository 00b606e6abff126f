"""Boxes of three axes: where something is, and whether boxes meet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Box = tuple[slice, slice, slice]


def box_around(where: Tensor) -> Box | None:
    """The box around what is True in (a, b, c); None where nothing is."""
    box = []
    for axis in range(3):
        hit = where.amax([other for other in range(3) if other != axis]).nonzero().flatten()
        if len(hit) == 0:
            return None
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return box[0], box[1], box[2]


def box_above(values: Tensor, least: float) -> Box | None:
    """The box outside of which no absolute value in (n, a, b, c) is above ``least``; None where none is. NaN counts as above."""
    box = [slice(0, n) for n in values.shape[1:]]
    for axis in range(3):
        seen = values[(slice(None), *box)]
        others = tuple(other for other in range(4) if other != axis + 1)
        hit = torch.maximum(seen.amax(others), -seen.amin(others)).le(least).logical_not().nonzero().flatten()
        if len(hit) == 0:
            return None
        box[axis] = slice(int(hit[0]), int(hit[-1]) + 1)
    return box[0], box[1], box[2]


def hull(one: Box | None, other: Box | None) -> Box | None:
    """The box around both."""
    if one is None or other is None:
        return one or other
    a, b, c = (slice(min(p.start, q.start), max(p.stop, q.stop)) for p, q in zip(one, other, strict=True))
    return a, b, c


def meet(one: Sequence[slice], other: Sequence[slice]) -> bool:
    """Whether two boxes have a voxel in common."""
    return all(p.start < q.stop and q.start < p.stop for p, q in zip(one, other, strict=True))
