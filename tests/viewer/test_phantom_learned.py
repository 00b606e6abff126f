"""The learned attacker in the dock over the package's own rooms, on slices of the phantom."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from viewer.test_phantom import add_slices

from napari_advseg.viewer.layers import layers_of
from napari_advseg.viewer.state import Phase


def open_slices(dock: Any, qtbot: Any, first: int, last: int) -> None:
    add_slices(dock._viewer, first, last)
    dock.inputs.ct.set_value(dock._viewer.layers["slices"])
    dock.inputs.network.set_value("phantom2d")
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=120_000)
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=10_000)


def test_three_draws_of_the_shipped_attacker_and_another_one_picked(
    dock: Any,
    qtbot: Any,
    tmp_path: Path,
) -> None:
    from napari_advseg.evidence import verify_bundle

    open_slices(dock, qtbot, 10, 12)
    dock.attacker.choice.set_value("phantom2d")
    qtbot.waitUntil(lambda: "for 'phantom2d' in" in dock.attacker.note.text(), timeout=30_000)
    dock.attacker.draws.setValue(3)
    dock.slider.set_drop(0.15)
    dock.limits.tolerance.setValue(0.05)
    dock.job.run.click()
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=240_000)
    assert dock.controller.phase is Phase.DONE, dock._message.text()
    qtbot.waitUntil(lambda: not dock.layers.showing, timeout=30_000)
    outcome = dock.controller.outcome
    assert [draw.finding.result.seed for draw in outcome.draws] == [0, 1, 2]
    assert all(draw.finding.result.attacker == "generator" for draw in outcome.draws)
    assert all(draw.finding.result.cost.backward == 0 for draw in outcome.draws)
    assert dock.draws.tiles[outcome.best].isChecked()
    changes = [draw.finding.result.parameters for draw in outcome.draws]
    assert not changes[0].equal(changes[1])

    present = layers_of(dock._viewer, outcome.case_id)
    before = np.array(present["perturbed"].data)
    other = (outcome.picked + 1) % 3
    dock.draws.tiles[other].click()
    qtbot.waitUntil(lambda: dock.controller.outcome.picked == other, timeout=30_000)
    qtbot.waitUntil(lambda: not dock.layers.showing, timeout=30_000)
    shown = layers_of(dock._viewer, outcome.case_id)["perturbed"].data
    assert not np.array_equal(before, shown)
    assert np.array_equal(shown, dock.controller.outcome.finding.result.whole_perturbed)
    assert f"{outcome.draws[other].finding.result.strength:.0%} of its strength" in dock.result.about.text()

    dock.save_to(tmp_path / "bundle")
    qtbot.waitUntil(lambda: dock.controller.saved_to is not None, timeout=120_000)
    assert json.loads((tmp_path / "bundle" / "result.json").read_text())["seed"] == other
    checks = verify_bundle(tmp_path / "bundle", outcome.finding.case.ct)
    assert [check for check in checks if not check.ok] == []


def test_a_folder_that_is_no_attackers_is_said_in_one_line(dock: Any, qtbot: Any, tmp_path: Path) -> None:
    dock.attacker.choice.set_value(tmp_path)
    qtbot.waitUntil(lambda: "holds no learned attacker" in dock._message.text(), timeout=60_000)
    assert "\n" not in dock._message.text()
    assert dock.attacker.choice.value() is None


def test_a_training_is_stopped_goes_on_and_its_attacker_attacks(
    dock: Any,
    qtbot: Any,
    tmp_path: Path,
) -> None:
    out = tmp_path / "attacker"
    open_slices(dock, qtbot, 10, 12)
    dock.training.out.set_value(out)
    dock.training.steps.setValue(3)
    dock.training.train.click()
    qtbot.waitUntil(lambda: "Step 1 of 3" in dock.training.line.text(), timeout=120_000)
    asked = time.monotonic()
    dock.training.stop.click()
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=60_000)
    assert time.monotonic() - asked < 30, "drawing the curves included, on a busy machine"
    assert dock.controller.phase is Phase.IDLE, dock._message.text()
    assert "Stopped after step" in dock.training.line.text()
    first = (out / "log.jsonl").read_text().splitlines()
    assert len(first) in (1, 2)
    assert dock.attacker.choice.value() is None

    dock.training.train.click()
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=240_000)
    assert dock.controller.phase is Phase.DONE, dock._message.text()
    assert "Trained for 3 steps on 1 CT; the attacker is in" in dock.training.line.text()
    lines = (out / "log.jsonl").read_text().splitlines()
    assert len(lines) == 3
    assert lines[: len(first)] == first, "the steps done are not taken again"
    assert dock.attacker.choice.value() == out

    qtbot.waitUntil(lambda: "Trained on 1 CT for 'phantom2d' in 3 steps" in dock.attacker.note.text(), timeout=30_000)
    dock.attacker.generated.setCurrentText("as generated")
    dock.slider.set_drop(0.3)
    dock.job.run.click()
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=120_000)
    assert "as generated, nothing adjusted to this case: it cost" in dock.result.about.text(), dock._message.text()


def test_a_training_with_other_settings_is_refused_in_one_line(
    dock: Any,
    qtbot: Any,
    tmp_path: Path,
) -> None:
    open_slices(dock, qtbot, 10, 12)
    dock.training.out.set_value(tmp_path / "attacker")
    dock.training.steps.setValue(1)
    dock.training.train.click()
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=120_000)
    assert dock.controller.phase is Phase.DONE, dock._message.text()
    dock.training.steps.setValue(4)
    dock.training.train.click()
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=120_000)
    assert dock.controller.phase is Phase.FAILED
    assert "holds a training with other settings" in dock._message.text()
