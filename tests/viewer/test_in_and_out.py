"""Layers are removed while the canvas' own OpenGL context is current, and inserted without being selected."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils._proxies import PublicOnlyProxy

from napari_advseg.viewer.in_and_out import insert_layer, remove_layers

# What crashed Mesa's llvmpipe in the sixth round at the latest; in a process of its own, as a crash ends it.
ROUNDS = """
import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QTimer
from napari_advseg.viewer.in_and_out import remove_layers

def pause(ms):
    loop = QEventLoop()
    QTimer.singleShot(ms, loop.quit)
    loop.exec()

viewer = napari.Viewer(show=True)
viewer.window.resize(1200, 800)
shape = (20, 112, 144)
random = np.random.default_rng(0)
ct = viewer.add_image(random.normal(size=shape).astype(np.float32))
for number in range(12):
    layers = [viewer.add_labels(random.integers(0, 8, shape).astype(np.uint16)) for _ in range(1 + number % 3)]
    if number % 2:
        layers.append(viewer.add_vectors(random.normal(size=(30, 2, 3))))
    pause(150)
    viewer.dims.set_current_step(0, number)
    if number % 4 == 1:
        ct.visible = not ct.visible
    pause(100)
    remove_layers(viewer, layers)
    if number % 2:
        pause(150)
viewer.close()
print("alive")
"""


def test_the_next_drawing_does_not_crash() -> None:
    done = subprocess.run([sys.executable, "-c", ROUNDS], capture_output=True, text=True, timeout=300)
    assert done.stdout == "alive\n", done.stderr


def test_without_a_window_layers_go_as_well() -> None:
    viewer = ViewerModel()
    layers = [viewer.add_image(np.zeros((2, 3, 4))) for _ in range(2)]
    viewer.layers.link_layers(layers)
    remove_layers(viewer, layers)
    remove_layers(viewer, [])
    assert not viewer.layers


def test_an_inserted_layer_leaves_the_selection_alone() -> None:
    viewer = ViewerModel()
    first, second = Image(np.zeros((4, 4))), Image(np.ones((4, 4)))
    insert_layer(viewer, 0, first)
    assert set(viewer.layers.selection) == set()
    viewer.layers.selection.active = first
    told: list[object] = []
    viewer.layers.selection.events.changed.connect(lambda event: told.append(event))
    insert_layer(PublicOnlyProxy(viewer), 0, second)
    assert list(viewer.layers) == [second, first]
    assert set(viewer.layers.selection) == {first}
    assert told == []
    viewer.add_image(np.zeros((4, 4)), name="the user's")
    assert viewer.layers.selection.active is viewer.layers["the user's"]  # for others napari goes on as ever
