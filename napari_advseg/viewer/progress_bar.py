"""A progress bar that is drawn with everything else."""

from __future__ import annotations

from qtpy.QtWidgets import QProgressBar

_RANGE = 1000


class ProgressBar(QProgressBar):
    """Shows a fraction, without text.

    Qt draws a progress bar the moment that it is set, and the rest of the window with it: in the midst of other work that
    costs as much as the canvas does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setRange(0, _RANGE)
        self.setTextVisible(False)

    def show_fraction(self, fraction: float) -> None:
        """``fraction`` runs from 0 to 1; it is seen with the next drawing."""
        self.setUpdatesEnabled(False)
        self.setValue(round(fraction * _RANGE))
        self.setUpdatesEnabled(True)
