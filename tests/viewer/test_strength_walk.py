"""Which strength is tried for a drop, and what is kept of what was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from viewer.fake_core import EVIDENCE, make_case, make_ct
from viewer.walking_core import drop_at, finding_of, strength_of

from napari_advseg.attacks import PathPoint
from napari_advseg.viewer.scene import finding_scene
from napari_advseg.viewer.strength_walk import (
    PRECISION,
    Step,
    StrengthWalk,
    asked_for,
    play_strengths,
    walk_line,
)
from napari_advseg.viewer.wishes import AttackWish

CASE = make_case(make_ct())


def step_at(strength: float) -> Step:
    finding = finding_of(CASE, AttackWish(), strength)
    return Step(finding, finding_scene(finding, "case"))


def walk_over(points: dict[float, float], most_bytes: int = 10**9) -> StrengthWalk:
    """A walk on a path with these points; the step at strength 0.5 is the one that was found."""
    step = step_at(0.5)
    path = tuple(PathPoint(s, points[s]) for s in sorted(points))
    finding = replace(step.finding, result=replace(step.finding.result, path=path))
    walk = StrengthWalk(finding, replace(step, finding=finding), most_bytes)
    walk.points = {0.0: 0.0} | points
    return walk


def test_a_strength_lies_between_its_neighbours_in_proportion() -> None:
    walk = walk_over({0.5: 0.2, 1.0: 0.4})
    assert walk.strength_for(0.1) == pytest.approx(0.25)
    assert walk.strength_for(0.35) == pytest.approx(0.875)


def test_a_strength_that_is_known_to_cost_it_is_taken() -> None:
    walk = walk_over({0.5: 0.2, 1.0: 0.4})
    assert walk.strength_for(0.2 + 0.9 * PRECISION) == 0.5
    assert walk.strength_for(0.2 + 2 * PRECISION) != 0.5


def test_a_path_that_grows_with_a_power_is_met_at_once() -> None:
    walk = walk_over({0.75: 0.4 * 0.75**1.7, 1.0: 0.4})
    for drop in (0.05, 0.15, 0.3):
        strength = walk.strength_for(drop)
        assert strength is not None
        assert 0.4 * strength**1.7 == pytest.approx(drop, abs=PRECISION)


def test_of_a_path_that_turns_back_the_first_crossing_is_taken() -> None:
    walk = walk_over({0.25: 0.3, 0.5: 0.1, 0.75: 0.35, 1.0: 0.05})
    strength = walk.strength_for(0.2)
    assert strength is not None
    assert 0 < strength < 0.25
    assert 0.5 < (walk.strength_for(0.33) or 0) < 0.75
    assert walk.strongest == 0.35


def test_no_strength_costs_more_than_the_strongest() -> None:
    assert walk_over({0.5: 0.2, 1.0: 0.4}).strength_for(0.41) is None


def test_where_full_strength_has_not_been_measured_it_is_tried_first() -> None:
    walk = walk_over({0.5: 0.2})
    assert walk.strength_for(0.41) == 1.0
    walk.keep(step_at(1.0))
    assert walk.strength_for(0.41) is None


@pytest.mark.parametrize("drop", [0.02, 0.07, 0.15, 0.26, 0.39])
def test_measuring_what_is_proposed_comes_near_to_the_drop(drop: float) -> None:
    walk = walk_over({1.0: drop_at(1.0)})
    for _ in range(12):
        strength = walk.strength_for(drop)
        assert strength is not None
        if walk.points.get(strength) is not None:
            break
        walk.points[strength] = drop_at(strength)
    assert abs(drop_at(strength) - drop) <= PRECISION


def test_a_jump_is_not_searched_for_ever() -> None:
    walk = walk_over({0.5: 0.0, 0.501: 0.3, 1.0: 0.4})
    assert walk.strength_for(0.15) in (0.5, 0.501)
    assert walk.strength_for(0.2, known_only=True) in (0.5, 0.501)


def test_a_path_that_costs_nothing_cannot_be_walked() -> None:
    assert not walk_over({0.5: 0.0, 1.0: -0.01}).possible


def test_visited_steps_are_kept_and_the_longest_unseen_are_dropped() -> None:
    one = step_at(0.5).nbytes
    walk = walk_over({0.5: 0.2, 1.0: 0.4}, most_bytes=3 * one + 10)
    for strength in (0.1, 0.2):
        walk.keep(step_at(strength))
    assert walk.kept(0.5) is not None, "seen again"
    walk.keep(step_at(0.3))
    assert walk.kept(0.1) is None
    assert [walk.kept(s) is not None for s in (0.5, 0.2, 0.3)] == [True, True, True]
    assert walk.points[0.1] == pytest.approx(drop_at(0.1)), "the number outlives the arrays"
    assert one > CASE.ct.hu.size * 4


def test_the_answer_to_a_drop_tells_the_whole_path_and_all_it_cost() -> None:
    walk = walk_over({0.5: 0.2, 1.0: 0.4})
    late = step_at(0.7)
    dear = replace(late.finding.result, cost=replace(late.finding.result.cost, forward=9))
    walk.keep(Step(replace(late.finding, result=dear), late.scene))
    kept = walk.kept(0.5)
    assert kept is not None
    result = walk.asked(kept, 0.19).finding.result
    assert result.target_drop == 0.19
    assert [point.strength for point in result.path] == [0.0, 0.5, 0.7, 1.0]
    assert result.cost.forward == 9
    assert result.reached == (abs(result.achieved_drop - 0.19) <= result.tolerance)


def test_playing_goes_up_and_down_without_staying_at_either_end() -> None:
    strengths = play_strengths(0.8, 4)
    assert np.allclose(strengths, [0, 0.2, 0.4, 0.6, 0.8, 0.6, 0.4, 0.2])


def test_the_line_names_the_strength_of_a_control_of_another_size() -> None:
    result = replace(step_at(strength_of(0.298)).finding.result, target_drop=0.3)
    same = (result.strength, EVIDENCE.control_drop)
    assert walk_line(result, same) == "asked 0.30, reached 0.298; a random change of the same size: 0.006"
    assert walk_line(result, (1.0, 0.006)).endswith("a random change as large as that at strength 100%: 0.006")
    assert walk_line(result, None) == "asked 0.30, reached 0.298"
    assert [asked_for(drop) for drop in (0.214, 0.003, -0.2)] == [0.21, 0.01, 0.01]
