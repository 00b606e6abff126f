"""Along the strength path: hard Dice is a step function of the strength and may turn back."""

from __future__ import annotations

from collections.abc import Callable, Generator


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

    Samples the path, takes the first interval that holds a crossing, and narrows it by false position with halving
    where that gets stuck (Illinois). Yields each strength before it is measured.

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
    above = next((index for index, strength in enumerate(order) if known[strength] >= target - precision), None)
    if above is None or above == 0:
        return min(known, key=lambda s: abs(known[s] - target))
    low, high = order[above - 1], order[above]
    miss_low, miss_high = known[low] - target, known[high] - target
    for _ in range(most - len(samples)):
        if min(abs(drop - target) for drop in known.values()) <= precision:
            break
        strength = low - miss_low * (high - low) / (miss_high - miss_low) if miss_high != miss_low else (low + high) / 2
        strength = min(max(strength, low + 0.05 * (high - low)), high - 0.05 * (high - low))
        yield from look(strength)
        miss = known[strength] - target
        if miss >= 0:
            high, miss_high, miss_low = strength, miss, miss_low / 2
        else:
            low, miss_low, miss_high = strength, miss, miss_high / 2
    return min(known, key=lambda s: abs(known[s] - target))
