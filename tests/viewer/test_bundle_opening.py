"""A bundle is opened by napari's reader, taken up by the dock, and goes on once its network is open."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from viewer.fake_core import FakeCore
from viewer.phantom_bundle import saved_phantom

import napari_advseg
from napari_advseg.viewer.layers import known, layers_of
from napari_advseg.viewer.reader import read_bundle_folder
from napari_advseg.viewer.state import Phase

RESULT = {"perturbed", "shift", "intensity", "moved_reference", "attacked", "arrows"}
MakeDock = Callable[[FakeCore], Any]


@pytest.fixture(autouse=True)
def plugin() -> None:
    """napari finds the plugin when it makes its first window; here there may be none."""
    from npe2 import PluginManager

    PluginManager.instance().discover(paths=[str(Path(napari_advseg.__file__).parent.parent)])


def roles(viewer: ViewerModel) -> set[str]:
    return {known(layer)["role"] for layer in viewer.layers}


def test_a_bundles_folder_opens_as_the_layers_of_a_run(tmp_path: Path) -> None:
    saved = saved_phantom()
    viewer = ViewerModel()
    viewer.open(str(saved.bundle), plugin="napari-advseg")
    assert roles(viewer) == RESULT | {"ct", "clean", "reference"}
    assert len({known(layer)["case"] for layer in viewer.layers}) == 1
    by_role = layers_of(viewer, known(viewer.layers[0])["case"])
    assert np.array_equal(np.asarray(by_role["ct"].data), saved.finding.case.ct.hu)
    assert np.array_equal(np.asarray(by_role["perturbed"].data), saved.finding.result.whole_perturbed)
    assert np.array_equal(np.asarray(by_role["attacked"].data), saved.finding.result.attacked_labels)


def test_the_record_opens_like_its_folder() -> None:
    assert read_bundle_folder(str(saved_phantom().bundle / "result.json")) is not None


@pytest.mark.parametrize("left_out", ["result.json", "perturbed.nii.gz"])
def test_other_folders_are_left_to_other_readers(tmp_path: Path, left_out: str) -> None:
    for name in {"result.json", "perturbed.nii.gz"} - {left_out}:
        (tmp_path / name).touch()
    assert read_bundle_folder(str(tmp_path)) is None
    assert read_bundle_folder(str(tmp_path / "no folder")) is None
    assert read_bundle_folder([str(tmp_path), str(tmp_path)]) is None


def test_without_its_ct_the_bundle_is_shown_and_that_is_said(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(saved_phantom().bundle, folder)
    record = json.loads((folder / "result.json").read_text())
    record["ct"]["path"] = str(tmp_path / "gone.nii.gz")
    (folder / "result.json").write_text(json.dumps(record))
    dock = make_dock(FakeCore())
    dock._viewer.open(str(folder), plugin="napari-advseg")
    qtbot.waitUntil(lambda: "is not where it was" in dock._message.text(), timeout=10_000)
    assert roles(dock._viewer) == RESULT | {"clean", "reference"}
    assert "reached" in dock.result.sentence.text()
    assert dock.controller.outcome is None, "without the CT there is nothing to go on from"


def test_the_dock_takes_the_bundle_up_without_running_a_network(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    dock.inputs.network.set_value("fake")
    dock._viewer.open(str(saved_phantom().bundle), plugin="napari-advseg")
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    qtbot.wait(500)
    assert core.opened == []
    assert dock.controller.saved_to == saved_phantom().bundle
    assert dock.result.sentence.text().startswith("Asked for a Dice drop of 0.30")
    assert known(dock.inputs.ct.value())["role"] == "ct"
    assert not dock.controller.outcome.live
    assert layers_of(dock._viewer, dock.controller.outcome.case_id)["clean"].contour == 1


def test_a_bundle_that_is_not_whole_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(saved_phantom().bundle, folder)
    (folder / "reference.nii.gz").unlink()
    with pytest.raises(ValueError, match=r"has no reference\.nii\.gz"):
        ViewerModel().open(str(folder), plugin="napari-advseg")


def test_the_result_goes_on_once_the_network_is_open(dock: Any, qtbot: Any) -> None:
    saved = saved_phantom()
    dock._viewer.open(str(saved.bundle), plugin="napari-advseg")
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    dock.inputs.network.set_value("phantom2d")
    dock.inputs.reference.set_value(saved.bundle / "reference.nii.gz")
    dock.open_case()
    qtbot.waitUntil(lambda: dock.controller.phase is Phase.DONE and dock.controller.in_hand is not None, timeout=60_000)
    outcome = dock.controller.outcome
    assert outcome.live
    assert outcome.finding.case is dock.controller.in_hand.case
    assert outcome.finding.result.achieved_drop == pytest.approx(saved.finding.result.achieved_drop)
    assert outcome.finding.result.parameters.numel() > 0
    qtbot.waitUntil(lambda: set(layers_of(dock._viewer, outcome.case_id)) >= RESULT, timeout=10_000)
    other = dock._viewer.add_image(np.zeros((6, 20, 24), np.float32), units="mm", axis_labels=("z", "y", "x"))
    dock.inputs.ct.set_value(other)
    assert dock.inputs.region.text() == "", "the bundle's region is not another CT's"
