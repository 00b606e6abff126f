"""The shell's cohort: options of several values, exit status, one line where the request is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cohort.cohorts import phantom_cohort
from commands import Done, shell

from napari_advseg.cohort import WorkFolder, read_cases

LEARNED = ("--network", "phantom2d", "--attacker", "phantom2d", "--device", "cpu", "--scheduler", "none")
QUICK = (*LEARNED, "--generated", "alone", "--tolerance", 0.4)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom_cohort(tmp_path_factory.mktemp("cohort") / "cases", 1)


def test_a_cohort_of_two_drops_its_files_and_its_second_run(cases: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = shell("cohort", cases, "--drop", 0.1, 0.2, *QUICK, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "total": 2, "skipped": 0, "done": 2, "failed": 0, "absent": 0, "reached": 2, "not_reached": 0,
        "lost_workers": 0, "stopped": "",
    }  # fmt: skip
    assert {"results.csv", "results.parquet", "report.html", "fragility.svg", "fragility.csv"} <= {
        path.name for path in out.iterdir()
    }
    assert "2 of 2 attacks done, 2 reached their drop" in done.stderr
    again = shell("cohort", out, "--drop", "0.1", "--drop=0.2", *QUICK, "--out", out)  # the folder stands for its list
    assert again.returncode == 0, again.stderr
    assert "2 of them were done before" in again.stderr
    WorkFolder(out, cases)  # and opens as a list of cases
    assert len(read_cases(cases)) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda cases: None, 3),  # the first change that is generated does not cost just 0.8
        (lambda cases: (cases / "p0" / "ct.nii.gz").write_bytes(b""), 1),  # nothing at all was done
    ],
    ids=["not reached", "all failed"],
)
def test_the_exit_status_tells_of_what_was_not_reached(
    cases: Path, tmp_path: Path, change: Callable[[Path], object], status: int
) -> None:
    source = shutil.copytree(cases, tmp_path / "cases")
    change(source)
    done = shell("cohort", source, *LEARNED, "--generated", "alone", "--drop", 0.8, "--out", tmp_path / "out")
    assert done.returncode == status, done.stderr
    assert (tmp_path / "out" / "report.html").exists()


def wrong(cases: Path, tmp_path: Path, *more: object) -> Done:
    return shell("cohort", cases, "--out", tmp_path / "out", *more)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--network", "phantom2d", "--drop", 0.1, 7], "less than or equal to 1"),
        (["--network", "phantom2d", "phantom2d"], "the network phantom2d is given twice"),
        (["--network", "nothing"], "there is no checkpoint nothing"),
        (["--network", "phantom2d", "--scheduler", "luck"], "the scheduler is 'local', 'none', an address"),
        (
            ["--network", "phantom2d", "--scheduler", "tcp://h:1", "--workers", 2],
            "--workers is of the scheduler 'local'",
        ),
        (["--network", "phantom2d", "--attacker", "luck"], "the attacker is 'search', 'phantom2d' or a folder"),
        (["--network", "phantom2d", "--drop", "much"], "Invalid value for '--drop'"),
    ],
)
def test_a_wrong_request_is_one_line_and_status_2(
    cases: Path, tmp_path: Path, arguments: list[object], words: str
) -> None:
    done = wrong(cases, tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr


def test_a_folder_that_holds_something_else_is_refused(cases: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    done = wrong(cases, tmp_path, *QUICK)
    assert done.returncode == 2
    assert "exists and is no work folder" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]
