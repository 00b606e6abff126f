"""Orientation letters over the edges of the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QLabel, QMainWindow, QWidget

from ..layers import known
from ..placement import Placement
from .canvas_parts import camera_of
from .case_watch import ct_in_view
from .orientation import Edges, camera_vectors, edges, plane_vectors

if TYPE_CHECKING:
    from napari.components import ViewerModel

_SIDES = ("left", "right", "top", "bottom")
_STYLE = "color: #ffd54a; background: rgba(0, 0, 0, 200); border-radius: 3px; padding: 1px 4px; font-weight: bold;"


def edges_in_view(viewer: ViewerModel) -> Edges | None:
    """The letters for what is shown now; None where no CT with a known place is there."""
    ct, dims, camera = ct_in_view(viewer), viewer.dims, camera_of(viewer)
    if ct is None or dims.ndim != 3:
        return None
    axes = Placement.of(known(ct)["grid"]).shown.direction_matrix[:, ::-1]
    if dims.ndisplay == 2:
        vertical, horizontal = (str(getattr(one, "value", one)) for one in camera.orientation2d)
        return edges(*plane_vectors(dims.order, vertical, horizontal), axes)
    handed = str(getattr(camera.handedness, "value", camera.handedness)) == "right"
    return edges(*camera_vectors(dims.displayed, camera.view_direction, camera.up_direction, handed), axes)


def canvas_beside(widget: QWidget) -> QWidget | None:
    """The canvas of the main window that a widget is docked in."""
    above: Any = widget
    while above is not None and not isinstance(above, QMainWindow):
        above = above.parentWidget()
    if above is None or above.centralWidget() is None:
        return None
    return above.centralWidget().findChild(QOpenGLWidget)


class EdgeLetters(QObject):
    """Four labels on the canvas that follow the dims and the camera; they let the mouse through."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._canvas: QWidget | None = None
        self._wanted = False
        self.labels: dict[str, QLabel] = {}
        camera, dims = camera_of(viewer), viewer.dims
        self._emitters = (
            *(getattr(dims.events, name) for name in ("order", "ndisplay", "ndim")),
            *(getattr(camera.events, name) for name in ("angles", "orientation")),
            viewer.layers.events.inserted,
            viewer.layers.events.removed,
        )
        for emitter in self._emitters:
            emitter.connect(self.update)

    def attach(self, canvas: QWidget | None) -> None:
        """Put the labels on a canvas."""
        if canvas is None or self._canvas is not None:
            return
        self._canvas = canvas
        for side in _SIDES:
            label = QLabel(canvas)
            label.setObjectName(f"edge letter {side}")
            label.setStyleSheet(_STYLE)
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            label.hide()
            self.labels[side] = label
        canvas.installEventFilter(self)
        self.update()

    def show(self, wanted: bool) -> None:
        self._wanted = wanted
        self.update()

    def update(self, _event: Any = None) -> None:
        """Write the letters anew and put them in their places."""
        if self._canvas is None:
            return
        found = edges_in_view(self._viewer) if self._wanted else None
        for side, label in self.labels.items():
            label.setVisible(found is not None)
            if found is not None:
                label.setText(getattr(found, side))
                label.adjustSize()
        self._place()

    def let_go(self) -> None:
        for emitter in self._emitters:
            emitter.disconnect(self.update)
        if self._canvas is not None:
            self._canvas.removeEventFilter(self)
            for label in self.labels.values():
                label.hide()
                label.setParent(None)
                label.deleteLater()
        self.labels, self._canvas = {}, None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        if self._canvas is None:
            return
        width, height, gap = self._canvas.width(), self._canvas.height(), 6
        for side, label in self.labels.items():
            x = {"left": gap, "right": width - label.width() - gap}.get(side, (width - label.width()) // 2)
            y = {"top": gap, "bottom": height - label.height() - gap}.get(side, (height - label.height()) // 2)
            label.move(x, y)
            label.raise_()
