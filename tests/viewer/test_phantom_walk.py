"""The strength path of the shipped attacker's change on slices of the phantom, walked in the dock."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewer.test_phantom_learned import open_slices

from napari_advseg.viewer.layers import layers_of
from napari_advseg.viewer.state import Phase

VERIFIER = Path(__file__).parents[3] / "shared" / "verify_bundle.py"


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


def drop_of_layers(dock: Any) -> float:
    """The mean Dice drop, from nothing but what the layers hold."""
    outcome = dock.controller.outcome
    layers = {role: np.asarray(layer.data) for role, layer in layers_of(dock._viewer, outcome.case_id).items()}
    before = layers["reference"] if "reference" in layers else layers["clean"]
    drops = []
    for organ in outcome.finding.result.organs:
        clean = dice(layers["clean"] == organ.id, before == organ.id)
        drops.append(clean - dice(layers["attacked"] == organ.id, layers["moved_reference"] == organ.id))
    return float(np.mean(drops))


def wait_for(dock: Any, qtbot: Any, drop: float) -> None:
    walker = dock.controller.walker
    qtbot.waitUntil(lambda: dock.controller.outcome.finding.result.target_drop == drop, timeout=60_000)
    qtbot.waitUntil(
        lambda: not walker.awaited and dock.controller.outcome.finding.evidence is not None, timeout=120_000
    )


def test_layers_line_and_bundle_agree_at_every_place_of_the_slider(dock: Any, qtbot: Any, tmp_path: Path) -> None:
    from napari_advseg.evidence import verify_bundle

    open_slices(dock, qtbot, 9, 13)
    dock.attacker.choice.set_value("phantom2d")
    qtbot.waitUntil(lambda: "for 'phantom2d' in" in dock.attacker.note.text(), timeout=30_000)
    dock.slider.set_drop(0.3)
    dock.job.run.click()
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=240_000)
    assert dock.controller.phase is Phase.DONE, dock._message.text()
    qtbot.waitUntil(lambda: not dock.layers.showing, timeout=30_000)
    found = dock.controller.outcome.finding.result
    shown = [np.array(layers_of(dock._viewer, dock.controller.outcome.case_id)["perturbed"].data)]
    for drop in (0.2, 0.1):
        dock.slider.set_drop(drop)
        wait_for(dock, qtbot, drop)
        result = dock.controller.outcome.finding.result
        asked, reached, control = (float(n) for n in re.findall(r"\d\.\d+", dock.walk.line.text()))
        assert asked == drop
        assert "a random change of the same size" in dock.walk.line.text()
        assert drop_of_layers(dock) == pytest.approx(reached, abs=0.0005)
        assert reached == pytest.approx(drop, abs=0.03)
        assert control < reached
        assert result.parameters is found.parameters, "no other change was looked for"
        assert 0 < result.strength < found.strength
        shown.append(np.array(layers_of(dock._viewer, dock.controller.outcome.case_id)["perturbed"].data))
    changes = [np.abs(image - found.ct.hu.round()).mean() for image in shown]
    assert changes[0] > changes[1] > changes[2] > 0

    dock.save_to(tmp_path / "bundle")
    qtbot.waitUntil(lambda: dock.controller.saved_to is not None, timeout=120_000)
    record = json.loads((tmp_path / "bundle" / "result.json").read_text())
    assert record["target_drop"] == 0.1
    assert record["achieved_drop"] == pytest.approx(drop_of_layers(dock), abs=1e-9)
    assert record["strength"] == result.strength
    assert [result.strength, record["achieved_drop"]] in record["strength_path"]
    checks = verify_bundle(tmp_path / "bundle", found.ct)
    assert [check for check in checks if not check.ok] == []
    if VERIFIER.is_file():
        from napari_advseg.volume import write_image

        write_image(tmp_path / "ct.nii.gz", found.ct.hu, found.ct.grid)
        told = subprocess.run(
            [sys.executable, str(VERIFIER), str(tmp_path / "bundle"), str(tmp_path / "ct.nii.gz")],
            capture_output=True,
            text=True,
        )
        assert told.returncode == 0, told.stdout + told.stderr


def test_without_strength_nothing_is_changed(dock: Any, qtbot: Any) -> None:
    open_slices(dock, qtbot, 10, 12)
    dock.attacker.choice.set_value("phantom2d")
    qtbot.waitUntil(lambda: "for 'phantom2d' in" in dock.attacker.note.text(), timeout=30_000)
    dock.slider.set_drop(0.2)
    dock.job.run.click()
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=240_000)
    qtbot.waitUntil(lambda: not dock.layers.showing, timeout=30_000)
    dock.walk.plot.strength_picked.emit(0.0)
    qtbot.waitUntil(lambda: dock.controller.outcome.finding.result.strength == 0.0, timeout=60_000)
    layers = layers_of(dock._viewer, dock.controller.outcome.case_id)
    assert np.array_equal(layers["perturbed"].data, np.rint(layers["ct"].data))
    assert np.array_equal(layers["attacked"].data, layers["clean"].data)
    assert drop_of_layers(dock) == 0.0
    assert not layers["arrows"].data.any()
    assert "reached 0.000" in dock.walk.line.text()
