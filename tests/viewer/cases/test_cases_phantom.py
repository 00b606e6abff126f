"""Attack all on the package's own rooms: three phantoms, the shipped attacker, a restart, a lock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from viewer.phantom_bundle import write_slices

from napari_advseg.cohort import WorkFolder
from napari_advseg.evidence import verify_bundle
from napari_advseg.viewer.cases.dock import CasesDock
from napari_advseg.viewer.layers import known
from napari_advseg.viewer.state import Phase
from napari_advseg.volume import read_ct

RESULT = {"perturbed", "shift", "intensity", "moved_reference", "attacked", "arrows"}


def write_list(folder: Path) -> Path:
    """A CSV of three phantoms, a few other slices each."""
    rows = ["case,ct,reference,label_names"]
    for number in range(3):
        here = folder / f"Muster_{number}"
        write_slices(here, 9 + number, 11 + number)
        rows.append(f"Muster {number},{here.name}/ct.nii.gz,{here.name}/labels.nii.gz,{here.name}/names.json")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


def states(cases: CasesDock) -> list[str]:
    return [row.state for row in cases.state.rows]


def make(dock: Any, qtbot: Any, source: Path) -> CasesDock:
    cases = CasesDock(dock.viewer)
    qtbot.addWidget(cases)
    cases.open_list(source)
    qtbot.waitUntil(lambda: cases.table.rowCount() == 3 and cases.controller._job is None, timeout=120_000)
    return cases


def end(cases: CasesDock) -> None:
    cases.shut_down()
    assert cases.controller.join(60)


def test_three_phantoms_are_attacked_saved_looked_at_and_known_after_a_restart(
    dock: Any, qtbot: Any, tmp_path: Path
) -> None:
    source = write_list(tmp_path)
    cases = make(dock, qtbot, source)
    dock.inputs.network.set_value("phantom2d")
    cases.next.click()
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None and not dock.controller.phase.busy, timeout=120_000)
    assert dock.controller.in_hand.case.reference_given
    dock.attacker.choice.set_value("phantom2d")
    dock.slider.set_drop(0.2)
    dock.limits.tolerance.setValue(0.1)

    work = cases.state.work
    assert work == tmp_path / "list-attacks"
    with WorkFolder(work, source).working():
        cases.attack.click()
        qtbot.waitUntil(lambda: not cases.state.queue, timeout=120_000)
        assert "works in" in dock._message.text()
        assert "\n" not in dock._message.text()

    cases.attack.click()
    qtbot.waitUntil(lambda: not cases.state.queue and states(cases) == ["done"] * 3, timeout=400_000)
    assert "3 of 3 cases done" in cases.message.text()
    bundles = [row.bundle for row in cases.state.rows]
    assert len(set(bundles)) == 3
    for number, bundle in enumerate(bundles):
        assert bundle is not None
        assert json.loads((bundle / "result.json").read_text())["attacker"] == "generator"
        assert "Muster" not in (bundle / "result.json").read_text()
        ct = read_ct(tmp_path / f"Muster_{number}" / "ct.nii.gz")
        assert [check for check in verify_bundle(bundle, ct) if not check.ok] == []
    end(cases)

    again = make(dock, qtbot, source)
    qtbot.waitUntil(lambda: states(again) == ["done"] * 3, timeout=60_000)
    assert [row.bundle for row in again.state.rows] == bundles
    again.table.cellClicked.emit(2, 0)
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=60_000)
    assert dock.controller.phase is Phase.DONE
    assert not dock.controller.outcome.live
    shown = dock.controller.outcome.case_id
    qtbot.waitUntil(
        lambda: (
            {known(layer)["role"] for layer in dock.viewer.layers if known(layer).get("case") == shown}
            == RESULT | {"ct", "clean", "reference"}
        ),
        timeout=30_000,
    )
    dock.open_case()  # the network on it: the result goes on from where it was
    qtbot.waitUntil(lambda: dock.controller.outcome is not None and dock.controller.outcome.live, timeout=120_000)
    end(again)
