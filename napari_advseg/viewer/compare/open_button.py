"""The way from the main dock to the Compare dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QPushButton

if TYPE_CHECKING:
    from napari.components import ViewerModel

TITLE = "Compare"


class OpenButton(QPushButton):
    """Opens the Compare dock, or brings it to the front; hidden where the viewer has no window."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__("Compare…")
        self._viewer: Any = viewer
        self.setToolTip("Blink, side by side, wipe, errors, HU windows, the deformation, 3-D: in a dock of its own")
        self.setVisible(hasattr(viewer, "window"))
        self.clicked.connect(self.open_dock)

    def open_dock(self) -> Any:
        """The dock's widget."""
        dock, widget = self._viewer.window.add_plugin_dock_widget("napari-advseg", TITLE, tabify=True)
        dock.show()
        dock.raise_()
        return widget
