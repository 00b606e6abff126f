"""Attack all: what is done is not done again, what fails does not end the queue, what is stopped is as new."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from cohort.cohorts import run_queue, table, toy_cohort, toy_request
from toy_networks import CARD, Threshold, graded_ct

from napari_advseg.attacks import CancelToken, Progress
from napari_advseg.case import AttackRequest, finish
from napari_advseg.cohort import CohortRequest, WorkFolder, attack_all, read_cases
from napari_advseg.evidence import verify_bundle
from napari_advseg.networks import network_from_module
from napari_advseg.volume import read_ct, write_image

pytestmark = pytest.mark.usefixtures("no_figure")


def test_all_cases_are_attacked_once_with_each_setting(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases")
    work = WorkFolder(tmp_path / "work", source)
    cases = read_cases(source)
    first = run_queue(toy_request(cases), work)
    assert first.attacked == 3
    assert [(row.state, row.finished) for row in first.rows] == [("done", True)] * 3
    assert (first.reached, first.count("done"), first.stopped) == (3, 3, "")
    for row in first.rows:
        assert row.outcome is not None
        assert row.clean_dice == row.outcome.clean_dice == 1.0
        assert abs(row.outcome.achieved_drop - 0.2) <= 0.01
        assert row.bundle is not None
        assert all(check.ok for check in verify_bundle(row.bundle, read_ct(row.case.ct)))

    again = run_queue(toy_request(cases), WorkFolder(tmp_path / "work", source))
    assert again.attacked == 0
    assert again.rows == first.rows

    both = run_queue(toy_request(cases, AttackRequest(drop=0.2), AttackRequest(drop=0.4)), work)
    assert both.attacked == 3
    assert [row.job.attack.drop for row in both.rows] == [0.2, 0.4] * 3
    assert {row.job.attack.drop for row in work.attacks_on(cases[0])} == {0.2, 0.4}


def test_a_changed_ct_reference_or_network_is_not_done_and_a_moved_case_is(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases")
    folder = tmp_path / "work"
    first = run_queue(toy_request(read_cases(source)), WorkFolder(folder, source))

    def states(request: CohortRequest) -> list[str]:
        network = request.open()
        work = WorkFolder(folder, source)
        return [work.status(case, job).state for case in request.cases for job in request.jobs(network)]

    (source / "a").rename(source / "z")
    assert states(toy_request(read_cases(source))) == ["done"] * 3
    ct = read_ct(source / "z" / "ct.nii.gz")
    write_image(source / "z" / "ct.nii.gz", (ct.hu - 1).astype(np.int16), ct.grid)
    labels = read_ct(source / "b" / "labels.nii.gz")
    write_image(source / "b" / "labels.nii.gz", (labels.hu * (labels.hu.cumsum(2) > 1)).astype(np.uint8), labels.grid)
    assert states(toy_request(read_cases(source))) == ["new", "done", "new"]
    shutil.rmtree(source / "b")
    assert states(toy_request(read_cases(source))) == ["done", "new"]

    other = network_from_module(Threshold(), CARD.model_copy(update={"spacing": (2.0, 2.0, 2.0)}), device="cpu")
    assert states(toy_request(read_cases(source)).model_copy(update={"network": other})) == ["new", "new"]
    weighted = [torch.nn.Conv3d(1, 2, 1) for _ in range(2)]
    with torch.no_grad():
        weighted[1].load_state_dict(weighted[0].state_dict())
        jobs = [
            toy_request(first.rows[0].case and (first.rows[0].case,)).model_copy(
                update={"network": network_from_module(module, CARD, device="cpu")}
            )
            for module in weighted
        ]
        assert jobs[0].jobs(jobs[0].open()) == jobs[1].jobs(jobs[1].open())
        weighted[1].bias += 1e-3
        assert jobs[0].jobs(jobs[0].open()) != jobs[1].jobs(jobs[1].open())


def test_a_case_that_fails_is_remembered_and_does_not_end_the_queue(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases", ("a", "b", "c", "d"))
    (source / "b" / "ct.nii.gz").write_bytes(gzip.compress(b"no image"))
    work = WorkFolder(tmp_path / "work", source)
    cases = read_cases(source)
    (source / "c" / "ct.nii.gz").unlink()
    ct, labels = graded_ct()
    write_image(source / "d" / "labels.nii.gz", (labels * 5).astype(np.uint8), ct.grid)
    found = run_queue(toy_request(cases), work)
    assert [row.state for row in found.rows] == ["done", "failed", "failed", "failed"]
    assert found.rows[1].reason == "the CT is no image that can be read (NIfTI, NRRD, MHA, MHD or DICOM)"
    assert found.rows[2].reason == "there is no file or folder the CT"
    assert found.rows[3].reason.startswith("no label of the reference has an id of the network")
    assert table(found) == table(run_queue(toy_request(cases), work))  # tried again, failed again

    toy_cohort(tmp_path / "mended", ("a", "b"))
    shutil.copy(tmp_path / "mended" / "b" / "ct.nii.gz", source / "b" / "ct.nii.gz")
    found = run_queue(toy_request(cases), work)
    assert [row.state for row in found.rows] == ["done", "done", "failed", "failed"]
    assert found.attacked == 3


def test_an_attack_that_fails_on_an_open_case_keeps_its_clean_dice(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases", ("a",))
    wish = AttackRequest(drop=0.2, deformation=False, appearance=False)
    found = run_queue(
        toy_request(read_cases(source), wish, AttackRequest(drop=0.2)), WorkFolder(tmp_path / "w", source)
    )
    assert [row.state for row in found.rows] == ["failed", "done"]
    assert "nothing may change" in found.rows[0].reason
    assert found.rows[0].clean_dice == 1.0


def test_a_ct_that_changes_under_the_attack_is_not_saved_as_the_old_one(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases", ("a",))
    work = WorkFolder(tmp_path / "work", source)

    def change(step: Progress) -> None:
        if step.text == "Case 1: Saving":
            ct = read_ct(source / "a" / "ct.nii.gz")
            write_image(source / "a" / "ct.nii.gz", (ct.hu - 1).astype(np.int16), ct.grid)

    found = finish(attack_all(toy_request(read_cases(source)), work, CancelToken()), change)
    assert [row.state for row in found.rows] == ["new"]
    assert not list((tmp_path / "work").rglob("result.json"))


def cancelled_after(source: Path, work: WorkFolder, count: int):
    """The summary of a queue that is cancelled at a number of steps of the second case; and which step that was."""
    cancel, seen = CancelToken(), []

    def stop(step: Progress) -> None:
        if step.text.startswith("Case 2"):
            seen.append(step.text)
            if len(seen) == count:
                cancel.cancel()

    found = finish(attack_all(toy_request(read_cases(source), AttackRequest(drop=0.3)), work, cancel), stop)
    return found, seen


def test_after_a_cancel_the_case_in_hand_is_new_or_its_best_is_kept_as_stopped(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases")
    second = []
    for count in (1, 5, 8, 14):
        work = WorkFolder(tmp_path / f"work{count}", source)
        found, seen = cancelled_after(source, work, count)
        assert len(seen) >= count
        assert found.stopped == "cancelled"
        assert [row.state for row in (found.rows[0], found.rows[2])] == ["done", "new"]
        row = found.rows[1]
        second.append("finished" if row.finished else "kept" if row.outcome else "new")
        if row.outcome is None:
            assert row.state == "new"
            assert not list(row.place.parent.glob("*"))
        else:
            assert row.outcome.achieved_drop > 0.01
            assert row.outcome.reached == (abs(row.outcome.achieved_drop - 0.3) <= 0.01)
            assert row.finished == (row.outcome.stopped == "")
            assert row.bundle is not None
            assert all(check.ok for check in verify_bundle(row.bundle, read_ct(row.case.ct)))
    assert second == sorted(second, key=["new", "kept", "finished"].index)
    assert {"new", "kept"} <= set(second)

    work = WorkFolder(tmp_path / f"work{(1, 5, 8, 14)[second.index('kept')]}", source)
    rest = run_queue(toy_request(read_cases(source), AttackRequest(drop=0.3)), work)
    assert [row.finished for row in rest.rows] == [True] * 3
    assert rest.attacked == 2  # that was stopped, and that was left


def test_a_queue_that_is_closed_leaves_the_case_in_hand_new(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases")
    work = WorkFolder(tmp_path / "work", source)
    cases = read_cases(source)
    request = toy_request(cases)
    steps = attack_all(request, work, CancelToken())
    for step in steps:
        if step.text.startswith("Case 2: S"):
            break
    job = request.jobs(request.open())[0]
    assert [work.status(case, job).state for case in cases] == ["done", "running", "new"]
    steps.close()
    assert [work.status(case, job).state for case in cases] == ["done", "new", "new"]
    assert run_queue(request, WorkFolder(tmp_path / "work", source)).attacked == 2


def test_cases_of_the_same_content_are_attacked_once(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases", ("a",))
    shutil.copytree(source / "a", source / "b")
    found = run_queue(toy_request(read_cases(source)), WorkFolder(tmp_path / "work", source))
    assert found.attacked == 1
    assert [row.finished for row in found.rows] == [True, True]


def test_a_network_that_cannot_be_opened_ends_the_queue_before_it_begins(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases", ("a",))
    work = WorkFolder(tmp_path / "work", source)
    with pytest.raises(FileNotFoundError, match="there is no checkpoint nowhere"):
        run_queue(CohortRequest(cases=read_cases(source), network="nowhere"), work)
    with pytest.raises(ValueError, match="holds no learned attacker"):
        run_queue(toy_request(read_cases(source), AttackRequest(attacker="nobody")), work)
    with pytest.raises(ValueError, match="cases"):
        CohortRequest(cases=(), network="phantom2d")
    assert not (tmp_path / "work" / "cases").exists()


def test_a_faulty_queue_says_the_type_of_a_fault_that_nobody_foresaw(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Threshold):
        def forward(self, hu: torch.Tensor) -> torch.Tensor:
            if hu.shape[-1] == 24:
                raise KeyError("lost")
            return super().forward(hu)

    source = toy_cohort(tmp_path / "cases", ("a",))
    request = CohortRequest(cases=read_cases(source), network=network_from_module(Broken(), CARD, device="cpu"))
    found = run_queue(request, WorkFolder(tmp_path / "work", source))
    assert found.rows[0].reason == "KeyError: 'lost'"
    assert "Traceback" in caplog.text


def test_progress_only_grows_and_names_the_case(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases")
    steps: list[Progress] = []
    finish(
        attack_all(toy_request(read_cases(source)), WorkFolder(tmp_path / "work", source), CancelToken()), steps.append
    )
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert 0.99 < fractions[-1] <= 1
    for case in read_cases(source):
        assert any(step.text.startswith(f"{case.name}: ") for step in steps)
