"""Preferences, folders used last, and what the dock says to a beginner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from npe2 import PluginManifest
from viewer.fake_core import FakeCore
from viewer.test_dock import user_layer

import napari_advseg
from napari_advseg.viewer import habits
from napari_advseg.viewer.choice_box import ask_file, ask_folder

MakeDock = Callable[[FakeCore], Any]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, SimpleNamespace]:
    """Preferences of the test's own."""
    sections = {
        "attack": SimpleNamespace(drop=0.17, tolerance=0.02, max_hu=9.0),
        "folders": SimpleNamespace(cts="", networks="", lists="", written=""),
    }
    monkeypatch.setattr(habits, "preferences", sections.get)
    return sections


def test_the_dock_starts_from_the_preferences(make_dock: MakeDock, kept: dict[str, Any]) -> None:
    dock = make_dock(FakeCore())
    assert dock.slider.drop() == 0.17
    assert dock.limits.tolerance.value() == pytest.approx(0.02)
    assert dock.limits.max_hu.value() == 9.0


def test_a_dialog_opens_where_a_file_of_its_kind_was_found(
    kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    began: list[str] = []

    def choose(_parent: Any, _title: str, folder: str = "", _filters: str = "") -> Any:
        began.append(folder)
        return str(tmp_path / "a.nii"), ""

    monkeypatch.setattr("napari_advseg.viewer.choice_box.QFileDialog.getOpenFileName", choose)
    ask = ask_file("Open a CT", "*")
    assert ask(None) == tmp_path / "a.nii"
    ask(None)
    ask_file("Open a checkpoint", "*", "networks")(None)
    assert began == ["", str(tmp_path), ""]
    assert kept["folders"].cts == str(tmp_path)
    kept["folders"].cts = str(tmp_path / "gone")
    ask(None)
    assert began[-1] == ""


def test_a_dialog_that_is_left_changes_nothing(kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "napari_advseg.viewer.choice_box.QFileDialog.getExistingDirectory", lambda *_args, **_kwargs: ""
    )
    assert ask_folder("Open a folder of cases", "lists")(None) is None
    assert kept["folders"].lists == ""


def test_without_napari_keeping_them_the_folders_last_for_the_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(habits, "preferences", lambda _section: None)
    monkeypatch.setattr(habits, "_this_session", {})
    assert habits.last_folder("lists") == ""
    habits.note_folder("lists", tmp_path / "list.csv")
    assert habits.last_folder("lists") == str(tmp_path)


def test_the_manifest_offers_what_the_preferences_are_read_from() -> None:
    manifest = PluginManifest.from_file(Path(napari_advseg.__file__).parent / "napari.yaml")
    offered = {key: set(one.properties) for key, one in manifest.contributions.configurations.items()}
    assert offered == {
        "attack": {"drop", "tolerance", "max_hu"},
        "compute": {"scheduler"},
        "folders": {"cts", "networks", "lists", "written"},
    }


def test_what_to_do_first_is_said_until_a_ct_is_chosen(make_dock: MakeDock, monkeypatch: pytest.MonkeyPatch) -> None:
    dock = make_dock(FakeCore())
    opened: list[tuple[str, str]] = []
    monkeypatch.setattr(type(dock._viewer), "open_sample", lambda _self, *names: opened.append(names))
    assert not dock.first_steps.isHidden()
    dock.first_steps.linkActivated.emit("sample")
    assert opened == [("napari-advseg", "phantom")]
    dock.inputs.ask_ct = lambda _parent: Path("mine.nii")
    dock.first_steps.linkActivated.emit("open")
    assert dock.inputs.ct.value() == Path("mine.nii")
    assert dock.first_steps.isHidden()
    dock.inputs.ct.set_value(None)
    assert not dock.first_steps.isHidden()
    dock.inputs.ct.set_value(user_layer(dock))
    assert dock.first_steps.isHidden()
