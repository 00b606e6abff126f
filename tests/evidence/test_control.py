"""The random control: of the attack's own size and spectrum, whatever that is, and of nothing else of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from findings import toy_finding
from hypothesis import given
from hypothesis import strategies as st

from napari_advseg.attacks import AttackResult, Target
from napari_advseg.evidence import control_parameters, measure_control
from napari_advseg.evidence.control import _random_phases
from napari_advseg.synthesis import Budget, Synthesis


def scaled(mm: float, hu: float) -> AttackResult:
    """A result whose change is this part of the one found."""
    result = toy_finding().result
    return replace(
        result, displacement=result.displacement * np.float32(mm), appearance=result.appearance * np.float32(hu)
    )


def largest(result: AttackResult, seed: int = 1) -> tuple[float, float]:
    return result.synthesis.largest(control_parameters(result, seed))


@pytest.mark.parametrize(("mm", "hu"), [(1.0, 1.0), (0.1, 1.0), (1.0, 0.05), (0.05, 0.05), (0.3, 0.6)])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_control_is_as_large_as_the_attack_however_small_that_is(mm: float, hu: float, seed: int) -> None:
    result = scaled(mm, hu)
    shift, added = largest(result, seed)
    assert shift == pytest.approx(result.displacement_mm.max(), rel=0.02)
    assert added == pytest.approx(np.abs(result.appearance).max(), rel=0.02)


@pytest.mark.parametrize(("mm", "hu"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_what_the_attack_left_alone_the_control_leaves_alone(mm: float, hu: float) -> None:
    shift, added = largest(scaled(mm, hu))
    assert (shift == 0) is (mm == 0)
    assert (added == 0) is (hu == 0)


@pytest.mark.parametrize("kind", ["deformation", "appearance"])
def test_a_change_of_one_kind_has_a_control_of_that_kind(kind: str) -> None:
    found = toy_finding().result
    made = found.synthesis
    other = {"deformation": "appearance", "appearance": "deformation"}[kind]
    alone = Synthesis(found.ct, found.region, Budget(), replace(made.kind, **{other: False}), torch.device("cpu"))
    parameters = alone.project(0.4 * torch.randn(alone.size, generator=torch.Generator().manual_seed(0)))
    change = alone.change(parameters)
    result = replace(
        found, synthesis=alone, parameters=parameters, strength=1.0, displacement=change.displacement.numpy(),
        appearance=change.appearance.numpy(),
    )  # fmt: skip
    shift, added = largest(result)
    assert shift == pytest.approx(result.displacement_mm.max(), rel=0.02)
    assert added == pytest.approx(np.abs(result.appearance).max(), rel=0.02)
    assert (shift > 0) is (kind == "deformation")
    assert (added > 0) is (kind == "appearance")


@given(st.integers(0, 10_000), st.sampled_from([(3, 4, 5, 6), (1, 7, 3, 2), (2, 1, 4, 4)]))
def test_the_phases_are_random_and_the_spectrum_stays(seed: int, shape: tuple[int, ...]) -> None:
    part = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    one, other = (_random_phases(part, torch.Generator().manual_seed(number)) for number in (1, 2))
    for made in (one, other):
        assert made.dtype.is_floating_point
        for before, after in zip(part, made, strict=True):  # each component for itself
            assert torch.allclose(torch.fft.fftn(before).abs(), torch.fft.fftn(after).abs(), atol=1e-5)
    assert not torch.allclose(one, part, atol=0.1)
    assert not torch.allclose(one, other, atol=0.1)


def test_a_strength_that_is_not_the_whole_one_does_not_count_twice() -> None:
    """The control has the size of what was found, not that of the path's end."""
    result = replace(toy_finding().result, strength=0.25)
    assert largest(result)[1] == pytest.approx(np.abs(result.appearance).max(), rel=0.02)


def test_every_draw_is_another_control_and_the_same_draw_the_same() -> None:
    result, seen = toy_finding().result, []

    def measure(parameters: torch.Tensor) -> Any:
        seen.append(parameters)
        return SimpleNamespace(drop=0.01 * len(seen))

    target = cast("Target", SimpleNamespace(measure=measure))
    drops = [measure_control(target, result, draw).drop for draw in (0, 1, 2, 0)]
    assert drops == pytest.approx([0.01, 0.02, 0.03, 0.04])
    assert torch.equal(seen[0], seen[3])
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert not torch.equal(seen[one], seen[other])
