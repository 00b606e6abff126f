"""The table of the organs: Dice, volume and surface distance before and after; a click goes to the worst slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from .organs_panel import organ_icon

if TYPE_CHECKING:
    from ..attacks import Organ
    from ..evidence import OrganRow

COLUMNS = ("organ", "clean", "attacked", "drop", "ml", "± ml", "HD95")
_TIPS = (
    "Click an organ to go to the slice on which most of its voxels are newly wrong",
    "Dice on the CT",
    "Dice on the perturbed CT, with the reference moved with the anatomy",
    "Dice lost",
    "Volume of the segmentation of the perturbed CT, millilitres",
    "What the volume gained (+) or lost (−), millilitres",
    "95th percentile of the distances between the surfaces of segmentation and reference on the perturbed CT, mm",
)
_LINE = 24  # pixels per row
_MOST_LINES = 9
_WAITING = "…"


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
        header = self.horizontalHeader()
        header.setMinimumSectionSize(20)
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
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
            dice = (f"{organ.clean:.3f}", f"{organ.attacked:.3f}", f"{organ.drop:.3f}")
            for column, text in enumerate((*dice, _WAITING, _WAITING, _WAITING), start=1):
                self._put(row, column, text)
            self.setRowHeight(row, _LINE)
        self.setFixedHeight(_LINE * (min(len(organs), _MOST_LINES) + 1) + 8)

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

    def _put(self, row: int, column: int, text: str, tip: str = "") -> None:
        cell = QTableWidgetItem(text)
        cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        cell.setToolTip(tip)
        self.setItem(row, column, cell)


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
