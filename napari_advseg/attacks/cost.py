"""What a run spends: network passes, seconds, memory."""

from __future__ import annotations

import sys
import time

import psutil

from ..networks import Passes
from .result import Cost


class CostMeter:
    """Counts from its making on."""

    def __init__(self, passes: Passes) -> None:
        self._passes = passes
        self._start = (passes.forward, passes.backward, time.monotonic())

    def read(self) -> Cost:
        forward, backward, started = self._start
        return Cost(
            self._passes.forward - forward,
            self._passes.backward - backward,
            round(time.monotonic() - started, 2),
            round(peak_memory_mb(), 1),
        )


def peak_memory_mb() -> float:
    """The most memory that the process has held, MB."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
