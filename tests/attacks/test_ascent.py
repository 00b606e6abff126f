"""The search's step, and when it stops: properties that hold for every gradient."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_advseg.attacks.ascent import STEPS_TO_TARGET, Ascent, Climb, Promising
from napari_advseg.attacks.target import Measured


def ascent_over(*shapes: tuple[int, ...]) -> Ascent:
    """Steps over lattices of (component, *control points)."""
    sizes = [int(np.prod(shape)) for shape in shapes]

    def split(parameters: torch.Tensor) -> list[torch.Tensor]:
        return [part.view(shape) for part, shape in zip(parameters.split(sizes), shapes, strict=True)]

    synthesis = SimpleNamespace(zeros=lambda: torch.zeros(sum(sizes)), split=split)
    return Ascent(SimpleNamespace(synthesis=synthesis))


@given(st.integers(0, 10**6), st.floats(-0.2, 0.2))
def test_a_step_adds_the_wanted_drop_to_first_order(seed: int, wanted: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    gradient, parameters = (torch.randn(40, generator=generator) for _ in range(2))
    after = ascent_over((3, 2, 2, 2), (1, 4, 2, 2)).step(parameters, gradient, wanted)
    assert float(gradient @ after) == pytest.approx(float(gradient @ parameters) + wanted, abs=1e-4)


def test_what_does_not_help_decays_without_turning() -> None:
    gradient = torch.tensor([0.0, 0.0, 1.0, 2.0])
    before = torch.tensor([1.0, -0.6, 0.0, 0.0])
    after = ascent_over((1, 4)).step(before, gradient, 0.1)
    assert torch.allclose(after[:2], before[:2] / 2)
    assert (after[2:] > 0).all()


@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_a_change_along_the_gradient_is_the_smallest_for_its_drop_to_first_order(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    gradient, parameters = (torch.randn(40, generator=generator) for _ in range(2))
    ascent = ascent_over((3, 2, 2, 2), (1, 4, 2, 2))
    along = gradient * torch.cat([torch.full((24,), 8.0), torch.full((16,), 16.0)])  # a lattice's points count together
    assert ascent.alignment(scale * along, gradient) == pytest.approx(1.0, abs=1e-5)
    share = ascent.alignment(parameters, gradient)
    smallest = along * (float(gradient @ parameters) / float(gradient @ along))
    assert abs(share) == pytest.approx(ascent.length(smallest) / ascent.length(parameters), abs=1e-5)
    assert ascent.alignment(torch.zeros(40), gradient) == 1.0


def test_a_stronger_gradient_gets_more_but_less_than_its_share() -> None:
    """Between the gradient, which puts all on few spots, and its sign, which spreads evenly."""
    after = ascent_over((1, 3)).step(torch.zeros(3), torch.tensor([1.0, 10.0, -10.0]), 0.1)
    assert 2 < after[1] / after[0] < 10
    assert after[2] == -after[1]


def test_later_steps_go_along_the_mean_of_the_gradients() -> None:
    """A gradient that turns to and fro: what it has in common with the earlier ones is followed more than the rest."""
    ascent = ascent_over((1, 2))
    for sign in (1.0, -1.0, 1.0):
        ascent.step(torch.zeros(2), torch.tensor([1.0, sign]), 0.1)
    first, second = (ascent.step(torch.zeros(2), torch.tensor([1.0, sign]), 0.1) for sign in (-1.0, 1.0))
    for step, sign in ((first, -1.0), (second, 1.0)):
        assert 0 < sign * step[1] < 0.6 * step[0]
        assert float(step[0] + sign * step[1]) == pytest.approx(0.1)


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_however_the_gradient_turns_the_mean_leads_uphill_and_a_step_stays_short(seed: int, noise: float) -> None:
    """Also against all gradients before it: at most 1 / (1 - 2 x 0.35) of what the gradient alone would take."""
    generator = torch.Generator().manual_seed(seed)
    one = torch.randn(40, generator=generator)
    ascent = ascent_over((3, 2, 2, 2), (1, 4, 2, 2))
    weights = torch.cat([torch.full((24,), 8.0), torch.full((16,), 16.0)])
    for number, turn in enumerate((1, 1, 1, 1, 1, -1, 1, 1, -1)):
        gradient = turn * one + noise * torch.randn(40, generator=generator)
        step = ascent.step(torch.zeros(40), gradient, 0.1)
        if number >= STEPS_TO_TARGET:
            assert ascent._mean is not None
            assert float(step @ ascent._mean) > 0
            alone = 0.1 / float((gradient.square() * weights).sum().sqrt())
            assert ascent.length(step) <= 1.001 * alone / 0.3


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_a_faint_or_a_steep_gradient_has_the_same_direction(scale: float) -> None:
    gradient = torch.tensor([1.0, -2.0, 3.0, 4.0])
    plain, scaled = (ascent_over((1, 4)).step(torch.zeros(4), gradient * by, 0.1 * by) for by in (1.0, scale))
    assert torch.allclose(plain, scaled)


def test_a_lattice_of_many_points_counts_as_much_as_one_of_few() -> None:
    """A parameter of the finer lattice moves less of the field, and may be larger for the same size of it."""
    few, many = 4, 64
    after = ascent_over((2, few), (1, many)).step(torch.zeros(2 * few + many), torch.ones(2 * few + many), 0.1)
    assert after[:8].unique().numel() == after[8:].unique().numel() == 1
    ratio = float(after[8] / after[0])
    assert np.sqrt(many / few) < ratio < many / few


def measured(drop: float, size: float) -> Measured:
    nothing = np.zeros((1, 1, 1))
    return Measured(torch.zeros(1), 1.0, drop, np.zeros(1), size, nothing, nothing, nothing, nothing, nothing)  # type: ignore[arg-type]


def test_the_search_goes_on_while_the_change_becomes_smaller() -> None:
    promising = Promising(0.3)
    steps = [measured(0.3, size) for size in (1.0, 0.9, 0.8, 0.7, 0.6)]
    assert not any(promising.settled(step) for step in steps)
    assert promising.leader is steps[-1]


def test_three_steps_that_do_not_help_end_the_search() -> None:
    promising = Promising(0.3)
    best, worse, again = measured(0.3, 1.0), measured(0.3, 1.1), measured(0.3, 0.99)
    assert not promising.settled(best)
    assert not promising.settled(worse)
    assert not promising.settled(worse)
    assert promising.leader is best
    assert promising.settled(again)  # a hundredth smaller: not worth a step, but kept
    assert promising.leader is again


def test_a_step_that_helps_gives_the_search_new_patience() -> None:
    promising = Promising(0.3)
    told = [promising.settled(measured(0.3, size)) for size in (1.0, 1.1, 1.1, 0.8, 0.9, 0.9, 0.95)]
    assert told == [False] * 6 + [True]


def test_steps_that_are_alike_are_no_end_while_most_of_the_change_is_about_to_decay() -> None:
    sizes = (1.0, 1.01, 1.02, 0.7, 0.71, 0.7)
    promising = Promising(0.3)
    told = [promising.settled(measured(0.3, size), alignment=0.2) for size in sizes]
    assert not any(told)
    askew = [promising.settled(measured(0.3, 0.72), alignment=0.2) for _ in range(4)]
    assert askew == [False, False, True, True], "but not for ever"
    straight = Promising(0.3)
    assert [straight.settled(measured(0.3, size), alignment=0.6) for size in sizes[:2]] == [False, True]


def test_a_thorough_search_takes_any_smaller_change_and_ends_after_five_steps_without() -> None:
    promising = Promising(0.3, thorough=True)
    told = [promising.settled(measured(0.3, size)) for size in (1.0, 1.0, 0.995, 1.1, 0.996, 1.0, 1.0, 1.0)]
    assert told == [False] * 7 + [True]
    assert promising.leader is not None
    assert promising.leader.size == 0.995


@pytest.mark.parametrize("drop", [0.0, 0.2, 0.25, 0.39, 0.9])
def test_a_step_far_from_the_target_says_nothing_of_the_size_there(drop: float) -> None:
    promising = Promising(0.3)
    for _ in range(5):
        assert not promising.settled(measured(drop, 0.01))
    assert promising.leader is None


@pytest.mark.parametrize("drop", [0.26, 0.3, 0.37])
def test_a_step_near_the_target_is_judged_by_its_size_there(drop: float) -> None:
    """More drop takes more change: what is as small beyond the target is smaller at it."""
    promising = Promising(0.3)
    short, beyond = measured(0.27, 1.0), measured(0.33, 1.0)
    promising.settled(short)
    promising.settled(beyond)
    assert promising.leader is beyond
    promising = Promising(0.3)
    promising.settled(beyond)
    promising.settled(short)
    assert promising.leader is beyond
    alone = Promising(0.3)
    alone.settled(measured(drop, 1.0))
    assert alone.leader is not None


def test_far_more_drop_outweighs_a_little_more_size() -> None:
    promising = Promising(0.3)
    promising.settled(measured(0.27, 1.0))
    larger = measured(0.36, 1.1)
    promising.settled(larger)
    assert promising.leader is larger
    little = Promising(0.3)
    first = measured(0.29, 1.0)
    little.settled(first)
    little.settled(measured(0.31, 1.1))
    assert little.leader is first


def test_two_steps_beyond_the_target_that_are_alike_end_the_search_and_two_short_of_it_do_not() -> None:
    reached, short = Promising(0.3), Promising(0.3)
    assert not reached.settled(measured(0.29, 1.0))
    assert reached.settled(measured(0.31, 1.03))
    assert not short.settled(measured(0.27, 1.0))
    assert not short.settled(measured(0.275, 1.0))


@pytest.mark.parametrize("scale", [1e-18, 1e-6, 1e6])
def test_a_step_is_the_same_for_every_unit_of_the_gradient(scale: float) -> None:
    """However faint a network answers: the step that brings the drop is as much larger."""
    gradient = torch.randn(24, generator=torch.Generator().manual_seed(1))
    ascent = ascent_over((3, 2, 2, 2))
    one, other = (ascent.step(torch.zeros(24), gradient * by, 0.1 * by) for by in (1.0, scale))
    assert torch.allclose(one, other, rtol=1e-4)


def test_the_size_at_the_target_is_told_by_a_little_less_than_the_square() -> None:
    for size, leads in ((1.055, False), (1.073, True)):
        promising = Promising(0.3)
        short = measured(0.27, 1.0)
        promising.settled(measured(0.3, size))
        promising.settled(short)
        assert (promising.leader is short) is leads


@given(st.integers(0, 10**6), st.floats(0.01, 0.5), st.floats(0.01, 3.0))
def test_a_step_is_no_longer_than_the_radius_and_brings_drop_first(seed: int, wanted: float, radius: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    gradient, parameters = (torch.randn(40, generator=generator) for _ in range(2))
    gradient = gradient / 40
    ascent = ascent_over((3, 2, 2, 2), (1, 4, 2, 2))
    free, held = (ascent.step(parameters, gradient, wanted, bound) - parameters for bound in (float("inf"), radius))
    assert ascent.length(held) <= radius * 1.001
    if ascent.length(free) <= radius:
        assert torch.equal(free, held)
    gained, alone = float(gradient @ held), ascent.length(ascent.step(torch.zeros(40), gradient, wanted))
    assert gained <= wanted * 1.001
    assert gained >= 0.65 * min(1.0, radius / alone) * wanted


def test_a_step_that_keeps_little_of_its_promise_makes_the_next_ones_shorter_and_go_back() -> None:
    climb = Climb(0.3)
    gradients = [torch.full((1,), float(number)) for number in range(5)]
    first, worse, better = measured(0.1, 1.0), measured(0.09, 1.0), measured(0.2, 1.0)
    assert climb.footing(first, gradients[0]) == (first, gradients[0])
    assert climb.radius == float("inf")
    climb.expect(2.0, 0.1)
    assert climb.footing(worse, gradients[1]) == (first, gradients[0])
    assert climb.radius == pytest.approx(1.2)
    climb.expect(1.0, 0.1)
    assert climb.footing(better, gradients[2]) == (better, gradients[2])
    assert climb.radius == pytest.approx(1.2)
    climb.expect(1.0, 0.1)
    little = measured(0.21, 1.0)  # higher, but a tenth of the promise
    assert climb.footing(little, gradients[3]) == (little, gradients[3])
    assert climb.radius == pytest.approx(0.6)


def test_a_network_that_hardly_answers_yet_is_not_gone_about_in_shorter_steps() -> None:
    climb = Climb(0.3)
    for drop in (0.0, 0.01, 0.005, 0.029):
        step = measured(drop, 1.0)
        assert climb.footing(step, torch.zeros(1))[0] is step
        climb.expect(1.0, 0.1)
    assert climb.radius == float("inf")


def test_near_the_target_steps_may_go_to_and_fro() -> None:
    climb = Climb(0.3)
    for drop in (0.1, 0.26, 0.35, 0.2, 0.1):
        step = measured(drop, 1.0)
        assert climb.footing(step, torch.zeros(1))[0] is step
        climb.expect(1.0, 0.2)
    assert climb.radius == float("inf")
