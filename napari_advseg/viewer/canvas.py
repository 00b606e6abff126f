"""napari's canvas, where napari itself has no public way: each use says why, and without a window nothing is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari.components import ViewerModel

_ASK = "_vispy_update"  # vispy's method of its widget by which it asks to be painted


def canvas_of(viewer: ViewerModel) -> Any | None:
    """The canvas of a viewer's window; None without a window, or while it is being closed."""
    viewer = getattr(viewer, "__wrapped__", viewer)  # plugins are given a proxy that hides it
    try:
        return viewer.window._qt_viewer.canvas
    except (AttributeError, RuntimeError):
        return None


def make_current(viewer: ViewerModel) -> None:
    """Make the canvas' OpenGL context the current one.

    napari deletes the shaders of removed layers at once, in whatever context is current, which outside of a drawing is
    another one: Mesa's llvmpipe (22.3.6) then crashes in the next drawing, for want of a vertex shader.
    """
    canvas = canvas_of(viewer)
    if canvas is not None:
        canvas._scene_canvas.set_current()


@contextmanager
def one_update(viewer: ViewerModel) -> Iterator[None]:
    """Inside, layers are shown, hidden and added, and napari puts its scene together once, at the end.

    It does so for every layer that is shown or hidden otherwise, tens of milliseconds each with ten layers.
    ``batched_update`` spares that as well, but sweeps memory at its end.
    """
    canvas = canvas_of(viewer)
    if canvas is None or getattr(canvas, "_pause_scene_graph", True):
        yield
        return
    canvas._pause_scene_graph = True
    try:
        yield
    finally:
        canvas._pause_scene_graph = False
        canvas._update_scenegraph()


@contextmanager
def drawn_later(viewer: ViewerModel) -> Iterator[None]:
    """What changes inside is drawn in a later turn of the event loop.

    Without it the canvas is drawn in the same turn in which layers were added, and the two hold the window as one. Only what
    vispy asks for is put off: a canvas that must be painted meanwhile, as the window is, is painted.
    """
    canvas = canvas_of(viewer)
    native = None if canvas is None else canvas._scene_canvas.native
    if native is None or _ASK in vars(native):
        yield
        return
    setattr(native, _ASK, lambda: None)
    try:
        yield
    finally:
        turn = QTimer(native)  # gone with the canvas
        turn.setSingleShot(True)

        def ask() -> None:
            delattr(native, _ASK)
            native.update()
            turn.deleteLater()

        turn.timeout.connect(ask)
        turn.start(1)
