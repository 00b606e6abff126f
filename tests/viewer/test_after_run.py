"""After a run: slider, plot, Play, table and Undo over a core that answers at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from viewer.test_dock import RESULT, attacked, case_layers, message, settle
from viewer.walking_core import WalkingCore, drop_at, strength_of

from napari_advseg.viewer.layers import known
from napari_advseg.viewer.path_plot import _SHOWN
from napari_advseg.viewer.walker import REST_MS

MakeDock = Callable[[WalkingCore], Any]


def line(dock: Any) -> str:
    return str(dock.walk.line.text())


def shown(dock: Any) -> Any:
    return dock.controller.outcome.finding.result


def rested(dock: Any, qtbot: Any) -> None:
    """Everything that was asked for is shown, its rows and its control are measured."""
    qtbot.waitUntil(
        lambda: (
            not dock.controller.walker.awaited
            and dock.controller.outcome.finding.evidence is not None
            and bool(dock.controller.walker.shown.rows)
            and not dock.layers.showing
        ),
        timeout=10_000,
    )


def ask(dock: Any, qtbot: Any, drop: float) -> None:
    dock.slider.set_drop(drop)
    qtbot.waitUntil(lambda: shown(dock).target_drop == drop, timeout=10_000)
    rested(dock, qtbot)


@pytest.fixture
def core() -> WalkingCore:
    return WalkingCore()


@pytest.fixture
def ready(make_dock: MakeDock, qtbot: Any, core: WalkingCore) -> Any:
    """A dock with a result of 0.30 at strength 0.83; up to 0.40 can be had."""
    dock = make_dock(core)
    attacked(dock, qtbot)
    rested(dock, qtbot)
    return dock


def test_moving_the_slider_walks_without_a_new_run(ready: Any, qtbot: Any, core: WalkingCore) -> None:
    before = {role: np.array(layer.data) for role, layer in case_layers(ready).items()}
    same = {role: id(layer) for role, layer in case_layers(ready).items()}
    ask(ready, qtbot, 0.1)
    result = shown(ready)
    assert abs(result.achieved_drop - 0.1) <= 0.0025
    assert len(core.attacked) == 1
    assert core.threads == {"napari-advseg"}
    after = case_layers(ready)
    assert {role: id(layer) for role, layer in after.items()} == same, "no layer is removed or added"
    for role in ("perturbed", "shift", "intensity", "attacked", "moved_reference", "arrows"):
        assert before[role].shape != after[role].data.shape or not np.array_equal(before[role], after[role].data), role
    assert np.array_equal(after["perturbed"].data, result.whole_perturbed)
    assert np.array_equal(after["attacked"].data, result.attacked_labels)
    assert np.array_equal(after["moved_reference"].data, result.moved_reference)
    for role in ("ct", "clean"):
        assert np.array_equal(before[role], after[role].data), role


def test_the_line_tells_asked_reached_and_chance(ready: Any, qtbot: Any) -> None:
    assert line(ready) == "asked 0.30, reached 0.300; a random change of the same size: 0.006"
    ready.slider.set_drop(0.1)
    qtbot.waitUntil(lambda: "asked 0.10" in line(ready), timeout=10_000)
    assert "a random change as large as that at strength 83%: 0.006" in line(ready), "the one of the run"
    rested(ready, qtbot)
    assert ready.controller.walker._rest.interval() == REST_MS, "not at once: the slider may move on"
    result = shown(ready)
    control = round(result.strength / 100, 4)
    qtbot.waitUntil(
        lambda: (
            line(ready)
            == f"asked 0.10, reached {result.achieved_drop:.3f}; a random change of the same size: {control:.3f}"
        ),
        timeout=10_000,
    )
    assert f"reached {result.achieved_drop:.3f}" in ready.result.sentence.text()


def test_a_visited_value_answers_at_once(ready: Any, qtbot: Any, core: WalkingCore) -> None:
    ask(ready, qtbot, 0.1)
    ask(ready, qtbot, 0.3)
    measured, completed = list(core.strengths), list(core.completed)
    ask(ready, qtbot, 0.1)
    assert core.strengths == measured
    assert core.completed == completed, "its control is known, too"
    assert abs(shown(ready).achieved_drop - 0.1) <= 0.0025


def test_while_one_is_measured_only_the_latest_value_counts(ready: Any, qtbot: Any, core: WalkingCore) -> None:
    core.gate.clear()
    ready.slider.set_drop(0.1)
    qtbot.waitUntil(lambda: len(core.strengths) == 1, timeout=10_000)
    for drop in (0.12, 0.14, 0.16, 0.18, 0.2):
        ready.slider.set_drop(drop)
        qtbot.wait(100)
    assert ready.slider.isEnabled()
    core.gate.set()
    qtbot.waitUntil(lambda: shown(ready).target_drop == 0.2, timeout=10_000)
    rested(ready, qtbot)
    assert ready.slider.drop() == 0.2
    drops = [drop_at(strength) for strength in core.strengths[1:]]
    assert all(abs(drop - 0.2) < 0.03 for drop in drops), "nothing was measured for the values between"
    assert abs(shown(ready).achieved_drop - 0.2) <= 0.0025


def test_quick_values_before_anything_is_measured_are_gathered(ready: Any, qtbot: Any, core: WalkingCore) -> None:
    for drop in (0.25, 0.2, 0.15, 0.05):
        ready.slider.set_drop(drop)
    qtbot.waitUntil(lambda: shown(ready).target_drop == 0.05, timeout=10_000)
    rested(ready, qtbot)
    assert all(drop_at(strength) < 0.1 for strength in core.strengths)


def test_above_the_strongest_a_new_run_is_asked_for(ready: Any, qtbot: Any, core: WalkingCore) -> None:
    ready.slider.set_drop(0.6)
    qtbot.waitUntil(lambda: "run again" in line(ready), timeout=10_000)
    assert line(ready) == (
        "0.60 is more than the strongest change found costs (0.400): run again to look for one that does."
    )
    qtbot.wait(800)
    assert "run again" in line(ready), "it stays while the slider stays"
    assert ready.slider.drop() == 0.6
    assert core.strengths == []
    assert ready.walk.plot.picture.asked == 0.6
    assert ready.walk.plot.picture.dice_range[0] <= ready.walk.plot.picture.clean - 0.6
    assert shown(ready).target_drop == 0.3, "what is shown stays"
    ask(ready, qtbot, 0.2)
    assert "run again" not in line(ready)


def test_other_checked_organs_need_a_new_run(ready: Any, qtbot: Any, core: WalkingCore) -> None:
    ready.organs.check(["liver"])
    ready.slider.set_drop(0.1)
    qtbot.wait(300)
    assert core.strengths == []
    assert "run again for them" in line(ready)


def test_save_writes_what_is_shown(ready: Any, qtbot: Any, core: WalkingCore, tmp_path: Path, monkeypatch: Any) -> None:
    save, saved = core.save, []
    monkeypatch.setattr(core, "save", lambda finding, *rest: saved.append(finding) or save(finding, *rest))
    ask(ready, qtbot, 0.1)
    ready.save_to(tmp_path / "bundle")
    qtbot.waitUntil(lambda: ready.controller.saved_to is not None, timeout=10_000)
    assert [finding.result.target_drop for finding in saved] == [0.1]
    assert np.array_equal(saved[0].result.attacked_labels, case_layers(ready)["attacked"].data)
    assert len(saved[0].result.path) > 3, "with what was measured on the way"
    assert saved[0].result.cost.forward > 1
    ask(ready, qtbot, 0.2)
    assert ready.controller.saved_to is None, "this one has not been saved"


def test_a_run_started_while_walking_takes_over(ready: Any, qtbot: Any, core: WalkingCore) -> None:
    core.gate.clear()
    ready.slider.set_drop(0.1)
    qtbot.waitUntil(lambda: len(core.strengths) == 1, timeout=10_000)
    ready.slider.set_drop(0.25)
    ready.job.run.click()
    core.gate.set()
    qtbot.waitUntil(lambda: len(core.attacked) == 2, timeout=10_000)
    settle(ready, qtbot)
    rested(ready, qtbot)
    assert shown(ready).target_drop == 0.25
    assert shown(ready).achieved_drop == pytest.approx(0.25)
    assert len(core.strengths) == 1


def test_a_fault_while_walking_is_told_and_the_slider_works_on(ready: Any, qtbot: Any, core: WalkingCore) -> None:
    core.fault = ValueError("the device fell asleep")
    ready.slider.set_drop(0.1)
    qtbot.waitUntil(lambda: line(ready) == "the device fell asleep", timeout=10_000)
    assert shown(ready).target_drop == 0.3
    ask(ready, qtbot, 0.12)
    assert "asked 0.12" in line(ready)


def test_a_layer_that_was_removed_stays_away_and_hidden_ones_stay_hidden(ready: Any, qtbot: Any) -> None:
    ready._viewer.layers.remove(case_layers(ready)["shift"])
    case_layers(ready)["attacked"].visible = False
    ask(ready, qtbot, 0.1)
    assert set(case_layers(ready)) == {"ct", "clean"} | RESULT - {"shift"}
    assert not case_layers(ready)["attacked"].visible


def test_painting_on_a_segmentation_does_not_reach_a_kept_step(ready: Any, qtbot: Any) -> None:
    def go(strength: float) -> np.ndarray:
        ready.walk.plot.strength_picked.emit(strength)
        qtbot.waitUntil(lambda: shown(ready).strength == strength, timeout=10_000)
        return np.array(case_layers(ready)["attacked"].data)

    right = go(0.5)
    case_layers(ready)["attacked"].data[:] = 2
    go(0.25)
    assert np.array_equal(go(0.5), right)


def test_the_table_tells_volumes_and_distances_of_what_is_shown(ready: Any, qtbot: Any) -> None:
    from napari_advseg.evidence import organ_table

    table = ready.result.table

    def texts() -> list[str]:
        return [table.item(0, column).text() for column in range(table.columnCount())]

    ask(ready, qtbot, 0.1)
    qtbot.waitUntil(lambda: "…" not in texts(), timeout=10_000)
    row = organ_table(shown(ready))[0]
    assert texts()[:4] == ["liver", f"{row.clean_dice:.2f}", f"{row.attacked_dice:.2f}", f"{row.drop:.2f}"]
    assert texts()[4] == f"{row.attacked_ml:.1f}"
    assert float(texts()[5].replace("−", "-")) == pytest.approx(row.change_ml, abs=0.05)
    assert row.change_ml < 0
    assert texts()[6] == f"{row.attacked_hd95_mm:.1f}"
    before = texts()
    ask(ready, qtbot, 0.35)
    qtbot.waitUntil(lambda: "…" not in texts(), timeout=10_000)
    assert [a == b for a, b in zip(texts(), before, strict=True)] == [True, True, False, False, False, False, False]


def test_a_click_on_an_organ_goes_to_its_worst_slice(ready: Any, qtbot: Any) -> None:
    viewer = ready._viewer
    viewer.dims.set_point(0, 30.0)
    ready.result.table.cellClicked.emit(0, 2)
    assert viewer.dims.point[0] == pytest.approx(30.0 + 3 * 4.0), "the liver loses voxels on slice 3 alone"
    ready.result.table.cellClicked.emit(1, 0)
    assert viewer.dims.point[0] == pytest.approx(30.0 + 3 * 4.0), "nothing of the kidney is wrong"
    assert message(ready) == "Nothing of the kidney left is newly wrong."


def test_button_and_key_go_to_the_worst_slice(make_docked: MakeDock, qtbot: Any, core: WalkingCore) -> None:
    dock = make_docked(core)
    attacked(dock, qtbot)
    rested(dock, qtbot)
    viewer = dock._viewer
    assert "Shift+S" in {str(key) for key in viewer.keymap}
    worst = viewer.dims.point[0]
    canvas = viewer.window._qt_viewer.canvas.native

    def press_key() -> None:
        qtbot.keyClick(canvas, Qt.Key.Key_S, Qt.KeyboardModifier.ShiftModifier)

    for go in (dock.result.worst.click, press_key):
        viewer.dims.set_point(0, worst - 8.0)
        go()
        assert viewer.dims.point[0] == worst
    viewer.window.remove_dock_widget(dock)
    assert "Shift+S" not in {str(key) for key in viewer.keymap}


def test_a_click_in_the_plot_sets_the_strength(ready: Any, qtbot: Any, core: WalkingCore) -> None:
    plot = ready.walk.plot
    plot.resize(300, 148)
    at = plot.place(0.4, 0.5).toPoint()
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=QPoint(at.x(), 40))
    qtbot.waitUntil(lambda: shown(ready).strength != pytest.approx(strength_of(0.3)), timeout=10_000)
    rested(ready, qtbot)
    assert shown(ready).strength == pytest.approx(0.4, abs=0.01)
    assert core.strengths == [shown(ready).strength]
    assert ready.slider.drop() == round(drop_at(shown(ready).strength), 2), "the slider follows"
    assert "asked 0.10, reached 0.10" in line(ready)


def test_arrow_keys_in_the_plot_change_the_strength(ready: Any, qtbot: Any) -> None:
    before = shown(ready).strength
    qtbot.keyClick(ready.walk.plot, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: shown(ready).strength == pytest.approx(before - 0.05, abs=1e-3), timeout=10_000)


def test_the_plot_shows_the_path_and_where_it_stands(ready: Any, qtbot: Any) -> None:
    ask(ready, qtbot, 0.1)
    picture = ready.walk.plot.picture
    assert picture.asked == 0.1
    assert picture.strength == shown(ready).strength
    assert picture.points[1.0] == pytest.approx(0.4)
    assert picture.chance == (shown(ready).strength, round(shown(ready).strength / 100, 4))
    plot = ready.walk.plot
    plot.resize(300, 148)
    image = plot.grab().toImage()
    ratio = image.devicePixelRatio()
    place = plot.place(picture.strength, picture.clean - picture.drop) * ratio
    assert image.pixelColor(place.toPoint()).name() == _SHOWN


def test_play_goes_up_and_down_on_kept_steps_until_it_is_stopped(ready: Any, qtbot: Any, core: WalkingCore) -> None:
    seen: list[float] = []
    ready.controller.walker.walked.connect(lambda outcome: seen.append(outcome.finding.result.strength))
    found = shown(ready).strength
    ready.walk.play.click()
    assert ready.walk.play.text() == "Stop"
    qtbot.waitUntil(lambda: len(seen) > 26, timeout=20_000)
    measured = list(core.strengths)
    assert measured == sorted(measured)
    assert len(measured) == 8, "nothing is measured twice, and what was found is known"
    steps = [found * number / 8 for number in (*range(9), *range(7, -1, -1), *range(1, 9))]
    assert np.allclose(seen[:25], steps[:25])
    ready.walk.play.click()
    assert ready.walk.play.text() == "Play"
    stopped = len(seen)
    rested(ready, qtbot)
    assert len(seen) == stopped
    assert f"reached {shown(ready).achieved_drop:.3f}; a random change of the same size" in line(ready)


def test_moving_the_slider_stops_playing(ready: Any, qtbot: Any) -> None:
    ready.walk.play.click()
    qtbot.waitUntil(lambda: shown(ready).target_drop != 0.3, timeout=10_000)
    ask(ready, qtbot, 0.2)
    assert ready.walk.play.text() == "Play"
    assert abs(shown(ready).achieved_drop - 0.2) <= 0.0025


def test_undo_brings_back_the_result_before_and_once_more_the_newer_one(
    ready: Any, qtbot: Any, core: WalkingCore
) -> None:
    assert not ready.job.undo.isEnabled()
    ask(ready, qtbot, 0.1)
    first = {role: np.array(layer.data) for role, layer in case_layers(ready).items()}
    first_line, sentence = line(ready), ready.result.sentence.text()
    ready.slider.set_drop(0.35)
    ready.job.run.click()
    settle(ready, qtbot)
    rested(ready, qtbot)
    second = {role: np.array(layer.data) for role, layer in case_layers(ready).items()}
    assert ready.job.undo.isEnabled()
    ready.job.undo.click()
    rested(ready, qtbot)
    for role, data in first.items():
        assert np.array_equal(case_layers(ready)[role].data, data), role
    assert line(ready) == first_line
    assert ready.result.sentence.text() == sentence
    assert ready.slider.drop() == 0.1
    ask(ready, qtbot, 0.2)
    assert len(core.attacked) == 2, "what was brought back can be walked"
    ready.job.undo.click()
    rested(ready, qtbot)
    assert shown(ready).target_drop == 0.35
    for role, data in second.items():
        assert np.array_equal(case_layers(ready)[role].data, data), role


def test_undo_outlives_opening_the_case_again_but_not_another_ct(ready: Any, qtbot: Any) -> None:
    ready.inputs.open_button.click()
    qtbot.waitUntil(lambda: ready.controller.outcome is None, timeout=10_000)
    settle(ready, qtbot)
    assert not ready.walk.isVisibleTo(ready)
    ready.job.undo.click()
    rested(ready, qtbot)
    assert shown(ready).target_drop == 0.3
    assert ready.walk.isVisibleTo(ready)
    ask(ready, qtbot, 0.2)
    ready.controller.earlier.keep_only("another")
    assert not ready.controller.earlier.there


def test_renaming_an_organ_reaches_kept_steps_and_the_earlier_result(ready: Any, qtbot: Any) -> None:
    ready.job.run.click()
    settle(ready, qtbot)
    rested(ready, qtbot)
    ask(ready, qtbot, 0.2)
    ready.network.table.item(1, 1).setText("foie")
    assert ready.result.table.item(0, 0).text() == "foie"
    assert "…" not in [ready.result.table.item(0, column).text() for column in range(7)]
    ask(ready, qtbot, 0.3)
    assert ready.result.table.item(0, 0).text() == "foie"
    ready.job.undo.click()
    rested(ready, qtbot)
    assert ready.result.table.item(0, 0).text() == "foie"
    ask(ready, qtbot, 0.15)
    assert {known(layer)["role"] for layer in case_layers(ready).values()} == {"ct", "clean"} | RESULT


def test_a_stopped_run_can_be_walked_and_measures_nothing_by_itself(make_dock: MakeDock, qtbot: Any) -> None:
    core = WalkingCore(endless=True)
    dock = make_dock(core)
    from viewer.test_dock import opened

    opened(dock, qtbot)
    dock.job.run.click()
    qtbot.waitUntil(lambda: "drop" in dock.job.line.text(), timeout=10_000)
    dock.job.cancel.click()
    settle(dock, qtbot)
    qtbot.wait(900)
    assert core.completed == []
    assert line(dock) == "asked 0.30, reached 0.100"
    ask(dock, qtbot, 0.2)
    assert core.completed == [shown(dock).strength]


def test_closing_the_dock_while_walking_ends_the_thread(make_docked: MakeDock, qtbot: Any, core: WalkingCore) -> None:
    dock = make_docked(core)
    attacked(dock, qtbot)
    core.gate.clear()
    dock.slider.set_drop(0.1)
    qtbot.waitUntil(lambda: len(core.strengths) == 1, timeout=10_000)
    dock._viewer.window.remove_dock_widget(dock)
    core.gate.set()
    assert dock.controller.join(5)
    qtbot.wait(300)
