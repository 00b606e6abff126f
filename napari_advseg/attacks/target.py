"""What an attack is aimed at, and how one change is measured against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..networks import PlacedNetwork, hard_labels
from ..synthesis import Change, Synthesis
from ..volume import Region
from .dice import Labels, organ_dice, soft_dice
from .result import Organ, as_saved

SMALLEST_ORGAN = 50  # voxels of the reference: below, one voxel moves the Dice by more than a hundredth
_TEMPERATURE = 1.0  # logits


@dataclass(frozen=True, eq=False)
class Measured:
    """A change and what it costs, on whole HU through the full pipeline.

    ``size`` is the root mean square of the change in the region, in units of the budget. ``attacked`` covers what the
    network is shown, the other arrays the region.
    """

    parameters: Tensor
    strength: float
    drop: float
    dice: NDArray[np.float64]
    size: float
    perturbed: NDArray[np.int16]
    displacement: NDArray[np.float32]
    appearance: NDArray[np.float32]
    attacked: Labels
    moved_reference: Labels


def score_organs(names: dict[int, str], labels: Labels, reference: Labels) -> tuple[Organ, ...]:
    """The organs that can be scored, those with at least 50 voxels in the reference, with their clean Dice."""
    counts = np.bincount(reference.ravel(), minlength=max(names) + 1)
    ids = [index for index in names if index and counts[index] >= SMALLEST_ORGAN]
    if not ids:
        return ()
    dice = organ_dice(labels, reference, ids)
    return tuple(
        Organ(index, names[index], int(counts[index]), float(value), float(value))
        for index, value in zip(ids, dice, strict=True)
    )


class Target:
    """One network on one CT, the organs and their reference: gives drops and gradients of drops.

    Parameters
    ----------
    reference
        uint16 (z, y, x) of the whole CT, in the network's class ids.
    organs
        Scored organs with their clean Dice.
    """

    def __init__(self, placed: PlacedNetwork, synthesis: Synthesis, reference: Labels, organs: Sequence[Organ]) -> None:
        if not organs:
            raise ValueError(
                f"there is no organ to score: each needs at least {SMALLEST_ORGAN} voxels in the reference"
            )
        if placed.view.hull(synthesis.region) != placed.view:
            raise ValueError(f"the region {synthesis.region} must lie within what the network is shown, {placed.view}")
        self.placed, self.synthesis, self.organs = placed, synthesis, tuple(organs)
        self.ids = [organ.id for organ in organs]
        self.clean = np.array([organ.clean for organ in organs])
        self.reference = reference
        self._in_view = reference[placed.view.slices]
        device = placed.network.device
        region = synthesis.region.within(placed.view)
        scored = np.isin(self._in_view, self.ids)
        # The gradient is that of the organs and of where the CT changes: beyond, the network sees what it saw before.
        box = Region.around(scored, placed.view_grid).hull(region) if scored.any() else region
        self._box, self._changes, self._changes_in_box = box.slices, region.slices, region.within(box).slices
        self._is_organ = torch.stack([torch.from_numpy(self._in_view[self._box] == i).to(device) for i in self.ids])
        self._still = torch.from_numpy(as_saved(synthesis.ct.hu[placed.view.slices])).to(device, torch.float32)
        inside = np.array([(self._in_view == i).sum() for i in self.ids])
        # Reference voxels that the network is not shown are lost to it before and after.
        self._hidden = np.array([organ.voxels for organ in organs]) - inside

    @torch.no_grad()
    def measure(self, parameters: Tensor, strength: float = 1.0) -> Measured:
        """One forward pass on the CT as it would be saved."""

        def work() -> Measured:
            change = self.synthesis.change(parameters, strength)
            return self._judge(parameters, strength, change, self.placed.scores(self._shown(change.hu.round())))

        return self.placed.enduring(work)

    def measure_with_gradient(self, parameters: Tensor) -> tuple[Measured, Tensor]:
        """A measurement, and the gradient of the soft drop with respect to the parameters: one forward and one backward pass.

        The forward pass runs on whole HU, so that every step is also a measurement; rounding passes the gradient on. Where
        it ran in half precision, another one in full measures.
        """

        def work() -> tuple[Measured, Tensor]:
            point = parameters.detach().requires_grad_()
            measured, drop, _ = self.measure_softly(point)
            rough = self.placed.network.execution.rough
            (gradient,) = torch.autograd.grad(drop, point)
            return self.measure(parameters) if rough else measured, gradient

        return self.placed.enduring(work)

    def measure_softly(self, parameters: Tensor, temperature: float = _TEMPERATURE) -> tuple[Measured, Tensor, Change]:
        """One forward pass with its graph: the measurement, the soft drop, and the change, differentiable.

        The higher the temperature, in logits, the farther from a decision boundary a voxel still counts. In half precision
        the measurement is rough where the network's graph is kept (:class:`Execution`).
        """
        change = self.synthesis.change(parameters)
        scores = self.placed.scores(self._shown(change.hu + (change.hu.round() - change.hu).detach()))
        measured = self._judge(parameters, 1.0, change, scores.detach())
        soft = self._soft_dice(scores, change.displacement, measured.attacked, temperature)
        return measured, float(self.clean.mean()) - soft.mean(), change

    @torch.no_grad()
    def clean_scores(self) -> Tensor:
        """(class, z, y, x) logits of the region on the clean CT; one forward pass."""
        scores = self.placed.enduring(lambda: self.placed.scores(self._still))
        return scores[(slice(None), *self._changes)]

    def _shown(self, changed: Tensor) -> Tensor:
        """What the network is shown, (z, y, x) of the view, where the region holds ``changed``."""
        if changed.shape == self._still.shape:
            return changed
        shown = self._still.clone()
        shown[self._changes] = changed
        return shown

    def _soft_dice(self, scores: Tensor, displacement: Tensor, attacked: Labels, temperature: float) -> Tensor:
        """(organ,) soft Dice with the reference moved with the anatomy."""
        moved = self._is_organ.float()  # a copy
        inside = (slice(None), *self._changes_in_box)
        moved[inside] = self.synthesis.move_soft(moved[inside].clone(), displacement)
        found = np.array([(attacked == i).sum() - (attacked[self._box] == i).sum() for i in self.ids])
        elsewhere = torch.from_numpy(found).to(scores.device, scores.dtype)
        return soft_dice(scores[(slice(None), *self._box)], moved, self.ids, temperature, elsewhere)

    def _judge(self, parameters: Tensor, strength: float, change: Change, scores: Tensor) -> Measured:
        attacked = hard_labels(scores)
        moved = self._in_view.copy()
        moved[self._changes] = self.synthesis.move_labels(self._in_view[self._changes], change.displacement)
        dice = self._dice(attacked, moved)
        return Measured(
            parameters.detach().clone(),
            strength,
            float(np.mean(self.clean - dice)),
            dice,
            self._size(change),
            as_saved(change.hu.detach().cpu().numpy()),
            change.displacement.detach().cpu().numpy(),
            change.appearance.detach().cpu().numpy(),
            attacked,
            moved[self._changes],
        )

    def _dice(self, attacked: Labels, moved: Labels) -> NDArray[np.float64]:
        dice = organ_dice(attacked, moved, self.ids)
        if not self._hidden.any():
            return dice
        total = np.array([(attacked == i).sum() + (moved == i).sum() for i in self.ids])
        return np.asarray(dice * total / np.maximum(1, total + self._hidden), dtype=np.float64)

    def _size(self, change: Change) -> float:
        budget, spacing = self.synthesis.budget, self.synthesis.ct.grid.spacing
        length = sum(float((change.displacement[axis].detach() * spacing[axis]).square().mean()) for axis in range(3))
        added = float(change.appearance.detach().square().mean())
        parts = [(length, budget.max_displacement_mm), (added, budget.max_hu)]
        return float(sum(value / bound**2 for value, bound in parts if bound > 0) ** 0.5)
