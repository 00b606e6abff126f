"""One change measured: on the CT as it would be saved, by every organ, in units of the budget."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_bands import CARD, SHAPE, Bands, case, same, some

from napari_advseg.attacks import Target, as_saved, organ_dice, score_organs
from napari_advseg.networks import network_from_module
from napari_advseg.synthesis import Budget, Kind, Synthesis
from napari_advseg.volume import Region


def target_of(region: Region | None = None, budget: Budget | None = None, **kind: object) -> Target:
    ct, reference = case()
    placed = network_from_module(Bands(), CARD, device="cpu").on(ct.grid)
    clean = placed.labels(torch.from_numpy(ct.hu))
    options = {"velocity_mm": 9.0, "appearance_mm": (6.0,)} | kind
    made = Synthesis(
        ct, region or Region.whole(ct.grid), budget or Budget(4.0, 20.0), Kind(**options), torch.device("cpu")
    )
    return Target(placed, made, reference, score_organs(CARD.labels, clean, reference))


@pytest.mark.parametrize("region", [None, Region((1, 3, 3), (9, 17, 22))])
def test_what_is_measured_is_what_the_saved_ct_gives(region: Region | None) -> None:
    target = target_of(region)
    parameters = some(target)
    found = target.measure(parameters, 0.8)
    change = target.synthesis.change(parameters, 0.8)
    box = target.synthesis.region.slices
    assert np.array_equal(found.perturbed, as_saved(change.hu.numpy()))
    whole = case()[0].hu.copy()
    whole[box] = found.perturbed
    labels = target.placed.labels(torch.from_numpy(whole))
    assert np.array_equal(found.attacked, labels)
    moved = target.reference.copy()
    moved[box] = target.synthesis.move_labels(moved[box], change.displacement)
    assert np.array_equal(found.moved_reference, moved[box])
    dice = organ_dice(labels, moved, [1, 2])
    assert found.dice.tolist() == pytest.approx(dice.tolist())
    assert found.drop == pytest.approx(np.mean([organ.clean for organ in target.organs]) - dice.mean())
    assert found.drop > 0.002
    assert found.strength == 0.8
    assert torch.equal(found.parameters, parameters)


@pytest.mark.parametrize(("mm", "hu"), [(4.0, 20.0), (0.0, 20.0), (4.0, 0.0)])
def test_the_size_is_in_budgets_and_what_has_none_does_not_count(mm: float, hu: float) -> None:
    target = target_of(budget=Budget(mm, hu))
    found = target.measure(some(target))
    spacing = np.array([4.0, 3.0, 2.0]).reshape(3, 1, 1, 1)
    moved = ((found.displacement * spacing) ** 2).sum(0).mean() / mm**2 if mm else 0.0
    added = (found.appearance**2).mean() / hu**2 if hu else 0.0
    assert found.size == pytest.approx(np.sqrt(moved + added), rel=1e-4)
    assert found.size > 0.01


def test_with_the_gradient_the_same_is_measured() -> None:
    target = target_of()
    parameters = some(target)
    before = target.placed.network.passes.forward, target.placed.network.passes.backward
    measured, gradient = target.measure_with_gradient(parameters)
    after = target.placed.network.passes.forward, target.placed.network.passes.backward
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
    same(measured, target.measure(parameters))
    assert gradient.shape == parameters.shape
    assert not parameters.requires_grad
    assert not measured.parameters.requires_grad
    step = 0.05 * gradient / gradient.norm()
    assert target.measure(parameters + step).drop >= measured.drop  # up the gradient more is lost


def test_the_soft_drop_is_near_the_hard_one_where_the_network_is_sure() -> None:
    target = target_of(deformation=False)
    measured, soft, change = target.measure_softly(target.synthesis.zeros())
    assert measured.drop == pytest.approx(0.0, abs=1e-9)
    assert abs(float(soft)) < 0.2
    assert change.hu.shape == SHAPE


def test_the_clean_scores_are_those_of_the_region() -> None:
    region = Region((1, 3, 3), (9, 17, 22))
    target = target_of(region)
    scores = target.clean_scores()
    whole = target.placed.scores(torch.from_numpy(case()[0].hu))
    assert torch.equal(scores, whole[(slice(None), *region.slices)])


def test_an_organ_that_lies_outside_the_region_keeps_its_dice_and_counts() -> None:
    region = Region((1, 3, 0), (9, 17, 13))  # the liver alone
    target = target_of(region)
    found = target.measure(some(target, 1.5))
    assert found.dice[1] == pytest.approx(target.organs[1].clean)
    assert found.dice[0] < target.organs[0].clean - 0.005
    assert found.drop == pytest.approx((target.organs[0].clean - found.dice[0]) / 2)


def test_organs_are_told_apart_in_the_gradient() -> None:
    """What makes liver of the spleen costs both: darker where the spleen is."""
    target = target_of(deformation=False)
    _, gradient = target.measure_with_gradient(target.synthesis.zeros())
    darker = target.synthesis.change(-gradient * 100).appearance
    spleen = target.reference == 2
    assert float(darker[torch.from_numpy(spleen)].mean()) > 0  # against the gradient brighter
