"""A folder in which an earlier run has left its work, to be copied for each fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .forge import End, Forge
from .remains import copied


@dataclass(frozen=True)
class Prepared:
    """The folder of a job, and an undisturbed run in a copy of it."""

    folder: Path
    undisturbed: Path
    end: End

    def moment(self, point: int, points: int) -> int:
        """The number of the event before which to die: the first, the last, and those between."""
        return 1 + point * (self.end.seen - 1) // (points - 1)

    @classmethod
    def of(cls, job: str, forge: Forge, base: Path) -> Prepared:
        (base / "before").mkdir()
        end = forge.run(f"prepare_{job}", base / "before")
        assert end.status == 0, end.err
        after = copied(base / "before", base / "after")
        end = forge.run(job, after)
        assert end.status == 0, end.err
        return cls(base / "before", after, end)


Prepare = Callable[[str], Prepared]
