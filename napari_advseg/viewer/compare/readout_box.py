"""The read-out of what lies under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from .case_watch import CaseWatch
from .readout import ReadOut, read_out

if TYPE_CHECKING:
    from napari.components import ViewerModel

_QUIET_MS = 30


class ReadOutBox(QWidget):
    """Three lines that follow the cursor and the shown slice, in 2-D."""

    def __init__(self, viewer: ViewerModel, watch: CaseWatch) -> None:
        super().__init__()
        self._viewer, self._watch = viewer, watch
        self.hu, self.shift, self.labels = QLabel(), QLabel(), QLabel()
        self.labels.setWordWrap(True)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(1)
        for text, line in (("Under the cursor", self.hu), ("Moved by", self.shift), ("Segmented as", self.labels)):
            form.addRow(text, line)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_QUIET_MS)
        self._soon.timeout.connect(self.update_now)
        self._emitters = (viewer.cursor.events.position, viewer.dims.events.point)
        for emitter in self._emitters:
            emitter.connect(self._on_move)
        self.update_now()

    def update_now(self) -> None:
        flat = self._viewer.dims.ndisplay == 2 and self._viewer.dims.ndim == 3
        found = read_out(self._watch.roles, self._place()) if flat else ReadOut()
        for label, line in zip((self.hu, self.shift, self.labels), found.lines, strict=True):
            label.setText(line)

    def let_go(self) -> None:
        self._soon.stop()
        for emitter in self._emitters:
            emitter.disconnect(self._on_move)

    def _place(self) -> list[float]:
        """The cursor's place on the slice that is shown now; napari tells a new one only when the mouse moves."""
        place = [float(n) for n in self._viewer.cursor.position]
        for axis in self._viewer.dims.not_displayed:
            if axis < len(place):
                place[axis] = float(self._viewer.dims.point[axis])
        return place

    def _on_move(self, _event: Any = None) -> None:
        if not self._soon.isActive():
            self._soon.start()
