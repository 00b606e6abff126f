"""Attack all on workers elsewhere: a lost worker costs one case, a lost scheduler ends the queue."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from cohort.cohorts import QUICK, phantom_cohort, toy_cohort, toy_request
from distributed import LocalCluster

from napari_advseg.attacks import CancelToken, Progress
from napari_advseg.case import finish
from napari_advseg.cohort import CohortRequest, WorkFolder, attack_all, read_cases
from napari_advseg.elsewhere.attacking import attack_elsewhere, attacking_on
from napari_advseg.elsewhere.connecting import ClusterLostError
from napari_advseg.elsewhere.visit import WorkerLostError


def failing_once(fault: Exception) -> Any:
    """An attack that fails at the first case, and does the others here."""
    left = [fault]

    def attacking(*given: Any) -> Generator[Progress, None, Any]:
        if left:
            raise left.pop()
        return (yield from attacking_on("")(*given))

    return attacking


def test_all_cases_are_attacked_elsewhere(cluster: LocalCluster, tmp_path: Path) -> None:
    source = phantom_cohort(tmp_path / "cases", 2)
    request = CohortRequest(cases=read_cases(source), network="phantom2d", attacks=(QUICK,), device="cpu")
    attacking = attacking_on(cluster.scheduler_address)
    assert attacking.func is attack_elsewhere  # type: ignore[attr-defined]
    summary = finish(attack_all(request, WorkFolder(tmp_path / "work", source), CancelToken(), attacking))
    assert (summary.count("done"), summary.count("failed")) == (2, 0)


def test_a_lost_worker_costs_one_case(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases")
    work = WorkFolder(tmp_path / "work", source)
    request = toy_request(read_cases(source))
    summary = finish(attack_all(request, work, CancelToken(), failing_once(WorkerLostError("the worker was lost"))))
    assert [row.state for row in summary.rows] == ["failed", "done", "done"]
    assert summary.rows[0].reason == "the worker was lost"


def test_a_lost_scheduler_ends_the_queue(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases")
    work = WorkFolder(tmp_path / "work", source)
    request = toy_request(read_cases(source))
    line = "the Dask scheduler tcp://10.0.0.1:8786 does not answer"
    with pytest.raises(ClusterLostError, match=line):
        finish(attack_all(request, work, CancelToken(), failing_once(ClusterLostError(line))))
    (job,) = request.jobs(request.open())
    rows = [work.status(case, job) for case in request.cases]
    assert [row.state for row in rows] == ["failed", "new", "new"]
    assert rows[0].reason == line
    summary = finish(attack_all(request, work, CancelToken()))
    assert summary.count("done") == 3, "taken up again, here"
