"""What became of a task, on disk: ``tasks/<two letters>/<task>.json``, and its picture beside it.

A record is renamed into place when it is whole, after its picture: it is the proof that the task is done. Tables are
always made anew from the records.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path, PurePath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ..identity import AttackJob
from ..writing import ASIDE, write_bytes, write_text

_TASKS = "tasks"
_PICTURE = ".webp"
_PAUSES_S = (0.1, 0.5, 2.0)  # a file server that does not answer for a moment
_OLD_S = 60.0  # a file aside that is younger may be in the making


class TaskRecord(BaseModel):
    """What became of a task; no path and no name of a patient.

    Parameters
    ----------
    state
        "absent": the one organ that was to be attacked is not in the case.
    reason
        One line on why it failed.
    passing
        Whether what made it fail may pass: memory that ran out, a file server that did not answer.
    clean_dice
        Mean over the organs, of a case that could be opened and whose attack then failed.
    result
        What ``result.json`` of a bundle holds, without paths; None where the attack failed.
    size
        Root mean square of the change in the region, in units of the budget.
    control_organs
        Mean drop of each organ of the result under the random control.
    seconds
        What the task took, opening and measuring included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    id: str
    case_id: str
    job: AttackJob
    state: Literal["done", "failed", "absent"]
    reason: str = ""
    passing: bool = False
    clean_dice: float | None = None
    result: dict[str, Any] | None = None
    size: float | None = None
    control_organs: tuple[float, ...] = ()
    seconds: float = 0.0

    @property
    def settled(self) -> bool:
        """Whether the task needs not be done again; one that failed is tried again when asked for."""
        return self.state != "failed"


class TaskStore:
    """The records in a cohort's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _TASKS

    def read(self, task: str) -> TaskRecord | None:
        """The record of a task; None where there is none, or one that makes no sense, so that it is done again.

        Raises
        ------
        OSError
            It is there and cannot be read, not even after a moment: a row would be missing without a word.
        """
        file = self._file(task)
        try:
            return TaskRecord.model_validate_json(_read(file))
        except (FileNotFoundError, ValueError):  # pydantic's are ValueErrors
            return None

    def write(self, record: TaskRecord, picture: bytes = b"") -> None:
        """Remember a task; its picture, if any, is a WebP.

        Raises
        ------
        OSError
            The folder cannot be written to.
        """
        file = self._file(record.id)
        file.parent.mkdir(parents=True, exist_ok=True)
        if picture:
            write_bytes(file.with_suffix(_PICTURE), picture)
        write_text(file, record.model_dump_json() + "\n")

    def picture(self, task: str) -> bytes:
        """The picture of a task; empty where there is none."""
        try:
            return self._file(task).with_suffix(_PICTURE).read_bytes()
        except OSError:
            return b""

    def sweep(self) -> None:
        """Remove what a killed process has left half-written."""
        for left in self._folder.glob(f"*/{ASIDE}*"):
            if time.time() - left.stat().st_mtime > _OLD_S:
                left.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget all tasks."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, task: str) -> Path:
        return self._folder / task[:2] / f"{task}.json"


def _read(file: Path) -> str:
    for pause in _PAUSES_S:
        try:
            return file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise
        except OSError:
            time.sleep(pause)
    return file.read_text(encoding="utf-8")


def without_places(job: AttackJob) -> AttackJob:
    """The job with the name of a learned attacker's folder instead of its path."""
    name = PurePath(job.attack.attacker).name
    return job.model_copy(update={"attack": job.attack.model_copy(update={"attacker": name})})
