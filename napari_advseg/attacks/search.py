"""The search: the smallest change that costs the asked-for Dice.

Least-norm sequential quadratic programming on one equality constraint. At each step the drop is linearised; of all
changes that hit the target to first order, the one nearest to zero is wanted, and the current change is moved
towards it: what does not help the drop decays, and a step along the gradients' mean restores the target. There is no
learning rate: the step's length follows from the drop that is still missing, so the search lands on the target
instead of far past it. The soft drop's slope is corrected by the measured hard one. Where a step keeps little of what
it promised, as at the budget's bounds, further ones are shorter and set out from the highest drop. After that the
strength path through the change that promises to be the smallest at the target is sampled, and its first crossing of the
target refined on hard Dice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .ascent import STEPS_TO_TARGET, Ascent, Climb, Promising
from .cost import CostMeter
from .progress import Cancelled, CancelToken, Progress
from .result import CANCELLED, AttackResult, PathPoint, broken_off_by
from .strength_path import first_crossing
from .target import Measured, Target

_PROPOSALS = 3  # of a generator's changes, before the strength is set: three passes are left for that
_log = logging.getLogger(__name__)
_TRIES = 3  # to make a change that falls short stronger
_MORE_TRIES = 3  # where each closes a third of the gap
_STRONGER = 2.0  # a generated change that falls short is near its bound: the path comes back from far beyond it
OnBetter = Callable[[Callable[[], AttackResult]], object]


@dataclass(frozen=True)
class SearchSettings:
    """What the search aims at and may spend.

    Parameters
    ----------
    drop, tolerance
        Dice points of 1.
    steps
        Most gradient steps, one forward and one backward pass each; twice as many where the search is thorough.
    thorough
        Go on for a smaller change where further steps promise little.
    """

    drop: float
    tolerance: float = 0.01
    steps: int = 14
    seed: int = 0
    thorough: bool = False

    @property
    def most_steps(self) -> int:
        return self.steps * 2 if self.thorough else self.steps


def search(
    target: Target,
    settings: SearchSettings,
    clean_labels: np.ndarray,
    cancel: CancelToken,
    start: Tensor | None = None,
    on_better: OnBetter | None = None,
) -> Generator[Progress, None, AttackResult]:
    """Search for the smallest change that costs ``settings.drop``; yields after every pass.

    Parameters
    ----------
    clean_labels
        The network's segmentation of the whole clean CT, uint16 (z, y, x).
    start
        Parameters to set out from; None for no change.
    on_better
        Called whenever a measurement is the best so far, with a function that gives the result until then.

    Returns
    -------
    AttackResult
        The closest measured change; ``reached`` says whether it is within the tolerance. After a cancel, or a fault once
        something has been measured, the best so far; ``stopped`` says why.

    Raises
    ------
    ValueError
        The target is above the clean Dice, or not positive.
    Cancelled
        Stopped before anything was measured.
    """
    run = _Run(target, settings, clean_labels, on_better)

    def steps() -> Generator[Progress, None, None]:
        yield from run.descend(target.synthesis.zeros() if start is None else start)
        yield from run.calibrate()
        if (above := run.overshoot()) is not None:  # a change that stopped growing short of the target
            yield from run.calibrate(above, samples=())

    return (yield from _to_the_end(run, steps(), cancel))


def set_strength(
    target: Target,
    settings: SearchSettings,
    propose: Callable[[float], Tensor],
    clean_labels: np.ndarray,
    cancel: CancelToken,
    most: int = 6,
    greatest: float = 1.0,
    on_better: OnBetter | None = None,
) -> Generator[Progress, None, AttackResult]:
    """The strength at which a proposed change costs ``settings.drop``: at most ``most`` forward passes, none backward.

    Where the proposal for the drop falls short, those for larger ones are tried; with ``most`` = 1 the first is only
    measured. Returns and raises as :func:`search` does.

    Parameters
    ----------
    propose
        Drop -> parameters of a change that is meant to cost it; they are brought into the budget.
    greatest
        The largest drop to ask ``propose`` for.
    on_better
        As for :func:`search`.
    """
    run = _Run(target, replace(settings, thorough=False), clean_labels, on_better)  # there is no search

    def steps() -> Generator[Progress, None, None]:
        strongest, spent = yield from run.try_proposals(propose, greatest, min(_PROPOSALS, most))
        if most > spent:
            yield from run.calibrate(strongest, samples=(), most=most - spent, stronger=_STRONGER)

    return (yield from _to_the_end(run, steps(), cancel))


def _to_the_end(
    run: _Run, steps: Generator[Progress, None, None], cancel: CancelToken
) -> Generator[Progress, None, AttackResult]:
    """Run the steps; after a cancel or a fault, the best so far."""
    target, clean = run.target, float(run.target.clean.mean())
    if not 0 < run.settings.drop <= clean:
        raise ValueError(
            f"target drop must be in (0, {clean:.3f}], the clean Dice of the chosen organs; got {run.settings.drop:g}"
        )
    stopped = ""
    with target.placed.network.stopping_at(cancel.check), target.synthesis.stopping_at(cancel.check):
        try:
            yield from steps
        except Cancelled:
            if run.best is None:
                raise
            stopped = CANCELLED
        except (RuntimeError, MemoryError, ValueError, OSError) as fault:  # of the network or its device
            if run.best is None:
                raise
            _log.error("a fault ended the search; the best so far is kept", exc_info=fault)
            stopped = broken_off_by(fault)
    return run.result(stopped)


class _Run:
    """One search: its best measurement so far, and the steps that improve it."""

    def __init__(
        self, target: Target, settings: SearchSettings, clean_labels: np.ndarray, on_better: OnBetter | None = None
    ) -> None:
        self.target, self.settings = target, settings
        self._clean_labels, self._on_better = clean_labels, on_better
        self.best: Measured | None = None
        self._above: Measured | None = None  # at full strength
        self.promising = Promising(settings.drop, settings.thorough)
        self._on_path: list[tuple[Tensor, float, float]] = []  # parameters, strength, drop
        self.meter = CostMeter(target.placed.network.passes)
        self._ascent = Ascent(target)
        self._started = time.monotonic()
        self._planned = settings.most_steps * 2 + 8  # in forward passes, a step counting as two
        self._spent, self._half = 0, False
        self._told = len(target.placed.network.execution.notes)

    def descend(self, parameters: Tensor) -> Generator[Progress, None, None]:
        """Gradient steps to the target, then along its level set to smaller changes."""
        target, settings = self.target, self.settings
        slope, wanted, before = 1.0, 0.0, 0.0
        reach = settings.drop / STEPS_TO_TARGET
        aim = settings.drop
        climb = Climb(settings.drop)
        for step in range(settings.most_steps):
            yield self._progress("Looking for the weak spots" if step == 0 else "Synthesising the change", 2)
            measured, gradient = target.measure_with_gradient(parameters)
            self._half |= target.placed.network.execution.half
            self._consider(measured)
            if abs(wanted) > settings.drop / 10:
                slope = float(np.clip(slope * np.clip((measured.drop - before) / wanted, 0.5, 2.0), 0.2, 5.0))
            if self.promising.settled(measured, self._ascent.alignment(measured.parameters, gradient)):
                break
            if step == settings.most_steps - 1 or not torch.isfinite(gradient).all() or not gradient.any():
                break
            if abs(settings.drop - measured.drop) < reach / 2:  # decay's curvature leaves a small lasting shortfall
                aim = float(
                    np.clip(aim + (settings.drop - measured.drop) / 2, settings.drop - 0.03, settings.drop + 0.03)
                )
            measured, gradient = climb.footing(measured, gradient)
            before, wanted = measured.drop, float(np.clip(aim - measured.drop, -reach, reach))
            moved = self._ascent.step(measured.parameters, gradient, wanted / slope, climb.radius)
            parameters = target.synthesis.project(moved)
            climb.expect(
                self._ascent.length(moved - measured.parameters),
                slope * float(gradient @ (parameters - measured.parameters)),
            )

    def try_proposals(
        self, propose: Callable[[float], Tensor], greatest: float, most: int
    ) -> Generator[Progress, None, tuple[Measured, int]]:
        """Measure changes meant for larger and larger drops until one costs enough: it, and the passes spent."""
        strongest: Measured | None = None
        asked, spent = self.settings.drop, 0
        while True:
            yield self._progress("Measuring the generated change", 1)
            measured = self.target.measure(self.target.synthesis.project(propose(asked).detach().clone()))
            spent += 1
            self._consider(measured)
            if strongest is None or measured.drop > strongest.drop:
                strongest = measured
            short = self.settings.drop - measured.drop
            if spent == most or short <= self.settings.tolerance / 2 or asked >= greatest:
                return strongest, spent
            asked = min(greatest, asked + 1.3 * short + self.settings.tolerance)

    def calibrate(
        self,
        strongest: Measured | None = None,
        samples: tuple[float, ...] = (0.75,),
        most: int = 11,
        stronger: float | None = None,
    ) -> Generator[Progress, None, None]:
        """The strength path through a change, the most promising one by default, and its first crossing of the target, in at
        most ``most`` forward passes; a change that falls short is first multiplied by ``stronger``, by default by what
        is missing."""
        strongest = strongest or (self.promising.leader if self.promising.reached else None) or self.best
        assert strongest is not None
        parameters = strongest.parameters
        self._planned = self._spent + 6
        # Where every step fell short, a slightly stronger change may bracket the target: near the budget's bounds the drop
        # grows slower than the change, by a power that the first try shows.
        power = 1.0
        before = 0.0
        for tried in range(min(_TRIES + (_MORE_TRIES if stronger is None else 0), most - 1)):
            if tried >= _TRIES and strongest.drop - before < (self.settings.drop - before) / 3:
                break
            if strongest.drop <= 0 or self.settings.drop - strongest.drop <= self.settings.tolerance / 2:
                break
            most -= 1
            yield self._progress("Making it a little stronger", 1)
            ratio = self.settings.drop / strongest.drop
            factor = stronger or float(np.clip(ratio ** (1 / power), 1.02, 1.3))
            parameters = self.target.synthesis.project(parameters * factor)
            before, strongest = strongest.drop, self.target.measure(parameters)
            self._consider(strongest)
            if strongest.drop > before:
                power = float(np.clip(np.log(strongest.drop / before) / np.log(factor), 0.25, 1.0))

        def measure(strength: float) -> float:
            measured = self.target.measure(parameters, strength)
            self._consider(measured)
            self._on_path.append((measured.parameters, strength, measured.drop))
            return measured.drop

        self._on_path.append((strongest.parameters, strongest.strength, strongest.drop))
        points = first_crossing(
            measure, strongest.drop, self.settings.drop, self.settings.tolerance / 4, samples=samples, most=min(most, 8)
        )
        for _ in points:
            yield self._progress("Setting the strength", 1)

    def overshoot(self) -> Measured | None:
        """Where nothing is a hit: the change that costs too much by the least, unless its strength path has been walked. The
        path leads down to the target."""
        above = self._above
        if self.best is None or self._hit(self.best) or above is None:
            return None
        walked = any(torch.equal(own, above.parameters) for own, _, _ in self._on_path)
        return None if walked else above

    def result(self, stopped: str) -> AttackResult:
        best = self.best
        assert best is not None
        target = self.target
        organs = tuple(
            replace(organ, attacked=float(value)) for organ, value in zip(target.organs, best.dice, strict=True)
        )
        moved = target.reference.copy()
        moved[target.synthesis.region.slices] = best.moved_reference
        return AttackResult(
            ct=target.synthesis.ct,
            region=target.synthesis.region,
            organs=organs,
            target_drop=self.settings.drop,
            tolerance=self.settings.tolerance,
            perturbed=best.perturbed,
            displacement=best.displacement,
            appearance=best.appearance,
            clean_labels=self._clean_labels,
            attacked_labels=target.placed.embed(best.attacked),
            reference=target.reference,
            moved_reference=moved,
            path=self._path_of(best),
            strength=best.strength,
            parameters=best.parameters,
            synthesis=target.synthesis,
            cost=self.meter.read(),
            seed=self.settings.seed,
            stopped=stopped,
            half=self._half,
            thorough=self.settings.thorough,
        )

    def _path_of(self, best: Measured) -> tuple[PathPoint, ...]:
        """What was measured on the path through ``best``, by strength; other parameters have another path."""
        points = {0.0: 0.0, best.strength: best.drop}
        points |= {strength: drop for own, strength, drop in self._on_path if torch.equal(own, best.parameters)}
        return tuple(PathPoint(strength, points[strength]) for strength in sorted(points))

    def _consider(self, measured: Measured) -> None:
        """Keep the measurement where it is nearer to the target, or as near and smaller."""
        nearest = float("inf") if self._above is None else self._above.drop
        if measured.strength == 1 and self.settings.drop < measured.drop < nearest:
            self._above = measured
        if self.best is None or self._rank(measured) < self._rank(self.best):
            self.best = measured
            if self._on_better is not None:
                self._on_better(lambda: self.result(""))

    def _rank(self, measured: Measured) -> tuple[int, float]:
        return (0, measured.size) if self._hit(measured) else (1, abs(measured.drop - self.settings.drop))

    def _hit(self, measured: Measured) -> bool:
        return abs(measured.drop - self.settings.drop) <= self.settings.tolerance / 2

    def _progress(self, text: str, passes: int) -> Progress:
        """What comes next; ``passes`` forward passes are about to be spent."""
        elapsed = time.monotonic() - self._started
        left = max(0, self._planned - self._spent)
        seconds = elapsed / self._spent * left if self._spent else None
        notes = self.target.placed.network.execution.notes
        if len(notes) > self._told:  # memory ran out during the last pass: say how it goes on
            text, self._told = notes[-1], len(notes)
        fraction = self._spent / max(self._planned, self._spent + passes)
        self._spent += passes
        return Progress(text, fraction, None if self.best is None else self.best.drop, seconds)
