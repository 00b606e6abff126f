"""Intervals and tests against values that are known, or that others have computed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from napari_advseg.cohort.study.statistics import bootstrap, differences, holm, mean, median, rank_test

INF = math.inf


def test_the_median_is_numpys_and_infinite_where_half_of_the_values_are() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 5, 8):
        values = rng.normal(size=(3, count))
        assert np.array_equal(median(values), np.median(values, axis=-1))
    assert median(np.array([[1.0, INF, 2.0], [1.0, INF, INF]])).tolist() == [2.0, INF]
    assert median(np.array([[1.0, INF]])).tolist() == [INF]


def test_equal_patients_leave_no_doubt() -> None:
    found = bootstrap(np.full(7, 0.25), mean)
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)


def test_no_patient_is_no_number() -> None:
    assert math.isnan(bootstrap(np.zeros(0), mean).value)


def test_one_patient_has_a_value_and_no_interval() -> None:
    found = bootstrap(np.array([0.25]), median)
    assert found.value == 0.25
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(rank_test(np.zeros(0)))


def test_the_interval_of_a_mean_is_near_the_normal_one_and_the_same_each_time() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = bootstrap(values, mean, resamples=4000)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert found.value == values.mean()
    assert abs(found.low - (values.mean() - half)) < 0.1 * half
    assert abs(found.high - (values.mean() + half)) < 0.1 * half
    assert bootstrap(values, mean, resamples=4000) == found
    assert bootstrap(values, mean, resamples=4000, seed=1) != found


def test_it_agrees_with_scipys() -> None:
    values = np.random.default_rng(2).lognormal(size=60)
    theirs = stats.bootstrap((values,), np.median, n_resamples=9999, method="percentile", rng=0).confidence_interval
    found = bootstrap(values, median, resamples=9999)
    assert found.low == pytest.approx(theirs.low, rel=0.05)
    assert found.high == pytest.approx(theirs.high, rel=0.05)


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for seed in range(300):
        found = bootstrap(rng.normal(size=50), mean, resamples=500, seed=seed)
        hits += found.low <= 0 <= found.high
    assert 0.90 <= hits / 300 <= 0.98


def test_the_interval_reaches_beyond_all_numbers_where_values_do() -> None:
    found = bootstrap(np.array([1.0, 2.0, 3.0, INF, INF]), median)
    assert found.value == 3.0
    assert found.high == INF
    assert math.isfinite(found.low)


def test_many_patients_are_resampled_in_parts() -> None:
    values = np.random.default_rng(4).normal(size=30_000)
    found = bootstrap(values, mean, resamples=300)
    assert found.high - found.low == pytest.approx(2 * 1.96 / math.sqrt(30_000), rel=0.2)


def test_the_rank_test_is_wilcoxons() -> None:
    # Hollander & Wolfe, depression scale factors of nine patients: V = 5, two-sided p = 0.03906
    first = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    second = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    assert rank_test(differences(first, second)) == pytest.approx(0.0390625)
    assert rank_test(np.zeros(5)) == 1.0


def test_beyond_the_budget_ranks_above_all_numbers() -> None:
    first, second = np.array([1.0, 2.0, 3.0, INF, 1.5, 2.5]), np.array([INF, INF, 3.5, INF, 1.9, 9.0])
    found = differences(first, second)
    assert found.tolist() == [INF, INF, 0.5, 0.0, pytest.approx(0.4), 6.5]
    assert rank_test(found) == rank_test(np.array([100.0, 100.0, 0.5, 0.0, 0.4, 6.5]))


def test_holms_adjustment() -> None:
    assert holm([0.01, 0.04, 0.03, float("nan")])[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(holm([0.01, float("nan")])[1])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
