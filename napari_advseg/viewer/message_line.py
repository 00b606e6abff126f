"""One line for the user under the buttons."""

from __future__ import annotations

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel


class MessageLine(QLabel):
    """Hidden while there is nothing to say; a failure is shown as napari shows errors, too."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.hide()

    def say(self, line: str, failed: bool) -> None:
        self.setText(line)
        self.setVisible(bool(line))
        if failed and line:
            show_error(line)
