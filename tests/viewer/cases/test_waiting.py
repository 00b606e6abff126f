"""Work in Python waits while the window is busy with layers, and a dock is found behind napari's proxies."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from napari.utils._proxies import PublicOnlyProxy
from viewer.fake_core import FakeCore, make_ct

from napari_advseg.viewer.cases.desk import DockDesk
from napari_advseg.viewer.cases.queue_run import wait_while
from napari_advseg.viewer.taking_up import open_dock


def test_a_dock_is_known_by_the_viewer_behind_its_proxy(make_dock: Any) -> None:
    dock, other = make_dock(FakeCore()), make_dock(FakeCore())
    assert open_dock(PublicOnlyProxy(dock.viewer)) is dock
    assert open_dock(PublicOnlyProxy(other.viewer)) is other
    assert DockDesk(PublicOnlyProxy(dock.viewer)).dock is dock


def test_imports_wait_for_the_dock_to_be_painted_first(qtbot: Any, make_dock: Any) -> None:
    dock = make_dock(FakeCore())
    assert not dock.painted
    assert dock.controller.filling()
    dock.show()
    qtbot.waitUntil(lambda: dock.painted, timeout=10_000)
    assert not dock.controller.filling()


def test_layers_are_being_filled_until_the_window_is_drawn(qtbot: Any, make_dock: Any) -> None:
    dock = make_dock(FakeCore())
    filling = DockDesk(dock.viewer).filling()
    assert not filling()
    ct = make_ct()
    place = {"scale": ct.grid.spacing, "units": "mm", "axis_labels": ("z", "y", "x")}
    layer = dock.viewer.add_image(ct.hu, **place)
    seen: list[bool] = []
    dock.controller.case_ready.connect(lambda _in_hand: seen.append(filling()))
    dock.inputs.ct.set_value(layer)
    dock.inputs.network.set_value("fake")
    qtbot.waitUntil(lambda: bool(seen), timeout=10_000)
    assert seen == [True]
    qtbot.waitUntil(lambda: not filling(), timeout=10_000)
    assert not dock.layers.showing


def test_the_wait_ends_with_the_layers_or_when_they_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = threading.Event()
    busy.set()
    threading.Timer(0.2, busy.clear).start()
    wait_while(busy.is_set)
    assert not busy.is_set()
    monkeypatch.setattr("napari_advseg.viewer.cases.queue_run._MOST_S", 0.1)
    busy.set()
    wait_while(busy.is_set)
    assert busy.is_set()
