"""What a cohort shows, from its table: hit rates, what a budget costs, fragile organs and cases, networks compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from .results import Patients, Results
from .statistics import Interval, Values, bootstrap, differences, holm, mean, median, rank_test

_FRAGILE = 6  # cases shown


class Kind(NamedTuple):
    """Attacks of one kind: those that only the patient and the seed tell apart."""

    network: str
    attacker: str
    aim: str
    drop: float


@dataclass(frozen=True)
class Hits:
    """How often a drop was reached, by what change, and what chance costs.

    Parameters
    ----------
    reached
        Mean over the patients, of 1.
    size, mm, hu
        Medians of the smallest change that costs the drop; infinite where half of the patients did not lose so much
        within the budget.
    lost, control, gap
        Mean Dice drops of the attack and of the random control, and their difference.
    """

    kind: Kind
    patients: int
    reached: Interval
    size: Interval
    mm: Interval
    hu: Interval
    lost: Interval
    control: Interval
    gap: Interval


@dataclass(frozen=True)
class OrganLoss:
    """What an organ lost to the attacks that were aimed at the mean of the organs."""

    kind: Kind
    organ: str
    patients: int
    clean: float
    lost: Interval
    control: Interval


@dataclass(frozen=True, eq=False)
class BudgetCost:
    """What a change of one size costs the patients: Dice drops, one each."""

    network: str
    attacker: str
    size: float
    drops: Values
    median: Interval


@dataclass(frozen=True)
class Fragile:
    """A case that breaks easily."""

    case_id: str
    case: str
    size: float
    lost: float
    control: float


@dataclass(frozen=True)
class Comparison:
    """Two networks on the same patients, second minus first: a positive difference of sizes says that the second holds
    out longer.

    Parameters
    ----------
    size
        Median of the differences of the size of the smallest change; infinite where half of the patients lost so much to
        one network alone.
    reached, control
        Differences of hit rates and of the random control's drops.
    p, adjusted
        Of Wilcoxon's signed-rank test on the sizes; adjusted for all comparisons of the report.
    """

    first: Kind
    second: Kind
    patients: int
    size: Interval
    reached: Interval
    control: Interval
    p: float
    adjusted: float
    same_budget: bool


def kinds(results: Results, *, lone: bool = False) -> Iterator[Kind]:
    """The kinds of attacks that were done on any patient.

    Parameters
    ----------
    lone
        Those on single organs, too, that were made beside the attacks on the mean of several.
    """
    for network in results.known("network"):
        for attacker in results.known("attacker"):
            for aim in results.known("aim") if lone else results.known("aim")[:1]:
                for drop in sorted(results.known("drop")):
                    if len(results.patients(network, attacker, drop, aim).names):
                        yield Kind(network, attacker, aim, drop)


def hits(results: Results, *, lone: bool = False) -> list[Hits]:
    """A row per kind of attack."""
    return [_hits(kind, _patients(results, kind)) for kind in kinds(results, lone=lone)]


def organ_losses(results: Results) -> list[OrganLoss]:
    """A row per kind of attack and organ, the organ that lost most first."""
    found = []
    for kind in kinds(results):
        rows = []
        for organ in results.known("organ"):
            patients = _patients(results, kind, organ)
            if len(patients.names):
                rows.append(
                    OrganLoss(
                        kind, organ, len(patients.names), float(patients.clean.mean()), bootstrap(patients.lost, mean),
                        bootstrap(patients.control, mean),
                    )
                )  # fmt: skip
        found += sorted(rows, key=lambda row: -row.lost.value)
    return found


def budget_costs(results: Results) -> list[BudgetCost]:
    """What changes of fixed sizes cost each patient; the sizes are those that cost the median patient the drops asked for."""
    found = []
    for network, attacker, aim in dict.fromkeys(kind[:3] for kind in kinds(results)):
        own = [_patients(results, kind) for kind in kinds(results) if kind[:3] == (network, attacker, aim)]
        sizes = {float(f"{middle:.2g}") for one in own if np.isfinite(middle := float(median(one.size[None])[0]))}
        for size in sorted(sizes):
            drops = drops_at(own, size)
            found.append(BudgetCost(network, attacker, size, drops, bootstrap(drops, median)))
    return found


def drops_at(attacks: list[Patients], size: float) -> Values:
    """(patient,) drops that a change of ``size`` costs the patients on whom all of ``attacks`` were done.

    Each patient's drop is interpolated between no change and the changes that were found, in the order of their sizes; a
    larger change is not let cost less. Beyond the largest change that was found, its drop: the least that is known.
    """
    shared = attacks[0].names
    for one in attacks[1:]:
        shared = np.intersect1d(shared, one.names)
    places = [one.of(shared) for one in attacks]
    drops = []
    for index in range(len(shared)):
        points = [(0.0, 0.0)]
        points += [(one.found_size[at[index]], one.lost[at[index]]) for one, at in zip(attacks, places, strict=True)]
        points.sort()
        x, y = np.array(points).T
        drops.append(float(np.interp(size, x, np.maximum.accumulate(y))))
    return np.array(drops)


def fragile_cases(results: Results) -> dict[tuple[str, str], tuple[Kind, list[Fragile]]]:
    """For each network and attacker the cases that the smallest changes break, and the kind of attack that ranks them: the
    largest drop that at least half of the patients lost."""
    found = {}
    names = results.names_of()
    for network, attacker, aim in dict.fromkeys(kind[:3] for kind in kinds(results)):
        own = [kind for kind in kinds(results) if kind[:3] == (network, attacker, aim)]
        ranking = max(
            (kind for kind in own if np.isfinite(median(_patients(results, kind).size[None])[0])),
            key=lambda kind: kind.drop, default=own[0],
        )  # fmt: skip
        patients = _patients(results, ranking)
        order = np.lexsort((patients.names, patients.size))[:_FRAGILE]
        found[network, attacker] = ranking, [
            Fragile(
                str(patients.names[at]), names[str(patients.names[at])], float(patients.size[at]),
                float(patients.lost[at]), float(patients.control[at]),
            )
            for at in order if np.isfinite(patients.size[at])
        ]  # fmt: skip
    return found


def comparisons(results: Results) -> list[Comparison]:
    """Every two networks on the patients that both were attacked on, with the same attacker and drop."""
    found = []
    for first, second in combinations(kinds(results), 2):
        if first.network == second.network or first[1:] != second[1:]:
            continue
        one, other = _patients(results, first), _patients(results, second)
        shared = np.intersect1d(one.names, other.names)
        a, b = one.of(shared), other.of(shared)
        size = differences(one.size[a], other.size[b])
        found.append(
            Comparison(
                first, second, len(shared), bootstrap(size, median),
                bootstrap(other.reached[b] - one.reached[a], mean), bootstrap(other.control[b] - one.control[a], mean),
                rank_test(size), float("nan"), results.budget(first.network) == results.budget(second.network),
            )
        )  # fmt: skip
    adjusted = holm([one.p for one in found])
    return [Comparison(**{**one.__dict__, "adjusted": p}) for one, p in zip(found, adjusted, strict=True)]


def _patients(results: Results, kind: Kind, organ: str | None = None) -> Patients:
    return results.patients(kind.network, kind.attacker, kind.drop, kind.aim, organ)


def _hits(kind: Kind, patients: Patients) -> Hits:
    return Hits(
        kind, len(patients.names), bootstrap(patients.reached, mean), bootstrap(patients.size, median),
        bootstrap(patients.mm, median), bootstrap(patients.hu, median), bootstrap(patients.lost, mean),
        bootstrap(patients.control, mean), bootstrap(patients.lost - patients.control, mean),
    )  # fmt: skip
