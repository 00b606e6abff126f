"""What a result says of itself, of its repeats and of its cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from findings import toy_finding
from hypothesis import given
from hypothesis import strategies as st

from napari_advseg.attacks import (
    AttackResult,
    Cancelled,
    CancelToken,
    CostMeter,
    Organ,
    Repeats,
    as_saved,
    broken_off_by,
    peak_memory_mb,
    score_organs,
)
from napari_advseg.attacks.dice import soft_dice
from napari_advseg.networks import Passes
from napari_advseg.synthesis import Budget, Synthesis


def result(drops: tuple[float, ...] = (0.2,), **changed: object) -> AttackResult:
    organs = tuple(Organ(number + 1, f"organ{number}", 60, 0.9, 0.9 - drop) for number, drop in enumerate(drops))
    return replace(toy_finding().result, organs=organs, **changed)


@given(st.lists(st.floats(-0.5, 0.9), min_size=1, max_size=5))
def test_dice_and_drop_are_means_over_the_organs(drops: list[float]) -> None:
    made = result(tuple(drops))
    assert made.achieved_drop == pytest.approx(np.mean(drops), abs=1e-9)
    assert made.clean_dice == pytest.approx(0.9)
    assert made.attacked_dice == pytest.approx(0.9 - np.mean(drops))
    assert made.clean_dice - made.attacked_dice == pytest.approx(made.achieved_drop)


@pytest.mark.parametrize(
    ("off", "reached"), [(0.0, True), (0.0099, True), (-0.0099, True), (0.0101, False), (-0.0101, False)]
)
def test_it_is_reached_within_the_tolerance_on_either_side(off: float, reached: bool) -> None:
    made = result((0.3 + off,), target_drop=0.3, tolerance=0.01)
    assert made.reached == reached


def test_a_random_network_s_result_is_reached_only_where_the_repeats_agree() -> None:
    hit = result((0.3,), target_drop=0.3, tolerance=0.01)
    assert replace(hit, repeats=Repeats((0.299, 0.301, 0.3))).reached
    assert not replace(hit, repeats=Repeats((0.2, 0.4, 0.3))).reached  # right in the mean, and not known
    assert not replace(hit, repeats=Repeats((0.279, 0.28, 0.281))).reached  # known, and not right
    missed = result((0.33,), target_drop=0.3, tolerance=0.01)
    assert not replace(missed, repeats=Repeats((0.299, 0.301, 0.3))).reached


def test_the_standard_error_is_that_of_the_mean() -> None:
    drops = (0.1, 0.2, 0.4, 0.3)
    repeats = Repeats(drops)
    assert repeats.mean == pytest.approx(0.25)
    assert repeats.standard_error == pytest.approx(np.std(drops, ddof=1) / 2)


@pytest.mark.parametrize(("spread", "steady"), [(0.0049, True), (0.0051, False)])
def test_a_drop_is_known_where_its_error_is_at_most_half_a_hundredth(spread: float, steady: bool) -> None:
    repeats = Repeats((0.3 - spread, 0.3 + spread))  # whose standard error is the spread
    assert repeats.steady(0.3, 0.01) == steady


def test_only_a_fault_breaks_an_attack_off() -> None:
    assert not result(stopped="").broken_off
    assert not result(stopped="cancelled").broken_off
    assert result(stopped=broken_off_by(RuntimeError("the device is gone\nmore"))).broken_off
    assert broken_off_by(RuntimeError("the device is gone\nmore")).endswith(": the device is gone")
    assert broken_off_by(MemoryError()).endswith(": MemoryError")


def test_the_arrays_of_the_whole_ct_hold_the_region_and_nothing_else() -> None:
    made = toy_finding().result
    box = made.region.slices
    outside = np.ones(made.ct.grid.shape, bool)
    outside[box] = False
    assert np.array_equal(made.whole_perturbed[box], made.perturbed)
    assert np.array_equal(made.whole_perturbed[outside], as_saved(made.ct.hu)[outside])
    assert np.array_equal(made.whole_displacement[(slice(None), *box)], made.displacement)
    assert made.whole_displacement.shape == (3, *made.ct.grid.shape)
    assert not made.whole_displacement[:, outside].any()
    assert np.array_equal(made.whole_appearance[box], made.appearance)
    assert not made.whole_appearance[outside].any()


def test_displacements_are_told_in_millimetres_and_the_size_in_budgets() -> None:
    made = toy_finding().result
    one_voxel = np.zeros_like(made.displacement)
    one_voxel[0], one_voxel[2] = 1.0, -1.0
    changed = replace(made, displacement=one_voxel, appearance=np.full_like(made.appearance, -3.0))
    spacing = made.ct.grid.spacing
    length = np.hypot(spacing[0], spacing[2])
    assert np.allclose(changed.displacement_mm, length)
    budget = made.synthesis.budget
    assert changed.size == pytest.approx(np.hypot(length / budget.max_displacement_mm, 3 / budget.max_hu), rel=1e-5)


def test_what_has_no_budget_does_not_count_in_the_size() -> None:
    made = toy_finding().result
    ct, region, kind = made.ct, made.region, made.synthesis.kind
    still = Synthesis(ct, region, Budget(0.0, 15.0), kind, torch.device("cpu"))
    faint = Synthesis(ct, region, Budget(5.0, 0.0), kind, torch.device("cpu"))
    added = np.sqrt(np.square(made.appearance).mean()) / 15
    moved = np.sqrt(np.square(made.displacement_mm).mean()) / 5
    assert replace(made, synthesis=still).size == pytest.approx(added, rel=1e-5)
    assert replace(made, synthesis=faint).size == pytest.approx(moved, rel=1e-5)


def test_what_is_saved_is_whole_hu_that_fit_into_the_file() -> None:
    hu = np.array([0.4, 0.6, -0.6, 1e6, -1e6, 32766.6, -32768.4])
    saved = as_saved(hu)
    assert saved.dtype == np.int16
    assert saved.tolist() == [0, 1, -1, 32767, -32768, 32767, -32768]


def test_a_cost_is_what_was_spent_since() -> None:
    passes = Passes()
    passes.forward, passes.backward = 5, 2
    meter = CostMeter(passes)
    passes.forward, passes.backward = 12, 6
    cost = meter.read()
    assert (cost.forward, cost.backward) == (7, 4)
    assert 0 <= cost.seconds < 5
    assert cost.peak_memory_mb == pytest.approx(peak_memory_mb(), rel=0.05)


def test_peak_memory_is_in_megabytes_and_never_falls() -> None:
    import psutil

    before = peak_memory_mb()
    now = psutil.Process().memory_info().rss / 1e6
    assert 0.8 * now < before < 100 * now
    held = np.ones(60_000_000, np.uint8)
    assert peak_memory_mb() >= before
    assert held.size


def test_a_token_stops_the_work_once_it_is_set() -> None:
    token = CancelToken()
    token.check()
    assert not token.cancelled
    token.cancel()
    assert token.cancelled
    with pytest.raises(Cancelled):
        token.check()


def test_organs_are_scored_by_their_own_ids() -> None:
    reference, labels = (np.zeros((4, 10, 10), np.uint16) for _ in range(2))
    reference[0], reference[2] = 3, 7
    labels[0], labels[2, :5] = 3, 7
    found = score_organs({0: "background", 3: "liver", 5: "spleen", 7: "pancreas"}, labels, reference)
    assert [(organ.id, organ.name, organ.voxels) for organ in found] == [(3, "liver", 100), (7, "pancreas", 100)]
    assert [organ.clean for organ in found] == pytest.approx([1.0, 2 * 50 / 150])
    assert all(organ.drop == 0 for organ in found)
    assert score_organs({0: "background", 5: "spleen"}, labels, reference) == ()


def test_soft_dice_counts_what_the_network_gives_elsewhere_against_it() -> None:
    scores = torch.zeros(2, 1, 1, 4)
    scores[1, ..., :2], scores[0, ..., 2:] = 50.0, 50.0
    reference = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    (alone,) = soft_dice(scores, reference, [1], 1.0)
    (more,) = soft_dice(scores, reference, [1], 1.0, torch.tensor([4.0]))
    assert float(alone) == pytest.approx(1.0)
    assert float(more) == pytest.approx(2 * 2 / (2 + 2 + 4))


def test_soft_dice_is_halfway_on_a_decision_boundary_and_blunter_when_warmer() -> None:
    reference = torch.ones(1, 1, 1, 1)
    undecided = torch.zeros(3, 1, 1, 1)
    assert float(soft_dice(undecided, reference, [1], 1.0)) == pytest.approx(2 * 0.5 / 1.5)
    leaning = torch.tensor([0.0, 2.0, 1.5]).view(3, 1, 1, 1)
    sharp, blunt = (float(soft_dice(leaning, reference, [1], temperature)) for temperature in (0.1, 10.0))
    assert sharp > blunt > 2 * 0.5 / 1.5
    member = 1 / (1 + np.exp(-0.5))  # against the best of the others, not against the background
    assert float(soft_dice(leaning, reference, [1], 1.0)) == pytest.approx(2 * member / (member + 1))
