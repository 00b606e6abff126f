"""What the dock is doing, and what may be asked of it then."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """One phase at a time; the value is the word shown to the user."""

    IDLE = "Ready"
    OPENING = "Opening the case"
    RUNNING = "Attacking"
    SHOWING = "Showing the draw"
    TRAINING = "Training an attacker"
    SAVING = "Saving"
    QUEUE = "Attacking the cases"
    REOPENING = "Reading the bundle"
    EXPORTING = "Writing the files"
    CANCELLING = "Stopping"
    DONE = "Done"
    FAILED = "Not done"

    @property
    def busy(self) -> bool:
        """Whether the worker has a job of the user's."""
        return self not in (Phase.IDLE, Phase.DONE, Phase.FAILED)

    @property
    def can_cancel(self) -> bool:
        return self.busy and self not in (Phase.SHOWING, Phase.CANCELLING)
