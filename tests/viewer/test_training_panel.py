"""Training an attacker from the dock: what is asked of the core, its progress, Stop, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QToolButton
from viewer.fake_core import FakeCore, make_ct, make_labels
from viewer.test_dock import attacked, case_layers, message, opened, settle, user_layer

from napari_advseg.attacks import Cancelled
from napari_advseg.networks import open_network
from napari_advseg.viewer.column import scrolling_column
from napari_advseg.viewer.core import PackageCore
from napari_advseg.viewer.learning import training_request
from napari_advseg.viewer.state import Phase
from napari_advseg.viewer.training_panel import TrainingPanel
from napari_advseg.viewer.wishes import CaseWish, TrainingWish
from napari_advseg.volume import SeveralSeriesError

MakeDock = Callable[[FakeCore], Any]


def listed(dock: Any) -> dict[str, bool]:
    """The open CTs that are offered, and whether each is checked."""
    items = [dock.training.cts.item(row) for row in range(dock.training.cts.count())]
    return {item.text(): item.checkState() == Qt.CheckState.Checked for item in items}


def ready(dock: Any, qtbot: Any, out: Path, steps: int = 3) -> Any:
    """A case is open, and the output folder chosen."""
    layer = opened(dock, qtbot)
    dock.training.out.set_value(out)
    dock.training.steps.setValue(steps)
    return layer


def test_open_cts_are_listed_once_and_perturbed_ones_not(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    layer = attacked(dock, qtbot)
    assert len(dock.inputs.ct.texts()) == 4, "nothing, mine, its copy, the perturbed CT"
    assert listed(dock) == {"mine": True}
    user_layer(dock, "another")
    dock.training.check([layer])
    user_layer(dock, "a third")
    assert listed(dock) == {"mine": True, "another": False, "a third": True}, "what was unchecked stays so"
    dock._viewer.layers.remove(layer)
    assert listed(dock) == {"CT": True, "another": False, "a third": True}, "the copy stands in for it"


def test_train_needs_a_network_a_ct_and_a_folder(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    dock = make_dock(FakeCore())
    train = dock.training.train
    assert not train.isEnabled()
    dock.inputs.network.set_value("fake")
    dock.training.out.set_value(tmp_path / "out")
    assert not train.isEnabled(), "no CT"
    user_layer(dock)
    assert train.isEnabled()
    dock.training.check([])
    assert not train.isEnabled()
    dock.training.folder.set_value(tmp_path)
    assert train.isEnabled()
    dock.inputs.network.set_value(None)
    assert not train.isEnabled()


def test_training_is_asked_for_with_what_is_chosen(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_dock(core)
    layer = ready(dock, qtbot, tmp_path / "out")
    user_layer(dock, "another")
    dock.training.folder.set_value(tmp_path)
    dock.organs.check(["liver"])
    dock.limits.max_hu.setValue(9.0)
    dock.training.train.click()
    settle(dock, qtbot)
    (wish, training, case) = core.trainings[0]
    assert wish.network == "fake"
    assert [source.name for source in training.cts] == ["mine", "another"]
    assert np.array_equal(training.cts[0].data, layer.data)
    assert training.in_hand == 0
    assert case is dock.controller.in_hand.case, "the network that is open is used"
    assert (training.folder, training.out, training.steps) == (tmp_path, tmp_path / "out", 3)
    assert (training.attack.organs, training.attack.max_hu, training.attack.attacker) == (("liver",), 9.0, "search")


def test_all_organs_checked_means_all_that_other_cts_show(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_dock(core)
    ready(dock, qtbot, tmp_path / "out")
    dock.training.train.click()
    settle(dock, qtbot)
    assert core.trainings[0][1].attack.organs == ()
    dock.organs.check([])
    dock.training.train.click()
    assert message(dock) == "Check at least one organ."
    assert len(core.trainings) == 1


def test_training_goes_without_a_case(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_dock(core)
    user_layer(dock)
    dock.inputs.network.set_value("fake")
    dock.training.out.set_value(tmp_path / "out")
    dock.training.steps.setValue(2)
    dock.training.train.click()
    settle(dock, qtbot)
    assert core.trainings[0][1].in_hand is None
    assert core.trainings[0][2] is None
    assert dock.attacker.choice.value() == tmp_path / "out"


def test_progress_is_told_and_the_attacker_is_chosen_at_the_end(
    make_dock: MakeDock, qtbot: Any, tmp_path: Path
) -> None:
    dock = make_dock(FakeCore())
    ready(dock, qtbot, tmp_path / "out", steps=40)
    dock.training.fold.expand()
    dock.training.train.click()
    assert dock.controller.phase is Phase.TRAINING
    qtbot.waitUntil(lambda: "Step" in dock.training.line.text(), timeout=10_000)
    assert dock.training.line.text().endswith("of 40: asked 0.30, cost 0.21, about 12 min left")
    assert dock.training.line.isVisibleTo(dock.training)
    assert dock.job.line.text() == dock.training.line.text()
    assert dock.training.stop.isEnabled()
    for widget in (dock.training.train, dock.training.cts, dock.training.out, dock.training.steps, dock.job.run):
        assert not widget.isEnabled()
    told = (dock.training.line.text(), dock.job.line.text(), dock.job.bar.value())
    user_layer(dock, "another")
    assert (dock.training.line.text(), dock.job.line.text(), dock.job.bar.value()) == told, "no step back"
    settle(dock, qtbot)
    assert dock.controller.phase is Phase.DONE
    assert dock.training.line.text() == "Trained for 40 steps"
    assert not dock.training.stop.isEnabled()
    assert dock.attacker.choice.value() == tmp_path / "out"
    qtbot.waitUntil(lambda: dock.attacker.note.text() == "Trained for fake.", timeout=10_000)


def test_a_line_that_wraps_presses_nothing_together(qtbot: Any) -> None:
    panel = TrainingPanel()
    panel.offer_layers([])
    column = scrolling_column([[panel]], "the end")
    qtbot.addWidget(column)
    column.resize(290, 900)
    column.show()
    panel.fold.expand()
    panel.say("Training…")
    qtbot.wait(100)
    words = "Step 1 of 4: asked 0.62, cost"
    while panel.line.fontMetrics().horizontalAdvance(words) < panel.line.width():
        words += " and"
    panel.say(words)
    qtbot.wait(100)
    assert panel.line.height() > 1.5 * panel.line.fontMetrics().height()
    assert panel.cts.geometry().bottom() < panel.folder.geometry().top()
    panel.fold.collapse()
    qtbot.waitUntil(lambda: panel.height() < 100, timeout=5_000)


def test_stop_saves_and_the_same_folder_goes_on(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_dock(core)
    ready(dock, qtbot, tmp_path / "out", steps=60)
    dock.training.train.click()
    qtbot.waitUntil(lambda: "Step" in dock.training.line.text(), timeout=10_000)
    dock.training.stop.click()
    assert dock.controller.phase in (Phase.CANCELLING, Phase.IDLE)
    if dock.controller.phase is Phase.CANCELLING:
        assert dock.training.line.text() == "Stopping…"
    settle(dock, qtbot)
    assert core.stopped.is_set()
    done = int((tmp_path / "out" / "training.pt").read_text())
    assert 0 < done < 60
    assert dock.training.line.text() == f"Stopped after step {done}"
    assert dock.attacker.choice.value() is None, "an attacker that is not done is not chosen"
    dock.training.train.click()
    qtbot.waitUntil(lambda: "Step" in dock.training.line.text(), timeout=10_000)
    assert int(dock.training.line.text().split()[1]) > done
    settle(dock, qtbot)
    assert dock.training.line.text() == "Trained for 60 steps"


def test_the_docks_cancel_stops_a_training_too(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_dock(core)
    ready(dock, qtbot, tmp_path / "out", steps=1000)
    dock.training.train.click()
    qtbot.waitUntil(lambda: "Step" in dock.training.line.text(), timeout=10_000)
    dock.job.cancel.click()
    settle(dock, qtbot)
    assert message(dock).startswith("Stopped after step"), "told under the buttons where the fold is closed"


def test_stopped_before_the_first_step_and_faults_are_told(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_dock(core)
    ready(dock, qtbot, tmp_path / "out")
    core.fault = Cancelled()
    dock.training.train.click()
    settle(dock, qtbot)
    assert message(dock) == "Stopped; nothing had been learned yet."
    core.fault = ValueError("the folder holds a training with other settings\nmore")
    dock.training.train.click()
    settle(dock, qtbot)
    assert message(dock) == "the folder holds a training with other settings"
    assert dock.controller.phase is Phase.FAILED
    assert dock.training.line.text() == ""


def test_closing_the_dock_during_a_training_stops_it(make_docked: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_docked(core)
    ready(dock, qtbot, tmp_path / "out", steps=100_000)
    dock.training.train.click()
    qtbot.waitUntil(lambda: "Step" in dock.training.line.text(), timeout=10_000)
    dock._viewer.window.remove_dock_widget(dock)
    assert core.stopped.wait(5)
    assert dock.controller.join(5)
    assert int((tmp_path / "out" / "training.pt").read_text()) > 0
    qtbot.wait(100)


def test_a_result_outlives_a_training(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    dock = make_dock(FakeCore())
    attacked(dock, qtbot)
    outcome, sentence = dock.controller.outcome, dock.result.sentence.text()
    dock.training.out.set_value(tmp_path / "out")
    dock.training.steps.setValue(2)
    dock.training.train.click()
    settle(dock, qtbot)
    assert dock.controller.outcome is outcome
    assert dock.result.sentence.text() == sentence
    assert dock.job.save.isEnabled()
    assert "perturbed" in case_layers(dock)


def test_a_series_of_a_folder_is_asked_for_and_training_begins_again(
    make_dock: MakeDock, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_advseg.viewer.questions.ask_series", lambda _parent, series: series[1][0])
    core = FakeCore()
    dock = make_dock(core)
    ready(dock, qtbot, tmp_path / "out")
    core.fault = SeveralSeriesError(tmp_path / "dicom", [("1.2", 3), ("1.3", 90)])
    dock.training.train.click()
    qtbot.waitUntil(lambda: len(core.trainings) == 2, timeout=10_000)
    settle(dock, qtbot)
    assert core.trainings[1][1].series == ((tmp_path / "dicom", "1.3"),)
    assert dock.controller.phase is Phase.DONE


def test_the_folder_buttons_ask_for_folders(
    make_dock: MakeDock, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picked = {"Open a folder of CTs": tmp_path / "cts", "Train into a folder": tmp_path / "full"}
    for folder in picked.values():
        folder.mkdir()
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda _parent, title, *_rest: str(picked[title])
    )
    dock = make_dock(FakeCore())
    dock.training.folder.findChild(QToolButton).click()
    assert dock.training.folder.value() == tmp_path / "cts"
    dock.training.out.findChild(QToolButton).click()
    assert dock.training.out.value() == tmp_path / "full", "an empty one"
    (tmp_path / "full" / "letter.txt").write_text("of the user's")
    dock.training.out.set_value(None)
    dock.training.out.findChild(QToolButton).click()
    assert dock.training.out.value() == tmp_path / "full" / "attacker"
    (tmp_path / "full" / "training.pt").write_text("3")
    dock.training.out.findChild(QToolButton).click()
    assert dock.training.out.value() == tmp_path / "full", "that of a training goes on"


def test_a_layer_that_is_no_ct_is_refused_in_one_line(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_dock(core)
    ready(dock, qtbot, tmp_path / "out")
    dock._viewer.add_image(np.zeros((2, 3, 4, 5), np.float32), name="four")
    dock.training.train.click()
    assert "'four' has 4 axes" in message(dock)
    assert core.trainings == []


def test_the_case_in_hand_is_learned_from_with_its_reference_and_region(
    make_dock: MakeDock, qtbot: Any, tmp_path: Path
) -> None:
    core = FakeCore()
    dock = make_dock(core)
    labels = dock._viewer.add_labels(
        make_labels(make_ct()).astype(np.int32), name="truth", scale=(4.0, 2.0, 1.5), translate=(30.0, -20.0, 10.0)
    )
    dock.inputs.reference.set_value(labels)
    ready(dock, qtbot, tmp_path / "out")
    user_layer(dock, "another")
    dock.training.train.click()
    settle(dock, qtbot)
    (wish, training, case) = core.trainings[0]
    case = replace(case, network=open_network("phantom2d", device="cpu"))
    request = training_request(wish, training, case)
    own, other = request.cases
    assert request.network is case.network
    assert np.array_equal(own.reference.hu, case.reference)
    assert own.reference.grid == own.ct.grid == other.ct.grid
    assert other.reference is None, "of a CT that was never opened the network's own segmentation"
    (own, other) = training_request(wish, training, None).cases
    assert own.reference is None, "nor of a case on another network"


def test_no_ct_at_all_is_said(tmp_path: Path) -> None:
    wish = CaseWish(tmp_path / "none.nii.gz", "phantom2d")
    with pytest.raises(ValueError, match="no CT to train on"):
        training_request(wish, TrainingWish((), None, tmp_path), None)
    folder = tmp_path / "cts"
    folder.mkdir()
    for name in ("a.nii.gz", "b.nii.gz"):
        (folder / name).touch()
    request = training_request(wish, TrainingWish((), folder, tmp_path, series=((folder / "a.nii.gz", "1.2"),)), None)
    assert [case.ct.name for case in request.cases] == ["a.nii.gz", "b.nii.gz"]
    assert [case.series for case in request.cases] == ["1.2", None]


def test_the_package_says_in_one_line_that_a_folder_holds_no_attacker(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no learned attacker"):
        PackageCore().attacker_line(str(tmp_path), None)
    assert "for 'phantom2d' in" in PackageCore().attacker_line("phantom2d", None)
