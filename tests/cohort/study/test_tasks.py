"""A task is known by what it reads and how it attacks, and by nothing else."""

from __future__ import annotations

import errno
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cohort.study.studies import QUICK, study

from napari_advseg.cohort import WorkFolder
from napari_advseg.cohort.study import NetworkSpec, StudyRequest, Task
from napari_advseg.cohort.study.task_record import TaskRecord, TaskStore
from napari_advseg.volume import read_ct, write_image


def ids(request: StudyRequest, folder: Path) -> list[str]:
    return [task.id for task in request.tasks(request.jobs(), WorkFolder(folder, request.source))]


def test_names_and_places_of_files_take_no_part(phantoms: Path, tmp_path: Path) -> None:
    before = ids(study(phantoms), tmp_path / "work")
    shutil.copytree(phantoms, tmp_path / "moved")
    (tmp_path / "moved" / "p1").rename(tmp_path / "moved" / "p1 of another name")
    other = study(tmp_path / "moved", threads=2, pictures=True, retries=5)
    assert ids(other, tmp_path / "other") == before
    assert len(set(before)) == 2


def test_the_bytes_of_the_ct_and_every_setting_take_part(phantoms: Path, tmp_path: Path) -> None:
    before = ids(study(phantoms), tmp_path / "work")
    changed = {"drop": 0.3, "seed": 1, "organs": ("liver",), "max_hu": 10.0, "tolerance": 0.2, "generated": "strength"}
    for name, value in changed.items():
        other = ids(study(phantoms, QUICK.model_copy(update={name: value})), tmp_path / "work")
        assert not set(other) & set(before), name
    shutil.copytree(phantoms, tmp_path / "other")
    ct = read_ct(tmp_path / "other" / "p0" / "ct.nii.gz")
    ct.hu[0, 0, 0] += 1
    write_image(tmp_path / "other" / "p0" / "ct.nii.gz", ct.hu.astype(np.int16), ct.grid)
    after = ids(study(tmp_path / "other"), tmp_path / "work2")
    assert [a == b for a, b in zip(after, before, strict=True)] == [False, True]


def test_a_task_travels_as_text(phantoms: Path, tmp_path: Path) -> None:
    request = study(phantoms)
    task = next(request.tasks(request.jobs(), WorkFolder(tmp_path / "work", phantoms)))
    assert Task.model_validate_json(task.model_dump_json()) == task


def test_each_organ_is_a_task_more_where_that_is_asked_for(phantoms: Path) -> None:
    aims = [job.attack.organs for _, job in study(phantoms, per_organ=True).jobs()]
    assert aims[0] == ()
    assert ("spleen",) in aims
    assert len(aims) == 9
    two = study(phantoms, QUICK.model_copy(update={"organs": ("liver", "spleen")}), per_organ=True)
    assert [job.attack.organs for _, job in two.jobs()] == [("liver", "spleen"), ("liver",), ("spleen",)]


def test_a_network_that_is_given_twice_is_refused(phantoms: Path) -> None:
    twice = (NetworkSpec(checkpoint="phantom2d"), NetworkSpec(checkpoint="phantom2d", mirroring=False))
    with pytest.raises(ValueError, match="the network phantom2d is given twice"):
        study(phantoms, networks=twice).jobs()


def test_a_record_that_is_not_whole_is_none(phantoms: Path, tmp_path: Path) -> None:
    store = TaskStore(tmp_path)
    _, job = study(phantoms).jobs()[0]
    record = TaskRecord(id="abc-def", case_id="abc", job=job, state="done", size=0.1 + 0.2, result={"reached": True})
    store.write(record, b"picture")
    assert store.read("abc-def") == record
    assert store.picture("abc-def") == b"picture"
    (file,) = (tmp_path / "tasks" / "ab").glob("*.json")
    file.write_bytes(file.read_bytes()[:-20])
    assert store.read("abc-def") is None
    assert store.read("abc-xyz") is None
    assert store.picture("abc-xyz") == b""


def test_a_record_that_cannot_be_read_is_waited_for_and_then_an_error(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TaskStore(tmp_path)
    _, job = study(phantoms).jobs()[0]
    record = TaskRecord(id="abc-def", case_id="abc", job=job, state="done")
    store.write(record)
    read, failures = Path.read_text, [OSError(errno.ESTALE, "Stale file handle")] * 2
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)

    def fail_at_first(path: Path, **options: Any) -> str:
        if failures:
            raise failures.pop()
        return read(path, **options)

    monkeypatch.setattr(Path, "read_text", fail_at_first)
    assert store.read("abc-def") == record
    assert len(waited) == 2
    failures += [OSError(errno.EIO, "Input/output error")] * 10
    with pytest.raises(OSError, match="Input/output error"):
        store.read("abc-def")
