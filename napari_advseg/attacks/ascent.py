"""One step of the search, and when further ones no longer help."""

from __future__ import annotations

import torch
from torch import Tensor

from .target import Measured, Target

STEPS_TO_TARGET = 3  # the first steps aim at parts of the drop: the gradient turns as the change grows
_DECAY = 0.5  # of what does not help, per step
_SPREAD = 0.85  # of the first steps, between the gradient (1: few strong spots) and its sign (0: spread evenly)
_MEMORY = 0.35  # share of the earlier gradients in the later steps; below a half, their mean always leads uphill
_SETTLED = 0.02  # relative change in size within which two steps are alike
_THERE = 0.98  # of the drop
_RISING = 0.01  # of the drop, from one step to the next
_PATIENCE = 2  # steps that may be worse, as steps that go to and fro are; the next such one ends the search
_LONG_PATIENCE = 4  # of a thorough search, and while the change lies askew
_ASKEW = 0.35  # cosine with the gradient: below, most of the change costs nothing and is about to decay
_GROWS_WITH = 1.8  # power of the strength with which the drop grows near the target, about
_BEGUN = 0.1  # of the drop: below, a network that hardly answers yet needs longer steps, not shorter ones
_KEPT = 0.25  # of what a step promised: one that keeps less was too long
_SHORTER = 0.6
_NEAR = (0.85, 1.25)  # of the drop: between these a change's size at the target can be told from its own,
# and steps may go to and fro


class Ascent:
    """Steps towards the smallest change that costs what is wanted, to first order."""

    def __init__(self, target: Target) -> None:
        # The inverse of what a parameter adds to the mean square of its field: a lattice of many points spends as much
        # as one of few.
        parts = target.synthesis.split(target.synthesis.zeros())
        self._weights = torch.cat(
            [torch.full((part.numel(),), float(part[0].numel()), device=part.device) for part in parts]
        )
        self._taken = 0
        self._mean: Tensor | None = None  # of the gradients so far, each of steepness 1

    def step(self, parameters: Tensor, gradient: Tensor, wanted: float, radius: float = float("inf")) -> Tensor:
        """Decay towards zero, plus the step along the gradient that makes up for it and for ``wanted``, more drop.

        Where that is longer than ``radius``, the way to the target goes first and the decay takes what is left of it
        (Omojokun's order: Byrd, Gilbert, Nocedal, Mathematical Programming 89, 2000). The later steps go along the mean of
        the gradients so far, the latest counting most: at the target the gradient turns to and fro with each step, its
        mean does not, and a change along it is the smallest.
        """
        unit = gradient / self._steepness(gradient)
        self._mean = unit if self._mean is None else _MEMORY * self._mean + (1 - _MEMORY) * unit
        self._taken += 1
        if self._taken <= STEPS_TO_TARGET:  # far from the target the few strong spots run into the bounds
            ascent = unit * self._weights
            ascent = ascent.sign() * (ascent.abs() / ascent.abs().max()) ** _SPREAD
        else:
            ascent = self._mean * self._weights
        ascent = ascent / float(gradient @ ascent)
        towards = ascent * wanted
        decay = ascent * (_DECAY * float(gradient @ parameters)) - _DECAY * parameters
        if self.length(towards + decay) > radius:
            ahead = min(self.length(towards), radius)
            towards = towards * (ahead / max(self.length(towards), 1e-12))
            left = (radius**2 - ahead**2) ** 0.5
            decay = decay * min(1.0, left / max(self.length(decay), 1e-12))
        step = towards + decay
        return parameters + step * min(1.0, radius / max(self.length(step), 1e-12))

    def alignment(self, parameters: Tensor, gradient: Tensor) -> float:
        """Cosine between a change and the gradient, as fields: to first order, what share of the change's length a change
        along the gradient alone would need for the same drop. 1 where either is nothing."""
        along = self._steepness(gradient) * self.length(parameters)
        return float(gradient @ parameters) / along if along > 0 else 1.0

    def _steepness(self, gradient: Tensor) -> float:
        """Drop per length of a step along the gradient."""
        largest = float(gradient.abs().max()) or 1.0  # squares of a faint gradient are zero in float32
        return largest * float(((gradient / largest).square() * self._weights).sum().sqrt())

    def length(self, step: Tensor) -> float:
        """Root of the fields' mean squared control values, in budgets."""
        return float((step.square() / self._weights).sum().sqrt())


class Climb:
    """Until the target is near: how long a step may be, and what it sets out from.

    At the budget's bounds steps bring less than they promise, or turn back, and long ones go to and fro.
    """

    def __init__(self, drop: float) -> None:
        self.radius = float("inf")
        self._drop = drop
        self._near = False
        self._highest: tuple[Measured, Tensor] | None = None
        self._length = self._promised = 0.0

    def footing(self, measured: Measured, gradient: Tensor) -> tuple[Measured, Tensor]:
        """Take a step's measurement in; the one to go on from, with its gradient."""
        self._near |= measured.drop >= _NEAR[0] * self._drop
        before = self._highest
        if self._near or (before is None and measured.drop < _BEGUN * self._drop):
            return measured, gradient
        if before is not None and measured.drop - before[0].drop < _KEPT * self._promised:
            self.radius = _SHORTER * min(self.radius, self._length)
        if before is None or measured.drop >= before[0].drop:
            self._highest = before = measured, gradient
        return before

    def expect(self, length: float, promised: float) -> None:
        """What the next step is: its length, and the drop that it adds to first order."""
        self._length, self._promised = length, promised


class Promising:
    """The change that promises to be the smallest once its strength is set to the drop.

    Measured steps lie on both sides of the target: each is judged by the size that it would have at the target.

    Parameters
    ----------
    thorough
        Whether any smaller change is worth further steps, and a few that bring none are no reason to end.
    """

    def __init__(self, drop: float, thorough: bool = False) -> None:
        self._drop = drop
        self._least_gain, self._patience = (0.0, _LONG_PATIENCE) if thorough else (_SETTLED, _PATIENCE)
        self.leader: Measured | None = None
        self._size = float("inf")
        self._waited = 0
        self._highest = 0.0

    @property
    def reached(self) -> bool:
        """Whether a step has cost about what is wanted."""
        return self._highest >= _THERE * self._drop

    def settled(self, measured: Measured, alignment: float = 1.0) -> bool:
        """Take a step's measurement in; whether further steps promise no smaller change, nor, short of the drop, a larger
        one. ``alignment`` is that of the change with the gradient there: two steps that are alike by chance are no end
        where most of the change is still about to decay."""
        helped = alike = False
        rising = not self.reached and measured.drop >= self._highest + _RISING * self._drop
        self._highest = max(self._highest, measured.drop)
        if _NEAR[0] * self._drop <= measured.drop <= _NEAR[1] * self._drop:
            size = measured.size * (self._drop / measured.drop) ** (1 / _GROWS_WITH)
            helped = size < (1 - self._least_gain) * self._size
            # Short of the target, steps that are alike may still be on their way to it.
            alike = not helped and measured.drop >= _THERE * self._drop and size < (1 + self._least_gain) * self._size
            if size < self._size:
                self.leader, self._size = measured, size
        if self.leader is not None:
            self._waited = 0 if helped or rising else self._waited + 1
        askew = alignment < _ASKEW
        return (alike and not askew) or self._waited > (_LONG_PATIENCE if askew else self._patience)
