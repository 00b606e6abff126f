"""One step of the search, and when further ones no longer help."""

from __future__ import annotations

import torch
from torch import Tensor

from .target import Measured, Target

_DECAY = 0.5  # of what does not help, per step
_EXPONENT = 0.85  # between the gradient (1: few strong spots) and its sign (0: spread evenly)
_SETTLED = 0.03  # relative change in size within which two steps are alike
_THERE = 0.98  # of the drop
_PATIENCE = 1  # steps that may be worse, as steps that go to and fro are, before the search ends
_GROWS_WITH = 1.8  # power of the strength with which the drop grows near the target, about
_NEAR = (0.85, 1.25)  # of the drop: between these a change's size at the target can be told from its own


class Ascent:
    """Steps towards the smallest change that costs what is wanted, to first order."""

    def __init__(self, target: Target) -> None:
        # The inverse of what a parameter adds to the mean square of its field: a lattice of many points spends as much
        # as one of few.
        parts = target.synthesis.split(target.synthesis.zeros())
        self._weights = torch.cat(
            [torch.full((part.numel(),), float(part[0].numel()), device=part.device) for part in parts]
        )

    def step(self, parameters: Tensor, gradient: Tensor, wanted: float) -> Tensor:
        """Decay towards zero, plus the step along the gradient that makes up for it and for ``wanted``, more drop."""
        ascent = gradient * self._weights
        largest = ascent.abs().max()
        ascent = ascent.sign() * (ascent.abs() / largest) ** _EXPONENT
        missing = wanted + _DECAY * float(gradient @ parameters)
        return (1 - _DECAY) * parameters + ascent * (missing / float(gradient @ ascent))


class Promising:
    """The change that promises to be the smallest once its strength is set to the drop.

    Measured steps lie on both sides of the target: each is judged by the size that it would have at the target.
    """

    def __init__(self, drop: float) -> None:
        self._drop = drop
        self.leader: Measured | None = None
        self._size = float("inf")
        self._waited = 0

    def settled(self, measured: Measured) -> bool:
        """Take a step's measurement in; whether further steps promise no smaller change."""
        helped = alike = False
        if _NEAR[0] * self._drop <= measured.drop <= _NEAR[1] * self._drop:
            size = measured.size * (self._drop / measured.drop) ** (1 / _GROWS_WITH)
            helped = size < (1 - _SETTLED) * self._size
            # Short of the target, steps that are alike may still be on their way to it.
            alike = not helped and measured.drop >= _THERE * self._drop and size < (1 + _SETTLED) * self._size
            if size < self._size:
                self.leader, self._size = measured, size
        if self.leader is not None:
            self._waited = 0 if helped else self._waited + 1
        return alike or self._waited > _PATIENCE
