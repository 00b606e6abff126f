"""What is done is not done again, what is lost is done again, what fails is a row and ends nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cohort.study.studies import QUICK, Pretending, pretended_cases, records, run_here, study, table

from napari_advseg.attacks import Cancelled, CancelToken
from napari_advseg.case import finish
from napari_advseg.cohort import LockedError, WorkFolder, read_cases
from napari_advseg.cohort.study import ClusterLostError, InProcess, Task, TaskStore, run_study
from napari_advseg.cohort.study import executors as executors_module
from napari_advseg.cohort.study.executors import Ended


class Faulty(Pretending):
    """Some tasks end in another way: ``ends(task, n)`` says how the n-th try does, None as always."""

    def __init__(self, ends: Callable[[Task, int], Ended | None]) -> None:
        super().__init__(CancelToken())
        self.ends, self.tries = ends, dict[str, int]()

    def collect(self, timeout: float) -> list[Ended]:
        task = self._waiting[0]
        self.tries[task.id] = self.tries.get(task.id, 0) + 1
        ended = self.ends(task, self.tries[task.id])
        if ended is None:
            return super().collect(timeout)
        self._waiting.pop(0)
        return [ended]


@pytest.fixture(scope="module")
def undisturbed(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "out"
    summary = run_here(study(phantoms), folder)
    assert (summary.total, summary.done, summary.skipped, summary.failed) == (2, 2, 0, 0)
    return folder


@pytest.fixture
def pretended(tmp_path: Path) -> Path:
    return pretended_cases(tmp_path / "pretended", 3)


@pytest.fixture
def expected(pretended: Path, tmp_path: Path) -> list[dict[str, str]]:
    """The table of a run that nothing disturbs."""
    run_here(study(pretended), tmp_path / "expected", Pretending(CancelToken()))
    return table(study(pretended), tmp_path / "expected")


@pytest.fixture
def copy(undisturbed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(undisturbed, tmp_path / "out")


def test_a_second_run_does_nothing(phantoms: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors_module, "run_task", lambda *_: pytest.fail("a task was done again"))
    before = table(study(phantoms), copy)
    summary = run_here(study(phantoms), copy)
    assert (summary.skipped, summary.done, summary.reached) == (2, 0, 2)
    assert table(study(phantoms), copy) == before


def test_a_lost_record_is_made_anew_to_the_last_bit(phantoms: Path, copy: Path) -> None:
    before = table(study(phantoms), copy)
    first, second = records(copy)
    first.unlink()
    second.write_text(second.read_text()[:-30])
    (copy / "tasks" / "00").mkdir(exist_ok=True)
    (copy / "tasks" / "00" / ".writing-abc").write_text("{")
    assert len(table(study(phantoms), copy)) < len(before)
    assert run_here(study(phantoms), copy).done == 2
    assert table(study(phantoms), copy) == before


def test_another_drop_adds_tasks_and_keeps_the_others(pretended: Path, tmp_path: Path) -> None:
    copy, executor = tmp_path / "out", Pretending(CancelToken())
    run_here(study(pretended), copy, executor)
    both = study(pretended, QUICK, QUICK.model_copy(update={"drop": 0.1}))
    summary = run_here(both, copy, executor)
    assert (summary.total, summary.skipped, summary.done) == (6, 3, 3)
    rows = [row for row in table(both, copy) if not row["organ"]]
    assert [(row["case"], row["drop"]) for row in rows[:3]] == [("Case 1", "0.2"), ("Case 1", "0.1"), ("Case 2", "0.2")]


def test_a_case_that_fails_is_a_row_with_its_reason(phantoms: Path, tmp_path: Path) -> None:
    source = shutil.copytree(phantoms, tmp_path / "cases")
    (source / "p1" / "ct.nii.gz").write_bytes(b"no image")
    request, folder = study(source), tmp_path / "out"
    summary = run_here(request, folder)
    assert (summary.done, summary.failed) == (1, 1)
    rows = [row for row in table(request, folder) if not row["organ"]]
    assert [row["state"] for row in rows] == ["done", "failed"]
    assert rows[1]["reason"]
    assert "p1" not in rows[1]["reason"]
    assert str(tmp_path) not in rows[1]["reason"]
    status = WorkFolder(folder, source).status(request.cases[1], request.jobs()[0][1])
    assert (status.state, status.reason) == ("failed", rows[1]["reason"])  # where the viewer's list looks for it

    shutil.copy(phantoms / "p1" / "ct.nii.gz", source / "p1" / "ct.nii.gz")
    again = run_here(request, folder)
    assert (again.skipped, again.done, again.failed) == (1, 1, 0)
    assert [row["state"] for row in table(request, folder) if not row["organ"]] == ["done"] * 2


def test_a_task_without_its_worker_is_given_to_another_until_the_tries_are_spent(
    pretended: Path, expected: list[dict[str, str]], tmp_path: Path
) -> None:
    request = study(pretended, retries=2)
    twice = Faulty(lambda task, n: Ended(task, None, lost="its worker was lost") if n <= 2 else None)
    summary = run_here(request, tmp_path / "twice", twice)
    assert (summary.done, summary.failed, summary.lost_workers) == (3, 0, 6)
    assert table(request, tmp_path / "twice") == expected

    for_ever = Faulty(lambda task, _: Ended(task, None, lost="its worker was lost"))
    summary = run_here(request, tmp_path / "for_ever", for_ever)
    assert (summary.done, summary.failed) == (0, 3)
    assert set(for_ever.tries.values()) == {3}
    assert {row["reason"] for row in table(request, tmp_path / "for_ever")} == {"its worker was lost, 3 times"}


def test_what_a_scheduler_takes_along_costs_no_try(
    pretended: Path, expected: list[dict[str, str]], tmp_path: Path
) -> None:
    request = study(pretended, retries=0)
    summary = run_here(request, tmp_path / "out", Faulty(lambda task, n: Ended(task, None) if n <= 3 else None))
    assert (summary.done, summary.lost_workers) == (3, 0)
    assert table(request, tmp_path / "out") == expected


def test_memory_that_ran_out_is_tried_again_and_then_told(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_advseg.cohort.study import working

    tried = []

    def no_memory(*_: object, **__: object) -> None:
        tried.append(1)
        raise MemoryError("no memory is left")

    monkeypatch.setattr(working, "attack_case", no_memory)
    request = study(phantoms, retries=1)
    assert run_here(request, tmp_path / "out").failed == 2
    assert len(tried) == 4
    assert {row["reason"] for row in table(request, tmp_path / "out")} == {"MemoryError: no memory is left"}


def test_a_fault_that_nobody_foresaw_is_a_row_too(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_advseg.cohort.study import working

    monkeypatch.setattr(working, "attack_case", lambda *_: 1 / 0)
    request = study(phantoms)
    assert run_here(request, tmp_path / "out").failed == 2
    assert "ZeroDivisionError" in table(request, tmp_path / "out")[0]["reason"]


def test_ctrl_c_keeps_what_is_done(pretended: Path, expected: list[dict[str, str]], tmp_path: Path) -> None:
    request, cancel = study(pretended), CancelToken()
    work = WorkFolder(tmp_path / "out", pretended)

    def stop_after_one(_: object) -> None:
        if records(tmp_path / "out"):
            cancel.cancel()

    steps = run_study(request, request.jobs(), work, Pretending(cancel), cancel)
    summary = finish(steps, stop_after_one)
    assert (summary.done, summary.stopped) == (1, "cancelled")
    assert run_here(request, tmp_path / "out", Pretending(CancelToken())).done == 2
    assert table(request, tmp_path / "out") == expected


def test_an_attack_in_this_process_is_stopped_within(phantoms: Path, tmp_path: Path) -> None:
    request, cancel = study(phantoms), CancelToken()
    cancel.cancel()
    executor = InProcess(CancelToken())
    executor._cancel = cancel
    executor.submit(next(request.tasks(request.jobs(), WorkFolder(tmp_path / "out", phantoms))))
    with pytest.raises(Cancelled):
        executor.collect(0)


def test_a_cluster_that_is_gone_leaves_what_is_done(pretended: Path, tmp_path: Path) -> None:
    def gone(task: Task, _: int) -> None:
        if records(tmp_path / "out"):
            raise ClusterLostError("the scheduler does not answer")

    with pytest.raises(ClusterLostError):
        run_here(study(pretended), tmp_path / "out", Faulty(gone))
    assert len(records(tmp_path / "out")) == 1
    assert run_here(study(pretended), tmp_path / "out", Pretending(CancelToken())).skipped == 1


def test_cases_of_the_same_content_are_attacked_once_and_have_a_row_each(pretended: Path, tmp_path: Path) -> None:
    shutil.copy(pretended / "0.nii.gz", pretended / "00.nii.gz")
    request = study(pretended)
    summary = run_here(request, tmp_path / "out", Pretending(CancelToken()))
    assert (summary.total, summary.done, summary.skipped) == (4, 3, 1)
    rows = table(request, tmp_path / "out")
    first, second = ([row for row in rows if row["case"] == name] for name in ("Case 1", "Case 2"))
    assert [row | {"case": ""} for row in first] == [row | {"case": ""} for row in second]


def test_an_organ_that_a_patient_lacks_is_no_failure(phantoms: Path, tmp_path: Path) -> None:
    lone = QUICK.model_copy(update={"organs": ("gallbladder",), "tolerance": 0.5})
    source = shutil.copytree(phantoms, tmp_path / "cases")
    names = source / "p0" / "labels.json"
    names.write_text(names.read_text().replace('"gallbladder"', '"nothing"'))
    request = study(source, lone)
    summary = run_here(request, tmp_path / "out")
    assert (summary.absent, summary.failed) == (1, 0)
    row = table(request, tmp_path / "out")[0]
    assert (row["state"], row["reason"]) == ("absent", "gallbladder is in too few voxels of the reference")
    assert run_here(request, tmp_path / "out").skipped == 2


def test_two_runs_in_one_folder_are_kept_apart(phantoms: Path, tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "out", phantoms).working(), pytest.raises(LockedError):
        run_here(study(phantoms), tmp_path / "out")


@pytest.mark.usefixtures("no_figure")
def test_bundles_are_kept_where_the_viewer_looks_for_them(phantoms: Path, tmp_path: Path, copy: Path) -> None:
    request = study(phantoms, bundles=True)
    assert run_here(request, copy).done == 2  # done before, but without bundles
    work, (_, job) = WorkFolder(copy, phantoms), request.jobs()[0]
    for case in read_cases(phantoms):
        (row,) = work.attacks_on(case)
        assert row.finished
        assert row.bundle is not None
        record = TaskStore(copy).read(f"{work.case_id(case)}-{job.digest[:16]}")
        assert record is not None
        assert record.result is not None
        assert row.outcome is not None
        assert row.outcome.achieved_drop == record.result["achieved_drop"]
    assert run_here(request, copy).skipped == 2
