"""The search on networks whose weakest point is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toy_networks import CARD, Place, graded_ct, threshold_network

from napari_advseg.attacks import (
    AttackResult,
    Cancelled,
    CancelToken,
    SearchSettings,
    Target,
    repeat,
    score_organs,
    search,
)
from napari_advseg.attacks.dice import organ_dice, soft_dice
from napari_advseg.networks import SegmentationNetwork, network_from_module
from napari_advseg.synthesis import Budget, Kind, Synthesis
from napari_advseg.volume import Region


def target_of(network: SegmentationNetwork, budget: Budget | None = None, **kind: object) -> tuple[Target, np.ndarray]:
    ct, reference = graded_ct()
    placed = network.on(ct.grid)
    clean = placed.labels(torch.from_numpy(ct.hu))
    whole = Region.whole(ct.grid)
    options = {"velocity_mm": 9.0, "appearance_mm": (6.0,)} | kind
    synthesis = Synthesis(ct, whole, budget or Budget(), Kind(**options), torch.device("cpu"))
    return Target(placed, synthesis, reference, score_organs(network.card.labels, clean, reference)), clean


def attack(network: SegmentationNetwork, drop: float, budget: Budget | None = None, **kind: object) -> AttackResult:
    target, clean = target_of(network, budget, **kind)
    return finish(search(target, SearchSettings(drop), clean, CancelToken()))


def finish(steps) -> AttackResult:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("drop", [0.05, 0.1, 0.2, 0.3])
def test_it_hits_the_target_by_pushing_the_cheapest_voxels(drop: float) -> None:
    result = attack(threshold_network(), drop, deformation=False)
    assert result.reached
    assert abs(result.achieved_drop - drop) <= 0.01
    left = result.attacked_labels[:, :, :12].sum()
    right = result.attacked_labels[:, :, 12:].sum()
    assert left < right  # the left part is 3 HU from the threshold, the right 12
    assert np.abs(result.appearance).max() < 10


def test_a_larger_drop_costs_a_larger_change() -> None:
    sizes = [
        np.sqrt(np.square(attack(threshold_network(), d, deformation=False).appearance).mean())
        for d in (0.05, 0.15, 0.3)
    ]
    assert sizes == sorted(sizes)


def test_a_deformation_costs_nothing_where_the_network_follows_the_anatomy() -> None:
    # Halfway between organ and fat, so that interpolation leaves the boundary where nearest neighbour puts it.
    result = attack(threshold_network(at=-20.0), 0.3, appearance=False)
    assert not result.reached
    assert result.achieved_drop < 0.1
    assert result.displacement_mm.max() > 1


def test_a_deformation_costs_where_the_network_does_not_follow() -> None:
    result = attack(network_from_module(Place(), CARD, device="cpu"), 0.1, Budget(8.0), appearance=False)
    assert result.reached
    assert result.displacement[2].mean() != 0
    assert not result.appearance.any()


def test_a_target_beyond_the_budget_ends_with_the_closest_and_says_so() -> None:
    result = attack(threshold_network(), 0.5, Budget(0.0, 2.0), deformation=False)
    assert not result.reached
    assert result.achieved_drop < 0.1
    assert np.abs(result.appearance).max() <= 2.0


def test_the_loss_grows_with_the_budget() -> None:
    drops = [
        attack(threshold_network(), 0.9, Budget(0.0, hu), deformation=False).achieved_drop for hu in (2.0, 6.0, 14.0)
    ]
    assert drops == sorted(drops)
    assert drops[-1] > drops[0] + 0.2


def test_the_result_is_what_measuring_the_saved_volume_gives() -> None:
    target, clean = target_of(threshold_network())
    result = finish(search(target, SearchSettings(0.2), clean, CancelToken()))
    from napari_advseg.attacks import organ_dice

    saved = result.whole_perturbed
    assert saved.dtype == np.int16
    labels = target.placed.labels(torch.from_numpy(saved.astype(np.float32)))
    assert np.array_equal(labels, result.attacked_labels)
    drop = organ_dice(clean, result.reference, [1])[0] - organ_dice(labels, result.moved_reference, [1])[0]
    assert drop == pytest.approx(result.achieved_drop)


def test_the_same_seed_gives_the_same_bits() -> None:
    one, other = (attack(threshold_network(), 0.2) for _ in range(2))
    assert np.array_equal(one.perturbed, other.perturbed)
    assert np.array_equal(one.displacement, other.displacement)
    assert one.path == other.path


def test_one_implementation_serves_slices_too() -> None:
    result = attack(threshold_network(dimensions=2), 0.2, still_axis=0)
    assert result.reached
    assert not result.displacement[0].any()


@pytest.mark.parametrize("after", [1, 3, 6])
def test_cancelling_gives_the_best_so_far(after: int) -> None:
    target, clean = target_of(threshold_network())
    cancel = CancelToken()
    steps = search(target, SearchSettings(0.3), clean, cancel)
    for _ in range(after):
        next(steps)
    cancel.cancel()
    if after == 1:
        with pytest.raises(Cancelled):
            finish(steps)
        return
    result = finish(steps)
    assert result.stopped == "cancelled"
    assert result.attacked_labels.shape == result.ct.grid.shape


@pytest.mark.parametrize("drop", [0.0, -0.1, 1.5])
def test_impossible_targets_are_refused_before_anything_runs(drop: float) -> None:
    target, clean = target_of(threshold_network())
    before = target.placed.network.passes.forward
    with pytest.raises(ValueError, match="the clean Dice of the chosen organs"):
        finish(search(target, SearchSettings(drop), clean, CancelToken()))
    assert target.placed.network.passes.forward == before


def test_reference_voxels_that_the_network_is_not_shown_count_as_lost() -> None:
    ct, reference = graded_ct()
    network = threshold_network()
    region = Region((0, 0, 0), (12, 24, 12))
    card = CARD.model_copy(update={"input_size": region.shape})
    placed = network_from_module(network.module, card, device="cpu").on(ct.grid, region)
    labels = placed.embed(placed.labels(torch.from_numpy(ct.hu[region.slices].copy())))
    organs = score_organs(CARD.labels, labels, reference)
    synthesis = Synthesis(ct, region, Budget(), Kind(), torch.device("cpu"))
    measured = Target(placed, synthesis, reference, organs).measure(synthesis.zeros())
    assert organs[0].clean == pytest.approx(2 / 3, abs=0.01)
    assert measured.drop == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("still_axis", [None, 0])
def test_a_change_in_a_region_is_judged_on_all_that_the_network_is_shown(still_axis: int | None) -> None:
    network = threshold_network()
    ct, reference = graded_ct()
    placed = network.on(ct.grid)
    clean = placed.labels(torch.from_numpy(ct.hu))
    region = Region((1, 3, 2), (11, 20, 15))  # the organ reaches beyond it
    kind = Kind(velocity_mm=4.0, appearance_mm=(4.0,), still_axis=still_axis)
    synthesis = Synthesis(ct, region, Budget(3.0, 12.0), kind, torch.device("cpu"))
    target = Target(placed, synthesis, reference, score_organs(network.card.labels, clean, reference))
    torch.manual_seed(0)
    parameters = synthesis.project(torch.randn(synthesis.size) * 0.5)
    measured, gradient = target.measure_with_gradient(parameters)

    whole = ct.hu.copy()
    whole[region.slices] = measured.perturbed
    assert np.array_equal(placed.labels(torch.from_numpy(whole)), measured.attacked)
    moved = reference.copy()
    moved[region.slices] = measured.moved_reference
    assert moved.sum() > measured.moved_reference.sum()
    assert measured.dice[0] == pytest.approx(organ_dice(measured.attacked, moved, [1])[0])

    point = parameters.clone().requires_grad_()
    change = synthesis.change(point)
    shown = torch.from_numpy(ct.hu.copy())
    shown[region.slices] = change.hu + (change.hu.round() - change.hu).detach()
    soft = torch.from_numpy(reference.astype(np.float32))
    soft[region.slices] = synthesis.move_soft(soft[region.slices][None].clone(), change.displacement)[0]
    (full,) = torch.autograd.grad(-soft_dice(placed.scores(shown), soft[None], [1], 1.0).mean(), point)
    assert torch.allclose(gradient, full, rtol=1e-3, atol=1e-3 * float(full.abs().max()))


@pytest.mark.parametrize("drop", [0.1, 0.3, 0.9])
def test_the_path_is_that_of_the_result(drop: float) -> None:
    target, clean = target_of(threshold_network(), Budget(3.0, 12.0))
    result = finish(search(target, SearchSettings(drop), clean, CancelToken()))
    strengths = [point.strength for point in result.path]
    assert strengths == sorted(set(strengths))
    assert strengths[0] == 0.0
    assert result.strength in strengths
    for point in result.path:
        assert target.measure(result.parameters, point.strength).drop == pytest.approx(point.drop)


class Doubtful(nn.Module):
    """A threshold whose position wavers by ``spread`` HU from call to call."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.spread = spread

    def forward(self, hu: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(hu), hu - 50.5 + self.spread * torch.randn(1)], 1)


@pytest.mark.parametrize(("spread", "steady"), [(0.02, True), (6.0, False)])
def test_a_random_network_counts_as_reached_only_where_fresh_draws_agree(spread: float, steady: bool) -> None:
    network = network_from_module(Doubtful(spread), CARD, device="cpu")
    assert network.random
    target, clean = target_of(network, Budget(3.0, 15.0))
    found = finish(search(target, SearchSettings(0.3), clean, CancelToken()))
    result = finish(repeat(target, found, CancelToken()))
    assert result.repeats is not None
    assert len(result.repeats.drops) == 8
    assert (result.repeats.standard_error <= 0.005) == steady
    assert result.achieved_drop == pytest.approx(
        min(result.repeats.drops, key=lambda d: abs(d - 0.3))
        if steady
        else max(result.repeats.drops, key=lambda d: abs(d - 0.3))
    )
    assert result.reached == steady
    assert result.cost.forward == found.cost.forward + 16
