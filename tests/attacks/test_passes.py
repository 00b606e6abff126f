"""What an attack on the embedded case costs, in network passes: these do not depend on the machine, seconds do."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_advseg.attacks import AttackResult, CancelToken
from napari_advseg.case import AttackRequest, CaseRequest, finish, run
from napari_advseg.samples import write_sample

FORWARD, BACKWARD, RMS = 15, 9, 0.152  # as measured, three passes of the random control with them; the size in budgets
MORE = 1.2


def attacked(folder: Path, drop: float, thorough: bool = False, seed: int = 0) -> AttackResult:
    case = write_sample("phantom", folder / "case", seed)
    request = CaseRequest(
        ct=case / "ct.nii.gz",
        network="phantom2d",
        reference=case / "labels.nii.gz",
        label_names=case / "labels.json",
    )
    return finish(run(request, AttackRequest(drop=drop, thorough=thorough), CancelToken())).result


def test_the_embedded_case_takes_no_more_passes_than_it_did(tmp_path: Path) -> None:
    result = attacked(tmp_path, 0.3)
    assert result.reached
    assert result.cost.forward <= MORE * FORWARD
    assert result.cost.backward <= MORE * BACKWARD
    assert size(result) <= 1.1 * RMS
    assert not result.thorough


def size(result: AttackResult) -> float:
    """Recomputed from the fields, in budgets."""
    budget = result.synthesis.budget
    moved = np.square(result.displacement_mm).mean() / budget.max_displacement_mm**2
    added = np.square(result.appearance).mean() / budget.max_hu**2
    return float(np.sqrt(moved + added))


def test_a_thorough_search_of_the_embedded_case_finds_a_smaller_change_with_more_passes(tmp_path: Path) -> None:
    result = attacked(tmp_path, 0.3, thorough=True)
    assert result.reached
    assert result.thorough
    assert size(result) <= 0.96 * RMS
    assert BACKWARD < result.cost.backward <= 28


def test_a_change_that_stops_growing_short_of_the_target_gives_way_to_one_beyond_it(tmp_path: Path) -> None:
    assert abs(attacked(tmp_path, 0.5).achieved_drop - 0.5) <= 0.005


def test_two_steps_that_are_alike_by_chance_do_not_end_the_search_of_a_large_drop(tmp_path: Path) -> None:
    """Of this patient: with such an end the change is 0.52 budgets."""
    result = attacked(tmp_path, 0.5, seed=4)
    assert result.reached
    assert size(result) < 0.4
