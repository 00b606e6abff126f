"""What is known of the case's network, and its labels, which can be renamed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .fold import Fold
from .network_facts import RUNS_CODE, facts, names_of, with_name
from .wishes import Names

_LINE = 24  # pixels per row
_MOST_LINES = 10


class NetworkPanel(QWidget):
    """Hidden until a network is open.

    ``rename_asked`` carries all labels with one of them renamed, ``refused`` one line on a name that cannot be, and
    ``withdraw_asked`` the SHA-256 of the file that is no longer to be trusted.
    """

    rename_asked = Signal(object)
    refused = Signal(str)
    withdraw_asked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._names: Names = ()
        self._renamed = False
        self._sha256 = ""
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(2)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.table = QTableWidget(0, 2)
        self.table.setHorizontalHeaderLabels(["id", "label"])
        self.table.verticalHeader().hide()
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.table.setToolTip("Double-click a label to rename it; the reference's labels are matched by these names")
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.withdraw = QPushButton("Withdraw trust")
        self.withdraw.setToolTip("Forget that this file may run code: it is asked about again before it is next loaded")
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(self._form)
        column.addWidget(self.table)
        column.addWidget(self.withdraw)
        self.fold = Fold("Network", inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.fold)
        self.table.itemChanged.connect(self._on_edited)
        self.withdraw.clicked.connect(self._on_withdraw)
        self.hide()

    def show_network(self, about: Mapping[str, Any]) -> None:
        """What ``describe`` says of the network that is open."""
        while self._form.rowCount():
            self._form.removeRow(0)
        for fact in facts(about):
            text = QLabel(fact.text)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.setWordWrap(True)
            text.setToolTip(fact.whole)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._form.addRow(fact.title, text)
        self._sha256 = str(about.get("sha256", ""))
        self.withdraw.setVisible(about.get("format") in RUNS_CODE and bool(self._sha256))
        self.withdraw.setEnabled(True)
        self.fold.setText(f"Network: {about.get('name', '')}")
        self.show_names(names_of(about))
        self.show()

    def show_names(self, names: Names) -> None:
        """List the labels; the background cannot be renamed."""
        self._names = names
        self.table.blockSignals(True)
        self.table.setRowCount(len(names))
        for row, (index, name) in enumerate(names):
            number, label = QTableWidgetItem(str(index)), QTableWidgetItem(name)
            number.setFlags(Qt.ItemFlag.ItemIsEnabled)
            label.setFlags(Qt.ItemFlag.ItemIsEnabled | (Qt.ItemFlag.ItemIsEditable if index else Qt.ItemFlag(0)))
            self.table.setItem(row, 0, number)
            self.table.setItem(row, 1, label)
            self.table.setRowHeight(row, _LINE)
        self.table.setFixedHeight(_LINE * (min(len(names), _MOST_LINES) + 1) + 8)
        self.table.blockSignals(False)

    def set_renamed(self, names: Names) -> None:
        """The labels go by these names from now on."""
        self._renamed = True
        self.show_names(names)

    def put_back(self) -> None:
        """A name was refused: the old one comes back."""
        self.show_names(self._names)

    def wished_names(self) -> Names:
        """The labels where the user has renamed any, else nothing."""
        return self._names if self._renamed else ()

    def name(self, index: int, otherwise: str) -> str:
        """What a label is called here."""
        return dict(self._names).get(index, otherwise)

    def clear(self) -> None:
        """Another network was picked: its names are its own."""
        self._names, self._renamed, self._sha256 = (), False, ""
        self.hide()

    def _on_edited(self, item: QTableWidgetItem) -> None:
        index, old = self._names[item.row()]
        try:
            names = with_name(self._names, index, item.text())
        except ValueError as fault:
            self.put_back()
            self.refused.emit(str(fault))
            return
        if dict(names)[index] == old:
            self.put_back()
        else:
            self.rename_asked.emit(names)

    def _on_withdraw(self) -> None:
        self.withdraw.setEnabled(False)
        self.withdraw_asked.emit(self._sha256)
