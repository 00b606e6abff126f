"""What a run showed: one sentence, how the attacker was used, and the table of the organs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from .organ_rows import OrganRowsTable

if TYPE_CHECKING:
    from ..attacks import AttackResult
    from .in_hand import Outcome
    from .wishes import AttackWish


def attacker_line(attack: AttackWish, result: AttackResult) -> str:
    """How a learned attacker's change was used and what it missed by; "" for the search."""
    if result.attacker == "search":
        return ""
    lines = {
        "alone": "The learned attacker's change as generated, nothing adjusted to this case",
        "strength": f"The learned attacker's change at {result.strength:.0%} of its strength",
        "start": "The search, set out from the learned attacker's change",
    }
    missed = result.achieved_drop - result.target_drop
    line = lines[attack.generated]
    if attack.generated == "alone" or not result.reached:
        line += f": it cost {abs(missed):.3f} {'more' if missed > 0 else 'less'} than asked for"
    return ". ".join(part for part in (line, result.note) if part) + "."


class ResultPanel(QWidget):
    """Hidden until there is a result."""

    def __init__(self) -> None:
        super().__init__()
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = OrganRowsTable()
        self.worst = QPushButton("Worst slice")
        self.worst.setToolTip(
            "Go to the slice on which most voxels of the checked organs are newly wrong (key Shift-S)"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.sentence)
        column.addWidget(self.about)
        column.addWidget(self.table)
        column.addWidget(self.worst)
        self.hide()

    def show_outcome(self, outcome: Outcome) -> None:
        """The sentences and the organs of what was found."""
        from ..evidence import sentence

        finding = outcome.finding
        about = attacker_line(outcome.attack, finding.result)
        self.about.setText(about)
        self.about.setVisible(bool(about))
        self.sentence.setText(sentence(finding.result, finding.evidence))
        self.table.show_organs(finding.result.organs)
        self.worst.setEnabled(outcome.scene.focus is not None)
        self.show()

    def clear(self) -> None:
        self.table.setRowCount(0)
        self.sentence.setText("")
        self.about.setText("")
        self.hide()
