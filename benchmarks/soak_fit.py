"""What a soak's samples say: does anything grow?

A straight line is fitted by least squares to every quantity over time, without the first sixth of the run, in which caches
fill and the parts that are used for the first time are loaded.

The rule, stated before the first run. A quantity is *flat* where

* of memory and of Python's objects: the slope is below 2 % of the quantity's mean per hour, or
* of threads, handles, widgets, Qt's objects and layers: the slope is below 1 per hour,

or, for both, where the slope's 95 % interval (1.96 standard errors) contains zero. Otherwise it *grows*; what shrinks is
flat. The standard errors are those of independent samples: of samples that depend on each other they are too small, so
that the rule rather finds growth where there is none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WARM_UP = 1 / 6
SHARE_PER_HOUR, COUNT_PER_HOUR, SIGMAS = 0.02, 1.0, 1.96
SHARES = {"rss_mb": "memory of the process (RSS), MB", "heap_mb": "of it allocated, MB", "objects": "Python's objects"}
COUNTS = {
    "python_threads": "Python's threads",
    "os_threads": "the system's threads",
    "handles": "open file handles",
    "widgets": "Qt's widgets",
    "qobjects": "Qt's objects in the windows",
    "layers": "layers",
}
Sample = dict[str, Any]


@dataclass(frozen=True)
class Slope:
    """A line through one quantity; slopes are per hour."""

    first: float
    last: float
    mean: float
    slope: float
    error: float

    def flat(self, *, share: bool) -> bool:
        """By the rule above."""
        most = SHARE_PER_HOUR * self.mean if share else COUNT_PER_HOUR
        return self.slope < most or self.slope - SIGMAS * self.error <= 0


def fit(samples: list[Sample], name: str) -> Slope | None:
    """The line through a quantity after the warm-up; None where it was not measured or too seldom for a line."""
    end = max(sample["seconds"] for sample in samples)
    used = [sample for sample in samples if sample["seconds"] >= WARM_UP * end and sample.get(name) is not None]
    if len(used) < 3:
        return None
    hours = np.array([sample["seconds"] for sample in used]) / 3600
    values = np.array([sample[name] for sample in used], float)
    slope, offset = np.polyfit(hours, values, 1)
    rest = values - (slope * hours + offset)
    spread = float(np.sum((hours - hours.mean()) ** 2))
    error = float(np.sqrt(np.sum(rest**2) / (len(used) - 2) / spread))
    tenth = max(1, len(values) // 10)
    return Slope(float(values[:tenth].mean()), float(values[-tenth:].mean()), float(values.mean()), float(slope), error)


def read(folder: Path) -> tuple[Sample, list[Sample]]:
    """What a soak's folder says of the run, and its samples."""
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    lines = (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    return about, [json.loads(line) for line in lines]


def text_of(about: Sample, samples: list[Sample]) -> str:
    """The table, and the run that it is of."""
    lines = [
        "| what | begin | end | mean | slope per hour | standard error | |",
        "|---|---|---|---|---|---|---|",
    ]
    grows = []
    for names, share in ((SHARES, True), (COUNTS, False)):
        for name, what in names.items():
            found = fit(samples, name)
            if found is None:
                continue
            digits = 0 if name == "objects" else 1
            first, last, mean = (f"{n:.{digits}f}" for n in (found.first, found.last, found.mean))
            percent = f" ({100 * found.slope / found.mean:+.1f} %)" if share else ""
            flat = found.flat(share=share)
            if not flat:
                grows.append(what.split(",")[0])
            lines.append(
                f"| {what} | {first} | {last} | {mean} | {round(found.slope, digits + 1) + 0.0:+.{digits + 1}f}{percent} "
                f"| {found.error:.{digits + 1}f} | {'flat' if flat else '**grows**'} |"
            )
    last = samples[-1]
    done = ", ".join(f"{count} x {name}" for name, count in sorted(last["done"].items(), key=lambda one: -one[1]))
    faults = len(last["faults"])
    return (
        f"Measured on {about['date']} on {about['machine']}, napari {about['napari']}, {about['qt']}; "
        f"{last['seconds'] / 60:.0f} minutes, seed {about['seed']}, {len(samples)} samples.\n\n"
        + "\n".join(lines)
        + f"\n\nDone: {done}. Exceptions: {faults or 'none'}. "
        + (f"By the rule, these grow: {', '.join(grows)}." if grows else "By the rule, nothing grows.")
    )
