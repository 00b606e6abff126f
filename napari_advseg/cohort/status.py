"""What has become of an attack on a case, as it is remembered on disk and as it is shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .identity import AttackJob
from .listed import ListedCase
from .lock import Holder

State = Literal["new", "running", "done", "failed"]


class JobRecord(BaseModel):
    """What stands beside a bundle: which attack it is, and how far it has come; figures are the bundle's.

    Parameters
    ----------
    holder
        The process that works, or worked, on it.
    reason
        One line on why it failed, without patient identity.
    clean_dice
        Of a case that could be opened and whose attack then failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    state: Literal["running", "done", "failed"]
    job: AttackJob
    holder: Holder
    reason: str = ""
    clean_dice: float | None = None

    @classmethod
    def read(cls, path: Path) -> JobRecord | None:
        """The record in a file; None where there is none that can be read."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return None


@dataclass(frozen=True)
class Outcome:
    """What a bundle says: Dice of the clean CT and drops, mean over the organs, as fractions of 1."""

    clean_dice: float
    achieved_drop: float
    reached: bool
    stopped: str

    @classmethod
    def read(cls, bundle: Path) -> Outcome | None:
        """The outcome in a bundle; None where there is no bundle."""
        try:
            record = json.loads((bundle / "result.json").read_text(encoding="utf-8"))
            return cls(
                float(record["dice"]["clean"]),
                float(record["achieved_drop"]),
                bool(record["reached"]),
                str(record["stopped"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True)
class CaseStatus:
    """A row of the table: a case and an attack on it.

    Parameters
    ----------
    place
        The folder of its bundle, whether that is there or not; fixed by what the files held when they were looked at.
    reason
        Why it failed, one line.
    clean_dice
        None where it has not been measured.
    outcome
        What the attack came to; None where there is no bundle.
    """

    case: ListedCase
    job: AttackJob
    place: Path
    state: State = "new"
    reason: str = ""
    clean_dice: float | None = None
    outcome: Outcome | None = None

    @property
    def bundle(self) -> Path | None:
        """The folder of the bundle; None where there is none."""
        return None if self.outcome is None else self.place

    @property
    def finished(self) -> bool:
        """Whether the attack ran to its end; one that was stopped is done, and taken up again when asked for."""
        return self.state == "done" and self.outcome is not None and not self.outcome.stopped
