"""Networks that are random at inference: the drop again with fresh random numbers, and how sure it is.

The search compares passes that draw the same random numbers; what it found must also hold for others.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from .progress import CancelToken, Progress
from .result import AttackResult, Organ
from .target import Measured, Target

REPEATS = 8
LARGEST_ERROR = 0.005  # standard error of the mean drop above which nothing counts as reached


@dataclass(frozen=True)
class Repeats:
    """Drops of the same change with fresh random numbers, CT and perturbed CT drawn alike."""

    drops: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.drops))

    @property
    def standard_error(self) -> float:
        return float(np.std(self.drops, ddof=1) / np.sqrt(len(self.drops)))

    def steady(self, target: float, tolerance: float) -> bool:
        """Whether the mean lies within the tolerance of the target and is known well enough."""
        return self.standard_error <= LARGEST_ERROR and abs(self.mean - target) <= tolerance


def repeat(target: Target, result: AttackResult, cancel: CancelToken) -> Generator[Progress, None, AttackResult]:
    """Measure a result again with fresh random numbers; two passes per repeat.

    Returns
    -------
    The result with the segmentations and Dice of one of the repeats: of the one nearest to the target where they agree
    with each other and with it, else of the one farthest from it, so that what is saved claims no more than is so.
    """
    network = target.placed.network
    draws: list[tuple[Measured, Measured]] = []
    before = network.passes.forward
    with network.stopping_at(cancel.check), target.synthesis.stopping_at(cancel.check):
        for number in range(REPEATS):
            yield Progress(
                f"Repeating with fresh random numbers ({number + 1} of {REPEATS})",
                number / REPEATS,
                result.achieved_drop,
            )
            with network.drawing(1 + number):
                clean = target.measure(target.synthesis.zeros())
                draws.append((clean, target.measure(result.parameters, result.strength)))
    drops = [float(np.mean(clean.dice - attacked.dice)) for clean, attacked in draws]
    repeats = Repeats(tuple(drops))
    steady = repeats.steady(result.target_drop, result.tolerance)
    order = np.argsort([abs(drop - result.target_drop) for drop in drops])
    clean, attacked = draws[int(order[0] if steady else order[-1])]
    organs = tuple(
        Organ(organ.id, organ.name, organ.voxels, float(before), float(after))
        for organ, before, after in zip(result.organs, clean.dice, attacked.dice, strict=True)
    )
    return replace(
        result,
        organs=organs,
        clean_labels=target.placed.embed(clean.attacked),
        attacked_labels=target.placed.embed(attacked.attacked),
        repeats=repeats,
        cost=replace(result.cost, forward=result.cost.forward + network.passes.forward - before),
    )
