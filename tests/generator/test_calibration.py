"""What the generator missed by on patients kept out corrects what it is asked for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_attackers import toy_card, train_state

from napari_advseg.generator import Attacker, AttackerCard

DROPS = (0.1, 0.2, 0.3, 0.5)


def attacker(**card: object) -> Attacker:
    return Attacker(toy_card(**card), train_state(3))


@given(st.lists(st.floats(0.2, 3.0), min_size=4, max_size=4), st.floats(0.001, 0.7))
def test_what_is_asked_is_what_cost_the_drop(slopes: list[float], drop: float) -> None:
    costs, reached = {}, 0.0
    for asked, before, slope in zip(DROPS, (0.0, *DROPS), slopes, strict=False):
        reached += slope * (asked - before)
        costs[asked] = reached
    card = attacker().calibrated({asked: cost - asked for asked, cost in costs.items()}).card
    wanted = card.asked_for(drop)
    assert wanted <= max(drop, card.drops[1])
    if wanted < card.drops[1]:
        known = [(0.0, 0.0), *sorted(costs.items())]
        around = [pair for pair in pairwise(known) if pair[1][0] >= wanted] or [(known[-2], known[-1])]
        (low, less), (high, more) = around[0]
        assert less + (wanted - low) * (more - less) / (high - low) == pytest.approx(drop, abs=1e-6)


def test_without_a_clear_rise_nothing_is_corrected() -> None:
    assert attacker().card.asked_for(0.3) == 0.3
    flat = attacker().calibrated({0.1: 0.1, 0.2: 0.0, 0.3: -0.1})
    assert flat.card.calibration == ()
    deaf = attacker(conditioned=False).calibrated({0.1: 0.0, 0.2: 0.0})
    assert deaf.card.asked_for(0.15) == 0.15


def test_drops_beyond_what_it_can_do_correct_nothing() -> None:
    """From 0.5 on all cost alike: what is known up to there goes on in a straight line."""
    full = attacker().calibrated({0.1: -0.02, 0.3: -0.06, 0.5: -0.15, 0.6: -0.25, 0.7: -0.2})
    assert [asked for asked, _ in full.card.calibration] == [0.1, 0.3, 0.5]
    assert full.card.asked_for(0.4) == pytest.approx(0.5 + 0.05 * 0.2 / 0.11)


def test_more_is_never_asked_than_in_training() -> None:
    weak = attacker(drops=(0.02, 0.6)).calibrated({0.1: -0.05, 0.2: -0.1, 0.3: -0.15, 0.5: -0.25})
    assert weak.card.asked_for(0.2) == pytest.approx(0.4)
    assert weak.card.asked_for(0.5) == 0.6
    assert weak.card.asked_for(0.7) == 0.7  # as without


def test_a_card_keeps_its_calibration(tmp_path: Path) -> None:
    made = attacker().calibrated({0.1: -0.02, 0.3: -0.06})
    made.save(tmp_path)
    assert AttackerCard.read(tmp_path) == made.card
    assert made.card.calibration == (pytest.approx((0.1, 0.08)), pytest.approx((0.3, 0.24)))


@pytest.mark.parametrize(
    "points", [((0.1, 0.1), (0.2, 0.1)), ((0.2, 0.1), (0.1, 0.2)), ((0.1, 0.0),), ((0.1, float("nan")),)]
)
def test_a_card_whose_calibration_does_not_rise_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="the calibration must rise"):
        toy_card(calibration=points)
