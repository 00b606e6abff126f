"""A fake core whose results have a strength path, and a walk along it that can be held up."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
from viewer.fake_core import EVIDENCE, FakeCore, make_result

from napari_advseg.attacks import CancelToken, PathPoint, Progress
from napari_advseg.case import Case, Finding
from napari_advseg.viewer.wishes import AttackWish

STRONGEST = 0.4


def drop_at(strength: float) -> float:
    """Not a straight line, so that a strength between two known ones misses at first."""
    return STRONGEST * strength**1.5


def strength_of(drop: float) -> float:
    return float((drop / STRONGEST) ** (1 / 1.5))


def finding_of(case: Case, wish: AttackWish, strength: float) -> Finding:
    """A result whose every array tells its strength."""
    result = make_result(case, wish, drop_at(strength))
    attacked = case.clean_labels.copy()
    attacked[3, 4 : 4 + round(8 * strength), 4:10] = 0
    moved = case.reference.copy()
    moved[2, 5 : 5 + round(8 * strength), 14:20] = 1
    points = sorted({0.0, 0.5, 1.0, strength})
    return Finding(
        case,
        replace(
            result,
            attacked_labels=attacked,
            moved_reference=moved,
            perturbed=(result.perturbed + round(20 * strength)).astype(np.int16),
            displacement=result.displacement * np.float32(strength),
            appearance=result.appearance * np.float32(strength),
            path=tuple(PathPoint(s, drop_at(s)) for s in points),
            strength=strength,
        ),
        None,
    )


class WalkingCore(FakeCore):
    """Notes the strengths that are measured and completed; waits for ``gate`` before each."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.wish: AttackWish | None = None
        self.strengths: list[float] = []
        self.completed: list[float] = []
        self.gate = threading.Event()
        self.gate.set()
        self.threads: set[str] = set()

    def attack_case(self, case: Case, wish: AttackWish, cancel: CancelToken) -> Generator[Progress, None, Finding]:
        self.wish = wish
        found = yield from super().attack_case(case, wish, cancel)
        at = finding_of(case, wish, strength_of(found.result.achieved_drop))
        self.results[wish.seed] = replace(at.result, stopped=found.result.stopped)
        return replace(at, result=self.results[wish.seed], evidence=found.evidence)

    def at_strength(self, finding: Finding, strength: float, cancel: CancelToken) -> Finding:
        self.strengths.append(strength)
        self.threads.add(threading.current_thread().name)
        assert self.gate.wait(20)
        cancel.check()
        self._fail()
        assert self.wish is not None
        at = finding_of(finding.case, self.wish, strength)
        known = {point.strength: point for point in (*finding.result.path, *at.result.path)}
        cost = replace(finding.result.cost, forward=finding.result.cost.forward + 1)
        path = tuple(known[s] for s in sorted(known))
        return replace(at, result=replace(at.result, path=path, cost=cost, target_drop=finding.result.target_drop))

    def complete(self, finding: Finding, cancel: CancelToken) -> Generator[Progress, None, Finding]:
        yield Progress("Trying random changes of the same size", 0.9)
        cancel.check()
        self.completed.append(finding.result.strength)
        return replace(finding, evidence=replace(EVIDENCE, control_drop=round(finding.result.strength / 100, 4)))
