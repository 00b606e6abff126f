"""A process that attacks all cases in the docks is killed: what was done is done, and another one does the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TIMEOUT_S = 900.0
DROP, TOLERANCE = 0.2, 0.1


def run_docks(source: Path) -> None:
    """List the cases, say how far they are, attack all, say it again; in a process of its own."""
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QApplication

    from napari_advseg.viewer import AttackDock
    from napari_advseg.viewer.cases.desk import DockDesk
    from napari_advseg.viewer.cases.dock import CasesDock

    application = QApplication([])
    viewer = ViewerModel()
    dock = AttackDock(viewer)
    cases = CasesDock(viewer, desk=DockDesk(viewer))
    state, controller = cases.state, cases.controller

    def wait(until: Callable[[], bool]) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not until():
            assert time.monotonic() < end, state.line
            application.processEvents()
            time.sleep(0.005)

    def tell() -> None:
        rows = [{"state": row.state, "bundle": str(row.bundle or "")} for row in state.rows]
        print(json.dumps({"rows": rows, "line": state.line}), flush=True)

    cases.open_list(source)
    wait(lambda: bool(state.rows) and controller._job is None and not controller._surveying)
    tell()
    dock.inputs.network.set_value("phantom2d")
    dock.attacker.choice.set_value("phantom2d")
    dock.slider.set_drop(DROP)
    dock.limits.tolerance.setValue(TOLERANCE)
    controller.attack_all()
    wait(lambda: not state.queue)
    tell()
    cases.shut_down()
    dock.shut_down()
    assert controller.join(30)
    assert dock.controller.join(30)


def started(source: Path) -> subprocess.Popen[str]:
    """The docks without a window: nothing of them needs OpenGL."""
    there = dict(os.environ, QT_QPA_PLATFORM="offscreen", NAPARI_CONFIG="")
    return subprocess.Popen([sys.executable, __file__, str(source)], env=there, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> Iterator[tuple[list[str], list[str], str]]:
    """States, bundles and the line for the user, each time that the process tells them."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            content = json.loads(line)
            rows = content["rows"]
            yield [row["state"] for row in rows], [row["bundle"] for row in rows], content["line"]


def bundles_in(work: Path) -> list[Path]:
    return [path.parent for path in work.glob("cases/*/[!.]*/result.json")]


def files_of(bundle: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in bundle.iterdir()}


@pytest.mark.thorough
def test_after_a_kill_the_first_case_is_done_and_the_others_are_attacked(tmp_path: Path) -> None:
    from viewer.cases.test_cases_phantom import write_list

    from napari_advseg.evidence import verify_bundle
    from napari_advseg.volume import read_ct

    source, work = write_list(tmp_path), tmp_path / "list-attacks"
    with started(source) as process:
        states, _, _ = next(told(process))
        assert states == ["new"] * 3
        end = time.monotonic() + TIMEOUT_S
        while not bundles_in(work):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.005)
        process.kill()
        assert process.wait() == -9
    (first,) = bundles_in(work)
    files = files_of(first)
    assert all(check.ok for check in verify_bundle(first, read_ct(tmp_path / "Muster_0" / "ct.nii.gz")))

    with started(source) as process:
        steps = told(process)
        states, bundles, _ = next(steps)
        assert states == ["done", "new", "new"]
        assert bundles == [str(first), "", ""]
        states, bundles, line = next(steps)
        assert states == ["done"] * 3, line
        assert process.wait() == 0
    assert "3 of 3 cases done" in line
    assert bundles[0] == str(first)
    assert files_of(first) == files, "it is not made anew"
    assert {Path(bundle) for bundle in bundles} == set(bundles_in(work))
    assert not list(work.glob("cases/*/.*")), "something half-written is left"
    for number, bundle in enumerate(bundles):
        ct = read_ct(tmp_path / f"Muster_{number}" / "ct.nii.gz")
        assert [check for check in verify_bundle(Path(bundle), ct) if not check.ok] == []


if __name__ == "__main__":
    run_docks(Path(sys.argv[1]))
