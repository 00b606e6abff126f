"""The result before the one that is shown, so that a run can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .in_hand import CaseInHand, Outcome

if TYPE_CHECKING:
    from ..case import Finding


class EarlierResult:
    """Holds one case and its outcome, as they are large."""

    def __init__(self) -> None:
        self._held: tuple[CaseInHand, Outcome] | None = None

    @property
    def there(self) -> bool:
        return self._held is not None

    def keep(self, in_hand: CaseInHand | None, outcome: Outcome | None) -> None:
        """Another result is about to take the place of this one; nothing is kept where there is none."""
        if in_hand is not None and outcome is not None and in_hand.id == outcome.case_id:
            self._held = in_hand, outcome

    def swap(self, in_hand: CaseInHand | None, outcome: Outcome | None) -> tuple[CaseInHand, Outcome]:
        """The earlier result in exchange for the one that is shown."""
        assert self._held is not None
        earlier, self._held = self._held, None
        self.keep(in_hand, outcome)
        return earlier

    def keep_only(self, case_id: str) -> None:
        """Forget it unless it is on this CT."""
        if self._held is not None and self._held[0].id != case_id:
            self._held = None

    def change(self, before: CaseInHand, now: CaseInHand, change: Callable[[Finding], Finding]) -> None:
        """The case in hand has changed, as when an organ is renamed; a result on it follows."""
        if self._held is not None and self._held[0] is before:
            self._held = now, self._held[1].changed(change)

    def forget(self) -> None:
        self._held = None
