"""A queue that is killed at any moment: what was finished is there, what was not does not show, a restart makes it whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cohort.cohorts import QUICK, phantom_cohort, run_phantoms, table

from napari_advseg.cohort import AttackJob, CaseStatus, WorkFolder, read_cases
from napari_advseg.networks import SegmentationNetwork, open_network
from napari_advseg.volume import read_ct

CHILD = Path(__file__).with_name("child.py")
IMAGES = (
    "perturbed", "displacement", "appearance", "clean_segmentation", "attacked_segmentation", "reference",
    "moved_reference",
)  # fmt: skip
# When, how many of the three cases are done then, and whether something half-written is left.
# Each kill goes on from where the one before left off.
MOMENTS = [
    ("after record 1", 0, False),  # the first case has begun
    ("before image 1", 0, True),  # its bundle is half-written, aside
    ("before bundle 1", 0, True),  # its bundle is whole, and still aside
    ("after bundle 1", 1, False),  # it is in place, and its record still says that it runs
    ("before record 2", 2, True),  # so is the second one, and its record lies aside
    ("says Case 3: Trying", 2, False),  # somewhere in the third
]


@pytest.fixture(scope="module")
def network() -> SegmentationNetwork:
    return open_network("phantom2d", device="cpu")


def run_killed(source: Path, folder: Path, moment: str) -> None:
    when, rest = moment.split(" ", 1)
    command = [sys.executable, str(CHILD), "run", str(source), str(folder)]
    if when != "says":
        done = subprocess.run([*command, when, *rest.split()], capture_output=True, text=True, timeout=300)
        assert done.returncode == -9, done.stderr
        return
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(rest):
                process.kill()
                break
        assert process.wait() == -9


def look(source: Path, folder: Path, network: SegmentationNetwork) -> list[CaseStatus]:
    """The table as another program sees it, without the lock."""
    work, job = WorkFolder(folder, source), AttackJob.of(network, QUICK)
    return [work.status(case, job) for case in read_cases(source)]


def whole(bundle: Path) -> dict[str, tuple[int, int]]:
    """Every file of a bundle, read; size and time of writing."""
    for name in IMAGES:
        assert read_image(bundle / f"{name}.nii.gz")
    json.loads((bundle / "result.json").read_text())
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in bundle.iterdir()}


def read_image(path: Path) -> bool:
    if path.name.startswith("displacement"):
        return path.stat().st_size > 0
    return read_ct(path).hu.size > 0


@pytest.mark.thorough
@pytest.mark.usefixtures("no_figure")
def test_killed_again_and_again_the_queue_comes_to_the_same_table(tmp_path: Path, network: SegmentationNetwork) -> None:
    source, folder = phantom_cohort(tmp_path / "cases"), tmp_path / "work"
    undisturbed = run_phantoms(source, tmp_path / "undisturbed")
    assert [row.finished for row in undisturbed.rows] == [True] * 3

    kept: dict[str, dict[str, tuple[int, int]]] = {}
    for moment, done, half_written in MOMENTS:
        run_killed(source, folder, moment)
        aside = [path for path in folder.glob("cases/*/.*") if path.is_file() or any(path.rglob("*.*"))]
        assert bool(aside) == half_written, moment
        rows = look(source, folder, network)
        assert [row.state for row in rows] == ["done"] * done + ["new"] * (3 - done), moment
        for row in rows:
            assert (row.bundle is not None) == (row.state == "done")
            if row.bundle is not None:
                files = whole(row.bundle)
                assert files == kept.setdefault(row.case.name, files), f"{row.case.name} was made anew after {moment}"

    restarted = run_phantoms(source, folder)
    assert restarted.attacked == 1
    assert table(restarted) == table(undisturbed)
    assert not list(folder.glob("cases/*/.*"))
    for row in restarted.rows:
        assert row.bundle is not None
        files = whole(row.bundle)
        assert files == kept.get(row.case.name, files)


def test_a_bundle_that_was_being_replaced_when_the_process_died_is_put_back(tmp_path: Path) -> None:
    source = tmp_path / "cases"
    source.mkdir()
    folder = tmp_path / "work"
    work = WorkFolder(folder, source)
    case = folder / "cases" / "0123456789abcdef"
    (case / ".00ff00ff00ff00ff-old-x1y2" / "bundle").mkdir(parents=True)
    (case / ".00ff00ff00ff00ff-old-x1y2" / "bundle" / "result.json").write_text("{}")
    (case / ".00ff00ff00ff00ff-a9b8").mkdir()
    (case / ".writing-abc").write_text("{")
    with work.working():
        pass
    assert [path.name for path in case.iterdir()] == ["00ff00ff00ff00ff"]
    assert (case / "00ff00ff00ff00ff" / "result.json").exists()
