"""A result measured again with fresh random numbers: what is told, what is spent, and which repeat is kept."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from findings import toy_finding
from toy_targets import LawTarget, finish, measured

from napari_advseg.attacks import AttackResult, Cancelled, CancelToken, repeat
from napari_advseg.attacks.target import Measured


@cache
def found(drop: float = 0.3, tolerance: float = 0.01) -> AttackResult:
    result = toy_finding().result
    return replace(result, target_drop=drop, tolerance=tolerance, parameters=torch.ones(1), strength=0.7)


class RandomTarget(LawTarget):
    """Whose drop and clean Dice are told by the number of the draw."""

    def __init__(self, drops: list[float]) -> None:
        super().__init__(lambda _: (0.0, 1.0))
        self.drops, self.seed, self.seeds = drops, 0, []
        network = self.placed.network
        network.drawing = self.drawing

    @contextmanager
    def drawing(self, seed: int) -> Generator[None]:
        self.seed = seed
        self.seeds.append(seed)
        yield
        self.seed = 0

    def measure(self, parameters: torch.Tensor, strength: float = 1.0) -> Measured:
        assert self.seed != 0, "the numbers that the search has seen"
        number = len(set(self.seeds)) - 1
        self.tried.append((float(parameters), strength))
        self.passes.forward += 1
        clean = 0.9 - 0.01 * number
        if float(parameters) == 0:
            return replace(measured(0.0, 0.0), dice=np.array([clean]), attacked=np.full((1, 1, 1), 100 + number))
        dice = np.array([clean - self.drops[number]])
        return replace(measured(self.drops[number], 1.0), dice=dice, attacked=np.full((1, 1, 1), 200 + number))


STEADY = [0.301, 0.298, 0.303, 0.3005, 0.299, 0.302, 0.297, 0.304]
SCATTERED = [0.301, 0.28, 0.33, 0.3, 0.25, 0.302, 0.297, 0.34]


def test_every_repeat_draws_other_numbers_than_the_search_and_than_the_others() -> None:
    target = RandomTarget(STEADY)
    finish(repeat(target.as_target, found(), CancelToken()))
    assert len(set(target.seeds)) == 8
    assert 0 not in target.seeds
    assert target.tried == [(0.0, 1.0), (1.0, pytest.approx(0.7))] * 8


def test_each_repeat_is_told_before_it_begins() -> None:
    target, result = RandomTarget(STEADY), found()
    steps, told = repeat(target.as_target, result, CancelToken()), []
    for number in range(8):
        told.append(next(steps))
        assert len(target.tried) == 2 * number
    assert [one.fraction for one in told] == [number / 8 for number in range(8)]
    assert told[0].text == "Repeating with fresh random numbers (1 of 8)"
    assert told[7].text == "Repeating with fresh random numbers (8 of 8)"
    assert {one.drop for one in told} == {result.achieved_drop}


def test_what_the_repeats_took_is_added_to_the_cost() -> None:
    target, result = RandomTarget(STEADY), found()
    target.passes.forward = 5  # of the search, which are in its cost
    again, _ = finish(repeat(target.as_target, result, CancelToken()))
    assert again.cost == replace(result.cost, forward=result.cost.forward + 16)


@pytest.mark.parametrize(
    ("drops", "kept"), [(STEADY, 3), (SCATTERED, 4), ([drop - 0.05 for drop in STEADY], 6)]
)  # fmt: skip
def test_of_steady_repeats_the_nearest_is_kept_else_the_farthest(drops: list[float], kept: int) -> None:
    again, _ = finish(repeat(RandomTarget(drops).as_target, found(), CancelToken()))
    assert again.repeats is not None
    assert again.repeats.drops == pytest.approx(drops)
    (organ,) = again.organs
    assert organ.clean == pytest.approx(0.9 - 0.01 * kept)
    assert organ.drop == pytest.approx(drops[kept])
    assert again.clean_labels.tolist() == [[[100 + kept]]]
    assert again.attacked_labels.tolist() == [[[200 + kept]]]
    assert again.reached is (drops is STEADY)


def test_an_organ_keeps_its_name_and_its_voxels() -> None:
    (before,), (after,) = (
        found().organs,
        finish(repeat(RandomTarget(STEADY).as_target, found(), CancelToken()))[0].organs,
    )
    assert (after.id, after.name, after.voxels) == (before.id, before.name, before.voxels)


def test_repeating_can_be_stopped() -> None:
    target, token = RandomTarget(STEADY), CancelToken()
    asked = []

    @contextmanager
    def stopping_at(check) -> Generator[None]:
        asked.append(check)
        yield

    target.placed.network.stopping_at = target.synthesis.stopping_at = stopping_at
    next(repeat(target.as_target, found(), token))
    assert len(asked) == 2  # at the layers of the network and in the synthesis
    token.cancel()
    for check in asked:
        with pytest.raises(Cancelled):
            check()
