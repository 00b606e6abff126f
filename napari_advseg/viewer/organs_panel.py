"""The organs that the attack is scored on, each with its clean Dice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from .fold import Fold

if TYPE_CHECKING:
    from ..attacks import Organ

_MOST_LINES = 8


def organ_icon(organ: Organ) -> QIcon:
    """A square of the organ's colour."""
    from ..evidence import organ_colour

    square = QPixmap(12, 12)
    square.fill(QColor(organ_colour(organ.id)))
    return QIcon(square)


class OrgansPanel(QWidget):
    """A list with a check mark per organ. ``changed`` is sent when a mark is set or taken away."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._organs: tuple[Organ, ...] = ()
        self._list = QListWidget()
        self._list.setToolTip("The Dice drop is the mean over the organs that are checked")
        self.fold = Fold("Organs: open a case to see which can be scored", self._list)
        self._list.itemChanged.connect(lambda _item: self._on_marks())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.fold)

    def show_organs(self, organs: Sequence[Organ]) -> None:
        """List a case's organs; all are checked, except those that were unchecked under the same name."""
        off = {organ.name for organ in self._organs} - set(self.chosen_names())
        self._organs = tuple(organs)
        self._list.blockSignals(True)
        self._list.clear()
        for organ in organs:
            item = QListWidgetItem(organ_icon(organ), _line(organ))
            item.setToolTip(f"clean Dice {organ.clean:.4f}, {organ.voxels} voxels in the reference")
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked if organ.name in off else Qt.CheckState.Checked)
            self._list.addItem(item)
        self._list.blockSignals(False)
        line = max(14, self._list.sizeHintForRow(0))
        self._list.setFixedHeight(line * min(max(len(organs), 2), _MOST_LINES) + 6)
        if organs:
            self.fold.expand()
        else:
            self.fold.collapse()
        self._on_marks()

    def rename(self, organs: Sequence[Organ]) -> None:
        """The same organs under other names; the check marks stay."""
        self._organs = tuple(organs)
        self._list.blockSignals(True)
        for row, organ in enumerate(self._organs):
            self._list.item(row).setText(_line(organ))
        self._list.blockSignals(False)

    def chosen(self) -> tuple[Organ, ...]:
        """The organs that are checked."""
        return tuple(
            organ
            for row, organ in enumerate(self._organs)
            if (item := self._list.item(row)) is not None and item.checkState() == Qt.CheckState.Checked
        )

    def chosen_names(self) -> tuple[str, ...]:
        return tuple(organ.name for organ in self.chosen())

    @property
    def all_chosen(self) -> bool:
        return len(self.chosen()) == len(self._organs)

    def check(self, names: Sequence[str]) -> None:
        """Check exactly the organs named."""
        self._list.blockSignals(True)
        for row, organ in enumerate(self._organs):
            state = Qt.CheckState.Checked if organ.name in names else Qt.CheckState.Unchecked
            self._list.item(row).setCheckState(state)
        self._list.blockSignals(False)
        self._on_marks()

    def clean_mean(self) -> float | None:
        """Mean clean Dice of the checked organs; None where none is checked."""
        chosen = self.chosen()
        return sum(organ.clean for organ in chosen) / len(chosen) if chosen else None

    def _on_marks(self) -> None:
        """The title says what is scored, so that the list may be closed."""
        chosen, mean = len(self.chosen()), self.clean_mean()
        many = "all" if chosen == len(self._organs) else f"{chosen} of"
        self.fold.setText(
            f"Organs: {many} {len(self._organs)} scored" + ("" if mean is None else f", clean Dice {mean:.2f}")
            if self._organs
            else "No organ can be scored: each needs at least 50 voxels"
        )
        self.changed.emit()


def _line(organ: Organ) -> str:
    return f"{organ.name.replace('_', ' ')}  {organ.clean:.2f}"
