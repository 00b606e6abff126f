"""What an entry of the corpus is, and how the files of one subject put theirs together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["accepted", "warned", "refused"]
MARK = "ran"  # the file that malicious input tries to make


@dataclass(frozen=True)
class Opened:
    """What the product made of an input, and what it said to the user."""

    value: Any
    warnings: Sequence[str] = ()


Make = Callable[[Path], Any]
Open = Callable[[Any], Opened]


def _nothing_more(value: Any) -> bool:
    return True


@dataclass(frozen=True)
class Entry:
    """One input and what must happen to it.

    Parameters
    ----------
    line
        Part of the line that is said, without a path; empty where the input is accepted.
    make
        Writes the input into a folder and gives what is to be opened.
    open
        Opens it in the way a user does.
    right
        Whether what came of an input that is not refused is what it should be.
    """

    id: str
    kind: str
    what: str
    outcome: Outcome
    line: str
    make: Make
    open: Open
    right: Callable[[Any], bool]


@dataclass(frozen=True)
class Shelf:
    """The entries of one kind, which are opened in one way."""

    kind: str
    how: str
    open: Open
    entries: list[Entry] = field(default_factory=list)

    def _put(
        self, what: str, outcome: Outcome, line: str, make: Make, right: Callable[[Any], bool], open: Open | None
    ) -> None:
        entry = Entry(f"{self.kind}: {what}", self.kind, what, outcome, line, make, open or self.open, right)
        self.entries.append(entry)

    def accepted(
        self, what: str, make: Make, right: Callable[[Any], bool] = _nothing_more, open: Open | None = None
    ) -> None:
        self._put(what, "accepted", "", make, right, open)

    def warned(
        self, what: str, line: str, make: Make, right: Callable[[Any], bool] = _nothing_more, open: Open | None = None
    ) -> None:
        self._put(what, "warned", line, make, right, open)

    def refused(self, what: str, line: str, make: Make, open: Open | None = None) -> None:
        self._put(what, "refused", line, make, _nothing_more, open)
