"""What the dock is doing, and what may be asked of it then."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """One phase at a time; the value is the word shown to the user."""

    IDLE = "Ready"
    OPENING = "Opening the case"
    RUNNING = "Attacking"
    SAVING = "Saving"
    CANCELLING = "Stopping"
    DONE = "Done"
    FAILED = "Not done"

    @property
    def busy(self) -> bool:
        """Whether the worker has a job of the user's."""
        return self in (Phase.OPENING, Phase.RUNNING, Phase.SAVING, Phase.CANCELLING)

    @property
    def can_cancel(self) -> bool:
        return self.busy and self is not Phase.CANCELLING
