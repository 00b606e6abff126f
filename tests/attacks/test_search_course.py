"""How a search goes: what it tells on the way, what it keeps, and what it spends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_targets import NO_LABELS, finish, measured, spread_target

from napari_advseg.attacks import CancelToken, SearchSettings, search
from napari_advseg.attacks.search import _Run


def test_progress_grows_and_tells_of_every_pass() -> None:
    target, clean = spread_target()
    result, told = finish(search(target, SearchSettings(0.3), clean, CancelToken()))
    assert result.reached
    assert told[0].text == "Looking for the weak spots"
    assert told[0].fraction == 0
    assert (told[0].drop, told[0].seconds_left) == (None, None)
    assert all(0 <= one.fraction < 1 for one in told)
    descent = [one for one in told if one.text in ("Looking for the weak spots", "Synthesising the change")]
    assert [one.fraction for one in descent] == sorted(one.fraction for one in descent)
    assert len(descent) == result.cost.backward
    assert len(told) == result.cost.forward
    assert all(one.seconds_left is not None and one.seconds_left >= 0 for one in told[1:])
    assert all(one.drop is not None for one in told[1:])
    errors = [abs(one.drop - 0.3) for one in told[1:]]
    hits = [error <= 0.005 for error in errors]
    assert all(after <= before or hit for before, after, hit in zip(errors, errors[1:], hits[1:], strict=False))


def test_only_strengths_of_the_change_itself_are_tried() -> None:
    target, clean = spread_target()
    tried, measure = [], target.measure
    target.measure = lambda parameters, strength=1.0: (tried.append(strength), measure(parameters, strength))[1]
    for drop in (0.1, 0.4):
        result, _ = finish(search(target, SearchSettings(drop), clean, CancelToken()))
        assert all(0 <= point.strength <= 1 for point in result.path)
    assert all(0 < strength <= 1 for strength in tried)
    assert 0.75 in tried  # an early crossing would be seen


def test_what_the_network_had_to_give_up_is_told_once() -> None:
    target, clean = spread_target()
    notes = target.placed.network.execution.notes
    steps = search(target, SearchSettings(0.3), clean, CancelToken())
    texts = [next(steps).text]
    notes += ["smaller windows", "one window at a time"]
    texts += [next(steps).text for _ in range(2)]
    notes.append("half precision")
    texts += [next(steps).text for _ in range(2)]
    assert texts[1] == "one window at a time"
    assert texts[3] == "half precision"
    assert "Synthesising the change" in (texts[2], texts[4])


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_it_takes_no_more_steps_than_it_may(steps: int) -> None:
    target, clean = spread_target()
    result, _ = finish(search(target, SearchSettings(0.3, steps=steps), clean, CancelToken()))
    assert result.cost.backward <= steps
    assert result.cost.forward <= steps + 11 + 11


@pytest.mark.parametrize("drop", [0.1, 0.3, 0.5])
def test_it_costs_few_passes(drop: float) -> None:
    target, clean = spread_target()
    result, _ = finish(search(target, SearchSettings(drop), clean, CancelToken()))
    assert abs(result.achieved_drop - drop) <= 0.005
    assert result.cost.backward <= 10
    assert result.cost.forward <= 16


def test_a_search_that_sets_out_from_a_good_change_keeps_it_or_a_smaller_one() -> None:
    target, clean = spread_target()
    first, _ = finish(search(target, SearchSettings(0.3), clean, CancelToken()))
    start = first.parameters * first.strength
    again, _ = finish(search(target, SearchSettings(0.3), clean, CancelToken(), start))
    assert again.reached
    assert again.size <= 1.05 * first.size
    assert again.cost.backward <= first.cost.backward


def test_a_tight_budget_gives_the_most_that_fits_and_a_bit_is_tried_beyond() -> None:
    target, clean = spread_target(3.0)
    result, told = finish(search(target, SearchSettings(0.6), clean, CancelToken()))
    assert not result.reached
    assert result.achieved_drop > 0.05
    assert np.abs(result.appearance).max() <= 3.0 + 1e-4
    assert "Making it a little stronger" in {one.text for one in told}
    assert result.target_drop == 0.6


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        ((0.30, 1.0), (0.31, 0.1), 0),  # a hit before a miss, however small
        ((0.31, 0.1), (0.30, 1.0), 1),
        ((0.33, 1.0), (0.35, 0.1), 0),  # of misses the nearest
        ((0.33, 1.0), (0.28, 9.0), 1),
        ((0.304, 1.0), (0.300, 1.1), 0),  # of hits the smallest
        ((0.300, 1.1), (0.304, 1.0), 1),
        ((0.300, 1.0), (0.301, 1.0), 0),  # of equals the first
    ],
)
def test_the_best_is_the_smallest_hit_else_the_nearest(one, other, kept: int) -> None:
    run = _Run(spread_target()[0], SearchSettings(0.3), NO_LABELS)
    both = [measured(*one), measured(*other)]
    for found in both:
        run._consider(found)
    assert run.best is both[kept]


@pytest.mark.parametrize(
    ("drop", "strength", "leads"),
    [(0.4, 1.0, True), (0.306, 1.0, True), (0.304, 1.0, False), (0.2, 1.0, False), (0.4, 0.7, False)],
)
def test_only_a_change_at_full_strength_that_costs_too_much_leads_down_to_the_target(
    drop: float, strength: float, leads: bool
) -> None:
    run = _Run(spread_target()[0], SearchSettings(0.3), NO_LABELS)
    assert run.overshoot() is None
    run._consider(measured(drop, 1.0, strength))
    assert (run.overshoot() is run.best) is leads


def test_a_miss_that_is_nearer_from_below_does_not_hide_a_path_from_above() -> None:
    run = _Run(spread_target()[0], SearchSettings(0.3), NO_LABELS)
    far, above, below = (measured(drop, 1.0, 1.0, torch.full((1,), drop)) for drop in (0.4, 0.309, 0.292))
    for found in (far, above, below):
        run._consider(found)
    assert run.best is below
    assert run.overshoot() is above
    run._on_path.append((above.parameters, 1.0, above.drop))  # walked already
    assert run.overshoot() is None


def test_the_path_holds_the_ends_and_what_was_measured_on_it() -> None:
    run = _Run(spread_target()[0], SearchSettings(0.3), NO_LABELS)
    best = replace(measured(0.3, 1.0, 0.6), parameters=torch.ones(2))
    run._on_path = [(torch.ones(2), 1.0, 0.5), (torch.zeros(2), 0.8, 0.9), (torch.ones(2), 0.3, 0.1)]
    path = run._path_of(best)
    assert [(point.strength, point.drop) for point in path] == [(0.0, 0.0), (0.3, 0.1), (0.6, 0.3), (1.0, 0.5)]
