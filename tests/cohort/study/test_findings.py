"""What the table is taken to say, on tables small enough to know."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from napari_advseg.cohort.study.findings import (
    budget_costs,
    comparisons,
    drops_at,
    fragile_cases,
    hits,
    kinds,
    organ_losses,
)
from napari_advseg.cohort.study.results import Results
from napari_advseg.cohort.study.table import COLUMNS


def row(case: int, drop: float, size: float, /, **more: Any) -> dict[str, Any]:
    """An attack; one whose ``size`` is negative did not reach its drop."""
    return dict.fromkeys(COLUMNS) | {
        "case": f"Case {case}", "case_id": f"id{case}", "network": "one", "attacker": "search", "drop": drop, "seed": 0,
        "aim": "all", "state": "done", "reached": size > 0, "clean_dice": 0.9, "lost": drop if size > 0 else drop / 2,
        "control_lost": 0.01, "size": abs(size), "max_displacement_mm": 10 * abs(size), "max_hu": 5.0, "rms_hu": 1.0,
        "budget_mm": 3.0, "budget_hu": 15.0,
    } | more  # fmt: skip


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def reading(*rows: dict[str, Any]) -> Results:
        schema = pa.schema(
            [
                (n, pa.bool_() if n == "reached" else pa.string() if n in ("organ", "reason") else _kind(rows[0][n]))
                for n in COLUMNS
            ]
        )
        parquet.write_table(pa.Table.from_pylist(list(rows), schema), tmp_path / "results.parquet")
        return Results(tmp_path / "results.parquet")

    return reading


def _kind(value: object) -> pa.DataType:
    return pa.string() if isinstance(value, str) else pa.float64()


def test_what_is_not_reached_counts_as_beyond_the_budget(read: Any) -> None:
    rows = [
        row(1, 0.3, 0.1),
        row(2, 0.3, 0.2),
        row(3, 0.3, -0.9),
        row(1, 0.5, 0.4),
        row(2, 0.5, -0.9),
        row(3, 0.5, -0.9),
    ]
    low, high = hits(read(*rows))
    assert (low.patients, low.reached.value, low.size.value, low.mm.value) == (3, pytest.approx(2 / 3), 0.2, 2.0)
    assert (high.reached.value, high.size.value) == (pytest.approx(1 / 3), math.inf)
    assert low.lost.value == pytest.approx((0.3 + 0.3 + 0.15) / 3)
    assert low.control.value == pytest.approx(0.01)
    assert low.gap.value == pytest.approx(0.25 - 0.01)


def test_seeds_are_averaged_within_a_patient_before_patients_are_counted(read: Any) -> None:
    rows = [row(1, 0.3, 0.1), row(1, 0.3, 0.3, seed=1), row(2, 0.3, 0.6), row(2, 0.3, 0.6, seed=1)]
    (found,) = hits(read(*rows))
    assert (found.patients, found.size.value) == (2, pytest.approx(0.4))


def test_a_case_that_is_listed_twice_is_one_patient(read: Any) -> None:
    (found,) = hits(read(row(1, 0.3, 0.1), row(1, 0.3, 0.1, case="Case 9"), row(2, 0.3, 0.2)))
    assert found.patients == 2


def test_failed_attacks_are_told_and_not_counted(read: Any) -> None:
    failed = [row(n, 0.3, 0.1, state="failed", reason="no image", reached=None, lost=None) for n in (3, 4)]
    results = read(row(1, 0.3, 0.1), *failed)
    assert hits(results)[0].patients == 1
    assert results.failures() == [("no image", 2, "Case 3, Case 4")]
    assert (results.count("failed"), results.cases()) == (2, 3)


def test_organs_come_with_the_most_fragile_first(read: Any) -> None:
    organs = [
        row(case, 0.3, 0.1, organ=organ, lost=lost)
        for case in (1, 2) for organ, lost in (("liver", 0.1 * case), ("spleen", 0.4))
    ]  # fmt: skip
    found = organ_losses(read(row(1, 0.3, 0.1), row(2, 0.3, 0.1), *organs))
    assert [(one.organ, one.patients, pytest.approx(one.lost.value)) for one in found] == [
        ("spleen", 2, 0.4), ("liver", 2, 0.15)
    ]  # fmt: skip


def test_a_fixed_size_costs_what_lies_between_the_changes_that_were_found(read: Any) -> None:
    results = read(row(1, 0.2, 0.1), row(1, 0.4, 0.3), row(2, 0.2, 0.2), row(2, 0.4, 0.6))
    own = [results.patients(kind.network, kind.attacker, kind.drop, kind.aim) for kind in kinds(results)]
    assert drops_at(own, 0.1) == pytest.approx([0.2, 0.1])
    assert drops_at(own, 0.2) == pytest.approx([0.3, 0.2])
    assert drops_at(own, 9.0) == pytest.approx([0.4, 0.4])  # at least
    assert [one.size for one in budget_costs(results)] == [0.15, 0.45]


def test_a_larger_change_is_not_let_cost_less(read: Any) -> None:
    results = read(row(1, 0.2, 0.1), row(1, 0.4, -0.3, lost=0.1))
    own = [results.patients(kind.network, kind.attacker, kind.drop, kind.aim) for kind in kinds(results)]
    assert drops_at(own, 0.3) == pytest.approx([0.2])


def test_the_most_fragile_cases_break_at_the_smallest_change(read: Any) -> None:
    rows = [row(n, 0.3, 0.1 * n) for n in (3, 1, 2)] + [row(n, 0.5, -1.0) for n in (1, 2, 3)]
    ((kind, cases),) = fragile_cases(read(*rows)).values()
    assert kind.drop == 0.3  # most did not lose 0.5
    assert [(one.case, one.size) for one in cases] == [
        ("Case 1", 0.1), ("Case 2", 0.2), ("Case 3", pytest.approx(0.3))
    ]  # fmt: skip


def test_networks_are_compared_on_the_patients_that_both_were_attacked_on(read: Any) -> None:
    one = [row(n, 0.3, 0.1 * n) for n in range(1, 9)]
    other = [row(n, 0.3, 0.1 * n + 0.05, network="two", control_lost=0.03) for n in range(2, 12)]
    (found,) = comparisons(read(*one, *other))
    assert (found.first.network, found.second.network, found.patients) == ("one", "two", 7)
    assert found.size.value == pytest.approx(0.05)
    assert found.control.value == pytest.approx(0.02)
    assert found.p == found.adjusted == pytest.approx(2 / 2**7)  # all seven differences have one sign
    assert found.same_budget
    assert np.isclose(found.size.low, 0.05)


def test_only_attacks_of_the_same_kind_are_compared(read: Any) -> None:
    rows = [row(1, 0.3, 0.1), row(1, 0.5, 0.1, network="two", budget_mm=5.0)]
    rows.append(row(1, 0.3, 0.1, network="two", budget_mm=5.0))
    (found,) = comparisons(read(*rows))
    assert (found.first.drop, found.second.drop) == (0.3, 0.3)
    assert not found.same_budget
