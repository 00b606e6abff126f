"""The way from a CT's voxels to a network's input and back, step by step, as data that a card can hold.

Every step takes a tensor on a grid and gives the tensor, the grid, and how class scores on the new grid are brought
back to the old one. Gradients flow through both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ..volume import Grid, Reorientation, reorient_grid, reorientation
from .intensity import Intensity, clip
from .resampling import Alignment, Order, apply_matrices, axis_matrix

_SURE = 30.0  # logits given to the background where a crop has cut the network off
_SAME = 1e-3  # relative or in mm: within this MONAI leaves an image's voxel size alone
_LEAST = 1e-30  # least probability, so that its logarithm stays finite
_MOST_VOXELS = 2**31  # 8 GB; a whole body at half a millimetre is less
_ANISOTROPIC = 3.0  # nnU-Net's threshold: coarsest over finest spacing
ScoresBack = Literal["scores", "probabilities", "nearest"]


@dataclass(frozen=True, eq=False)
class Stage:
    """Where a step has brought the image: (a, b, c) on ``grid``; ``back`` takes (class, a, b, c) scores back."""

    image: Tensor
    grid: Grid
    back: Callable[[Tensor], Tensor]


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Orient(_Step):
    """Bring the axes to run towards ``axes``, such as "RAS"; "zyx" leaves them as stored, "xyz" reverses their order."""

    step: Literal["orient"] = "orient"
    axes: str

    def change(self, grid: Grid) -> Reorientation:
        if self.axes == "zyx":
            return Reorientation((0, 1, 2), ())
        if self.axes == "xyz":
            return Reorientation((2, 1, 0), ())
        return reorientation(grid, self.axes)

    def apply(self, image: Tensor, grid: Grid) -> Stage:
        change = self.change(grid)
        return Stage(turn(image, change), reorient_grid(grid, change), lambda scores: turn_back(scores, change))


class Permute(_Step):
    """Put the axes into another order."""

    step: Literal["permute"] = "permute"
    order: tuple[int, int, int]

    def change(self, grid: Grid) -> Reorientation:
        return Reorientation(self.order, ())

    def apply(self, image: Tensor, grid: Grid) -> Stage:
        change = self.change(grid)
        return Stage(turn(image, change), reorient_grid(grid, change), lambda scores: turn_back(scores, change))


class Crop(_Step):
    """Cut to the box of voxels that are not 0 (``nonzero``) or above 0 (``positive``), grown by ``margin`` voxels.

    ``background`` says whether the first class of the scores is the background, which what was cut off becomes.
    """

    step: Literal["crop"] = "crop"
    keep: Literal["nonzero", "positive"] = "nonzero"
    margin: int = Field(0, ge=0)
    background: bool = True

    def apply(self, image: Tensor, grid: Grid) -> Stage:
        mask = image.detach() != 0 if self.keep == "nonzero" else image.detach() > 0
        bounds = []
        for axis, size in enumerate(image.shape):
            hit = mask.any(dim=tuple(other for other in range(3) if other != axis)).nonzero().flatten()
            first, last = (int(hit[0]), int(hit[-1])) if len(hit) else (0, size - 1)
            bounds.append((max(0, first - self.margin), min(size, last + 1 + self.margin)))
        box = tuple(slice(low, high) for low, high in bounds)
        if all(b.stop - b.start == n for b, n in zip(box, image.shape, strict=True)):
            return Stage(image, grid, lambda scores: scores)
        sides = [side for (low, high), n in zip(bounds, image.shape, strict=True) for side in (low, n - high)]
        padding = [side for axis in reversed(range(3)) for side in sides[2 * axis : 2 * axis + 2]]

        def back(scores: Tensor) -> Tensor:
            pad = torch.nn.functional.pad
            if not self.background:
                return pad(scores, padding, value=-_SURE)
            return torch.cat([pad(scores[:1], padding, value=_SURE), pad(scores[1:], padding, value=-_SURE)])

        return Stage(image[box], grid.crop((box[0], box[1], box[2])), back)


class Scale(_Step):
    """Change intensities by an :class:`Intensity` rule."""

    step: Literal["scale"] = "scale"
    intensity: Intensity

    def apply(self, image: Tensor, grid: Grid) -> Stage:
        return Stage(self.intensity.apply(image), grid, lambda scores: scores)


class Resample(_Step):
    """Resample to a voxel size or to a number of voxels, and the scores back.

    Parameters
    ----------
    spacing
        mm along the axes, as the steps before have left them; None keeps an axis as it is.
    size
        Voxels along the axes, instead of ``spacing``.
    order
        1 linear, 3 cubic B-spline. With "edges", a spline is kept within the image's own range, as scikit-image does;
        with "first_voxel" it is not, and brings the scores back too, as in MONAI.
    anisotropic
        Treat the coarse axis apart, by nearest neighbour, where the CT's or the wanted spacing is anisotropic by more
        than 3, as nnU-Net does.
    alignment
        "edges" (scikit-image, torch) or "first_voxel" (MONAI's Spacing).
    back
        What is interpolated, linearly, on the way back: the scores themselves, or their softmax ("probabilities"; the
        sigmoid of a single channel), of which the logarithm is handed on. "nearest" takes the nearest voxel's scores.
    """

    step: Literal["resample"] = "resample"
    spacing: tuple[float | None, ...] | None = None
    size: tuple[int | None, ...] | None = None
    order: Order = 1
    anisotropic: bool = False
    alignment: Alignment = "edges"
    back: ScoresBack = "scores"

    def apply(self, image: Tensor, grid: Grid) -> Stage:
        have = tuple(image.shape)
        spacing = self._wanted_spacing(grid)
        want = self._wanted_size(grid, spacing)
        if math.prod(want) > _MOST_VOXELS:
            raise ValueError(
                f"the network wants the CT of {' x '.join(map(str, have))} voxels resampled to {' x '.join(map(str, want))}: "
                "look at its card's spacing and at the CT's voxel size"
            )
        steps: list[float | None] = [None] * 3
        if self.alignment == "first_voxel":
            steps = [new / old for new, old in zip(spacing, grid.spacing, strict=True)]
        near = all(s is None or abs(s - 1) < _SAME for s in steps) or all(
            abs(new - old) < _SAME for new, old in zip(spacing, grid.spacing, strict=True)
        )
        if have == want and (self.alignment == "edges" or near):
            return Stage(image, grid, lambda scores: scores)
        coarse = coarse_axis(grid.spacing, spacing) if self.anisotropic else None
        orders: list[Order] = [0 if axis == coarse else self.order for axis in range(3)]
        there = tuple(
            axis_matrix(n, m, order, self.alignment, step)
            for n, m, order, step in zip(have, want, orders, steps, strict=True)
        )
        result = apply_matrices(image, there)
        if self.order == 3 and self.alignment == "edges":
            result = _within(result, image, there, coarse)
        returning: Order = 0 if self.back == "nearest" else 1 if self.alignment == "edges" else self.order
        orders = [0 if axis == coarse else returning for axis in range(3)]
        again = tuple(
            axis_matrix(m, n, order, self.alignment, None if step is None else 1 / step)
            for n, m, order, step in zip(have, want, orders, steps, strict=True)
        )
        shown = replace(grid, shape=want, spacing=(spacing[0], spacing[1], spacing[2]))

        def back(scores: Tensor) -> Tensor:
            if self.back != "probabilities":
                return apply_matrices(scores, again)
            classes = torch.cat([torch.zeros_like(scores), scores]) if len(scores) == 1 else scores
            logs = apply_matrices(classes.softmax(0), again).clamp_min(_LEAST).log()
            return logs[1:] - logs[:1] if len(scores) == 1 else logs

        return Stage(result, shown, back)

    def _wanted_spacing(self, grid: Grid) -> list[float]:
        if self.size is not None:
            return [
                s if m is None else s * n / m
                for s, n, m in zip(grid.spacing, grid.shape, self.size, strict=True)
            ]  # fmt: skip
        wanted = self.spacing or (None,) * 3
        return [
            old if new is None or not math.isfinite(new) or new <= 0 else new
            for old, new in zip(grid.spacing, wanted, strict=True)
        ]

    def _wanted_size(self, grid: Grid, spacing: list[float]) -> tuple[int, int, int]:
        if self.size is not None:
            a, b, c = (n if m is None else m for n, m in zip(grid.shape, self.size, strict=True))
        elif self.alignment == "edges":
            a, b, c = (
                max(1, round(n * old / new)) for n, old, new in zip(grid.shape, grid.spacing, spacing, strict=True)
            )
        else:
            a, b, c = (
                round((n - 1) * old / new + 1) for n, old, new in zip(grid.shape, grid.spacing, spacing, strict=True)
            )
        return a, b, c


Step = Annotated[Orient | Permute | Crop | Scale | Resample, Field(discriminator="step")]


def run_steps(steps: tuple[Step, ...], image: Tensor, grid: Grid) -> Stage:
    """All steps in their order; ``back`` undoes them in reverse."""
    backs: list[Callable[[Tensor], Tensor]] = []
    for step in steps:
        stage = step.apply(image, grid)
        image, grid = stage.image, stage.grid
        backs.append(stage.back)

    def back(scores: Tensor) -> Tensor:
        for undo in reversed(backs):
            scores = undo(scores)
        return scores

    return Stage(image, grid, back)


def coarse_axis(have: tuple[float, ...], want: list[float]) -> int | None:
    """The one axis that nnU-Net resamples apart, None where voxels are near enough to cubes or flat twice over."""
    for spacing in (list(have), want):
        if max(spacing) / min(spacing) > _ANISOTROPIC:
            coarsest = [axis for axis, mm in enumerate(spacing) if mm == max(spacing)]
            return coarsest[0] if len(coarsest) == 1 else None
    return None


def turn(tensor: Tensor, change: Reorientation) -> Tensor:
    """Apply a reorientation to the last three axes."""
    lead = tensor.ndim - 3
    turned = tensor.permute(*range(lead), *(lead + axis for axis in change.order))
    return turned.flip([lead + axis for axis in change.flips]) if change.flips else turned


def turn_back(tensor: Tensor, change: Reorientation) -> Tensor:
    """Undo :func:`turn`."""
    lead = tensor.ndim - 3
    unflipped = tensor.flip([lead + axis for axis in change.flips]) if change.flips else tensor
    return unflipped.permute(*range(lead), *(lead + axis for axis in change.inverse_order))


def _within(result: Tensor, image: Tensor, there: tuple[NDArray[np.float32], ...], coarse: int | None) -> Tensor:
    """A spline kept within the range of what it was made from: of each slice where the coarse axis is apart."""
    source = image.detach()
    if coarse is None:
        return clip(result, float(source.min()), float(source.max()), reach=math.inf)
    others = tuple(axis for axis in range(3) if axis != coarse)
    pick = torch.from_numpy(there[coarse]).to(source.device, source.dtype)
    shape = [1, 1, 1]
    shape[coarse] = -1
    low, high = ((pick @ bound).view(shape) for bound in (source.amin(others), source.amax(others)))
    return result + (result.detach().clamp(low, high) - result.detach())
