from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_advseg.generator.muon import Muon, made_orthogonal


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_every_direction_of_a_step_has_about_the_same_length(rows: int, columns: int, seed: int, size: float) -> None:
    random = torch.Generator().manual_seed(seed)
    short = min(rows, columns)
    left = torch.linalg.qr(torch.randn(rows, short, generator=random))[0]
    right = torch.linalg.qr(torch.randn(columns, short, generator=random))[0]
    lengths = torch.linspace(0.05, 1, short)  # of the gradient's directions
    made = made_orthogonal(size * (left * lengths) @ right.T)
    along = torch.diagonal(left.T @ made @ right)
    assert torch.allclose(left @ torch.diag(along) @ right.T, made, atol=1e-3)  # the directions themselves stay
    assert along.min() > 0.6
    assert along.max() < 1.3


def test_nothing_moves_without_a_gradient() -> None:
    weight, still = (torch.nn.Parameter(torch.ones(4, 3, 3, 3)) for _ in range(2))
    weight.grad = torch.zeros_like(weight)
    Muon([weight, still], 0.1).step()
    assert torch.equal(weight, torch.ones_like(weight))
    assert torch.equal(still, weight)


@pytest.mark.parametrize("shape", [(4, 8, 3, 3), (32, 1, 3, 3), (4, 2, 3, 3, 3)])
def test_a_weak_direction_is_learned_as_soon_as_a_strong_one(shape: tuple[int, ...]) -> None:
    """A square error that is a thousand times steeper for the first filter than for the last."""
    random = torch.Generator().manual_seed(0)
    wanted = torch.randn(shape, generator=random)
    steepness = torch.logspace(0, -3, shape[0]).view(-1, *[1] * (len(shape) - 1))
    weight = torch.nn.Parameter(torch.zeros(shape))
    optimiser = Muon([weight], 0.3)
    for step in range(200):
        optimiser.param_groups[0]["lr"] = 0.3 * (1 - step / 200)
        optimiser.zero_grad()
        (steepness * (weight - wanted).square()).sum().backward()
        optimiser.step()
    missed = (weight - wanted).detach().flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1)
    assert missed.max() < 0.2
