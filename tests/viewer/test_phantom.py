"""The dock over the package's own rooms, on slices of the phantom."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_advseg.viewer.layer_source import KEY
from napari_advseg.viewer.sample_data import LayerTuple
from napari_advseg.viewer.sample_data import sample_layers as make_sample_layers
from napari_advseg.viewer.state import Phase


@cache
def phantom_layers() -> list[LayerTuple]:
    return make_sample_layers("phantom")


def add_slices(viewer: ViewerModel, first: int, last: int) -> None:
    """A few slices of the phantom's CT, as a layer of the user's."""
    data, options, _ = phantom_layers()[0]
    viewer.add_image(
        np.array(data[first:last]),
        name="slices",
        **{name: options[name] for name in ("scale", "translate", "units", "axis_labels")},
    )


def test_the_phantoms_layers_name_their_network_and_organs() -> None:
    (ct, ct_options, _), (labels, label_options, _) = phantom_layers()
    assert ct.shape == labels.shape
    assert ct_options["metadata"][KEY]["network"] == "phantom2d"
    assert "liver" in label_options["metadata"][KEY]["names"].values()
    assert ct_options["units"] == label_options["units"] == "mm"


def test_opening_the_sample_chooses_its_network(dock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dock.controller, "open", lambda *_: None)  # what is chosen, not the case
    for data, options, kind in phantom_layers():
        getattr(dock._viewer, f"add_{kind}")(data, **options)
    assert dock.inputs.ct.value().name == "phantom CT"
    assert dock.inputs.network.value() == "phantom2d"
    assert dock.inputs.reference.value().name == "phantom organs"


def test_the_opened_samples_ct_is_selected_not_its_hidden_organs(
    make_napari_viewer: Callable[..., Any], qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_advseg.viewer import sample_data

    monkeypatch.setattr(sample_data, "sample_layers", lambda _name: phantom_layers())
    viewer = make_napari_viewer()
    for data, options, kind in sample_data.phantom():
        getattr(viewer, f"add_{kind}")(data, **options)
    assert [layer.visible for layer in viewer.layers] == [True, False]
    qtbot.waitUntil(lambda: viewer.layers.selection.active is viewer.layers["phantom CT"], timeout=5000)


def test_an_attack_from_the_dock_is_confirmed_by_its_bundle(dock: Any, qtbot: Any, tmp_path: Path) -> None:
    from napari_advseg.evidence import verify_bundle

    add_slices(dock._viewer, 10, 12)
    dock.inputs.ct.set_value(dock._viewer.layers["slices"])
    dock.inputs.network.set_value("phantom2d")
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=60_000)
    assert dock.slider.text() == "mean Dice 1.00 → 0.70", "measured against the network's own segmentation"
    assert 1 < dock.controller.in_hand.about["memory_mb"] < 100
    dock.slider.set_drop(0.1)
    dock.limits.tolerance.setValue(0.05)
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.phase in (Phase.DONE, Phase.FAILED), timeout=120_000)
    assert dock.controller.phase is Phase.DONE, dock._message.text()
    outcome = dock.controller.outcome
    assert outcome.finding.result.achieved_drop > 0.03
    dock.save_to(tmp_path / "bundle")
    qtbot.waitUntil(lambda: dock.controller.saved_to is not None, timeout=60_000)
    checks = verify_bundle(tmp_path / "bundle", outcome.finding.case.ct)
    assert [check for check in checks if not check.ok] == []


def test_cancelling_a_real_attack_takes_little_time(dock: Any, qtbot: Any) -> None:
    add_slices(dock._viewer, 9, 14)
    dock.inputs.ct.set_value(dock._viewer.layers["slices"])
    dock.inputs.network.set_value("phantom2d")
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=60_000)
    wait_until_measured: Callable[[], bool] = lambda: "drop" in dock.job.line.text()  # noqa: E731
    dock.slider.set_drop(0.5)
    dock.job.run.click()
    qtbot.waitUntil(wait_until_measured, timeout=60_000)
    dock.job.cancel.click()
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=10_000)
    assert dock.controller.outcome.finding.result.stopped == "cancelled"


def test_the_manifest_is_valid_and_its_names_exist() -> None:
    from importlib import import_module

    from npe2 import PluginManifest

    import napari_advseg

    manifest = PluginManifest.from_file(Path(napari_advseg.__file__).parent / "napari.yaml")
    assert manifest.name == "napari-advseg"
    for command in manifest.contributions.commands:
        module, name = str(command.python_name).split(":")
        assert callable(getattr(import_module(module), name))
