"""What is left after a fault, held against what may be left."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from toy_networks import threshold_network

from napari_advseg.cohort import AttackJob, CaseStatus, WorkFolder, read_cases
from napari_advseg.evidence import read_bundle, verify_bundle
from napari_advseg.volume import Volume, read_ct

from .tiny import DROPS, NOTE, QUICK


def copied(prepared: Path, folder: Path) -> Path:
    """A copy of a prepared folder to do harm in; a work folder in it is told that its list lies in the copy."""
    shutil.copytree(prepared, folder)
    told = folder / "work" / "cohort.json"
    if told.exists():
        content = json.loads(told.read_text())
        told.write_text(json.dumps(content | {"list": str(folder / "cases")}))
    return folder


def one_line(text: str) -> bool:
    """Whether a program has said one line of error, and no more than figures or ITK's own words beside it."""
    said = [line for line in text.splitlines() if line.startswith(("error: ", "fault: ", "OSError", "ValueError"))]
    said += [line for line in text.splitlines() if line.startswith(("PermissionError", "FileNotFoundError"))]
    return len(said) == 1 and "Traceback" not in text


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def whole(bundle: Path, ct: Volume) -> str:
    """Whether it is the earlier or the later bundle, after every reader has found it right."""
    record = read_bundle(bundle, ct.grid).record
    wrong = [check for check in verify_bundle(bundle, ct) if not check.ok]
    assert not wrong, wrong
    return next(name for name, drop in DROPS.items() if drop == record["target_drop"])


def refused_or_whole(folder: Path, ct: Volume) -> bool:
    """Whether what lies aside is refused in one line, or whole."""
    try:
        return bool(whole(folder, ct))
    except (ValueError, FileNotFoundError) as fault:
        return len(str(fault).splitlines()) == 1


def bundle_is_one_or_the_other(folder: Path, prepared: Path) -> str:
    """The bundle that stood there, untouched, or the one that was to replace it; nothing else that passes as whole."""
    ct = read_ct(folder / "ct.nii.gz")
    untouched = bytes_of(folder / "bundle") == bytes_of(prepared / "bundle")  # which every reader has found right
    which = "earlier" if untouched else whole(folder / "bundle", ct)
    assert untouched or which == "later"
    assert not list((folder / "bundle").glob(".*"))
    assert all(refused_or_whole(aside, ct) for aside in folder.glob(".*"))
    assert {path.name for path in folder.glob("[!.]*")} == {"ct.nii.gz", "labels.nii.gz", "bundle"}
    return which


def rows_of(folder: Path, network_name: str = "") -> list[CaseStatus]:
    """The table of a work folder as another program sees it, without the lock."""
    work, job = WorkFolder(folder / "work", folder / "cases"), AttackJob.of(threshold_network(), QUICK)
    return [work.status(case, job) for case in read_cases(folder / "cases")]


def queue_is_sound(folder: Path, prepared: Path) -> int:
    """What was done before is untouched, every bundle is whole, nothing is said to run or to have failed; how many
    are done."""
    rows = rows_of(folder)
    assert {row.state for row in rows} <= {"new", "done"}
    assert all((row.bundle is not None) == (row.state == "done") for row in rows)
    assert rows[0].bundle is not None
    first = rows[0].bundle.relative_to(folder)
    assert bytes_of(folder / first) == bytes_of(prepared / first)
    for row in rows[1:]:
        if row.bundle is not None:
            whole(row.bundle, read_ct(row.case.ct))
    assert (folder / "cases" / "notes.txt").read_text() == NOTE
    return sum(row.state == "done" for row in rows)


def steps_logged(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "attacker" / "log.jsonl").read_text().splitlines()]
