"""Where a strength path meets its target: what is measured, and in what order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_advseg.attacks import first_crossing, meeting_strength


class Walk:
    """A search along a curve, and what it did."""

    def __init__(self, curve, target: float, precision: float = 0.0025, **options: object) -> None:
        self.told: list[float] = []
        self.tried: list[float] = []
        self.drops = {0.0: 0.0, 1.0: float(curve(1.0))}

        def measure(strength: float) -> float:
            self.tried.append(strength)
            self.drops[strength] = float(curve(strength))
            return self.drops[strength]

        steps = first_crossing(measure, self.drops[1.0], target, precision, **options)
        while True:
            try:
                self.told.append(next(steps))
            except StopIteration as end:
                self.strength = end.value
                return


CURVES = st.lists(st.floats(0.0, 0.9), min_size=2, max_size=9)


@given(CURVES, st.floats(0.02, 0.8), st.integers(2, 9))
def test_on_any_path_the_nearest_of_what_was_measured_is_given(knots: list[float], target: float, most: int) -> None:
    def curve(strength: float) -> float:
        return float(np.interp(strength, np.linspace(0, 1, len(knots) + 1), [0.0, *knots]))

    walk = Walk(curve, target, most=most)
    assert walk.told == walk.tried  # each is told before it is measured
    assert walk.tried[:2] == [0.5, 0.75]
    assert len(walk.tried) <= max(most, 2)
    assert len(set(walk.tried)) == len(walk.tried)
    assert all(0 < strength < 1 for strength in walk.tried)
    nearest = min(abs(drop - target) for drop in walk.drops.values())
    assert abs(walk.drops[walk.strength] - target) == nearest


def test_nothing_is_measured_once_the_target_is_met() -> None:
    assert Walk(lambda s: s, 0.5).tried == [0.5, 0.75]
    assert Walk(lambda s: s, 1.0, samples=()).tried == []
    near = Walk(lambda s: s, 0.5024)
    assert near.strength == 0.5
    assert near.tried == [0.5, 0.75]
    assert len(Walk(lambda s: s, 0.51).tried) > 2


def test_a_path_that_only_climbs_needs_no_samples() -> None:
    walk = Walk(lambda s: 0.6 * s**1.8, 0.3, samples=())
    assert abs(walk.drops[walk.strength] - 0.3) <= 0.0025
    assert len(walk.tried) <= 4


def test_each_measurement_narrows_the_crossing() -> None:
    walk = Walk(lambda s: 0.8 * s**3, 0.2, precision=0.0, most=8)
    low, high = 0.5, 0.75
    for strength in walk.tried[2:]:
        assert low < strength < high
        assert strength - low >= 0.019 * (high - low)
        assert high - strength >= 0.019 * (high - low)
        if walk.drops[strength] >= 0.2:
            high = strength
        else:
            low = strength


def test_a_step_is_found_by_halving_where_the_power_law_gets_stuck() -> None:
    """All of it is lost at once: there is no strength that costs the target, and the step is closed in on."""
    walk = Walk(lambda s: 0.05 * s if s < 0.6 else 0.9, 0.3, precision=0.0, most=8)
    assert walk.tried[0] == 0.5
    low = max(s for s in [0.0, *walk.tried] if s < 0.6)
    high = min(s for s in [1.0, *walk.tried] if s >= 0.6)
    assert high - low < 0.02
    assert walk.strength == low


@given(st.floats(0.3, 5.0), st.floats(0.1, 0.95), st.floats(0.05, 0.9), st.floats(0.1, 0.9))
def test_a_power_law_is_met_exactly(power: float, low: float, top: float, share: float) -> None:
    known = {0.0: 0.0, low: top * low**power, 1.0: top}
    target = known[low] + share * (top - known[low])
    assert meeting_strength(known, low, 1.0, target) == pytest.approx((target / top) ** (1 / power), rel=1e-6)


def test_with_one_known_point_the_drop_is_taken_to_grow_with_the_square() -> None:
    known = {0.0: 0.0, 1.0: 0.4}
    assert meeting_strength(known, 0.0, 1.0, 0.1) == pytest.approx(0.5)
    assert meeting_strength({0.0: 0.0, 0.5: 0.4, 1.0: 0.4}, 0.0, 0.5, 0.1) == pytest.approx(0.25)


def test_where_nothing_is_lost_below_the_point_above_tells_the_law() -> None:
    known = {0.0: 0.0, 0.5: 0.1, 1.0: 0.2}  # straight
    assert meeting_strength(known, 0.0, 0.5, 0.05) == pytest.approx(0.25)


def test_no_law_is_steeper_or_flatter_than_is_sensible() -> None:
    steep = {0.0: 0.0, 0.9: 1e-9, 1.0: 0.5}
    assert meeting_strength(steep, 0.9, 1.0, 0.25) == pytest.approx(0.5 ** (1 / 6))
    flat = {0.0: 0.0, 0.1: 0.4999, 1.0: 0.5}
    assert meeting_strength(flat, 0.1, 1.0, 0.49995) == pytest.approx((0.49995 / 0.5) ** 5)


def test_no_change_at_all_may_be_the_nearest() -> None:
    walk = Walk(lambda s: 0.9, 0.3, most=2)
    assert walk.tried == [0.5, 0.75]
    assert walk.strength == 0.0


def test_nothing_is_looked_for_where_nothing_is_asked_for() -> None:
    assert Walk(lambda s: 0.5 * s, 0.0).strength == 0.0


def test_a_new_strength_keeps_off_both_ends_of_what_is_left() -> None:
    """The power law points at an end, from which little would be learnt: a fiftieth of the way is gone at least."""
    high = Walk(lambda s: 0.1 if s < 1 else 0.5001, 0.5, precision=1e-6, samples=(), most=1)
    assert high.tried == pytest.approx([0.98])
    low = Walk(lambda s: 0.4999 if s == 0.5 else 0.9, 0.5, precision=1e-6, samples=(0.5,), most=2)
    assert low.tried == pytest.approx([0.5, 0.51])


def test_where_one_end_stays_for_two_steps_the_middle_is_looked_at() -> None:
    walk = Walk(lambda s: 0.05 * s if s < 0.6 else 0.9, 0.3, precision=0.0, samples=(), most=6)
    low, high, ends = 0.0, 1.0, ""
    for strength in walk.tried:
        if ends[-2:] in ("ll", "hh"):
            assert strength == pytest.approx((low + high) / 2)
        if walk.drops[strength] >= 0.3:
            high, ends = strength, ends + "h"
        else:
            low, ends = strength, ends + "l"
    assert {"ll", "hh"} & {ends[at : at + 2] for at in range(len(ends) - 2)}


def test_a_smaller_drop_beyond_the_point_tells_nothing_of_the_law() -> None:
    assert meeting_strength({0.0: 0.0, 0.5: 0.4, 1.0: 0.3}, 0.0, 0.5, 0.1) == pytest.approx(0.25)
    assert meeting_strength({0.0: 0.0, 0.5: 0.4, 0.7: 0.3, 1.0: 0.8}, 0.0, 0.5, 0.1) == pytest.approx(0.125)
