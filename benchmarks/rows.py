"""The rows that a benchmark leaves: JSON lines in a work folder, so that a run that was stopped goes on."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Rows:
    """The lines of ``WORK/rows.jsonl`` that are ``of`` one benchmark; all benchmarks share the file."""

    def __init__(self, work: Path, of: str) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.work, self.file, self.of = work, work / "rows.jsonl", of
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        self.all: list[Row] = [row for row in map(json.loads, lines) if row["of"] == of]

    def find(self, **key: Any) -> list[Row]:
        """The rows that have all of ``key``."""
        return [row for row in self.all if key.items() <= row.items()]

    def keep(self, key: Row, figures: Row) -> Row:
        """Add a row; standard error is told."""
        row = {"of": self.of, **key, **figures, "on": f"{date.today():%d %B %Y}"}
        self.all.append(row)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        told = ", ".join(f"{name} {_short(value)}" for name, value in figures.items())
        print(f"{', '.join(map(str, key.values()))}: {told}", file=sys.stderr, flush=True)
        return row

    def dates(self) -> str:
        """When the rows were measured."""
        days = list(dict.fromkeys(row["on"] for row in self.all))
        return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
