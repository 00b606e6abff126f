"""What the docks have in common: a panel that knows when the user has closed its dock."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QTimer, Signal
from qtpy.QtWidgets import QDockWidget, QWidget

from ..logs import start_log


class DockWidget(QWidget):
    """A panel that napari puts into a dock; ``undocked`` tells that it was taken out of it again, ``painted`` whether
    it has been seen yet."""

    undocked = Signal()

    def __init__(self) -> None:
        super().__init__()
        start_log()
        self._docked = self.painted = False

    def _note_painted(self) -> None:
        self.painted = True

    def event(self, event: QEvent) -> bool:
        """Watch for the dock that comes and goes around the panel."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._docked = True
                if isinstance(dock := self.parent(), QDockWidget):  # its tab has no room for the plugin's name
                    dock.setWindowTitle(dock.windowTitle().split(" (")[0])
            elif self._docked:
                self.undocked.emit()
        elif event.type() == QEvent.Type.Paint and not self.painted:
            QTimer.singleShot(0, self._note_painted)  # what is within is painted after this
        return bool(super().event(event))
