"""Steps of equal size in all directions of a filter bank's matrix: Muon (K. Jordan et al., Muon: an optimizer for hidden
layers in neural networks, 2024).

The generator misses large drops by less with it than with Adam after as many steps (benchmarks/learned.py, "without Muon").
torch has the method from 2.9 on, for matrices only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.9
_ROUNDS = 5
_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: small singular values grow fastest, and all end near one


def optimisers_of(network: nn.Module, filter_rate: float, other_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the convolutions' weights (filters, inputs, *kernel), Adam for the others; for all with a ``filter_rate``
    of 0. Every group keeps its rate as ``first_rate``."""
    weights = list(network.parameters())
    filters = [weight for weight in weights if weight.ndim > 3] if filter_rate else []
    others = [weight for weight in weights if weight.ndim <= 3 or not filters]
    made: list[torch.optim.Optimizer] = [torch.optim.Adam(others, other_rate, betas=(0.9, 0.99))]
    if filters:
        made.append(Muon(filters, filter_rate))
    for optimiser in made:
        for group in optimiser.param_groups:
            group["first_rate"] = group["lr"]
    return made


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix, a row per filter, is made orthogonal before the step.

    Parameters
    ----------
    filters
        Weights of at least two axes, the first of which counts the filters.
    rate
        About the singular values of a step, as a matrix; times the root of rows over columns where there are more rows.
    """

    def __init__(self, filters: Iterable[Tensor], rate: float) -> None:
        super().__init__(filters, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take a step along the gradients that there are."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state: dict[str, Any] = self.state[weight]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(weight)
                momentum = state["momentum"].mul_(_MOMENTUM).add_(weight.grad)
                ahead = (weight.grad + _MOMENTUM * momentum).flatten(1)
                wide = max(1.0, ahead.shape[0] / ahead.shape[1]) ** 0.5
                weight.add_(made_orthogonal(ahead).view_as(weight), alpha=-group["lr"] * wide)


def made_orthogonal(matrix: Tensor) -> Tensor:
    """A matrix (rows, columns) with its singular values brought near one (0.68 to 1.13) by a Newton-Schulz iteration; those
    below a six-hundredth of their root sum of squares stay smaller."""
    tall = matrix.shape[0] > matrix.shape[1]
    made = matrix.T if tall else matrix
    made = made / made.norm().clamp(min=1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        gram = made @ made.T
        made = a * made + (b * gram + c * gram @ gram) @ made
    orthogonal: Tensor = made.T if tall else made
    return orthogonal
