"""One id per CT, so that a second case on it takes the place of the first in the layer list."""

from __future__ import annotations

import uuid

from .wishes import CaseWish


class CaseIds:
    """Remembers the CT of the last case."""

    def __init__(self) -> None:
        self._last: tuple[object, str] | None = None

    def of(self, wish: CaseWish, shown: str | None) -> str:
        """The id of the case that is wished for; ``shown`` is that of a case whose CT is shown already."""
        if shown is None:
            same = self._last is not None and self._last[0] == wish.ct
            shown = self._last[1] if same and self._last is not None else uuid.uuid4().hex
        self._last = (wish.ct, shown)
        return shown
