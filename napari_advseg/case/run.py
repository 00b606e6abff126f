"""The main job, top to bottom: CT -> Volume -> SegmentationNetwork -> attack -> AttackResult -> evidence -> bundle."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..attacks import (
    AttackResult,
    Cancelled,
    CancelToken,
    CostMeter,
    Organ,
    Progress,
    SearchSettings,
    Target,
    broken_off_by,
    repeat,
    search,
    set_strength,
)
from ..evidence import Evidence, measure_control, measure_evidence, save_bundle
from ..generator import WEIGHTS, Attacker, AttackerCard
from ..networks import SegmentationNetwork
from ..samples import attacker_folder
from ..synthesis import Kind, Synthesis
from ..volume import Region, file_sha256, organ_key
from .case import Case, open_case
from .request import AttackRequest, CaseRequest

T = TypeVar("T")
_log = logging.getLogger(__name__)
OnBetter = Callable[[Callable[[], "Finding"]], object]
CONTROL_DRAWS = 3
_MARGIN_MM = 40.0  # around the organs: several control points of the deformation, all that a patch can see nearby
_GENERATED_PASSES = 6  # eight with the two on the clean CT: the reference's and the generator's
_OPENING_SHARE = 0.1  # of the whole job's progress bar
_SEARCH_SHARE = 0.85  # of the attack's; the random control takes the rest


@dataclass(frozen=True, eq=False)
class Finding:
    """A case, what the attack found on it, and the evidence; None where a cancelled run has not measured it."""

    case: Case
    result: AttackResult
    evidence: Evidence | None


def run(
    case_request: CaseRequest, attack_request: AttackRequest, cancel: CancelToken
) -> Generator[Progress, None, Finding]:
    """The whole job. Yields progress, returns the finding."""
    attack_request.budget(3)  # what is out of range is said now, not after the case has been opened
    if attack_request.attacker != "search":
        AttackerCard.read(attacker_folder(attack_request.attacker))
    case = yield from scaled(open_case(case_request, cancel), 0.0, _OPENING_SHARE)
    return (yield from scaled(attack_case(case, attack_request, cancel), _OPENING_SHARE, 1.0))


def attack_case(
    case: Case, request: AttackRequest, cancel: CancelToken, on_better: OnBetter | None = None
) -> Generator[Progress, None, Finding]:
    """Attack an open case.

    Parameters
    ----------
    on_better
        Called whenever a measurement is the best so far, with a function that gives the finding until then.

    Returns
    -------
    Finding
        After a cancel or a fault the best so far, its ``result.stopped`` saying so.

    Raises
    ------
    ValueError
        An organ that cannot be scored, a target above the clean Dice, nothing that may change.
    Cancelled
        Stopped before anything was measured.
    """
    target = make_target(case, request)
    settings = SearchSettings(request.drop, request.tolerance, seed=request.seed, thorough=request.thorough)
    tell: Callable[[Callable[[], AttackResult]], object] | None = None
    if on_better is not None:
        tell = lambda made: on_better(lambda: Finding(case, _with_clean_pass(made()), None))  # noqa: E731
    with case.network.remembering():
        result = yield from scaled(_attacking(case, target, settings, request, cancel, tell), 0.0, _SEARCH_SHARE)
        result = _with_clean_pass(result)
        if result.stopped:
            return Finding(case, result, None)
        finding = Finding(case, result, None)
        try:
            if case.network.random:
                result = yield from scaled(repeat(target, result, cancel), _SEARCH_SHARE, _SEARCH_SHARE)
                finding = Finding(case, result, None)
            return (yield from complete_finding(finding, cancel))
        except Cancelled:
            return finding  # the attack itself is whole; only its control is missing
        except (RuntimeError, MemoryError, ValueError, OSError) as fault:  # as above, and the reason is told
            _log.error("a fault ended the random control; the attack is kept", exc_info=fault)
            return replace(finding, result=replace(finding.result, stopped=broken_off_by(fault)))


def _attacking(
    case: Case,
    target: Target,
    settings: SearchSettings,
    request: AttackRequest,
    cancel: CancelToken,
    tell: Callable[[Callable[[], AttackResult]], object] | None,
) -> Generator[Progress, None, AttackResult]:
    """The search, or the learned attacker where one is asked for."""
    if request.attacker == "search":
        return (yield from search(target, settings, case.clean_labels, cancel, on_better=tell))
    folder = Path(attacker_folder(request.attacker))
    attacker = Attacker.load(folder, case.network.device)
    attacker.fits(case.network.card, target.synthesis.kind)
    note = attacker.warning(case.network.card)
    yield Progress(note or "Generating the change", 0.0)
    passes = case.network.passes.forward
    draw = attacker.drawing(target, request.seed)
    passes, sha256 = case.network.passes.forward - passes, file_sha256([folder / WEIGHTS])

    def marked(result: AttackResult) -> AttackResult:
        cost = replace(result.cost, forward=result.cost.forward + passes)
        return replace(
            result, attacker="generator", generated=request.generated, generator_sha256=sha256, note=note, cost=cost
        )

    on_better = None if tell is None else lambda made: tell(lambda: marked(made()))
    if request.generated == "start":
        result = yield from search(target, settings, case.clean_labels, cancel, draw(request.drop), on_better)
    else:
        most, greatest = 1 if request.generated == "alone" else _GENERATED_PASSES, attacker.card.drops[1]
        result = yield from set_strength(target, settings, draw, case.clean_labels, cancel, most, greatest, on_better)
    return marked(result)


def _with_clean_pass(result: AttackResult) -> AttackResult:
    """The pass of ``open_case`` counts, too."""
    return replace(result, cost=replace(result.cost, forward=result.cost.forward + 1))


def complete_finding(finding: Finding, cancel: CancelToken) -> Generator[Progress, None, Finding]:
    """Measure the random control and the evidence where they are missing."""
    if finding.evidence is not None:
        return finding
    case, result = finding.case, finding.result
    target = Target(
        case.placed, result.synthesis, case.reference, [replace(o, attacked=o.clean) for o in result.organs]
    )
    meter = CostMeter(case.network.passes)
    controls = []
    with case.network.stopping_at(cancel.check), result.synthesis.stopping_at(cancel.check):
        for draw in range(CONTROL_DRAWS):
            yield Progress(
                "Trying random changes of the same size",
                _SEARCH_SHARE + 0.1 * draw / CONTROL_DRAWS,
                result.achieved_drop,
            )
            measured = measure_control(target, result, draw)
            controls.append((measured.drop, target.clean - measured.dice))  # without its volumes
    yield Progress("Measuring the change", 0.97, result.achieved_drop)
    spent, cost = meter.read(), result.cost
    total = replace(
        cost,
        forward=cost.forward + spent.forward,
        seconds=round(cost.seconds + spent.seconds, 2),
        peak_memory_mb=spent.peak_memory_mb,
    )
    drops, organ_drops = [drop for drop, _ in controls], [lost for _, lost in controls]
    return Finding(case, replace(result, cost=total), measure_evidence(result, drops, organ_drops))


def save_finding(finding: Finding, folder: str | Path) -> Path:
    """Write the bundle; the evidence must be there (:func:`complete_finding`)."""
    if finding.evidence is None:
        raise ValueError("the random control has not been measured: complete the finding before saving it")
    return save_bundle(finding.result, finding.evidence, finding.case.network, folder)


def finish(steps: Generator[Progress, None, T], on_progress: Callable[[Progress], object] | None = None) -> T:
    """Run a generator of progress to its end and give what it returns."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if on_progress is not None:
            on_progress(step)


