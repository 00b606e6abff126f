"""Targets whose course is known: the threshold network's, and one whose drop is a law of the parameters alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from toy_networks import graded_ct, threshold_network

from napari_advseg.attacks import AttackResult, Organ, Progress, Target, score_organs
from napari_advseg.attacks.target import Measured
from napari_advseg.networks import Passes
from napari_advseg.synthesis import Budget, Kind, Synthesis
from napari_advseg.volume import Region


def spread_target(hu: float = 15.0) -> tuple[Target, np.ndarray]:
    """An organ whose voxels lie evenly up to 12 HU above the threshold."""
    network, (ct, reference) = threshold_network(), graded_ct()
    ct.hu[reference > 0] = 51 + np.round(12 * np.random.default_rng(0).random(int(reference.sum())))
    placed = network.on(ct.grid)
    clean = placed.labels(torch.from_numpy(ct.hu))
    kind = Kind(deformation=False, appearance_mm=(6.0,))
    synthesis = Synthesis(ct, Region.whole(ct.grid), Budget(5.0, hu), kind, torch.device("cpu"))
    return Target(placed, synthesis, reference, score_organs(network.card.labels, clean, reference)), clean


def finish(steps: Generator[Progress, None, AttackResult]) -> tuple[AttackResult, list[Progress]]:
    """The result, and all that was told on the way."""
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return end.value, told


def measured(drop: float, size: float, strength: float = 1.0, parameters: Tensor | None = None) -> Measured:
    """A measurement of which only these are looked at."""
    zero: Any = np.zeros((1, 1, 1), np.uint16)
    own = torch.zeros(1) if parameters is None else parameters
    return Measured(own, strength, drop, np.array([0.9 - drop]), size, zero, zero, zero, zero, zero)


NO_LABELS = np.zeros((1, 1, 1), np.uint16)


class LawTarget:
    """What a search needs of a target: one parameter, whose drop and size are told by a law, and no network.

    The gradient is 1 always: a step that asks for some drop adds just as much to the parameter.
    """

    def __init__(self, law: Callable[[float], tuple[float, float]], gradient: float = 1.0) -> None:
        self.law, self.gradient = law, gradient
        self.stepped: list[float] = []  # the parameter of every step
        self.tried: list[tuple[float, float]] = []  # parameter and strength of every other measurement
        self.passes = Passes()
        network = SimpleNamespace(
            passes=self.passes, execution=SimpleNamespace(notes=[], half=False), stopping_at=lambda check: nullcontext()
        )
        self.placed = SimpleNamespace(network=network, embed=lambda labels: labels)
        self.synthesis = SimpleNamespace(
            zeros=lambda: torch.zeros(1), split=lambda parameters: [parameters.view(1, 1)],
            project=lambda parameters: parameters, stopping_at=lambda check: nullcontext(), ct=None,
            region=Region((0, 0, 0), (1, 1, 1)),
        )  # fmt: skip
        self.organs, self.clean = (Organ(1, "liver", 100, 0.9, 0.9),), np.array([0.9])
        self.reference = np.zeros((1, 1, 1), np.uint16)

    @property
    def as_target(self) -> Target:
        return cast("Target", self)

    def measure(self, parameters: Tensor, strength: float = 1.0) -> Measured:
        self.tried.append((float(parameters), strength))
        self.passes.forward += 1
        drop, size = self.law(float(parameters) * strength)
        return measured(drop, size, strength, parameters.clone())

    def measure_with_gradient(self, parameters: Tensor) -> tuple[Measured, Tensor]:
        self.stepped.append(float(parameters))
        self.passes.forward += 1
        self.passes.backward += 1
        drop, size = self.law(float(parameters))
        return measured(drop, size, 1.0, parameters.clone()), torch.full((1,), self.gradient)


def scripted(*drops: float, sizes: Iterator[float] | None = None) -> Callable[[float], tuple[float, float]]:
    """A law that tells these drops one after the other, and the last one from then on; all of one size by default."""
    left = list(drops)

    def law(_: float) -> tuple[float, float]:
        drop = left.pop(0) if len(left) > 1 else left[0]
        return drop, 1.0 if sizes is None else next(sizes)

    return law
