"""The table of the organs: Dice, volume and surface distance before and after; a click goes to the worst slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from .organs_panel import organ_icon

if TYPE_CHECKING:
    from ..attacks import Organ
    from ..evidence import OrganRow

COLUMNS = ("organ", "clean", "after", "drop", "ml", "± ml", "HD95")
_TIPS = (
    "Click an organ to go to the slice on which most of its voxels are newly wrong",
    "Dice on the CT",
    "Dice after the attack, on the perturbed CT, with the reference moved with the anatomy",
    "Dice lost",
    "Volume of the segmentation of the perturbed CT, millilitres",
    "What the volume gained (+) or lost (−), millilitres",
    "95th percentile of the distances between the surfaces of segmentation and reference on the perturbed CT, mm",
)
_LINE = 22  # pixels per row
_MOST_LINES, _LEAST_LINES = 15, 8  # that are seen where there are so many; a high window shows more
_REST = 550  # pixels of a window that what is above and below the table needs
_WAITING = "…"
_SMALL = 0.85  # of the font, so that the names have room beside six numbers
_STYLE = "QTableView, QHeaderView::section {{ font-size: {points}pt; }} QHeaderView::section {{ padding: 2px 0px; }}"
_AIR = 9  # pixels beside a number


class OrganRowsTable(QTableWidget):
    """Dice at once; volumes and distances once they are measured. ``organ_clicked`` carries the organ's id."""

    organ_clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__(0, len(COLUMNS))
        self.setHorizontalHeaderLabels(list(COLUMNS))
        for column, tip in enumerate(_TIPS):
            self.horizontalHeaderItem(column).setToolTip(tip)
        self.verticalHeader().hide()
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setToolTip(_TIPS[0])
        font = self.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() * _SMALL))
        self._metrics = QFontMetrics(font)
        header = self.horizontalHeader()
        for widget in (self, header):
            widget.setFont(font)
            widget.setStyleSheet(_STYLE.format(points=font.pointSizeF()))
        self.setIconSize(QSize(9, 9))
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # what tells left from right stands at the end
        header.setMinimumSectionSize(20)
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._ids: list[int] = []
        self.cellClicked.connect(lambda row, _column: self.organ_clicked.emit(self._ids[row]))

    def show_organs(self, organs: Sequence[Organ]) -> None:
        """Names and Dice; the rest waits for :meth:`show_rows`."""
        self._ids = [organ.id for organ in organs]
        self.setRowCount(len(organs))
        for row, organ in enumerate(organs):
            name = QTableWidgetItem(organ_icon(organ), organ.name.replace("_", " "))
            name.setToolTip(name.text())
            self.setItem(row, 0, name)
            for column, dice in enumerate((organ.clean, organ.attacked, organ.drop), start=1):
                self._put(row, column, dice_text(dice), f"{dice:.4f}")
            for column in range(4, len(COLUMNS)):
                self._put(row, column, _WAITING)
            self.setRowHeight(row, _LINE)
        self._fit()
        room = min(_MOST_LINES, max(_LEAST_LINES, (self.window().height() - _REST) // _LINE))
        self.setFixedHeight(_LINE * (min(len(organs), room) + 1) + 8)

    def show_rows(self, rows: Sequence[OrganRow]) -> None:
        """Volumes and distances of the organs that are shown."""
        known = {row.id: row for row in rows}
        for line, organ in enumerate(self._ids):
            if (row := known.get(organ)) is None:
                continue
            self._put(line, 4, volume_text(row.attacked_ml), f"{row.clean_ml:.1f} ml on the CT")
            self._put(line, 5, change_text(row.change_ml), f"{row.clean_ml:.1f} ml to {row.attacked_ml:.1f} ml")
            clean = distance_text(row.clean_hd95_mm)
            self._put(line, 6, distance_text(row.attacked_hd95_mm), f"mm; on the CT {clean}")

        self._fit()

    def _fit(self) -> None:
        """The columns of numbers as narrow as they can be: the organs' names have the rest."""
        for column in range(1, len(COLUMNS)):
            cells = [self.item(row, column).text() for row in range(self.rowCount())]
            width = max(self._metrics.horizontalAdvance(text) for text in (COLUMNS[column], *cells))
            self.setColumnWidth(column, width + _AIR)

    def _put(self, row: int, column: int, text: str, tip: str = "") -> None:
        cell = QTableWidgetItem(text)
        cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        cell.setToolTip(tip)
        self.setItem(row, column, cell)


def dice_text(dice: float) -> str:
    """Two digits; the tooltip tells more."""
    return "0.00" if abs(dice) < 0.005 else f"{dice:.2f}"


def volume_text(millilitres: float) -> str:
    """Three digits, so that a column of them is narrow."""
    return f"{millilitres:.0f}" if millilitres >= 100 else f"{millilitres:.1f}"


def change_text(millilitres: float) -> str:
    """With its sign; 0 where it rounds to that."""
    digits = 0 if abs(millilitres) >= 100 else 1
    text = f"{millilitres:+.{digits}f}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def distance_text(millimetres: float | None) -> str:
    """ "none" where there is no surface to measure from."""
    return "none" if millimetres is None else f"{millimetres:.1f}"
