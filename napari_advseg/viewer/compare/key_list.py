"""The list of keys as a small window."""

from __future__ import annotations

from collections.abc import Collection

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from .keys import KEYS


def keys_dialog(parent: QWidget, taken: Collection[str] = ()) -> QDialog:
    """Every key with its meaning; keys that something else has taken say so."""
    dialog = QDialog(parent)
    dialog.setObjectName("compare keys")
    dialog.setWindowTitle("Keys of the comparison")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    grid = QGridLayout()
    grid.setHorizontalSpacing(14)
    for row, (key, meaning) in enumerate(KEYS.values()):
        shown = QLabel(f"<b>{key}</b>")
        note = " (taken by another tool: not here)" if key in taken else ""
        grid.addWidget(shown, row, 0, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(QLabel(f"{meaning[0].upper()}{meaning[1:]}{note}"), row, 1)
    hint = QLabel("Click into the picture first: a field of text keeps its keys.")
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    column = QVBoxLayout(dialog)
    column.addLayout(grid)
    column.addWidget(hint)
    column.addWidget(buttons)
    return dialog
