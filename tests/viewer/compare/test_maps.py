"""Differences, deformation, read-out, letters and surfaces in a real napari."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from viewer.compare.conftest import make_finding, put_in
from viewer.compare.test_sight import canvas, looks, role
from viewer.fake_core import FLIPPED

from napari_advseg.evidence import newly_wrong
from napari_advseg.viewer.compare.own_layers import own_layer
from napari_advseg.viewer.compare.surfaces import organ_mesh
from napari_advseg.viewer.placement import Placement


def choose(box: Any, key: str) -> None:
    box.setCurrentIndex(box.findData(key))


def dock_on(make_napari_viewer: Callable[..., Any], finding: Any) -> Any:
    from napari_advseg.viewer import CompareDock, open_in_napari

    viewer = make_napari_viewer()
    open_in_napari(finding, viewer)
    dock = CompareDock(viewer)
    put_in(viewer, dock)
    return dock


def test_newly_wrong_voxels_are_those_of_the_evidence_on_a_turned_ct(make_napari_viewer: Any) -> None:
    finding = make_finding(FLIPPED, ("liver",))
    dock = dock_on(make_napari_viewer, finding)
    choose(dock.maps.errors, "new")
    layer = own_layer(dock._viewer, "errors")
    wanted = Placement.of(finding.case.ct.grid).to_shown(newly_wrong(finding.result))
    assert wanted.any()
    assert np.array_equal(np.asarray(layer.data) != 0, wanted)
    assert np.allclose(layer.translate, role(dock, "clean").translate)
    dock.shut_down()


def test_every_map_of_differences_has_its_layer_and_its_legend(compare: Any, qtbot: Any) -> None:
    attacked, clean, moved = (np.asarray(role(compare, name).data) for name in ("attacked", "clean", "moved_reference"))
    for kind, key, truth in (("mind", Qt.Key.Key_K, clean), ("new", Qt.Key.Key_N, moved)):
        QTest.keyClick(canvas(compare), key)
        layer = own_layer(compare._viewer, "errors")
        assert compare.maps.errors.currentData() == kind
        assert np.array_equal(np.asarray(layer.data) != 0, attacked != truth)
        assert compare.maps.legend.isVisibleTo(compare)
        for meaning in layer.features["name"][1:]:
            assert meaning.replace(" ", "&nbsp;") in compare.maps.legend.text()
    role(compare, "attacked").data = clean.copy()
    qtbot.wait(50)
    assert not np.asarray(layer.data).any(), "in step with the layers that it is made of"
    QTest.keyClick(canvas(compare), Qt.Key.Key_N)
    assert own_layer(compare._viewer, "errors") is None
    assert not compare.maps.legend.isVisibleTo(compare)


def test_a_map_is_no_ct_and_no_reference_to_choose(compare: Any) -> None:
    from napari.layers import Labels

    from napari_advseg.viewer.layers import can_be_ct
    from napari_advseg.viewer.open_layers import can_be_reference

    compare.sight.wipe.click()
    choose(compare.maps.errors, "all")
    assert not can_be_ct(own_layer(compare._viewer, "wiped CT"))
    for layer in compare._viewer.layers:
        if isinstance(layer, Labels):
            assert can_be_reference(layer) == (not layer.name.startswith(("Wipe", "Differences")))


def test_a_map_removed_by_hand_is_no_longer_chosen(compare: Any, qtbot: Any) -> None:
    choose(compare.maps.errors, "all")
    compare._viewer.layers.remove(own_layer(compare._viewer, "errors"))
    compare._viewer.layers.remove(role(compare, "intensity"))
    qtbot.waitUntil(lambda: compare.maps.errors.currentData() == "", timeout=5000)


ORGANS = ("reference", "moved_reference", "clean", "attacked")


def organs_seen(dock: Any) -> dict[str, bool]:
    seen = {name: dock.watch.layer(name).visible for name in ORGANS if dock.watch.layer(name) is not None}
    wiped = own_layer(dock._viewer, "wiped segmentation")
    return seen if wiped is None else seen | {"wiped": wiped.visible}


@pytest.mark.parametrize("kind", ["all", "new", "mind"])
def test_organs_make_way_for_a_map_and_come_back_as_they_were(compare: Any, kind: str) -> None:
    role(compare, "moved_reference").visible = True
    before = looks(compare)
    assert any(organs_seen(compare).values())
    choose(compare.maps.errors, kind)
    assert not any(organs_seen(compare).values())
    choose(compare.maps.errors, "mind" if kind == "new" else "new")
    assert not any(organs_seen(compare).values())
    choose(compare.maps.errors, "")
    assert looks(compare) == before


@pytest.mark.parametrize("way", ["side", "wipe"])
def test_organs_make_way_in_two_cells_and_in_the_wipe_whichever_came_first(compare: Any, way: str) -> None:
    button, before = getattr(compare.sight, way), looks(compare)
    button.click()
    with_organs = looks(compare)
    assert any(organs_seen(compare).values())
    choose(compare.maps.errors, "all")
    assert button.isChecked()
    assert own_layer(compare._viewer, "errors").visible
    assert not any(organs_seen(compare).values())
    choose(compare.maps.errors, "")
    assert looks(compare) == with_organs
    choose(compare.maps.errors, "all")
    button.click()
    assert not any(organs_seen(compare).values()), "the map is still shown"
    button.click()
    assert not any(organs_seen(compare).values())
    choose(compare.maps.errors, "")
    assert looks(compare) == with_organs
    button.click()
    assert looks(compare) == before


def test_the_map_lies_in_the_perturbed_cell(compare: Any) -> None:
    viewer = compare._viewer
    compare.sight.side.click()
    choose(compare.maps.errors, "new")
    grid, errors = viewer.canvas.grid, own_layer(viewer, "errors")
    assert grid.position(viewer.layers.index(errors), viewer.layers) == (0, 1)
    assert grid.position(viewer.layers.index(role(compare, "ct")), viewer.layers) == (0, 0)


def test_organs_come_back_when_the_map_is_removed_by_hand(compare: Any, qtbot: Any) -> None:
    before = looks(compare)
    choose(compare.maps.errors, "all")
    compare._viewer.layers.remove(own_layer(compare._viewer, "errors"))
    qtbot.waitUntil(lambda: compare.maps.errors.currentData() == "", timeout=5000)
    assert looks(compare) == before


def test_a_map_ends_the_look_at_the_clean_ct_alone(compare: Any) -> None:
    before = looks(compare)
    compare.sight.blink.click()
    choose(compare.maps.errors, "all")
    assert not compare.sight.blink.isChecked()
    assert role(compare, "perturbed").visible
    choose(compare.maps.errors, "")
    assert looks(compare) == before


def test_the_deformation_is_seen_in_one_way_at_a_time(compare: Any) -> None:
    seen = []
    assert compare.maps.deformation.currentData() == "arrows"
    for _ in range(4):
        seen.append(compare.maps.deformation.currentData())
        shown = {
            "arrows": role(compare, "arrows").visible,
            "shift": role(compare, "shift").visible,
            "warped grid": own_layer(compare._viewer, "warped grid") is not None,
        }
        assert [way for way, visible in shown.items() if visible] == [seen[-1]] * bool(seen[-1])
        assert compare.maps.times.isVisibleTo(compare) == (seen[-1] == "warped grid")
        assert ("mm" in compare.maps.scale.text()) == bool(seen[-1]) or not seen[-1]
        QTest.keyClick(canvas(compare), Qt.Key.Key_U)
    assert set(seen) == {"", "arrows", "warped grid", "shift"}


def test_the_warped_grid_lies_on_the_shown_slice_and_follows_it(compare: Any, qtbot: Any) -> None:
    viewer = compare._viewer
    choose(compare.maps.deformation, "warped grid")
    layer = own_layer(viewer, "warped grid")
    assert set(layer.data[:, 0, 0]) == {3.0}
    assert not layer.data[:, 1, 0].any(), "it does not leave the slice"
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: set(own_layer(viewer, "warped grid").data[:, 0, 0]) == {1.0}, timeout=5000)
    viewer.dims.order = (2, 0, 1)
    qtbot.waitUntil(lambda: not own_layer(viewer, "warped grid").data[:, 1, 2].any(), timeout=5000)


def test_the_grid_is_drawn_larger_but_its_mm_stay(compare: Any, qtbot: Any) -> None:
    viewer = compare._viewer
    choose(compare.maps.deformation, "warped grid")
    before = own_layer(viewer, "warped grid")
    data, mm = np.array(before.data), np.array(before.features["mm"])
    compare.maps.times.setValue(4)
    qtbot.waitUntil(lambda: not np.array_equal(own_layer(viewer, "warped grid").data, data), timeout=5000)
    assert np.allclose(own_layer(viewer, "warped grid").features["mm"], mm)


def test_the_read_out_tells_what_lies_under_the_cursor(compare: Any, qtbot: Any, finding: Any) -> None:
    viewer, result = compare._viewer, finding.result
    voxel = (3, 6, 8)
    place = role(compare, "ct").data_to_world(voxel)
    viewer.dims.set_point(0, place[0])
    viewer.cursor.position = place
    before, after = float(result.ct.hu[voxel]), float(result.whole_perturbed[voxel])
    qtbot.waitUntil(lambda: f"{before:.0f} → {after:.0f} HU" in compare.read_out.hu.text(), timeout=5000)
    whole = result.whole_displacement * np.array(finding.case.ct.grid.spacing).reshape(3, 1, 1, 1)
    assert compare.read_out.shift.text() == f"{np.linalg.norm(whole[(slice(None), *voxel)]):.1f} mm"
    assert compare.read_out.labels.text() == "liver → background"
    viewer.dims.set_current_step(0, 0)
    qtbot.waitUntil(lambda: compare.read_out.labels.text() == "background, unchanged", timeout=5000)
    viewer.cursor.position = (place[0], -500.0, 0.0)
    qtbot.waitUntil(lambda: compare.read_out.hu.text() == "–", timeout=5000)


def test_the_letters_follow_the_roll_and_can_be_put_away(compare: Any) -> None:
    viewer, labels = compare._viewer, compare.letters.labels

    def seen() -> tuple[str, ...]:
        return tuple(labels[side].text() for side in ("left", "right", "top", "bottom"))

    assert seen() == ("R", "L", "A", "P")
    viewer.dims.order = (1, 0, 2)
    assert seen() == ("R", "L", "I", "S")
    viewer.scene.camera.orientation2d = ("up", "right")
    assert seen() == ("R", "L", "S", "I")
    viewer.dims.order = (2, 0, 1)
    assert seen() == ("A", "P", "S", "I")
    area = canvas(compare)
    area.resize(640, 480)
    QApplication.sendEvent(area, QResizeEvent(area.size(), area.size()))  # Qt keeps it back from hidden windows
    assert labels["right"].geometry().right() < 640
    assert labels["bottom"].geometry().bottom() < 480
    compare.lettered.click()
    assert not any(label.isVisibleTo(area) for label in labels.values())


def test_surfaces_are_shown_in_3d_and_everything_comes_back(compare: Any, qtbot: Any) -> None:
    viewer, before = compare._viewer, looks(compare)
    compare.solid.click()
    qtbot.waitUntil(lambda: compare.surfaces.on, timeout=20_000)
    assert viewer.dims.ndisplay == 3
    assert [layer.name for layer in viewer.layers if layer.visible] == [
        "Organs in the CT",
        "Organs in the perturbed CT",
    ]
    one, other = (own_layer(viewer, f"surfaces {when}") for when in ("before", "after"))
    for layer, name in ((one, "clean"), (other, "attacked")):
        mesh = organ_mesh(role(compare, name).data, (1, 2))
        assert np.array_equal(layer.data[0], mesh.vertices)
    world = np.array([one.data_to_world(vertex) for vertex in one.data[0]])
    assert np.allclose(world.min(0), role(compare, "clean").data_to_world((0.5, 3.5, 3.5)), atol=1e-3)
    grid = viewer.canvas.grid
    assert grid.position(viewer.layers.index(one), viewer.layers) == (0, 0)
    assert grid.position(viewer.layers.index(other), viewer.layers) == (0, 1)
    labels = compare.letters.labels
    assert (labels["top"].text(), labels["bottom"].text()) == ("S", "I")
    assert (labels["left"].text(), labels["right"].text()) == ("R", "L"), "seen from the front, not mirrored"
    compare.solid.click()
    assert viewer.dims.ndisplay == 2
    assert not viewer.canvas.grid.enabled
    assert looks(compare) == before


def test_surfaces_that_are_no_longer_wanted_never_come(compare: Any, qtbot: Any) -> None:
    compare.solid.click()
    compare.solid.click()
    qtbot.wait(300)
    assert not compare.surfaces.on
    assert own_layer(compare._viewer, "surfaces before") is None
    assert compare.solid.text() == "Organs in 3-D"


def test_closing_while_surfaces_are_shown_leaves_none(compare: Any, qtbot: Any) -> None:
    viewer, before = compare._viewer, looks(compare)
    compare.solid.click()
    qtbot.waitUntil(lambda: compare.surfaces.on, timeout=20_000)
    viewer.window.remove_dock_widget(compare)
    assert looks(compare) == before
    assert viewer.dims.ndisplay == 2


def test_the_main_dock_opens_the_compare_dock_once(make_napari_viewer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from npe2 import PluginManager, PluginManifest

    import napari_advseg
    from napari_advseg.viewer.compare.open_button import OpenButton

    manifest = PluginManifest.from_file(Path(napari_advseg.__file__).parent / "napari.yaml")
    manager = PluginManager.instance()
    if "napari-advseg" not in manager:
        manager.register(manifest)
    viewer = make_napari_viewer()
    button = OpenButton(viewer)
    first = button.open_dock()
    assert button.open_dock() is first
    first.shut_down()


def test_without_a_window_there_is_no_button(qtbot: Any) -> None:
    from napari.components import ViewerModel

    from napari_advseg.viewer.compare.open_button import OpenButton

    button = OpenButton(ViewerModel())
    qtbot.addWidget(button)
    assert button.isHidden()
