"""What a target looks at for its gradient: the organs and the change, whole, and no graph where none is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toy_networks import CARD

from napari_advseg.attacks import Target, score_organs
from napari_advseg.attacks.dice import soft_dice
from napari_advseg.networks import SegmentationNetwork, network_from_module
from napari_advseg.synthesis import Budget, Kind, Synthesis
from napari_advseg.volume import Region, Volume, volume_from_array

SHAPE = (9, 14, 15)
ORGAN = (slice(2, 7), slice(3, 11), slice(4, 12))


class Watching(nn.Module):
    """Organ above 50 HU; keeps whether its passes kept a graph."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))
        self.graphs: list[bool] = []

    def forward(self, hu: Tensor) -> Tensor:
        self.graphs.append(torch.is_grad_enabled())
        return self.gain * torch.cat([torch.zeros_like(hu), (hu - 50) / 5], 1)


def case() -> tuple[Volume, np.ndarray]:
    labels = np.zeros(SHAPE, np.uint16)
    labels[ORGAN] = 1
    hu = np.random.default_rng(0).normal(30, 8, SHAPE)  # so that what is around the organ nearly counts as well
    hu[labels == 1] = np.random.default_rng(1).uniform(52, 60, int(labels.sum()))
    return volume_from_array(np.rint(hu).astype(np.float32), spacing=(1.0, 1.0, 1.0)), labels


def target_of(region: Region, network: SegmentationNetwork, shown: Region | None = None, **kind: Any) -> Target:
    ct, reference = case()
    placed = network.on(ct.grid, shown) if shown is not None else network.on(ct.grid)
    labels = placed.embed(placed.labels(torch.from_numpy(np.ascontiguousarray(ct.hu[placed.view.slices]))))
    options = {"deformation": False, "appearance_mm": (3.0,)} | kind
    synthesis = Synthesis(ct, region, Budget(2.0, 20.0), Kind(**options), torch.device("cpu"))
    return Target(placed, synthesis, reference, score_organs(CARD.labels, labels, reference))


def gradient_of_all(target: Target, parameters: Tensor) -> Tensor:
    """The gradient where every voxel of the CT is looked at."""
    ct, reference = case()
    point = parameters.clone().requires_grad_()
    change = target.synthesis.change(point)
    shown = torch.from_numpy(ct.hu.copy())
    shown[target.synthesis.region.slices] = change.hu + (change.hu.round() - change.hu).detach()
    box = target.synthesis.region.slices
    soft = torch.from_numpy(reference.astype(np.float32))[None]
    soft[(slice(None), *box)] = target.synthesis.move_soft(soft[(slice(None), *box)].clone(), change.displacement)
    scores = target.placed.scores(shown)
    hard = (scores.detach()[1] > scores.detach()[0]).float()
    looked_at = np.zeros(SHAPE, bool)
    looked_at[ORGAN] = looked_at[box] = True
    around = [slice(hit.min(), hit.max() + 1) for hit in np.nonzero(looked_at)]
    inside = (slice(None), *around)
    elsewhere = (hard.sum() - hard[tuple(around)].sum())[None]
    (gradient,) = torch.autograd.grad(-soft_dice(scores[inside], soft[inside], [1], 1.0, elsewhere).mean(), point)
    return gradient


@pytest.mark.parametrize(
    "region",
    [
        Region((0, 0, 0), SHAPE), Region((3, 4, 5), (6, 10, 11)), Region((0, 1, 1), (4, 6, 7)),
        Region((5, 8, 9), (9, 14, 15)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("deformation", [False, True])
def test_the_gradient_is_that_of_the_organs_and_of_where_the_ct_changes(region: Region, deformation: bool) -> None:
    target = target_of(region, network_from_module(Watching(), CARD, device="cpu"), deformation=deformation)
    made = target.synthesis
    parameters = made.project(0.3 * torch.randn(made.size, generator=torch.Generator().manual_seed(2)))
    _, gradient = target.measure_with_gradient(parameters)
    known = gradient_of_all(target, parameters)
    assert float(known.norm()) > 0
    assert torch.allclose(gradient, known, rtol=1e-4, atol=1e-5 * float(known.abs().max()))


def test_only_a_step_keeps_a_graph() -> None:
    module = Watching()
    region = Region((1, 2, 3), (8, 12, 13))
    target = target_of(region, network_from_module(module, CARD, device="cpu"))
    module.graphs.clear()
    zero = target.synthesis.zeros()
    target.measure(zero)
    assert not target.clean_scores().requires_grad
    assert module.graphs == [False, False]
    target.measure_with_gradient(zero)
    assert module.graphs[2]


def test_an_organ_that_the_network_is_not_shown_at_all_is_lost_before_and_after() -> None:
    shown = Region((0, 0, 0), (9, 3, 15))  # beside the organ
    card = CARD.model_copy(update={"input_size": shown.shape})
    target = target_of(shown, network_from_module(Watching(), card, device="cpu"), shown)
    found, gradient = target.measure_with_gradient(target.synthesis.zeros())
    assert found.dice.tolist() == [0.0]
    assert found.drop == 0.0
    assert gradient.shape == (target.synthesis.size,)


def test_a_region_that_the_network_is_not_shown_is_refused() -> None:
    shown = Region((0, 0, 0), (9, 12, 15))
    card = CARD.model_copy(update={"input_size": shown.shape})
    network = network_from_module(Watching(), card, device="cpu")
    target_of(Region((0, 2, 0), (9, 12, 15)), network, shown)
    with pytest.raises(ValueError, match="must lie within what the network is shown"):
        target_of(Region((0, 2, 0), (9, 13, 15)), network, shown)
