"""The work folder: one process at a time, no patient's name in it, and nothing that is not its own."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cohort.cohorts import run_queue, toy_cohort, toy_request
from toy_networks import graded_ct

from napari_advseg.case import AttackRequest
from napari_advseg.cohort import AttackJob, CaseStatus, ListedCase, LockedError, WorkFolder, read_cases, write_table
from napari_advseg.cohort.anonymity import without_identity
from napari_advseg.cohort.writing import write_text
from napari_advseg.volume import write_image

CHILD = Path(__file__).with_name("child.py")


def first_row(work: WorkFolder, source: Path) -> CaseStatus:
    request = toy_request(read_cases(source))
    return work.status(request.cases[0], request.jobs(request.open())[0])


def test_a_second_process_is_told_which_one_works_and_a_dead_one_is_in_nobodys_way(tmp_path: Path) -> None:
    source, folder = toy_cohort(tmp_path / "cases", ("a",)), tmp_path / "work"
    command = [sys.executable, str(CHILD), "hold", str(source), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        work = WorkFolder(folder, source)
        with (
            pytest.raises(LockedError, match=rf"^process {process.pid} works in .*: wait for it") as fault,
            work.working(),
        ):
            pass
        assert "\n" not in str(fault.value)
        assert first_row(work, source).state == "running"
        process.kill()
        process.wait()
        assert first_row(work, source).state == "new"
        with work.working():
            assert first_row(work, source).state == "new"
            assert json.loads((folder / "holder.json").read_text())["pid"] == os.getpid()


def test_a_thorough_search_is_another_job_and_older_jobs_are_known_again() -> None:
    """The first digest is that of the version before there were thorough searches: its results are not made again."""
    before = "2b1624d12966d19eafb6b88a443a0aa2daf00578f7d61dc7e3f188514a9c8c75"

    def digest(**asked: Any) -> str:
        return AttackJob(network="n", network_sha256="0" * 64, attack=AttackRequest(**asked)).digest

    assert digest() == before
    assert digest(thorough=True) != before
    for generated, same in (("strength", True), ("alone", True), ("start", False)):
        usual, thorough = (digest(attacker="a", generated=generated, thorough=way) for way in (False, True))
        assert (usual == thorough) is same, generated


def test_the_number_of_a_dead_process_that_another_one_has_now_does_not_count_as_running(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases", ("a",))
    work = WorkFolder(tmp_path / "work", source)
    with work.working():
        work.begin(first_row(work, source))
    row = first_row(work, source)
    assert row.state == "running"  # this very process has begun it
    record = row.place.with_suffix(".json")
    content = json.loads(record.read_text())
    content["holder"]["started"] -= 1000
    record.write_text(json.dumps(content))
    assert first_row(work, source).state == "new"
    record.write_text(record.read_text()[:40])
    assert first_row(work, source).state == "new"


def test_within_a_process_too_only_one_works_and_may_do_so_several_times_over(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases", ("a",))
    work, other = (WorkFolder(tmp_path / "work", source) for _ in range(2))
    refused = pytest.raises(LockedError, match=f"process {os.getpid()} works")
    with work.working(), work.working(), refused, other.working():
        pass
    with other.working():
        other.begin(first_row(other, source))
    with pytest.raises(RuntimeError, match="is written to inside"):
        other.begin(first_row(other, source))


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    source = toy_cohort(tmp_path / "cases", ("a",))
    with pytest.raises(ValueError, match="exists and is no work folder: choose"):
        WorkFolder(source, source)
    WorkFolder(tmp_path / "work", source)
    other = toy_cohort(tmp_path / "other", ("a",))
    with pytest.raises(ValueError, match=f"holds the work on {source}, not on {other}: choose"):
        WorkFolder(tmp_path / "work", other)
    shutil.rmtree(source)
    WorkFolder(tmp_path / "work", other)  # the list has moved
    assert json.loads((tmp_path / "work" / "cohort.json").read_text()) == {"schema_version": 1, "list": str(other)}
    (tmp_path / "work" / "cohort.json").write_text('{"schema_version": 9}')
    with pytest.raises(ValueError, match="is not what this version writes"):
        WorkFolder(tmp_path / "work", other)


def test_hashes_of_files_that_have_not_changed_are_kept_between_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari_advseg.cohort.identity as identity

    monkeypatch.setattr(identity, "_SETTLED_S", 0.0)
    source = toy_cohort(tmp_path / "cases", ("a",))
    case = read_cases(source)[0]
    name = WorkFolder(tmp_path / "work", source).case_id(case)
    with monkeypatch.context() as patch:
        patch.setattr(identity, "file_sha256", lambda _: pytest.fail("hashed again"))
        assert WorkFolder(tmp_path / "work", source).case_id(case) == name
    ct, _ = graded_ct()
    write_image(case.ct, (ct.hu + 1).astype(np.int16), ct.grid)
    assert WorkFolder(tmp_path / "work", source).case_id(case) != name
    (tmp_path / "work" / "hashes.json").write_text("[")
    write_image(case.ct, ct.hu.astype(np.int16), ct.grid)
    assert WorkFolder(tmp_path / "work", source).case_id(case) == name


def everything(folder: Path) -> bytes:
    """Every byte of a folder, packed ones unpacked, names of files included."""
    found = []
    for path in sorted(folder.rglob("*")):
        found.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            content = path.read_bytes()
            found.append(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    return b"\n".join(found)


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_no_name_of_a_patient_is_in_the_work_folder(tmp_path: Path, kind: str) -> None:
    source = toy_cohort(tmp_path / "cases", ("Smith_Johnny", "Smith, Anna", "smith"))
    planted = source / "smith" / "Smith_Labels.nii.gz"
    (source / "smith" / "labels.nii.gz").rename(planted)
    (source / "Smith, Anna" / "ct.nii.gz").write_bytes(b"Smith")
    write_text(source / "smith" / "labels.json", '{"Smith": ')
    cases = read_cases(source, names="file")
    assert [case.name for case in cases] == ["smith", "Smith, Anna", "Smith_Johnny"]
    if kind == "table":
        source = write_table(cases, source / "list.csv")
        cases = read_cases(source, names="file")
    work = WorkFolder(tmp_path / "work", source)
    found = run_queue(toy_request(cases, AttackRequest(drop=0.2)), work)
    assert [row.state for row in found.rows] == ["failed", "failed", "done"]
    content = everything(tmp_path / "work")
    assert b"the CT is no image" in content
    assert b"the file of label names does not name labels" in content
    assert not re.search(rb"smith|johnny", content, re.IGNORECASE)
    assert re.search(rb"smith", everything(source if kind == "folder" else source.parent), re.IGNORECASE)
    figure = next((tmp_path / "work").rglob("figure.png"))
    assert figure.stat().st_size > 10_000
    row = found.rows[2]
    assert json.loads((row.place / "result.json").read_text())["ct"]["path"] == row.place.parent.name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("there is no file or folder /data/Smith John/ct.nii.gz", "there is no file or folder the CT"),
        ("[Errno 13] Permission denied: '/data/Smith John/ct.nii.gz'", "[Errno 13] Permission denied: 'the CT'"),
        ("/data/Smith John/ct.nii.gz\nis bad", "the CT is bad"),
        ("/data/Smith John/other.nii.gz holds nothing", "/data/.../other.nii.gz holds nothing"),
        ("in Smith John's labels smith_seg", "in ...'s labels ..."),
        ("an organ has 7 voxels", "an organ has 7 voxels"),
    ],
)
def test_reasons_lose_what_they_say_of_the_paths(text: str, said: str) -> None:
    case = ListedCase(
        name="Case 1", ct=Path("/data/Smith John/ct.nii.gz"), reference=Path("/elsewhere/smith_seg.nii.gz")
    )
    assert without_identity(text, case, Path("/data")) == said
