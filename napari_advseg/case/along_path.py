"""A finding at another strength of its path: one synthesis and one prediction, no new search."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from ..attacks import CancelToken, CostMeter, PathPoint, Progress, Target, repeat
from .run import Finding, complete_finding


def path_target(finding: Finding) -> Target:
    """What strengths of a finding's path are measured against; may be kept for many of them."""
    case, result = finding.case, finding.result
    known = {organ.id: organ for organ in case.organs}
    organs = [replace(organ, clean=known.get(organ.id, organ).clean) for organ in result.organs]
    return Target(case.placed, result.synthesis, case.reference, [replace(o, attacked=o.clean) for o in organs])


def finding_at(finding: Finding, target: Target, strength: float, cancel: CancelToken) -> Finding:
    """The finding with its change at another strength; its evidence is still to be measured.

    Parameters
    ----------
    target
        From :func:`path_target`.
    strength
        In [0, 1], of ``finding.result.parameters``.

    Returns
    -------
    Finding
        ``result.path`` holds the new point, ``result.cost`` what it took; the target drop is the finding's.

    Raises
    ------
    Cancelled
        Stopped within the pass.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"the strength must be in [0, 1]; got {strength:g}")
    case, result = finding.case, finding.result
    meter = CostMeter(case.network.passes)
    with case.network.stopping_at(cancel.check), result.synthesis.stopping_at(cancel.check):
        measured = target.measure(result.parameters, strength)
    moved = case.reference.copy()
    moved[result.region.slices] = measured.moved_reference
    points = {point.strength: point.drop for point in result.path} | {strength: measured.drop}
    spent, cost = meter.read(), result.cost
    organs = tuple(
        replace(scored, name=organ.name, attacked=float(value))
        for organ, scored, value in zip(result.organs, target.organs, measured.dice, strict=True)
    )
    return Finding(
        case,
        replace(
            result,
            organs=organs,
            perturbed=measured.perturbed,
            displacement=measured.displacement,
            appearance=measured.appearance,
            clean_labels=case.clean_labels,
            attacked_labels=target.placed.embed(measured.attacked),
            moved_reference=moved,
            path=tuple(PathPoint(s, points[s]) for s in sorted(points)),
            strength=strength,
            cost=replace(
                cost,
                forward=cost.forward + spent.forward,
                seconds=round(cost.seconds + spent.seconds, 2),
                peak_memory_mb=max(cost.peak_memory_mb, spent.peak_memory_mb),
            ),
            generated="strength" if result.generated == "alone" else result.generated,
            repeats=None,
            device="",  # every figure is measured anew, here
        ),
        None,
    )


def complete_on_path(finding: Finding, cancel: CancelToken) -> Generator[Progress, None, Finding]:
    """The random control and the evidence of a finding, after the repeats that a random network needs."""
    if finding.case.network.random and finding.result.repeats is None:
        result = yield from repeat(path_target(finding), finding.result, cancel)
        finding = Finding(finding.case, result, None)
    return (yield from complete_finding(finding, cancel))
