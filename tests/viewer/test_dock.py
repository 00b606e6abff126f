"""The dock over a core that answers at once: what a user does, and what then is in the viewer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewer.fake_core import FakeCore, make_ct, make_labels

from napari_advseg.networks import ConsentNeededError
from napari_advseg.viewer.layer_source import KEY
from napari_advseg.viewer.layers import known, layers_of
from napari_advseg.viewer.state import Phase
from napari_advseg.volume import SeveralSeriesError

MakeDock = Callable[[FakeCore], Any]
RESULT = {"perturbed", "shift", "intensity", "moved_reference", "attacked", "arrows"}


def user_layer(dock: Any, name: str = "mine") -> Any:
    """An image layer of the user's, in mm."""
    ct = make_ct()
    return dock._viewer.add_image(
        ct.hu, name=name, scale=ct.grid.spacing, translate=(30.0, -20.0, 10.0), units="mm", axis_labels=("z", "y", "x")
    )


def settle(dock: Any, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=10_000)


def opened(dock: Any, qtbot: Any) -> Any:
    """Choose a layer and the network, wait for the case; gives the user's layer."""
    layer = user_layer(dock)
    dock.inputs.ct.set_value(layer)
    dock.inputs.network.set_value("fake")
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=10_000)
    settle(dock, qtbot)
    qtbot.waitUntil(lambda: set(case_layers(dock)) >= {"ct", "clean"}, timeout=10_000)  # they come one by one
    return layer


def attacked(dock: Any, qtbot: Any) -> Any:
    layer = opened(dock, qtbot)
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    settle(dock, qtbot)
    qtbot.waitUntil(lambda: not dock.layers.showing, timeout=10_000)  # they come one by one
    assert set(case_layers(dock)) >= RESULT
    return layer


def case_layers(dock: Any) -> dict[str, Any]:
    return layers_of(dock._viewer, dock.controller.in_hand.id)


def message(dock: Any) -> str:
    return dock._message.text()


