"""A button for each HU window."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from .keys import tip
from .windows import WINDOWS, Window, apply_window

if TYPE_CHECKING:
    from napari.components import ViewerModel


class WindowRow(QWidget):
    """The buttons by the window's name."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for window in WINDOWS:
            button = QPushButton(window.name.capitalize())
            button.setToolTip(tip(f"window {window.name}"))
            button.setMinimumWidth(30)
            button.setStyleSheet("padding-left: 2px; padding-right: 2px;")
            button.clicked.connect(partial(_apply, viewer, window))
            self.buttons[window.name] = button
            row.addWidget(button)


def _apply(viewer: ViewerModel, window: Window, _checked: bool = False) -> None:
    apply_window(viewer, window)
