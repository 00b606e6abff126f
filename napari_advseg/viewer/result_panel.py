"""What a run showed: one sentence, and a line per organ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .organs_panel import organ_icon

if TYPE_CHECKING:
    from ..case import Finding

_COLUMNS = ("organ", "clean", "attacked", "drop")
_LINE = 24  # pixels per row


class ResultPanel(QWidget):
    """Hidden until there is a result."""

    go_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(list(_COLUMNS))
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setToolTip("Dice of each organ on the CT and on the perturbed CT")
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.go = QPushButton("Show where it changed most")
        self.go.setToolTip("Go to the slice on which most voxels of the checked organs are newly wrong")
        self.go.clicked.connect(self.go_asked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.sentence)
        column.addWidget(self.table)
        column.addWidget(self.go)
        self.hide()

    def show_finding(self, finding: Finding, *, can_go: bool) -> None:
        """The sentence and the organs of what was found."""
        from ..evidence import sentence

        organs = finding.result.organs
        self.sentence.setText(sentence(finding.result, finding.evidence))
        self.table.setRowCount(len(organs))
        for row, organ in enumerate(organs):
            name = QTableWidgetItem(organ_icon(organ), organ.name.replace("_", " "))
            self.table.setItem(row, 0, name)
            for column, value in enumerate((organ.clean, organ.attacked, organ.drop), start=1):
                cell = QTableWidgetItem(f"{value:.3f}")
                cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(row, column, cell)
            self.table.setRowHeight(row, _LINE)
        self.table.setFixedHeight(_LINE * (min(len(organs), 9) + 1) + 8)
        self.go.setEnabled(can_go)
        self.show()

    def clear(self) -> None:
        self.table.setRowCount(0)
        self.sentence.setText("")
        self.hide()
