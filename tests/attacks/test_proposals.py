"""Setting the strength of changes that something else proposes: what is asked for, and what it costs."""

from __future__ import annotations

import pytest
import torch
from toy_targets import finish, spread_target

from napari_advseg.attacks import (
    Cancelled,
    CancelToken,
    SearchSettings,
    Target,
    search,
    set_strength,
)


def pattern(target: Target) -> torch.Tensor:
    """Uneven, and on the whole darker: the more of it the more is lost, little by little."""
    generator = torch.Generator().manual_seed(4)
    return torch.rand(target.synthesis.size, generator=generator) * -2


@pytest.mark.parametrize("scale", [0.25, 1.0])
@pytest.mark.parametrize("drop", [0.15, 0.3])
def test_it_hits_without_a_gradient_in_few_passes(drop: float, scale: float) -> None:
    target, clean = spread_target()
    shape, asked = pattern(target), []

    def propose(wanted: float) -> torch.Tensor:
        asked.append(wanted)
        return shape * wanted * scale

    settings = SearchSettings(drop, thorough=True)
    result, told = finish(set_strength(target, settings, propose, clean, CancelToken()))
    assert not result.thorough, "there was no search"
    assert asked[0] == drop
    assert asked == sorted(asked)
    assert len(asked) <= 3
    assert result.cost.backward == 0
    assert result.cost.forward == len(told) <= 6
    if scale == 1.0:
        assert result.reached
    assert [round(step.fraction, 6) for step in told] == sorted(round(step.fraction, 6) for step in told)
    assert all(0 <= step.fraction < 1 for step in told)
    assert told[0].drop is None
    assert all(step.drop is not None for step in told[1:])


def test_with_one_pass_the_first_proposal_is_only_measured() -> None:
    target, clean = spread_target()
    shape = pattern(target)
    result, told = finish(
        set_strength(target, SearchSettings(0.3), lambda _: shape * 0.05, clean, CancelToken(), most=1)
    )
    assert len(told) == result.cost.forward == 1
    assert torch.allclose(result.parameters, shape * 0.05)
    assert result.strength == 1.0
    measured = target.measure(shape * 0.05)
    assert result.achieved_drop == pytest.approx(measured.drop)


def test_a_proposal_that_falls_short_is_asked_for_more_but_never_beyond_the_greatest() -> None:
    target, clean = spread_target()
    shape, asked = pattern(target), []

    def propose(wanted: float) -> torch.Tensor:
        asked.append(wanted)
        return shape * 0.15

    result, _ = finish(set_strength(target, SearchSettings(0.3), propose, clean, CancelToken(), most=6, greatest=0.4))
    assert asked[:2] == [0.3, 0.4]
    assert len(asked) == 2
    assert result.achieved_drop > target.measure(shape * 0.15).drop  # then it is made stronger


def test_a_proposal_that_costs_enough_is_not_asked_for_again() -> None:
    target, clean = spread_target()
    shape, asked = pattern(target), []

    def propose(wanted: float) -> torch.Tensor:
        asked.append(wanted)
        return shape

    result, _ = finish(set_strength(target, SearchSettings(0.1), propose, clean, CancelToken()))
    assert asked == [0.1]
    assert abs(result.achieved_drop - 0.1) < target.measure(shape).drop - 0.1
    assert 0 < result.strength < 1
    assert torch.allclose(result.parameters, shape)


def test_the_best_is_a_hit_and_of_hits_the_smallest() -> None:
    target, clean = spread_target()
    result, _ = finish(search(target, SearchSettings(0.2), clean, CancelToken()))
    assert abs(result.achieved_drop - 0.2) <= 0.005
    assert result.size == pytest.approx(target.measure(result.parameters, result.strength).size, rel=1e-5)


@pytest.mark.parametrize(
    "fault", [RuntimeError("the device is gone"), MemoryError(), ValueError("bad"), OSError("gone")]
)
def test_a_fault_after_a_measurement_keeps_the_best_so_far(fault: Exception, monkeypatch) -> None:
    target, clean = spread_target()
    real, calls = target.measure_with_gradient, []

    def measure(parameters: torch.Tensor):
        calls.append(None)
        if len(calls) == 3:
            raise fault
        return real(parameters)

    monkeypatch.setattr(target, "measure_with_gradient", measure)
    result, _ = finish(search(target, SearchSettings(0.3), clean, CancelToken()))
    assert result.broken_off
    assert result.stopped != "cancelled"
    calls[:] = [None, None]
    with pytest.raises(type(fault)):
        finish(search(target, SearchSettings(0.3), clean, CancelToken()))


def test_stopping_before_anything_is_measured_raises() -> None:
    target, clean = spread_target()
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        finish(search(target, SearchSettings(0.3), clean, token))


def test_a_target_needs_organs_and_a_region_that_the_network_is_shown() -> None:
    target, _ = spread_target()
    with pytest.raises(ValueError, match="no organ"):
        Target(target.placed, target.synthesis, target.reference, ())
