"""Setting the strength: what a change that falls short is multiplied by, and how many passes that takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from toy_targets import NO_LABELS, LawTarget, finish, measured, scripted

from napari_advseg.attacks import CancelToken, SearchSettings, set_strength
from napari_advseg.attacks.search import _Run


def power(exponent: float, top: float = 0.9) -> LawTarget:
    """The parameter 1 costs 0.27, and the drop grows with a power of the parameter."""
    return LawTarget(lambda parameter: (min(top, 0.27 * abs(parameter) ** exponent), abs(parameter)))


def calibrated(target: LawTarget, drop: float = 0.3, start: float = 1.0, **options: object) -> _Run:
    run = _Run(target.as_target, SearchSettings(drop), NO_LABELS)
    first = target.measure(torch.full((1,), start))
    run._consider(first)
    target.tried.clear()
    list(run.calibrate(first, **options))
    return run


def stronger(target: LawTarget) -> list[float]:
    """The parameters that were measured at full strength."""
    return [parameter for parameter, strength in target.tried if strength == 1.0]


@pytest.mark.parametrize("exponent", [1.0, 0.5, 0.3])
def test_a_change_that_falls_short_is_made_stronger_by_the_power_that_the_first_try_shows(exponent: float) -> None:
    target = power(exponent)
    run = calibrated(target)
    needed = (0.3 / 0.27) ** (1 / exponent)
    first, *more = stronger(target)
    assert first == pytest.approx(0.3 / 0.27)
    if exponent == 1.0:
        assert more == []
    else:
        assert more == [pytest.approx(min(needed, first * 1.3), rel=1e-5)]
    assert run.best is not None
    assert abs(run.best.drop - 0.3) <= 0.005


def test_the_power_is_that_of_the_last_try_alone() -> None:
    """From 0.20 to 0.26 with 1.3 times the change, that is about all of it: the rest is asked for so."""
    target = LawTarget(scripted(0.2, 0.26, 0.3))
    calibrated(target)
    assert stronger(target) == pytest.approx([1.3, 1.3 * 0.3 / 0.26])


def test_a_try_is_neither_timid_nor_bold() -> None:
    far = LawTarget(scripted(0.05))
    calibrated(far)
    assert stronger(far) == pytest.approx([1.3, 1.3**2, 1.3**3])
    near = LawTarget(scripted(0.2945))
    calibrated(near)
    assert stronger(near) == pytest.approx([1.02, 1.02**2, 1.02**3])


def test_a_change_that_grows_hardly_at_all_is_taken_to_grow_with_the_fourth_root() -> None:
    target = LawTarget(scripted(0.29, 0.2901, 0.2902))
    calibrated(target)
    first = 0.3 / 0.29
    assert stronger(target)[:2] == pytest.approx([first, first * (0.3 / 0.2901) ** 4], rel=1e-6)


def test_a_change_that_grows_faster_than_its_strength_is_not_made_weaker_for_it() -> None:
    target = LawTarget(scripted(0.2, 0.29, 0.3))
    calibrated(target)
    assert stronger(target) == pytest.approx([1.3, 1.3 * 0.3 / 0.29])


@pytest.mark.parametrize("drop", [0.0, -0.02])
def test_a_change_that_costs_nothing_is_not_made_stronger(drop: float) -> None:
    target = LawTarget(scripted(drop))
    calibrated(target)
    assert stronger(target) == []


@pytest.mark.parametrize(("drop", "tries"), [(0.294, 3), (0.296, 0), (0.304, 0), (0.32, 0)])
def test_only_what_falls_short_of_a_hit_is_made_stronger(drop: float, tries: int) -> None:
    target = LawTarget(scripted(drop))
    calibrated(target)
    assert len(stronger(target)) == tries


@pytest.mark.parametrize(("most", "tries"), [(1, 0), (2, 1), (3, 2), (4, 3), (11, 3)])
def test_a_pass_is_left_for_the_strength(most: int, tries: int) -> None:
    target = LawTarget(scripted(0.1))
    calibrated(target, most=most, samples=())
    assert len(stronger(target)) == tries


def test_a_given_factor_takes_the_place_of_what_is_missing() -> None:
    target = LawTarget(scripted(0.1, 0.2, 0.25))
    calibrated(target, stronger=2.0)
    assert stronger(target) == pytest.approx([2, 4, 8])


def steep(parameter: float) -> tuple[float, float]:
    """No strength costs the target: all is lost at once."""
    return (0.9 if abs(parameter) > 0.4321 else 0.05 * abs(parameter)), abs(parameter)


@pytest.mark.parametrize(("samples", "tried"), [((0.75,), 8), ((), 8), ((0.25, 0.5, 0.75), 8)])
def test_eight_strengths_are_looked_at_at_most(samples: tuple[float, ...], tried: int) -> None:
    target = LawTarget(steep)
    calibrated(target, samples=samples)
    assert len(target.tried) == tried
    assert [strength for _, strength in target.tried][: len(samples)] == list(samples)


def test_an_early_crossing_is_seen() -> None:
    """The drop rises over the target, falls, and rises again: the smaller of the two changes is the one that is kept."""

    def law(parameter: float) -> tuple[float, float]:
        early = 0.3 + 0.2 * (parameter - 0.7)
        return (early if parameter < 0.8 else 0.1 if parameter < 0.85 else 0.4), parameter

    target = LawTarget(law)
    run = calibrated(target)
    assert run.best is not None
    assert target.tried[0] == (1.0, 0.75)
    assert 0.6 < run.best.strength < 0.75


def test_a_strength_is_near_enough_at_a_quarter_of_the_tolerance() -> None:
    for off, more in ((0.0024, False), (0.0026, True)):
        target = LawTarget(scripted(0.5, 0.3 + off, 0.3))
        calibrated(target, samples=())
        assert (len(target.tried) > 1) is more


def proposed(
    law: Callable[[float], tuple[float, float]], propose: Callable[[float], float], drop: float = 0.3, **options: object
) -> tuple[LawTarget, list[float], int]:
    """The target, what was asked for, and the passes that it took."""
    target, asked = LawTarget(law), []

    def tensor(wanted: float) -> torch.Tensor:
        asked.append(wanted)
        return torch.full((1,), propose(wanted))

    steps = set_strength(target.as_target, SearchSettings(drop), tensor, target.reference, CancelToken(), **options)
    result, told = finish(steps)
    assert result.cost.forward == len(told) == len(target.tried)
    return target, asked, len(told)


def test_a_proposal_that_falls_short_is_followed_by_one_for_what_is_missing_and_a_third_more() -> None:
    _, asked, _ = proposed(scripted(0.28, 0.25, 0.3), lambda wanted: wanted)
    assert asked == pytest.approx([0.3, 0.3 + 1.3 * 0.02 + 0.01, 0.336 + 1.3 * 0.05 + 0.01])


@pytest.mark.parametrize(("drop", "proposals"), [(0.2945, 3), (0.2955, 1), (0.32, 1)])
def test_a_proposal_that_is_a_hit_or_more_is_the_last(drop: float, proposals: int) -> None:
    assert len(proposed(scripted(drop), lambda wanted: wanted)[1]) == proposals


def test_nothing_beyond_all_of_the_dice_is_asked_for() -> None:
    assert proposed(scripted(0.05), lambda wanted: wanted, 0.8)[1] == [0.8, 1.0]


def test_the_strongest_of_the_proposals_is_taken_and_made_far_stronger() -> None:
    target, asked, _ = proposed(scripted(0.1, 0.2, 0.15, 0.6, 0.3), lambda wanted: wanted)
    assert len(asked) == 3
    assert target.tried[3] == (pytest.approx(2 * asked[1]), 1.0)
    assert target.tried[4][0] == target.tried[3][0]
    assert target.tried[4][1] < 1


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 6])
def test_no_more_passes_are_spent_than_may_be_and_none_is_left_where_the_target_is_not_met(most: int) -> None:
    """Proposals that cost 0.2; doubled, all is lost at once."""

    def law(parameter: float) -> tuple[float, float]:
        return (0.9 if abs(parameter) > 1.2345 else 0.2 * abs(parameter)), abs(parameter)

    _, asked, passes = proposed(law, lambda _: 1.0, most=most)
    assert len(asked) == min(3, most)
    assert passes == (3 if most == 4 else most)  # with one pass there is nothing to look at between


def test_six_passes_are_the_most_where_nothing_else_is_said() -> None:
    assert proposed(lambda p: (0.9 if abs(p) > 1.2345 else 0.2 * abs(p), abs(p)), lambda _: 1.0)[2] == 6


def test_a_search_takes_the_most_promising_change_for_the_strength() -> None:
    """Not the nearest to the target, but the one that would be the smallest at it."""
    target = LawTarget(lambda parameter: (0.31 * parameter, parameter))
    run = _Run(target.as_target, SearchSettings(0.3), NO_LABELS)
    nearest, promising, given = (
        measured(drop, size, 1.0, torch.full((1,), at))
        for drop, size, at in ((0.29, 4.0, 7.0), (0.33, 1.0, 2.0), (0.35, 9.0, 3.0))
    )
    run._consider(nearest)
    run.promising.settled(nearest)
    run.promising.settled(promising)
    list(run.calibrate())
    assert {parameter for parameter, _ in target.tried} == {2.0}
    target.tried.clear()
    list(run.calibrate(given))
    assert {parameter for parameter, _ in target.tried} == {3.0}
    target.tried.clear()
    alone = _Run(target.as_target, SearchSettings(0.6), NO_LABELS)
    alone._consider(replaced := measured(0.7, 4.0, 1.0, torch.full((1,), 7.0)))
    list(alone.calibrate())
    assert {parameter for parameter, _ in target.tried} == {float(replaced.parameters)}


@pytest.mark.parametrize(
    ("drops", "tries"),
    [
        ((0.2, 0.24, 0.26, 0.275, 0.284, 0.29, 0.2945, 0.296), 6),  # a third or more each time
        ((0.2, 0.24, 0.26, 0.28, 0.296), 4),  # there
        ((0.2, 0.24, 0.26, 0.275, 0.28, 0.3), 4),  # the fourth closes a fifth
        ((0.2, 0.24, 0.26, 0.265, 0.3), 3),  # the third does
    ],
)
def test_a_change_that_comes_nearer_with_every_try_is_tried_more_often(drops: tuple[float, ...], tries: int) -> None:
    target = LawTarget(scripted(*drops))
    calibrated(target, most=11)
    assert len(stronger(target)) == tries


def test_a_generated_change_is_made_stronger_three_times_at_most() -> None:
    target = LawTarget(scripted(0.1, 0.2, 0.24, 0.27, 0.28))
    calibrated(target, most=11, stronger=2.0)
    assert len(stronger(target)) == 3
