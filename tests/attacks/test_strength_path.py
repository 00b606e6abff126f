from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_advseg.attacks import first_crossing


def walk(curve, target: float, precision: float = 0.0025) -> tuple[float, list[float]]:
    tried: list[float] = []

    def measure(strength: float) -> float:
        tried.append(strength)
        return curve(strength)

    steps = first_crossing(measure, curve(1.0), target, precision)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, tried


@given(st.floats(0.4, 3.0), st.floats(0.05, 0.6), st.floats(0.3, 1.0))
def test_a_smooth_path_is_met_in_few_measurements(power: float, target: float, top: float) -> None:
    target = min(target, top)
    strength, tried = walk(lambda s: top * s**power, target)
    assert abs(top * strength**power - target) <= 0.0025 + 1e-9
    assert len(tried) <= 8


@given(st.integers(20, 400), st.floats(0.05, 0.6))
def test_a_step_function_is_met_as_near_as_its_steps_allow(steps: int, target: float) -> None:
    def curve(strength: float) -> float:
        return np.floor(0.8 * strength * steps) / steps

    strength, tried = walk(curve, target)
    assert abs(curve(strength) - target) <= 1 / steps + 0.01
    assert len(tried) <= 8


def test_where_the_path_turns_back_the_first_crossing_is_taken() -> None:
    strength, _ = walk(lambda s: float(np.interp(s, [0, 0.5, 0.75, 1], [0, 0.4, 0.1, 0.5])), 0.3)
    assert strength == pytest.approx(0.375, abs=0.01)


def test_a_target_out_of_reach_gives_the_nearest() -> None:
    strength, tried = walk(lambda s: 0.2 * s, 0.5)
    assert strength == 1.0
    assert len(tried) == 2
