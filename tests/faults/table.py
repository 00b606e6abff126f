"""docs/faults.md from the tests: ``xvfb-run -a python tests/faults/table.py`` injects every fault and counts anew."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # the tests' folder, where pytest looks too

import pytest
from faults.registry import FAULTS, Fault

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "faults.md"
_INTRODUCTION = """# Faults

What happens where the machine, the network or the user's files fail in the middle of the work. Each fault is injected in
`tests/faults/` at the number of points that its row gives; this page is written, and counted, by
`python tests/faults/table.py`. `make test` takes a third of the points where a row has many, `make test-all` all of them.

*Survived* means that what the row asks for has happened: no trace and no hang, but one line; what stood on disk before
stands there still; nothing half-written is taken for whole by the package's own readers and by `verify`.
"""


class Counts:
    """Counts, while pytest runs, how many points of each test have passed."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" and report.passed:
            self.passed[test_of(report.nodeid)] += 1


def test_of(node: str) -> str:
    path, _, name = node.partition("::")
    return f"{Path(path).stem}::{name.partition('[')[0]}"


test_of.__test__ = False  # type: ignore[attr-defined]


def rows() -> list[Fault]:
    """All faults, in the order of the files."""
    for path in sorted(HERE.glob("test_*.py")):
        importlib.import_module(f"faults.{path.stem}")
    return FAULTS


def page(survived: dict[str, int]) -> str:
    """The page; ``survived`` counts the points of each test that have passed."""
    faults = rows()
    total = sum(survived.get(fault.test, 0) * fault.each for fault in faults)
    parts = [_INTRODUCTION, f"**{total} of {sum(fault.injected for fault in faults)} injected faults survived.**\n"]
    for section in dict.fromkeys(fault.section for fault in faults):
        lines = ["| fault | what must happen | survived |", "|---|---|---|"]
        lines += [
            f"| {fault.what} | {fault.must} | {survived.get(fault.test, 0) * fault.each} of {fault.injected} |"
            for fault in faults
            if fault.section == section
        ]
        parts.append(f"## {section}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    counts = Counts()
    pytest.main(
        [
            str(HERE),
            "-q",
            "-m",
            "",
            "-n",
            "0",
            "-p",
            "no:xvfb",
            "--ignore",
            str(HERE / "test_page.py"),
            "--durations=12",
        ],
        plugins=[counts],
    )
    PAGE.write_text(page(counts.passed), encoding="utf-8")
    print(f"wrote {len(FAULTS)} rows to {PAGE}")
