"""Intervals by bootstrap over patients, and a rank test for pairs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
Statistic = Callable[[Values], Values]  # (resample, patient) -> (resample,)
RESAMPLES = 2000
_LEVEL = 0.95
_AT_ONCE = 4_000_000  # numbers in memory


@dataclass(frozen=True)
class Interval:
    """A statistic of the patients and its 95 % confidence interval; infinite where the patients' values are. One patient
    has a value and no interval: ``low`` and ``high`` are not a number."""

    value: float
    low: float
    high: float


def mean(values: Values) -> Values:
    """(resample, patient) -> (resample,) means."""
    return np.asarray(values.mean(-1), dtype=np.float64)


def median(values: Values) -> Values:
    """(resample, patient) -> (resample,) medians; of an even number of values the mean of the two in the middle.

    Values may be infinite: a median is then infinite where half of the values are.
    """
    middle = np.sort(values, axis=-1)
    count = values.shape[-1]
    with np.errstate(invalid="ignore"):
        found = (middle[..., (count - 1) // 2] + middle[..., count // 2]) / 2
    return np.asarray(found, dtype=np.float64)


def bootstrap(values: Values, statistic: Statistic, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The percentile interval (Efron, 1979) of a statistic when patients are drawn anew with replacement.

    Parameters
    ----------
    values
        (patient,), one each; pairs are resampled as pairs by giving their differences.

    Returns
    -------
    Interval
        Not a number where there is no patient. The same ``seed`` gives the same interval.
    """
    count = len(values)
    if count == 0:
        return Interval(np.nan, np.nan, np.nan)
    if count == 1:  # drawn anew it is always the same, which says nothing of others
        return Interval(float(statistic(values[None])[0]), np.nan, np.nan)
    rng = np.random.default_rng(seed)
    drawn = []
    left, at_once = resamples, max(1, _AT_ONCE // count)
    while left:
        size = min(left, at_once)
        drawn.append(statistic(values[rng.integers(0, count, (size, count))]))
        left -= size
    tail = (1 - _LEVEL) / 2
    # a value that was drawn, not one between two: between a number and infinity there is none
    low, high = np.quantile(np.concatenate(drawn), (tail, 1 - tail), method="inverted_cdf")
    return Interval(float(statistic(values[None])[0]), float(low), float(high))


def differences(first: Values, second: Values) -> Values:
    """``second - first`` by patient; 0 where both are infinite, since neither can be told to be the larger."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.isinf(first) & np.isinf(second), 0.0, second - first), dtype=np.float64)


def rank_test(differences: Values) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that differences of pairs lie around 0; 1 where all are 0.

    Infinite differences rank above all others. Not a number without a pair.
    """
    if len(differences) == 0:
        return float("nan")
    if not differences.any():
        return 1.0
    ranked = np.where(np.isinf(differences), np.sign(differences) * _beyond(differences), differences)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few pairs, or ties: scipy then takes the normal approximation
        return float(stats.wilcoxon(ranked, zero_method="wilcox", alternative="two-sided").pvalue)


def holm(p_values: list[float]) -> list[float]:
    """p values adjusted for their number (Holm, 1979), in their order; those that are none stay so."""
    known = sorted((p, index) for index, p in enumerate(p_values) if not np.isnan(p))
    adjusted, greatest = list(p_values), 0.0
    for rank, (p, index) in enumerate(known):
        greatest = max(greatest, min(1.0, p * (len(known) - rank)))
        adjusted[index] = greatest
    return adjusted


def _beyond(differences: Values) -> float:
    finite = np.abs(differences[np.isfinite(differences)])
    return 2.0 * float(finite.max(initial=0.0)) + 1.0
