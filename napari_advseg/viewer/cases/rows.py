"""A case of the list as the table shows it: plain data that costs nothing to make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

State = Literal["new", "running", "done", "failed"]


@dataclass(frozen=True)
class Lost:
    """What an attack came to: Dice points of 1."""

    drop: float
    asked: float
    reached: bool

    def __str__(self) -> str:
        return f"{self.drop:.2f}" if self.reached else f"{self.drop:.2f} of {self.asked:.2f}"


@dataclass(frozen=True)
class CaseRow:
    """A row of the table.

    Parameters
    ----------
    pseudonym, file_name
        Two names of the case; the second may be the patient's.
    lost
        One per attack that is done.
    bundle
        Folder of the latest of them; None where there is none.
    reason
        Why it failed, one line.
    """

    pseudonym: str
    file_name: str
    state: State = "new"
    reason: str = ""
    clean_dice: float | None = None
    lost: tuple[Lost, ...] = ()
    bundle: Path | None = None

    def name(self, *, file_names: bool) -> str:
        return self.file_name if file_names else self.pseudonym


@dataclass(frozen=True, eq=False)
class CaseList:
    """The cases of a folder or a CSV; ``cases`` are the cohort's own."""

    source: Path
    cases: tuple[Any, ...]
    file_names: tuple[str, ...]

    def rows(self) -> tuple[CaseRow, ...]:
        """All as new."""
        pairs = zip(self.cases, self.file_names, strict=True)
        return tuple(CaseRow(case.name, name) for case, name in pairs)


@dataclass(frozen=True)
class RowFound:
    """A row has changed."""

    index: int
    row: CaseRow


def default_work(source: Path) -> Path:
    """Where the work on a list goes unless the user says otherwise: beside it, or in the work folder that was opened."""
    if (source / "cohort.json").is_file():
        return source
    return source.parent / f"{source.stem if source.is_file() else source.name}-attacks"
