"""Small studies on disk, and running them here."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from napari_advseg.attacks import CancelToken
from napari_advseg.case import AttackRequest, finish
from napari_advseg.cohort import WorkFolder, read_cases
from napari_advseg.cohort.study import (
    InProcess,
    NetworkSpec,
    StudyRequest,
    StudySummary,
    Task,
    TaskRecord,
    run_study,
)
from napari_advseg.cohort.study.executors import Ended
from napari_advseg.cohort.study.table import CSV, TIME_COLUMNS, write_results
from napari_advseg.cohort.study.task_record import without_places

QUICK = AttackRequest(drop=0.2, tolerance=0.3, attacker="phantom2d", generated="alone")
Row = dict[str, str]


def study(source: Path, *attacks: AttackRequest, **options: Any) -> StudyRequest:
    """The shipped attacker on the shipped network, on the cases of a folder."""
    options = {"networks": (NetworkSpec(checkpoint="phantom2d"),), "device": "cpu", "pictures": False} | options
    return StudyRequest(cases=read_cases(source), source=source, attacks=attacks or (QUICK,), **options)


def run_here(request: StudyRequest, folder: Path, executor: Any = None) -> StudySummary:
    """All tasks in this process."""
    cancel = CancelToken()
    work = WorkFolder(folder, request.source)
    return finish(run_study(request, request.jobs(), work, executor or InProcess(cancel), cancel))


class Pretending(InProcess):
    """No attack is made: the figures follow from the task's name, the drop and the aim."""

    def collect(self, timeout: float) -> list[Ended]:
        return [Ended(task := self._waiting.pop(0), pretended(task))]


def pretended(task: Task) -> TaskRecord:
    """A record as an attack would leave it; its figures are made up, larger drops take larger changes."""
    rng = np.random.default_rng(list(task.id.encode()))
    attack = task.job.attack
    reached = bool(rng.random() < 1.2 - attack.drop)
    lost = attack.drop if reached else 0.7 * attack.drop
    size = float(attack.drop * rng.lognormal(0, 0.2))
    organs = attack.organs or ("liver", "spleen", "aorta")
    shares = rng.dirichlet(np.ones(len(organs))) * len(organs) * lost
    change = {
        "max_displacement_mm": 9 * size, "mean_displacement_mm": size, "max_hu": 30 * size, "rms_hu": 3 * size,
        "min_jacobian": 0.8, "max_jacobian": 1.2, "noise_ratio": 1.0, "ssim": 0.99,
    }  # fmt: skip
    control = tuple(float(one) for one in rng.normal(0.01, 0.01, len(organs)))
    result = {
        "reached": reached, "achieved_drop": float(np.mean(shares)), "device": "cpu", "change": change,
        "dice": {"clean": 0.95, "attacked": 0.95 - float(np.mean(shares))}, "control": {"drop": float(np.mean(control))},
        "budget": {"max_displacement_mm": 3.0, "max_hu": 15.0},
        "cost": {"forward": 10, "backward": 5, "seconds": 1.0, "peak_memory_mb": 1000.0},
        "organs": [
            {"name": name, "clean": 0.95, "attacked": 0.95 - float(share), "voxels": 100}
            for name, share in zip(organs, shares, strict=True)
        ],
    }  # fmt: skip
    return TaskRecord(
        id=task.id, case_id=task.case_id, job=without_places(task.job), state="done", result=result, size=size,
        clean_dice=0.95, control_organs=control,
    )  # fmt: skip


def pretended_cases(folder: Path, count: int) -> Path:
    """Files that nobody reads: only their bytes count."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}.nii.gz").write_bytes(b"%d" % number)
    return folder


def table(request: StudyRequest, folder: Path) -> list[Row]:
    """The rows of the table, without what differs between equal runs."""
    jobs = [job for _, job in request.jobs()]
    write_results(request.cases, jobs, WorkFolder(folder, request.source), folder)
    return [{name: cell for name, cell in row.items() if name not in TIME_COLUMNS} for row in read_rows(folder / CSV)]


def read_rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def records(folder: Path) -> list[Path]:
    return sorted((folder / "tasks").glob("*/*.json"))
