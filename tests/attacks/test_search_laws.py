"""The course of a search where the drop is a known law of one parameter: every step can be told beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise

import numpy as np
import pytest
from toy_targets import NO_LABELS, LawTarget, finish, scripted, spread_target

from napari_advseg.attacks import CancelToken, SearchSettings, search
from napari_advseg.attacks.search import _Run


def descent(target: LawTarget, drop: float, **settings: float) -> list[float]:
    """The parameter at every step."""
    run = _Run(target.as_target, SearchSettings(drop, **settings), NO_LABELS)
    list(run.descend(target.synthesis.zeros()))
    return target.stepped


def linear(slope: float) -> LawTarget:
    return LawTarget(lambda parameter: (slope * parameter, max(parameter, 1e-3)))


def asked_for(drops: tuple[float, ...], sizes: Iterator[float] | None = None, drop: float = 0.36) -> list[float]:
    """What each step adds to what is left of the parameter after it has decayed and the gradient has made up for it."""
    return [b - a for a, b in pairwise(descent(LawTarget(scripted(*drops, sizes=sizes)), drop))]


def smaller() -> Iterator[float]:
    """Sizes that become smaller with every step, so that the search goes on."""
    return (0.9**number for number in count())


def test_the_target_is_gone_to_in_thirds() -> None:
    assert descent(linear(1.0), 0.36)[:4] == pytest.approx([0.0, 0.12, 0.24, 0.36])


def test_the_target_is_gone_back_to_in_thirds() -> None:
    steps = asked_for((0.9, 0.78, 0.66))
    assert steps[0] == pytest.approx(-0.12)


def test_what_a_step_has_brought_corrects_the_next_ones_and_a_lasting_shortfall_is_aimed_beyond() -> None:
    """At four fifths of what is asked for: a step more is taken, and half of what is missing in the end is added."""
    steps = descent(linear(0.8), 0.36)
    assert steps[1:5] == pytest.approx([0.12, 0.12 + 0.15, 0.27 + 0.15, 0.42 + (0.024 + 0.012) / 0.8])


def test_a_step_corrects_by_no_more_than_a_factor_of_two() -> None:
    assert asked_for((0.0, 0.336))[:2] == pytest.approx([0.12, (0.024 + 0.012) / 2])
    assert asked_for((0.0, 0.012))[:2] == pytest.approx([0.12, 0.12 * 2])


def test_all_corrections_together_have_bounds() -> None:
    never = asked_for((0.0, 0.001))
    assert never[:6] == pytest.approx([0.12, 0.24, 0.48, 0.6, 0.6, 0.6])
    always = asked_for((0.0, 0.24, 0.48, 0.24, 0.24))
    assert always[:4] == pytest.approx([0.12, 0.12 / 2, -0.12 / 4, 0.12 / 5])


def test_a_step_that_asked_for_little_corrects_nothing() -> None:
    asked = asked_for((0.0, 0.35, 0.2))
    assert asked[:3] == pytest.approx([0.12, 0.015 / 2, 0.12 / 2])


@pytest.mark.parametrize(("drop", "sign"), [(0.32, 1), (0.40, -1)])
def test_the_aim_is_never_more_than_three_hundredths_off(drop: float, sign: int) -> None:
    """The steps are asked for 0.06 and then for 0.07 for ever, and each brings nothing."""
    asked = asked_for((drop,), smaller())
    assert asked[:4] == pytest.approx([sign * step for step in (0.06, 0.07 * 2, 0.07 * 4, 0.07 * 5)], rel=1e-4)


def test_far_from_the_target_the_aim_is_the_target() -> None:
    """With 0.06, half a step, or more missing nothing is added to it."""
    assert asked_for((0.29, 0.29), smaller())[0] == pytest.approx(0.07, rel=1e-4)


def test_steps_that_bring_nothing_short_of_the_target_become_shorter() -> None:
    assert asked_for((0.29,), smaller())[:4] == pytest.approx([0.07 * 0.6**step for step in range(4)], rel=1e-4)


def test_a_step_that_turns_back_is_taken_again_from_the_highest_and_shorter() -> None:
    steps = descent(LawTarget(scripted(0.0, 0.12, 0.06, 0.05, 0.1)), 0.36)
    assert steps[:2] == pytest.approx([0.0, 0.12])
    back = [step - steps[1] for step in steps[2:5]]  # the highest is at the second step
    assert back == pytest.approx([0.12, 0.12 * 0.6, 0.12 * 0.6**2])


@pytest.mark.parametrize("gradient", [0.0, float("nan"), float("inf")])
def test_a_gradient_that_leads_nowhere_ends_the_descent(gradient: float) -> None:
    assert descent(LawTarget(scripted(0.1), gradient), 0.3) == [0.0]


@pytest.mark.parametrize("steps", [1, 3, 14])
def test_out_of_reach_every_step_is_taken(steps: int) -> None:
    assert len(descent(LawTarget(scripted(0.01)), 0.3, steps=steps)) == steps
    assert SearchSettings(0.3).steps == 14


def test_the_descent_sets_out_from_where_it_is_told_to() -> None:
    target = linear(1.0)
    finish(search(target.as_target, SearchSettings(0.3), target.reference, CancelToken(), target.synthesis.zeros() + 9))
    assert target.stepped[0] == 9


def test_a_change_that_costs_too_much_is_taken_back_where_the_promising_one_stays_short() -> None:
    """A change that is made stronger costs 0.265 for a long time; the descent leaps over that once."""

    def law(parameter: float) -> tuple[float, float]:
        if parameter > 0.47:
            return 0.6 * parameter, 5.0
        return min(parameter, 0.265), max(parameter, 1e-3)

    target = LawTarget(law)
    result, told = finish(search(target.as_target, SearchSettings(0.3), target.reference, CancelToken()))
    beyond = [parameter for parameter in target.stepped if law(parameter)[0] > 0.3]
    assert float(result.parameters) == pytest.approx(min(beyond))
    assert abs(result.achieved_drop - 0.3) <= 0.0025
    assert result.strength == pytest.approx(0.3 / (0.6 * min(beyond)), abs=0.005)
    assert result.strength < 0.99
    assert [one.text for one in told].count("Making it a little stronger") == 3
    assert told[-1].text == "Setting the strength"


def test_short_of_the_target_steps_go_on_while_they_rise() -> None:
    """Each costs a little more and is much larger, so that none promises a smaller change."""
    drops = (0.0, 0.1, 0.2, 0.26, 0.263, 0.267, 0.271, 0.275, 0.279, 0.283, 0.287, 0.291, 0.295)
    growing = (1.5**number for number in count())
    assert len(descent(LawTarget(scripted(*drops, sizes=growing)), 0.3)) == 14
    stuck = (0.0, 0.1, 0.2, 0.26, *[0.26] * 9)
    assert len(descent(LawTarget(scripted(*stuck, sizes=(1.5**number for number in count()))), 0.3)) < 8


def test_where_no_step_cost_enough_the_costliest_is_made_stronger_not_the_one_that_promised_to_be_small() -> None:
    sizes = iter([1.0, 1.0, 0.5, *[3.0] * 40])
    target = LawTarget(scripted(0.0, 0.1, 0.26, 0.28, 0.26, sizes=sizes))
    finish(search(target.as_target, SearchSettings(0.3), target.reference, CancelToken()))
    assert target.tried[0] == (pytest.approx(target.stepped[3] * 0.3 / 0.28), 1.0)


def test_anything_up_to_the_clean_dice_may_be_asked_for() -> None:
    target, clean = spread_target()
    most = float(np.mean([organ.clean for organ in target.organs]))
    assert next(search(target, SearchSettings(most), clean, CancelToken())).fraction == 0
    with pytest.raises(ValueError, match="the clean Dice of the chosen organs"):
        next(search(target, SearchSettings(most + 1e-6), clean, CancelToken()))
    for nothing in (0.0, -0.1):
        with pytest.raises(ValueError, match="the clean Dice of the chosen organs"):
            next(search(target, SearchSettings(nothing), clean, CancelToken()))
