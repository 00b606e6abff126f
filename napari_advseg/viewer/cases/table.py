"""The table of cases: a picture, a name, Dice, what was lost, how far it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from .rows import CaseRow
from .state import CasesState

_COLUMNS = ("case", "clean Dice", "lost", "state")
_TIPS = (
    "The case; its picture is the slice with most of the attacked organs",
    "Mean Dice on the CT, over the attacked organs",
    "Dice lost by each attack that is done; where the drop was missed, the one that was asked for",
    "new, running, done, or failed with its reason",
)
_SIDE = 44  # pixels of a picture


class CasesTable(QTableWidget):
    """Follows the state. ``open_asked`` carries the number of the row that was clicked or entered."""

    open_asked = Signal(int)

    def __init__(self, state: CasesState) -> None:
        super().__init__(0, len(_COLUMNS))
        self._state = state
        self._shown: int | None = None
        self.setHorizontalHeaderLabels(list(_COLUMNS))
        for column, tip in enumerate(_TIPS):
            self.horizontalHeaderItem(column).setToolTip(tip)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_SIDE + 6)
        self.setIconSize(QSize(_SIDE, _SIDE))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setWordWrap(True)
        self.setShowGrid(False)
        self.setMinimumHeight(2 * _SIDE)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        self.cellClicked.connect(lambda row, _column: self.open_asked.emit(row))
        state.rows_changed.connect(self.fill)
        state.row_changed.connect(self.show_row)
        state.picture_changed.connect(self._show_picture)
        state.names_changed.connect(self._show_names)
        state.current_changed.connect(self._show_current)

    def keyPressEvent(self, event: object) -> None:
        """Enter opens the row that is selected."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentRow() >= 0:  # type: ignore[attr-defined]
            self.open_asked.emit(self.currentRow())
        else:
            super().keyPressEvent(event)

    def fill(self) -> None:
        """All rows anew."""
        self._shown = None
        self.setRowCount(len(self._state.rows))
        for index in range(len(self._state.rows)):
            for column in range(len(_COLUMNS)):
                item = QTableWidgetItem()
                if column in (1, 2):
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(index, column, item)
            self.show_row(index)

    def show_row(self, index: int) -> None:
        """One row as it is now."""
        row = self._state.rows[index]
        texts = (
            self._state.name(index),
            "" if row.clean_dice is None else f"{row.clean_dice:.2f}",
            "\n".join(str(lost) for lost in row.lost[-2:]),
            state_text(row),
        )
        for column, text in enumerate(texts):
            self.item(index, column).setText(text)
        self.item(index, 2).setToolTip(", ".join(str(lost) for lost in row.lost))
        self.item(index, 3).setToolTip(row.reason)

    def _show_picture(self, index: int) -> None:
        self.item(index, 0).setIcon(_icon(self._state.pictures[index]))

    def _show_names(self) -> None:
        for index in range(len(self._state.rows)):
            self.item(index, 0).setText(self._state.name(index))

    def _show_current(self) -> None:
        current = self._state.current
        for index, bold in ((self._shown, False), (current, True)):
            if index is not None and index < self.rowCount():
                font = self.item(index, 0).font()
                font.setBold(bold)
                self.item(index, 0).setFont(font)
        self._shown = current
        if current is not None:
            self.setCurrentCell(current, 0)
            self.scrollToItem(self.item(current, 0))


def state_text(row: CaseRow) -> str:
    """ "failed: the file is no image" """
    return f"failed: {row.reason}" if row.state == "failed" and row.reason else row.state


def _icon(picture: NDArray[np.uint8]) -> QIcon:
    picture = np.ascontiguousarray(picture)
    height, width, _ = picture.shape
    pixmap = QPixmap.fromImage(QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888))
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # which Qt would tint, as if the CT were blue
    return icon
