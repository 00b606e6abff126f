"""What looks for the change: the search, or a learned attacker and what is done with its change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from .choice_box import Browse, ChoiceBox, ask_folder
from .in_hand import AttackerNote

MOST_DRAWS = 16
_GENERATED = {
    "set to the asked drop": "strength",
    "as generated": "alone",
    "as the search's start": "start",
}


class AttackerPanel(QWidget):
    """The choice of attacker. ``note_asked`` carries a learned attacker that the user should be told about."""

    note_asked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.choice = ChoiceBox(
            "Search",
            [Browse("Folder", "The folder of an attacker that was trained", ask_folder("Open a learned attacker"))],
            "What looks for the change: a search on this case, or an attacker that was trained for the network",
        )
        self.generated = QComboBox()
        self.generated.addItems(list(_GENERATED))
        self.generated.setToolTip(
            "Set to the asked drop: scaled until it costs that much. As generated: measured as it is, nothing adjusted. "
            "As the search's start: the search goes on from it"
        )
        self.draws = QSpinBox()
        self.draws.setRange(1, MOST_DRAWS)
        self.draws.setToolTip("So many different attacks, to pick from; their seeds follow each other")
        self.note = QLabel()
        self.note.setWordWrap(True)
        self._learned = QWidget()
        self._lay_out()
        self.choice.changed.connect(self._on_choice)
        self._on_choice()

    def offer(self, shipped: Sequence[str]) -> None:
        """List the shipped attackers for the network in hand, and have the note on a chosen one made anew."""
        before = self.choice.value()
        self.choice.set_offers([(f"{name}: learned, shipped", name) for name in shipped])
        if before is not None and self.choice.value() == before:
            self.note_asked.emit(str(before))

    def choose(self, folder: Path) -> None:
        """Choose the attacker in a folder, which may have changed since it was chosen last."""
        if self.choice.value() == folder:
            self._on_choice()
        else:
            self.choice.set_value(folder)

    def show_note(self, told: AttackerNote) -> bool:
        """What is known of the chosen attacker. One that cannot be used leaves the search chosen; True where it is."""
        if told.attacker != str(self.choice.value()):
            return True
        if not told.usable:
            if told.attacker in (str(path) for path in self.choice.paths()):
                self.choice.forget(Path(told.attacker))
            self.choice.set_value(None)
            return False
        self.note.setText(told.line)
        self.note.show()
        return True

    def values(self) -> dict[str, Any]:
        """The fields of an AttackWish that this panel sets."""
        chosen = self.choice.value()
        if chosen is None:
            return {}
        return {
            "attacker": str(chosen),
            "generated": _GENERATED[self.generated.currentText()],
            "draws": self.draws.value(),
        }

    def _on_choice(self) -> None:
        chosen = self.choice.value()
        self.note.setText("")
        self.note.hide()
        self._learned.setVisible(chosen is not None)
        if chosen is not None:
            self.note_asked.emit(str(chosen))

    def _lay_out(self) -> None:
        form = _form()
        form.addRow("Attacker", self.choice)
        inner = _form(self._learned)
        inner.addRow("Its change is", self.generated)
        inner.addRow("Draws", self.draws)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(form)
        column.addWidget(self._learned)
        column.addWidget(self.note)


def _form(parent: QWidget | None = None) -> QFormLayout:
    form = QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form
