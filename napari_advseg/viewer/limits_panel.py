"""What the change may be, and how long it is searched for: the fold of settings that have good defaults."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QSpinBox, QVBoxLayout, QWidget

from .fold import Fold

_INTERPOLATION = {"cubic B-spline": "bspline", "linear": "linear"}


class LimitsPanel(QWidget):
    """The budget, the kinds of change, the interpolation, how thorough the search is, the seed and the tolerance."""

    def __init__(self) -> None:
        super().__init__()
        self.deformation = QCheckBox("move the anatomy (deformation)")
        self.deformation.setToolTip("A smooth field that neither folds nor tears")
        self.appearance = QCheckBox("change intensities (appearance)")
        self.appearance.setToolTip("A faint, smooth field inside the body")
        for box in (self.deformation, self.appearance):
            box.setChecked(True)
        self.max_shift = _number(0.0, 0.0, 100.0, 0.5, " mm", "No point moves further than this")
        self.max_shift.setSpecialValueText("default")  # shown at 0
        self.max_hu = _number(15.0, 0.0, 1000.0, 1.0, " HU", "No voxel's intensity changes by more than this")
        self.tolerance = _number(
            0.01, 0.001, 0.5, 0.005, "", "The drop counts as reached within this of what was asked for"
        )
        self.tolerance.setDecimals(3)
        self.tolerance.setValue(0.01)
        self.interpolation = QComboBox()
        self.interpolation.addItems(list(_INTERPOLATION))
        self.interpolation.setToolTip("Linear interpolation blurs noise, and that alone can attack a network")
        self.thorough = QCheckBox("search on for a smaller change (thorough)")
        self.thorough.setToolTip("The search takes up to five times as long")
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setToolTip("The same seed on the same device gives the same random control")
        inner = QWidget()
        form = QFormLayout(inner)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(self.deformation)
        form.addRow("Largest shift", self.max_shift)
        form.addRow(self.appearance)
        form.addRow("Largest change", self.max_hu)
        form.addRow("Interpolation", self.interpolation)
        form.addRow(self.thorough)
        form.addRow("Tolerance", self.tolerance)
        form.addRow("Seed", self.seed)
        self.fold = Fold("Advanced", inner)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.fold)
        self.deformation.toggled.connect(self.max_shift.setEnabled)
        self.appearance.toggled.connect(self.max_hu.setEnabled)
        self.set_dimensions(None)

    def set_dimensions(self, dimensions: int | None) -> None:
        """Say what the default largest shift is for the case's network."""
        default = {2: "default (3 mm)", 3: "default (5 mm)"}.get(dimensions or 0, "default (3 or 5 mm)")
        self.max_shift.setSpecialValueText(default)

    def values(self) -> dict[str, Any]:
        """The fields of an AttackWish that this panel sets."""
        shift = self.max_shift.value()
        return {
            "max_displacement_mm": shift if shift > 0 else None,
            "max_hu": self.max_hu.value(),
            "deformation": self.deformation.isChecked(),
            "appearance": self.appearance.isChecked(),
            "interpolation": _INTERPOLATION[self.interpolation.currentText()],
            "thorough": self.thorough.isChecked(),
            "tolerance": round(self.tolerance.value(), 4),
            "seed": self.seed.value(),
        }


def _number(value: float, low: float, high: float, step: float, unit: str, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(1)
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setValue(value)
    box.setSuffix(unit)
    box.setToolTip(tip)
    return box
