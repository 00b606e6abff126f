"""The report of a cohort: one page that needs nothing but itself and names no patient."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...evidence import page_environment
from ..identity import AttackJob
from ..work_folder import WorkFolder
from ..writing import write_text
from .charts import spread_svg
from .findings import (
    BudgetCost,
    Kind,
    budget_costs,
    comparisons,
    fragile_cases,
    hits,
    kinds,
    organ_losses,
)
from .fragility import fragility_svg, write_fragility
from .results import Results
from .statistics import Interval
from .table import PARQUET, aim_of, attacker_name, network_names
from .task import task_id
from .task_record import TaskStore

REPORT = "report.html"
_TEMPLATE = "cohort.html.j2"
Jobs = tuple[AttackJob, ...]


def write_cohort_report(jobs: Jobs, work: WorkFolder, folder: Path) -> Path:
    """Write ``report.html``, ``fragility.csv`` and ``fragility.svg`` from the table in the folder; returns the page's path.

    Raises
    ------
    OSError
        The table is not there, or the page cannot be written.
    """
    results = Results(folder / PARQUET)
    every = hits(results, lone=True)
    joint = set(kinds(results))
    write_fragility(every, folder)
    compared, budgets = comparisons(results), budget_costs(results)
    environment = page_environment("napari_advseg.cohort.study")
    environment.filters |= {"number": number, "percent": _percent, "p_value": _p_value}
    page = environment.get_template(_TEMPLATE).render(
        networks=results.known("network"),
        cases=results.cases(),
        done=results.count("done"),
        failed=results.count("failed"),
        absent=results.count("absent"),
        hits=[row for row in every if row.kind in joint],
        lone=[row for row in every if row.kind not in joint],
        budgets={network: results.budget(network) for network in results.known("network")},
        curve=_data_uri("image/svg+xml", fragility_svg(every)),
        panels=max(1, len({row.kind[:2] for row in every})),
        spreads=_spreads(results),
        budget_rows=budgets,
        budget_charts=_budget_charts(budgets),
        organs=organ_losses(results),
        fragile=_fragile(results, jobs, TaskStore(work.folder)),
        comparisons=compared,
        other_budgets=any(not row.same_budget for row in compared),
        failures=results.failures(),
    )
    return write_text(folder / REPORT, page)


def number(value: float, digits: int) -> str:
    """A number for people; what is beyond the budget, and what is none, in words."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "> budget" if value > 0 else "< −budget"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _percent(interval: Interval) -> Markup:
    if math.isnan(interval.value):
        return Markup("–")
    value, low, high = (number(100 * one, 0) for one in (interval.value, interval.low, interval.high))
    if math.isnan(interval.low):
        return Markup(value)
    return Markup(f'{value}<br><span class="faint">{low} to {high}</span>')


def _p_value(p: float) -> str:
    if math.isnan(p):
        return "–"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def _spreads(results: Results) -> list[Markup]:
    charts = []
    for network, attacker in dict.fromkeys(kind[:2] for kind in kinds(results)):
        own = [kind for kind in kinds(results) if kind[:2] == (network, attacker)]
        found = [(kind, results.patients(kind.network, kind.attacker, kind.drop, kind.aim)) for kind in own]
        name = f"{network}, {attacker}"
        sizes = [(f"asked {kind.drop:.2f}", patients.size, "attack") for kind, patients in found]
        charts.append(spread_svg(f"{name}: smallest change", sizes, "rms, of the budget", 2))
        drops = []
        for kind, patients in found:
            drops += [
                (f"asked {kind.drop:.2f}", patients.lost, "attack"),
                ("random control", patients.control, "control"),
            ]
        charts.append(spread_svg(f"{name}: Dice drop", drops, "Dice drop", 2))
    return charts


def _budget_charts(budgets: list[BudgetCost]) -> list[Markup]:
    charts = []
    for network, attacker in dict.fromkeys((row.network, row.attacker) for row in budgets):
        own = [row for row in budgets if (row.network, row.attacker) == (network, attacker)]
        rows = [(f"size {row.size:g}", row.drops, "attack") for row in own]
        charts.append(spread_svg(f"{network}, {attacker}: drop at a fixed size", rows, "Dice drop", 2))
    return charts


def _fragile(results: Results, jobs: Jobs, store: TaskStore) -> list[Mapping[str, Any]]:
    blocks: list[Mapping[str, Any]] = []
    for kind, cases in fragile_cases(results).values():
        shown = []
        for case in cases:
            picture = next(
                (found for one in _jobs_of(kind, jobs) if (found := store.picture(task_id(case.case_id, one)))), b""
            )
            shown.append(asdict(case) | {"picture": _data_uri("image/webp", picture) if picture else ""})
        blocks.append({"kind": kind, "cases": shown})
    return blocks


def _jobs_of(kind: Kind, jobs: Jobs) -> Jobs:
    names = network_names(jobs)
    return tuple(
        job for job in jobs
        if Kind(names[job.network_sha256], attacker_name(job), aim_of(job), job.attack.drop) == kind
    )  # fmt: skip


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
