"""Files that vanish between being chosen and being read, and work folders that others work in."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.forge import Forge
from faults.prepared import Prepare
from faults.registry import injected
from faults.remains import bundle_is_one_or_the_other, copied, one_line, queue_is_sound
from faults.tiny import QUICK, write_case
from toy_networks import threshold_network

from napari_advseg.attacks import CancelToken
from napari_advseg.case import CaseRequest, finish, run
from napari_advseg.cohort import CohortRequest, LockedError, WorkFolder, attack_all, read_cases
from napari_advseg.evidence import read_bundle, verify_bundle

VANISHED, LOCKED = "Files that vanish", "Two at once"


@injected(
    VANISHED,
    "the CT, the reference, the checkpoint or the attacker is removed between being chosen and being read; the CT "
    "becomes an empty file",
    "one line that names the file; nothing is written",
    ["ct", "reference", "network", "attacker", "empty ct"],
)
def test_an_input_that_vanishes(tmp_path: Path, point: str) -> None:
    case = write_case(tmp_path / "case")
    network, attacker = tmp_path / "network.pth", tmp_path / "attacker"
    network.write_bytes(b"")
    request = CaseRequest(
        ct=case / "ct.nii.gz", reference=case / "labels.nii.gz",
        network=str(network) if point == "network" else threshold_network(),
    )  # fmt: skip
    wanted = QUICK.model_copy(update={"attacker": str(attacker)}) if point == "attacker" else QUICK
    steps = run(request, wanted, CancelToken())
    gone = {"reference": case / "labels.nii.gz", "network": network}.get(point, case / "ct.nii.gz")
    if point != "attacker":
        gone.unlink()
    if point == "empty ct":
        gone.write_bytes(b"")
    with pytest.raises((ValueError, OSError)) as caught:
        finish(steps)
    assert len(str(caught.value).splitlines()) == 1
    assert (attacker if point == "attacker" else gone).name in str(caught.value)


@injected(
    VANISHED,
    "of a list of cases, the CT of one is removed while the first is attacked; its labels; the whole folder",
    "that case has failed, with one line that names no path; the others are done",
    ["ct.nii.gz", "labels.nii.gz", "."],
)
def test_a_listed_case_that_vanishes(tmp_path: Path, point: str) -> None:
    for number, name in enumerate("abc"):
        write_case(tmp_path / "cases" / name, patient=number)
    request = CohortRequest(cases=read_cases(tmp_path / "cases"), network=threshold_network(), attacks=(QUICK,))
    steps = attack_all(request, WorkFolder(tmp_path / "work", tmp_path / "cases"), CancelToken())
    victim = tmp_path / "cases" / "b" / point

    def look(step: object) -> None:
        if "Case 1: Looking for" in str(getattr(step, "text", "")) and victim.exists():
            shutil.rmtree(victim) if victim.is_dir() else victim.unlink()

    summary = finish(steps, look)
    assert not victim.exists()
    assert [row.state for row in summary.rows if row.case.name != "Case 2"] == ["done", "done"]
    (row,) = [row for row in summary.rows if row.case.name == "Case 2"]
    records = [json.loads(path.read_text()) for path in (tmp_path / "work" / "cases").glob("*/*.json")]
    reasons = [record["reason"] for record in records if record["state"] == "failed"]
    assert row.state in ("failed", "new")  # with its files it has lost its name in the folder
    assert len(reasons) == 1
    assert len(reasons[0].splitlines()) == 1
    assert str(tmp_path) not in reasons[0]


@injected(
    VANISHED,
    "a file of a saved bundle is removed: each in turn",
    "reading and verifying the bundle say in one line which; without the picture, or the path, it is read",
    [
        "result.json", "perturbed.nii.gz", "displacement.nii.gz", "appearance.nii.gz", "clean_segmentation.nii.gz",
        "attacked_segmentation.nii.gz", "reference.nii.gz", "moved_reference.nii.gz", "figure.png", "path.safetensors",
    ],
)  # fmt: skip
def test_a_bundle_that_loses_a_file(forge: Forge, prepare: Prepare, tmp_path: Path, point: str) -> None:
    bundle = copied(prepare("saving").folder, tmp_path / "case") / "bundle"
    (bundle / point).unlink()
    if point in ("figure.png", "path.safetensors"):
        assert read_bundle(bundle).folder == bundle
        return
    readers: tuple[Callable[[Path], object], ...] = (read_bundle, verify_bundle)
    for reader in readers:
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            reader(bundle)
        assert point in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


@injected(
    LOCKED,
    "a second process attacks all in a work folder while a first one holds it",
    "one line that names the first process; what is done stays; afterwards the queue goes on",
    1,
)
def test_a_second_process_is_refused(forge: Forge, prepare: Prepare, tmp_path: Path) -> None:
    before = prepare("queue").folder
    folder = copied(before, tmp_path / "list")
    end = forge.run("second_queue", folder)
    assert end.status == 0, end.err
    assert one_line(end.err) is False  # a LockedError, which is a ValueError
    assert "LockedError: process " in end.out
    assert len(end.out.splitlines()) == 1
    assert queue_is_sound(folder, before) == 1
    assert forge.run("queue", folder).status == 0
    assert queue_is_sound(folder, before) == 2


@injected(
    LOCKED,
    "a lock that a killed process has left: its number is free, another process's, cut off, empty, or not there",
    "the queue goes on",
    ["free", "another", "cut", "empty", "none"],
)
def test_a_lock_that_was_left_behind(forge: Forge, prepare: Prepare, tmp_path: Path, point: str) -> None:
    before = prepare("queue").folder
    folder = copied(before, tmp_path / "list")
    holder = folder / "work" / "holder.json"
    content = json.loads(holder.read_text())
    number = os.getpid() if point == "another" else 2**22 - 1
    text = json.dumps(content | {"pid": number})
    (folder / "work" / "lock").write_text("left")
    if point == "none":
        holder.unlink()
    else:
        holder.write_text({"cut": text[:20], "empty": ""}.get(point, text))
    assert queue_is_sound(folder, before) == 1
    end = forge.run("queue", folder)
    assert end.status == 0, end.err
    assert queue_is_sound(folder, before) == 2


@injected(
    LOCKED,
    "two processes save to one bundle's place at the same time, fifteen times each",
    "one of both stands there, whole; neither fails",
    1,
)
def test_two_bundles_for_one_place(forge: Forge, prepare: Prepare, tmp_path: Path) -> None:
    before = prepare("saving").folder
    folder = copied(before, tmp_path / "case")
    end = forge.run("two_savings", folder)
    assert end.status == 0, end.err
    assert bundle_is_one_or_the_other(folder, before) in ("earlier", "later")
    assert not list(folder.glob(".*"))


def test_the_same_folder_cannot_be_worked_in_twice_by_one_process(tmp_path: Path) -> None:
    write_case(tmp_path / "cases" / "a")
    first, second = (WorkFolder(tmp_path / "work", tmp_path / "cases") for _ in range(2))
    with first.working(), pytest.raises(LockedError, match=f"process {os.getpid()} works in"), second.working():
        pass
