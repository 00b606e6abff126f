"""Between the presentation's window, the dock and the viewer's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut

from ..layers import layers_of
from .pictures import painted_slice, plain_sentence
from .window import PresentationWindow

if TYPE_CHECKING:
    from napari.layers import Layer

    from ..dock import AttackDock

KEY = "F11"
_SHOWN = ("ct", "clean", "perturbed", "attacked")


class Presenter(QObject):
    """Opens the presentation and leaves it; the viewer then is as it was."""

    def __init__(self, dock: AttackDock) -> None:
        super().__init__(dock)
        self._dock, self._viewer = dock, dock.viewer
        self.window: PresentationWindow | None = None
        self._point: tuple[float, ...] = ()
        self._listened: list[Layer] = []
        self._soon = QTimer(self)  # layers of one result come one by one
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.refresh)
        shortcut = QShortcut(QKeySequence(KEY), dock)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.activated.connect(self.toggle)

    def toggle(self) -> None:
        """Open it, or leave it."""
        if self.window is not None:
            self.window.close()
        else:
            self.open()

    def open(self) -> None:
        """On the whole screen; a line where there is nothing to present yet."""
        if self.window is not None:
            return
        if not self._layers():
            self._dock.say("There is nothing to present yet: run an attack, or open a bundle.")
            return
        self._point = tuple(self._viewer.dims.point)
        self.window = PresentationWindow()
        self.window.left.connect(self._on_left)
        self.window.drop_asked.connect(self._dock.slider.set_drop)
        self.window.scrolled.connect(self._scroll)
        self._viewer.dims.events.point.connect(self._later)
        self._viewer.layers.events.inserted.connect(self._later)
        self._dock.slider.changed.connect(self._show_slider)
        self._dock.controller.phase_changed.connect(self._show_slider)
        self._dock.controller.walker.walked.connect(self._later)
        self._dock.controller.walker.completed.connect(self._later)
        self.refresh()
        self._show_slider()
        self.window.showFullScreen()

    def leave(self) -> None:
        """Leave it where it is open."""
        if self.window is not None:
            self.window.close()

    def refresh(self) -> None:
        """The images of the slice that is shown, and the sentence."""
        window, layers = self.window, self._layers()
        if window is None or not layers:
            return
        self._listen(layers)
        for picture, image, labels in (
            (window.clean, layers["ct"], layers["clean"]),
            (window.attacked, layers["perturbed"], layers["attacked"]),
        ):
            depth = image.data.shape[0]
            index = min(max(round(image.world_to_data(self._viewer.dims.point)[0]), 0), depth - 1)
            rows_mm, columns_mm = (float(mm) for mm in image.scale[-2:])
            picture.show_picture(painted_slice(image, labels, index), (rows_mm, columns_mm))
        outcome = self._dock.controller.outcome
        if outcome is not None:
            window.sentence.setText(plain_sentence(outcome.finding.result, outcome.finding.evidence))

    def _layers(self) -> dict[str, Any]:
        """The four layers by role; nothing where one of them is missing."""
        outcome = self._dock.controller.outcome
        present = {} if outcome is None else layers_of(self._viewer, outcome.case_id)
        return {role: present[role] for role in _SHOWN} if all(role in present for role in _SHOWN) else {}

    def _listen(self, layers: dict[str, Any]) -> None:
        for layer in layers.values():
            if layer not in self._listened:
                layer.events.data.connect(self._later)
                layer.events.set_data.connect(self._later)
                self._listened.append(layer)

    def _later(self, _event: Any = None) -> None:
        self._soon.start(20)

    def _show_slider(self, _what: object = None) -> None:
        if self.window is not None:
            dock = self._dock
            can_change = dock.controller.walker.can_walk and not dock.controller.phase.busy
            self.window.set_drop(dock.slider.drop(), dock.slider.most(), can_change=can_change)

    def _scroll(self, step: int) -> None:
        dims, layers = self._viewer.dims, self._layers()
        if layers:
            axis = dims.ndim - 3
            dims.set_point(axis, dims.point[axis] + step * float(layers["ct"].scale[0]))

    def _on_left(self) -> None:
        window, self.window = self.window, None
        for layer in self._listened:
            layer.events.data.disconnect(self._later)
            layer.events.set_data.disconnect(self._later)
        self._listened = []
        self._soon.stop()
        self._viewer.dims.events.point.disconnect(self._later)
        self._viewer.layers.events.inserted.disconnect(self._later)
        self._dock.slider.changed.disconnect(self._show_slider)
        self._dock.controller.phase_changed.disconnect(self._show_slider)
        self._dock.controller.walker.walked.disconnect(self._later)
        self._dock.controller.walker.completed.disconnect(self._later)
        if self._viewer.dims.ndim == len(self._point):
            self._viewer.dims.set_point(range(len(self._point)), self._point)
        if window is not None:
            window.deleteLater()
