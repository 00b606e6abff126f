"""A viewer with the dock over a fast core; needs a display (``xvfb-run``)."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["NAPARI_CONFIG"] = ""  # nobody's preferences are read or written
HERE = Path(__file__).parent
HAS_DISPLAY = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deprecations inside napari and npe2 are theirs; without a display what needs a window is skipped."""
    for item in items:
        if HERE not in item.path.parents:
            continue
        for module in ("napari", "npe2", "vispy", "qtpy", "app_model"):
            for kind in ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning"):
                item.add_marker(pytest.mark.filterwarnings(rf"ignore::{kind}:{module}(\..*)?"), append=False)
        if not HAS_DISPLAY and {"qtbot", "make_napari_viewer"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.skip(reason="no display: run under xvfb-run"))


@pytest.fixture(scope="session")
def _loaded_set_aside() -> None:
    """napari sweeps all of Python's memory several times per test with a window: not through what is loaded anyway."""
    if HAS_DISPLAY:
        for name in ("napari._qt.qt_main_window", "monai.networks.nets", "napari_advseg.case", "napari_advseg.viewer"):
            importlib.import_module(name)
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def sweeps(_loaded_set_aside: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin leaves it at that: with each test's own viewer set aside, none would leave memory."""
    monkeypatch.setattr("napari_advseg.viewer.sweeps.ShortSweeps.begin", lambda *_: None)


@pytest.fixture
def make_dock(qtbot: Any) -> Iterator[Callable[..., Any]]:
    """Make a dock over a viewer's model, without a window: ``make_dock(core)`` gives the dock widget."""
    from napari.components import ViewerModel

    from napari_advseg.viewer import AttackDock

    docks: list[Any] = []

    def make(core: Any) -> Any:
        dock = AttackDock(ViewerModel(), core)
        qtbot.addWidget(dock)
        docks.append(dock)
        qtbot.waitUntil(lambda: len(dock.inputs.network.texts()) > 1, timeout=20_000)
        return dock

    yield make
    _end(docks)


@pytest.fixture
def make_docked(make_napari_viewer: Callable[..., Any], qtbot: Any) -> Iterator[Callable[..., Any]]:
    """The same in the window of a new viewer."""
    from napari_advseg.viewer import AttackDock

    docks: list[Any] = []

    def make(core: Any) -> Any:
        viewer = make_napari_viewer()
        dock = AttackDock(viewer, core)
        viewer.window.add_dock_widget(dock, name="attack")
        docks.append(dock)
        qtbot.waitUntil(lambda: len(dock.inputs.network.texts()) > 1, timeout=20_000)
        return dock

    yield make
    _end(docks)


@pytest.fixture
def dock(qtbot: Any) -> Iterator[Any]:
    """A dock over the package's own rooms, without a window."""
    from napari.components import ViewerModel

    from napari_advseg.viewer import AttackDock
    from napari_advseg.viewer.core import PackageCore

    made = AttackDock(ViewerModel(), PackageCore())
    qtbot.addWidget(made)
    yield made
    made.controller.shut_down()
    assert made.controller.join(30), "the worker's thread did not end"


def _end(docks: list[Any]) -> None:
    for dock in docks:
        dock.controller.shut_down()
        assert dock.controller.join(10), "the worker's thread did not end"