def make_target(case: Case, request: AttackRequest) -> Target:
    """What an attack on an open case is aimed at."""
    network, grid = case.network, case.ct.grid
    still_axis = network.card.slice_axis(grid)
    kind = Kind(
        deformation=request.deformation,
        appearance=request.appearance,
        still_axis=still_axis,
        interpolation=request.interpolation,
    )
    budget = request.budget(network.card.dimensions)
    if not (kind.deformation and budget.max_displacement_mm) and not (kind.appearance and budget.max_hu):
        raise ValueError("nothing may change: give what is switched on a budget above 0 (mm or HU)")
    organs = pick_organs(case.organs, request.organs, network)
    synthesis = Synthesis(case.ct, _where(case, organs), budget, kind, network.device)
    return Target(case.placed, synthesis, case.reference, organs)


def _where(case: Case, organs: tuple[Organ, ...]) -> Region:
    """Where the CT may change: the case's region; for a network that works through patches, unless the user has given
    one, the box around the scored organs, because far from them nothing matters and a whole body is large."""
    if case.network.card.patch is None or case.request.region != "auto":
        return case.region
    return Region.around(np.isin(case.reference, [organ.id for organ in organs]), case.ct.grid, (_MARGIN_MM,) * 3)


def pick_organs(
    scorable: tuple[Organ, ...], wanted: tuple[str, ...], network: SegmentationNetwork
) -> tuple[Organ, ...]:
    """The organs named, all where none is named; one line of error for a name that cannot be scored."""
    if not scorable:
        raise ValueError("no organ can be scored: each needs at least 50 voxels in the reference")
    if not wanted:
        return scorable
    by_key = {organ_key(organ.name): organ for organ in scorable}
    unknown = [name for name in wanted if organ_key(name) not in by_key]
    if unknown:
        known = {organ_key(name) for name in network.card.organs.values()}
        why = (
            "not an organ of the network"
            if organ_key(unknown[0]) not in known
            else "in too few voxels of the reference (50 are needed)"
        )
        raise ValueError(f"{unknown[0]!r} is {why}; these can be scored: {', '.join(organ.name for organ in scorable)}")
    chosen = {by_key[organ_key(name)].id for name in wanted}
    return tuple(organ for organ in scorable if organ.id in chosen)


def scaled(steps: Generator[Progress, None, T], start: float, stop: float) -> Generator[Progress, None, T]:
    """The same steps on a part of the progress bar."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        yield replace(step, fraction=start + (stop - start) * step.fraction)
