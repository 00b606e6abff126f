"""Short sweeps of memory: what is loaded is set aside, and no layer stays in memory for that."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any
from weakref import ref

import numpy as np
import pytest

from napari_advseg.viewer.sweeps import ShortSweeps

from .fake_core import FakeCore

MakeDocked = Callable[..., Any]


@pytest.fixture(autouse=True)
def sweeps() -> Iterator[None]:
    """As a user has them, in place of the other tests' own."""
    gc.unfreeze()
    yield
    gc.collect()
    gc.freeze()


def gone(viewer: Any, index: int, qtbot: Any) -> bool:
    """Remove a layer as a user does; whether it leaves memory with the next sweep."""
    seen = ref(viewer.layers[index])
    del viewer.layers[index]
    qtbot.wait(50)  # napari lets go of its controls
    gc.collect()
    return seen() is None


def test_what_is_loaded_is_set_aside_while_the_dock_is_open(make_docked: MakeDocked, qtbot: Any) -> None:
    dock = make_docked(FakeCore())
    qtbot.waitUntil(lambda: gc.get_freeze_count() > 10_000, timeout=10_000)
    dock.shut_down()
    assert gc.get_freeze_count() == 0


def test_a_layer_from_before_is_swept_up_and_the_rest_set_aside_again(
    make_napari_viewer: Callable[..., Any], qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    sweeps = ShortSweeps(viewer)
    kept = ref(viewer.add_image(np.zeros((3, 8, 8), np.float32)))
    viewer.add_image(np.zeros((3, 8, 8), np.float32))
    sweeps.begin()
    assert gc.get_freeze_count() > 10_000
    assert gone(viewer, 1, qtbot)
    qtbot.waitUntil(lambda: gc.get_freeze_count() > 10_000, timeout=5_000)
    assert kept() is not None
    assert gone(viewer, 0, qtbot)
    sweeps.end()


def test_a_layer_from_later_is_swept_up_without_the_rest(make_napari_viewer: Callable[..., Any], qtbot: Any) -> None:
    viewer = make_napari_viewer()
    sweeps = ShortSweeps(viewer)
    sweeps.begin()
    before = gc.get_freeze_count()
    loaded = [[] for _ in range(50_000)]
    sweeps.begin()
    aside = gc.get_freeze_count()
    assert aside > before + 0.9 * len(loaded)
    viewer.add_image(np.zeros((3, 8, 8), np.float32))
    assert gone(viewer, 0, qtbot)
    assert gc.get_freeze_count() > 0.9 * aside
    sweeps.end()


def test_the_last_viewer_brings_everything_back(make_napari_viewer: Callable[..., Any]) -> None:
    first, second = (ShortSweeps(make_napari_viewer()) for _ in range(2))
    usual = gc.get_threshold()
    first.begin()
    second.begin()
    first.end()
    first.end()
    assert gc.get_freeze_count() > 0
    second.end()
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == usual


def test_a_layer_of_one_viewer_is_swept_up_though_another_viewer_set_it_aside(
    make_napari_viewer: Callable[..., Any], qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    first, second = ShortSweeps(viewer), ShortSweeps(make_napari_viewer())
    first.begin()
    viewer.add_image(np.zeros((3, 8, 8), np.float32))
    second.begin()
    assert gone(viewer, 0, qtbot)
    first.end()
    second.end()


def test_nothing_is_set_aside_while_a_layer_leaves(make_napari_viewer: Callable[..., Any], qtbot: Any) -> None:
    viewer = make_napari_viewer()
    sweeps = ShortSweeps(viewer)
    held = viewer.add_image(np.zeros((3, 8, 8), np.float32))
    sweeps.begin()
    seen = ref(held)
    del viewer.layers[0]
    sweeps.begin()
    assert gc.get_freeze_count() == 0
    del held
    qtbot.wait(50)
    gc.collect()
    assert seen() is None
    sweeps.begin()
    assert gc.get_freeze_count() > 10_000
    sweeps.end()
