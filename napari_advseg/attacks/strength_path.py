"""Along the strength path: hard Dice is a step function of the strength and may turn back."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np


def first_crossing(
    measure: Callable[[float], float],
    strongest: float,
    target: float,
    precision: float,
    *,
    samples: tuple[float, ...] = (0.5, 0.75),
    most: int = 8,
) -> Generator[float, None, float]:
    """The first strength at which the drop meets the target.

    Samples the path, takes the first interval that holds a crossing, and narrows it by power laws through two points,
    with halving where that gets stuck. Yields each strength before it is measured.

    Parameters
    ----------
    measure
        Strength in [0, 1] -> drop.
    strongest
        The drop at strength 1; at strength 0 it is 0.
    precision
        Stop where the drop is this near to the target.
    samples
        Looked at before refining, so that an early crossing is seen; none halves the cost of a path that only climbs.
    most
        Most strengths to measure.

    Returns
    -------
    The strength whose drop is nearest to the target.
    """
    known = {0.0: 0.0, 1.0: strongest}

    def look(strength: float) -> Generator[float, None, None]:
        yield strength
        known[strength] = measure(strength)

    for strength in samples:
        yield from look(strength)
    order = sorted(known)
    above = next((index for index, strength in enumerate(order) if known[strength] >= target), 0)
    if above == 0:  # out of reach, or nothing is asked for
        return min(known, key=lambda s: abs(known[s] - target))
    low, high = order[above - 1], order[above]
    moved = ""  # the ends that moved: where one stays for two steps, the other half is looked at
    for _ in range(most - len(samples)):
        if min(abs(drop - target) for drop in known.values()) <= precision:
            break
        strength = (low + high) / 2 if moved[-2:] in ("ll", "hh") else meeting_strength(known, low, high, target)
        strength = min(max(strength, low + 0.02 * (high - low)), high - 0.02 * (high - low))
        yield from look(strength)
        if known[strength] >= target:
            high, moved = strength, moved + "h"
        else:
            low, moved = strength, moved + "l"
    return min(known, key=lambda s: abs(known[s] - target))


def meeting_strength(known: dict[float, float], low: float, high: float, target: float) -> float:
    """Where a power of the strength through two known points meets the target; its square where only one is known: near
    zero the drop grows about so.

    Parameters
    ----------
    known
        Strength -> drop.
    low, high
        Neighbours of ``known``, the drop at ``high`` at least the target's; the strength may lie a little beyond them.
    """
    other = low if known[low] > 0 else min((s for s in known if s > high and known[s] > known[high]), default=0.0)
    power = 2.0
    if other > 0 and known[other] != known[high]:
        power = float(np.clip(np.log(known[high] / known[other]) / np.log(high / other), 0.2, 6.0))
    return float(high * (target / known[high]) ** (1 / power))
