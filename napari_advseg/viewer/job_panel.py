"""Run, Cancel and Save, and one line on how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .progress_bar import ProgressBar
from .state import Phase

if TYPE_CHECKING:
    from ..attacks import Progress


def progress_text(progress: Progress, target: float | None = None) -> str:
    """What is being done, the drop so far, the time left."""
    parts = [progress.text]
    if progress.drop is not None:
        parts.append(f"drop {progress.drop:.2f}" + (f" of {target:.2f}" if target is not None else ""))
    if progress.seconds_left is not None:
        parts.append(f"about {duration(progress.seconds_left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A duration in words that do not flicker: "8 s", "40 s", "3 min"."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{round(seconds / 5) * 5} s"
    return f"{round(seconds / 60)} min"


class JobPanel(QWidget):
    """The buttons and the progress bar; enabled by what the phase and the inputs allow."""

    def __init__(self) -> None:
        super().__init__()
        self.run = QPushButton("Run")
        self.run.setToolTip("Look for the smallest change that costs the network this much Dice")
        font = self.run.font()
        font.setBold(True)
        self.run.setFont(font)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop within about a second; the best found so far is kept")
        self.save = QPushButton("Save…")
        self.save.setToolTip("Write the images, the field, the segmentations and the figures' numbers to a folder")
        self.undo = QPushButton("Undo run")
        self.undo.setToolTip("Bring back the result of the run before; once more brings back the newer one")
        self.undo.setEnabled(False)
        self.bar = ProgressBar()
        self.bar.setFixedHeight(8)
        self.line = QLabel("")
        self.line.setWordWrap(True)
        row = QHBoxLayout()
        for button in (self.run, self.cancel, self.save, self.undo):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.bar)
        column.addWidget(self.line)
        self.line.hide()

    def show_phase(self, phase: Phase, *, can_run: bool, can_save: bool) -> None:
        self.run.setEnabled(can_run and not phase.busy)
        self.cancel.setEnabled(phase.can_cancel)
        self.save.setEnabled(can_save and not phase.busy)
        done = phase in (Phase.DONE, Phase.SHOWING)
        if phase is Phase.CANCELLING:
            self.line.setText("Stopping…")
        elif done:
            self.bar.show_fraction(1.0)
            self.line.setText("")
        elif phase.busy:
            self.bar.show_fraction(0.0)
            self.line.setText(f"{phase.value}…")
        else:
            self.bar.show_fraction(0.0)
            self.line.setText("")
        self.line.setVisible(phase.busy and not done)

    def show_progress(self, progress: Progress, target: float | None) -> None:
        self.bar.show_fraction(progress.fraction)
        self.line.setText(progress_text(progress, target))
