from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_advseg.generator.muon import Muon, made_orthogonal, optimisers_of


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
    """A square error that is a thousand times steeper in one direction than in another, each a mixture of all filters."""
    random = torch.Generator().manual_seed(0)
    wanted = torch.randn(shape, generator=random).flatten(1)
    mixture = torch.linalg.qr(torch.randn(shape[0], shape[0], generator=random))[0]
    steepness = torch.logspace(0, -3, shape[0])[:, None]

    def missed(weight: torch.Tensor) -> torch.Tensor:
        return mixture @ (weight.flatten(1) - wanted)

    def largest_miss(optimiser: torch.optim.Optimizer, weight: torch.Tensor) -> float:
        rate = optimiser.param_groups[0]["lr"]
        for step in range(200):
            optimiser.param_groups[0]["lr"] = rate * (1 - step / 200)
            optimiser.zero_grad()
            (steepness * missed(weight).square()).sum().backward()
            optimiser.step()
        return float((missed(weight.detach()).norm(dim=1) / (mixture @ wanted).norm(dim=1)).max())

    one, other = (torch.nn.Parameter(torch.zeros(shape)) for _ in range(2))
    assert largest_miss(Muon([one], 0.3), one) < 0.2
    assert largest_miss(torch.optim.SGD([other], 0.4, momentum=0.9), other) > 0.2  # steeper than that it diverges


@pytest.mark.parametrize("rate", [0.01, 0.0])
def test_every_weight_has_one_optimiser(rate: float) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.GroupNorm(1, 3), torch.nn.Linear(3, 2))
    made = optimisers_of(network, rate, 0.001)
    held = [weight for optimiser in made for group in optimiser.param_groups for weight in group["params"]]
    assert sorted(map(id, held)) == sorted(map(id, network.parameters()))
    assert [type(optimiser) for optimiser in made] == ([torch.optim.Adam, Muon] if rate else [torch.optim.Adam])
    assert [group["first_rate"] for one in made for group in one.param_groups] == ([0.001, rate] if rate else [0.001])