def test_choosing_a_ct_and_a_network_opens_the_case(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    opened(dock, qtbot)
    assert set(case_layers(dock)) == {"ct", "clean"}
    assert dock.organs.chosen_names() == ("liver", "kidney_left")
    assert dock.slider.text() == "mean Dice 0.91 → 0.61"
    assert dock.controller.phase is Phase.IDLE


def test_the_slider_follows_the_checked_organs(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    opened(dock, qtbot)
    dock.organs.check(["liver"])
    assert dock.slider.text() == "mean Dice 0.95 → 0.65"
    dock.slider.set_drop(0.99)
    assert dock.slider.drop() == 0.95
    dock.organs.check([])
    dock.run()
    assert message(dock) == "Check at least one organ."


def test_a_run_shows_its_layers_and_its_result(make_docked: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_docked(core)
    attacked(dock, qtbot)
    assert set(case_layers(dock)) == {"ct", "clean"} | RESULT
    assert dock.controller.phase is Phase.DONE
    text = dock.result.sentence.text()
    assert "0.30" in text
    assert "0.006" in text
    assert "2.3 mm" in text
    assert dock.result.table.rowCount() == 2
    assert core.attacked[0].organs == ("liver", "kidney_left")
    z = dock._viewer.dims.point[0]
    assert z == pytest.approx(30.0 + 3 * 4.0), "the slice on which labels changed"


def test_all_layers_are_in_mm_at_the_cts_place(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    layer = attacked(dock, qtbot)
    for role, other in case_layers(dock).items():
        assert [str(unit) for unit in other.units] == ["millimeter"] * 3, role
        assert other.axis_labels == ("z", "y", "x"), role
        assert np.allclose(other.scale, layer.scale), role
    for role in ("ct", "perturbed", "clean", "attacked", "moved_reference"):
        assert np.allclose(case_layers(dock)[role].translate, layer.translate), role


def test_running_again_replaces_the_layers_and_nothing_else(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    attacked(dock, qtbot)
    viewer = dock._viewer
    viewer.add_points(np.zeros((1, 3)), name="my points", units="mm", axis_labels=("z", "y", "x"))
    case_layers(dock)["perturbed"].name = "renamed"
    case_layers(dock)["clean"].visible = False
    before = [(layer.name, known(layer).get("role")) for layer in viewer.layers]
    dock.slider.set_drop(0.2)
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome.finding.result.target_drop == 0.2, timeout=10_000)
    assert [(layer.name, known(layer).get("role")) for layer in viewer.layers] == before
    assert not case_layers(dock)["clean"].visible


def test_the_contrast_of_both_cts_is_linked(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    layer = attacked(dock, qtbot)
    before = tuple(layer.contrast_limits)
    pair = case_layers(dock)
    pair["ct"].contrast_limits = (-50, 150)
    assert list(pair["perturbed"].contrast_limits) == [-50, 150]
    assert tuple(layer.contrast_limits) == before, "the user's own layer is not linked"


def test_the_users_layers_are_untouched(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    layer = opened(dock, qtbot)
    data = layer.data.copy()
    state = dict(layer._get_base_state())
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    assert np.array_equal(layer.data, data)
    assert str(layer._get_base_state()) == str(state)
    assert KEY not in layer.metadata


def test_cancel_keeps_the_best_so_far(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore(endless=True)
    dock = make_dock(core)
    opened(dock, qtbot)
    dock.job.run.click()
    qtbot.waitUntil(lambda: "drop 0.10 of 0.30" in dock.job.line.text(), timeout=10_000)
    assert "about 10 s left" in dock.job.line.text()
    assert not dock.job.run.isEnabled()
    dock.run()  # a second run while one is going on is not possible
    dock.job.cancel.click()
    assert dock.controller.phase in (Phase.CANCELLING, Phase.DONE)
    settle(dock, qtbot)
    assert len(core.attacked) == 1
    assert dock.controller.phase is Phase.DONE
    assert "cancelled" in dock.result.sentence.text()
    qtbot.waitUntil(lambda: set(case_layers(dock)) >= RESULT, timeout=10_000)
    assert dock.job.save.isEnabled()


def test_cancel_before_anything_was_measured_says_so(make_dock: MakeDock, qtbot: Any) -> None:
    from napari_advseg.attacks import Cancelled

    core = FakeCore()
    dock = make_dock(core)
    opened(dock, qtbot)
    core.fault = Cancelled()
    dock.job.run.click()
    settle(dock, qtbot)
    assert "Stopped" in message(dock)
    assert dock.controller.outcome is None


def test_a_layer_removed_or_renamed_during_a_run_harms_nothing(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore(endless=True)
    dock = make_dock(core)
    layer = opened(dock, qtbot)
    dock.job.run.click()
    qtbot.waitUntil(lambda: bool(core.attacked), timeout=10_000)
    case_layers(dock)["clean"].name = "another name"
    dock._viewer.layers.remove(case_layers(dock)["ct"])
    dock._viewer.layers.remove(layer)
    dock.job.cancel.click()
    settle(dock, qtbot)
    qtbot.waitUntil(lambda: set(case_layers(dock)) == {"clean"} | RESULT, timeout=10_000)
    assert dock.inputs.ct.value() is None
    assert not dock.job.run.isEnabled()


def test_closing_the_dock_during_a_run_stops_it(make_docked: MakeDock, qtbot: Any) -> None:
    core = FakeCore(endless=True)
    dock = make_docked(core)
    opened(dock, qtbot)
    dock.job.run.click()
    qtbot.waitUntil(lambda: bool(core.attacked), timeout=10_000)
    dock._viewer.window.remove_dock_widget(dock)
    assert core.stopped.wait(5)
    assert dock.controller.join(5)
    assert core.released.is_set()
    qtbot.wait(100)


def test_closing_the_viewer_during_a_run_stops_it(make_docked: MakeDock, qtbot: Any) -> None:
    core = FakeCore(endless=True)
    dock = make_docked(core)
    opened(dock, qtbot)
    dock.job.run.click()
    qtbot.waitUntil(lambda: bool(core.attacked), timeout=10_000)
    controller, viewer = dock.controller, dock._viewer
    viewer.close()
    qtbot.waitUntil(core.stopped.is_set, timeout=20_000)
    assert controller.join(5)
    qtbot.wait(100)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (ValueError("target drop must be in (0, 0.5]\nmore"), "target drop must be in (0, 0.5]"),
        (FileNotFoundError("there is no file x.pth"), "there is no file x.pth"),
        (OSError(28, "No space left on device", "/out"), "No space left on device: /out"),
        (KeyError("odd"), "Something went wrong (KeyError"),
    ],
)
def test_errors_arrive_as_one_line(make_dock: MakeDock, qtbot: Any, fault: BaseException, line: str) -> None:
    core = FakeCore()
    dock = make_dock(core)
    opened(dock, qtbot)
    core.fault = fault
    dock.job.run.click()
    settle(dock, qtbot)
    assert message(dock).startswith(line)
    assert "\n" not in message(dock)
    assert dock.controller.phase is Phase.FAILED
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)


def test_a_colour_or_4d_layer_is_refused_in_one_line(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    layer = dock._viewer.add_image(np.zeros((2, 3, 4, 5), np.float32), name="four")
    dock.inputs.ct.set_value(layer)
    dock.inputs.network.set_value("fake")
    dock.open_case()
    assert "'four' has 4 axes" in message(dock)


def test_a_case_without_a_region_asks_for_one(make_dock: MakeDock, qtbot: Any) -> None:
    from napari_advseg.case import RegionNeededError

    core = FakeCore()
    core.fault = RegionNeededError("no region")
    dock = make_dock(core)
    dock.inputs.ct.set_value(user_layer(dock))
    dock.inputs.network.set_value("fake")
    qtbot.waitUntil(lambda: dock.controller.phase is Phase.FAILED, timeout=10_000)
    assert "draw the region" in message(dock)
    assert [known(layer).get("role") for layer in dock._viewer.layers].count("ct") == 1
    dock.inputs.region.setText("0:6, 2:18, 3:21")
    dock.open_case()
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=10_000)
    assert core.opened[-1].region == "0:6,2:18,3:21"
    assert [known(layer).get("role") for layer in dock._viewer.layers].count("ct") == 1


@pytest.mark.parametrize("answer", [True, False])
def test_a_file_that_can_run_code_is_asked_about(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    asked = []
    monkeypatch.setattr("napari_advseg.viewer.questions.ask_trust", lambda *what: asked.append(what[1:]) or answer)
    core = FakeCore()
    core.fault = ConsentNeededError(Path("model.ts"), "ab12", "TorchScript")
    dock = make_dock(core)
    dock.inputs.ct.set_value(user_layer(dock))
    dock.inputs.network.set_value(Path("model.ts"))
    qtbot.waitUntil(lambda: bool(asked), timeout=10_000)
    settle(dock, qtbot)
    assert asked == [(Path("model.ts"), "ab12")]
    assert core.trusted == (["ab12"] if answer else [])
    if answer:
        qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=10_000)
        assert [wish.network for wish in core.opened] == ["model.ts", "model.ts"]
    else:
        assert "not trusted" in message(dock)


def test_one_of_several_dicom_series_is_asked_for(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_advseg.viewer.questions.ask_series", lambda _parent, series: series[1][0])
    core = FakeCore()
    core.fault = SeveralSeriesError(Path("folder"), [("1.2", 3), ("1.3", 90)])
    dock = make_dock(core)
    opened(dock, qtbot)
    assert [wish.series for wish in core.opened] == [None, "1.3"]


def test_save_writes_the_bundle_and_completes_the_finding(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_args, **_kwargs: str(tmp_path))
    (tmp_path / "something").write_text("of the user's")
    core = FakeCore(endless=True)
    dock = make_dock(core)
    opened(dock, qtbot)
    dock.job.run.click()
    qtbot.waitUntil(lambda: "drop" in dock.job.line.text(), timeout=10_000)
    dock.job.cancel.click()
    settle(dock, qtbot)
    assert "random change" not in dock.result.sentence.text()
    dock.job.save.click()
    qtbot.waitUntil(lambda: dock.controller.saved_to is not None, timeout=10_000)
    folder = tmp_path / "attack-fake-drop-0.30"
    assert (folder / "result.json").is_file()
    assert message(dock) == f"Saved in {folder}"
    assert "random change" in dock.result.sentence.text()


def test_a_result_is_not_thrown_away_by_choosing_another_input(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    attacked(dock, qtbot)
    labels = dock._viewer.add_labels(
        make_labels(make_ct()).astype(np.int32), name="truth", scale=(4.0, 2.0, 1.5), translate=(30.0, -20.0, 10.0)
    )
    dock.inputs.reference.set_value(labels)
    qtbot.wait(500)
    assert dock.controller.outcome is not None
    dock.inputs.open_button.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is None, timeout=10_000)
    qtbot.waitUntil(lambda: set(case_layers(dock)) == {"ct", "clean", "reference"}, timeout=10_000)


def test_a_run_with_changed_inputs_opens_the_case_first(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    attacked(dock, qtbot)
    dock.inputs.region.setText("0:6,2:18,3:21")
    first = dock.controller.outcome
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome not in (None, first), timeout=10_000)
    assert [wish.region for wish in core.opened] == ["auto", "0:6,2:18,3:21"]


def test_a_ct_layer_of_this_plugin_is_used_as_it_is(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    layer = opened(dock, qtbot)
    own = case_layers(dock)["ct"]
    dock._viewer.layers.remove(layer)
    dock.inputs.ct.set_value(own)
    qtbot.waitUntil(lambda: len(core.opened) == 2, timeout=10_000)
    settle(dock, qtbot)
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    assert len(core.opened) == 2, "the case in hand is attacked without being opened again"
    assert case_layers(dock)["ct"] is own


def test_painting_on_a_segmentation_changes_no_result(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    attacked(dock, qtbot)
    for role in ("clean", "attacked", "moved_reference"):
        case_layers(dock)[role].data[:] = 2
    result = dock.controller.outcome.finding.result
    assert set(np.unique(result.attacked_labels)) == {0, 1, 2}
    assert np.array_equal(result.moved_reference, result.reference)


def test_the_dock_opens_without_loading_torch() -> None:
    import subprocess
    import sys

    code = "import sys, napari_advseg.viewer.dock; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
