"""How much Dice the network shall lose, and what that leaves."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

_STEPS = 100  # per Dice point of 1
_WIDEST = 0.95


def drop_text(clean: float | None, drop: float) -> str:
    """For instance "0.91 → 0.61"; before a case is open only the drop."""
    if clean is None:
        return f"mean Dice loses {drop:.2f}"
    return f"mean Dice {clean:.2f} → {max(0.0, clean - drop):.2f}"


class DropSlider(QWidget):
    """A slider and a number for the Dice drop, from 0.01 to the clean Dice."""

    changed = Signal(float)

    def __init__(self, drop: float = 0.3) -> None:
        super().__init__()
        self._clean: float | None = None
        tip = "Dice points of 1 that the mean over the checked organs shall lose"
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setToolTip(tip)
        self._slider.setRange(1, round(_WIDEST * _STEPS))
        self._number = QDoubleSpinBox()
        self._number.setToolTip(tip)
        self._number.setDecimals(2)
        self._number.setSingleStep(0.01)
        self._number.setRange(0.01, _WIDEST)
        self._text = QLabel()
        font = self._text.font()
        font.setBold(True)
        self._text.setFont(font)
        self._text.setAlignment(Qt.AlignmentFlag.AlignRight)
        head = QHBoxLayout()
        head.addWidget(QLabel("Dice drop"))
        head.addWidget(self._text, 1)
        row = QHBoxLayout()
        row.addWidget(self._slider, 1)
        row.addWidget(self._number)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(head)
        column.addLayout(row)
        self._slider.valueChanged.connect(lambda value: self._number.setValue(value / _STEPS))
        self._number.valueChanged.connect(self._on_number)
        self.set_drop(drop)
        self._tell()

    def drop(self) -> float:
        return float(round(self._number.value(), 2))

    def most(self) -> float:
        """The largest drop that can be asked for."""
        return float(self._number.maximum())

    def set_drop(self, drop: float) -> None:
        self._number.setValue(drop)

    def set_clean(self, clean: float | None) -> None:
        """The mean clean Dice of the checked organs: no more than that can be lost."""
        self._clean = clean
        most = _WIDEST if clean is None else max(0.01, int(clean * _STEPS) / _STEPS)
        self._slider.setMaximum(round(most * _STEPS))
        self._number.setMaximum(most)
        self._tell()

    def text(self) -> str:
        return str(self._text.text())

    def _on_number(self, value: float) -> None:
        self._slider.blockSignals(True)
        self._slider.setValue(round(value * _STEPS))
        self._slider.blockSignals(False)
        self._tell()
        self.changed.emit(self.drop())

    def _tell(self) -> None:
        self._text.setText(drop_text(self._clean, self.drop()))
