"""Which strength of a change costs which drop, and the measurements kept; knows neither Qt nor torch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .scene import Scene

if TYPE_CHECKING:
    from ..attacks import AttackResult, PathPoint
    from ..case import Finding
    from ..evidence import OrganRow

MOST_BYTES = 600_000_000
PRECISION = 0.0025  # a known drop this near to the one that is asked for is taken
NARROWEST = 0.002  # strengths nearer to each other than this are not told apart


@dataclass(frozen=True, eq=False)
class Step:
    """The change at one strength, measured: its finding, its layers, and its rows once they are known."""

    finding: Finding
    scene: Scene
    rows: tuple[OrganRow, ...] = ()

    @property
    def strength(self) -> float:
        return self.finding.result.strength

    @property
    def drop(self) -> float:
        return self.finding.result.achieved_drop

    def changed(self, change: Callable[[Finding], Finding]) -> Step:
        """The same step with its finding changed, its rows under the finding's names."""
        finding = change(self.finding)
        names = {organ.id: organ.name for organ in finding.result.organs}
        rows = tuple(replace(row, name=names.get(row.id, row.name)) for row in self.rows)
        return replace(self, finding=finding, rows=rows)

    @property
    def nbytes(self) -> int:
        """About what the step holds of its own."""
        result = self.finding.result
        arrays = [plan.data for plan in self.scene.plans]
        arrays += [result.perturbed, result.displacement, result.attacked_labels, result.moved_reference]
        return sum(int(np.asarray(array).nbytes) for array in arrays)


class StrengthWalk:
    """The strength path of one result.

    Parameters
    ----------
    found
        As the run found it.
    shown
        Where the walk sets out from: the step that is shown, on the same path.
    most_bytes
        What the kept steps may hold together; at least two are kept.
    """

    def __init__(self, found: Finding, shown: Step, most_bytes: int = MOST_BYTES) -> None:
        self.found = found
        self.points: dict[float, float] = {0.0: 0.0}
        self._most_bytes = most_bytes
        self._kept: OrderedDict[float, Step] = OrderedDict()
        self._latest = shown.finding
        self.note(found.result.path)
        self.note(shown.finding.result.path)
        self.keep(shown)

    @property
    def possible(self) -> bool:
        """Whether any change costs anything."""
        return self.strongest > 0

    @property
    def strongest(self) -> float:
        """The largest drop measured on the path."""
        return max(self.points.values())

    @property
    def latest(self) -> Finding:
        """The finding that the next one is measured from: its path and its cost are the whole walk's."""
        return self._latest

    def note(self, path: tuple[PathPoint, ...]) -> None:
        """Know these points, too."""
        self.points |= {point.strength: point.drop for point in path}

    def strength_for(self, drop: float, *, known_only: bool = False) -> float | None:
        """The first strength at which the path meets the drop; None where no change found costs that much.

        A known strength where one costs nearly that, or where there is none between its neighbours to try.
        """
        from ..attacks import meeting_strength  # torch, which is loaded once there is a result

        order = sorted(self.points)
        nearest = min(order, key=lambda s: (abs(self.points[s] - drop), s))
        if abs(self.points[nearest] - drop) <= PRECISION:
            return nearest
        if drop > self.strongest:
            return None if order[-1] == 1.0 or known_only else 1.0
        if known_only:
            return nearest
        for low, high in pairwise(order):
            if self.points[high] >= drop:
                if high - low > NARROWEST:
                    within = 0.05 * (high - low)
                    meeting = meeting_strength(self.points, low, high, drop)
                    return float(np.clip(meeting, low + within, high - within))
                return min((low, high), key=lambda s: abs(self.points[s] - drop))
        return nearest

    def kept(self, strength: float) -> Step | None:
        """The step at a strength, where it is still kept."""
        step = self._kept.get(strength)
        if step is not None:
            self._kept.move_to_end(strength)
        return step

    def keep(self, step: Step) -> None:
        """Keep a step, in place of the one of the same strength; the longest unseen are dropped."""
        self._kept[step.strength] = step
        self._kept.move_to_end(step.strength)
        self.points[step.strength] = step.drop
        if step.finding.result.cost.forward >= self._latest.result.cost.forward:
            self._latest = step.finding
        held = sum(one.nbytes for one in self._kept.values())
        while held > self._most_bytes and len(self._kept) > 2:
            _, dropped = self._kept.popitem(last=False)
            held -= dropped.nbytes

    def asked(self, step: Step, drop: float) -> Step:
        """The step as the answer to ``drop``, knowing the whole path and what all of it has cost."""
        result = replace(step.finding.result, target_drop=drop, path=self._path(), cost=self._latest.result.cost)
        return replace(step, finding=replace(step.finding, result=result))

    def change(self, change: Callable[[Finding], Finding]) -> None:
        """Change all findings, as when an organ is renamed."""
        self.found, self._latest = change(self.found), change(self._latest)
        for strength, step in self._kept.items():
            self._kept[strength] = step.changed(change)

    def _path(self) -> tuple[PathPoint, ...]:
        from ..attacks import PathPoint

        return tuple(PathPoint(strength, self.points[strength]) for strength in sorted(self.points))


def play_strengths(found: float, steps: int) -> tuple[float, ...]:
    """From nothing to the strength that was found and back, without the last one, which is the first again."""
    up = [found * number / steps for number in range(steps + 1)]
    return (*up, *up[-2:0:-1])


def asked_for(drop: float) -> float:
    """A measured drop as the slider would ask for it."""
    return max(0.01, round(drop, 2))


def walk_line(result: AttackResult, control: tuple[float, float] | None) -> str:
    """What was asked, what was reached, and what a random change costs.

    ``control`` holds the strength whose size the random change has, and its drop; another strength than the result's
    is named. None where it has not been measured.
    """
    line = f"asked {result.target_drop:.2f}, reached {result.achieved_drop:.3f}"
    if control is None:
        return line
    strength, drop = control
    if abs(strength - result.strength) < 1e-9:
        return f"{line}; a random change of the same size: {drop:.3f}"
    return f"{line}; a random change as large as that at strength {strength:.0%}: {drop:.3f}"
