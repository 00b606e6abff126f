"""cohort."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .greedy import GreedyCommand
from .options import (
    FAULT,
    NOT_REACHED,
    REACHED,
    Appearance,
    Checkpointing,
    Deformation,
    Device,
    Half,
    Interpolation,
    Json,
    MaxDisplacement,
    MaxHu,
    Mirroring,
    Organs,
    Thorough,
    Tolerance,
    Trust,
    WhereToChange,
    app,
    names,
)
from .running import interruptible, say, show

if TYPE_CHECKING:
    from ..case import AttackRequest
    from ..cohort.study import StudySummary


@app.command(cls=GreedyCommand)
def cohort(
    cases: Annotated[
        Path, typer.Argument(help="A folder of cases, a CSV (case, ct, reference, label_names), or a cohort's folder.")
    ],
    network: Annotated[list[str], typer.Option(help="Checkpoints or names of known networks, one or several.")],
    out: Annotated[Path, typer.Option(help="Folder for tables and report; a cohort that stopped there goes on.")],
    drop: Annotated[list[float] | None, typer.Option(help="Dice points of 1 to lose, one or several.")] = None,
    attacker: Annotated[
        list[str] | None, typer.Option(help="search, phantom2d (shipped), or folders that train wrote.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="One or several; each attacks every case anew.")] = None,
    generated: Annotated[
        str, typer.Option(help="A learned attacker's change: alone, strength, or start.")
    ] = "strength",
    organs: Organs = "",
    per_organ: Annotated[bool, typer.Option("--per-organ", help="Attack each organ alone, too.")] = False,
    scheduler: Annotated[
        str, typer.Option(help="local, none (this process), tcp://host:8786, tls://..., or a scheduler's .json file.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of the local scheduler; one per GPU or core by default.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads per attack; equal numbers give equal bits.")] = 1,
    retries: Annotated[int, typer.Option(min=0, help="New tries after a lost worker, or memory that ran out.")] = 2,
    bundles: Annotated[bool, typer.Option("--bundles", help="Keep every bundle; the workers write them.")] = False,
    pictures: Annotated[bool, typer.Option(help="Keep a small picture of every attack for the report.")] = True,
    region: WhereToChange = "auto",
    max_displacement_mm: MaxDisplacement = None,
    max_hu: MaxHu = 15.0,
    tolerance: Tolerance = 0.01,
    deformation: Deformation = True,
    appearance: Appearance = True,
    interpolation: Interpolation = "bspline",
    thorough: Thorough = False,
    device: Device = "auto",
    trust: Trust = False,
    mirroring: Mirroring = True,
    checkpointing: Checkpointing = False,
    half: Half = False,
    as_json: Json = False,
) -> None:
    """Attack networks on many cases, here or on a Dask cluster, and write tables and a report without patients' names."""
    from ..cohort import is_work_folder, place_of_list, read_cases
    from ..cohort.study import NetworkSpec, StudyRequest, run_cohort

    attacks = _attacks(
        drop or [0.3], seed or [0], attacker or ["search"], generated=generated, organs=names(organs),
        max_displacement_mm=max_displacement_mm, max_hu=max_hu, tolerance=tolerance, deformation=deformation,
        appearance=appearance, interpolation=interpolation, thorough=thorough,
    )  # fmt: skip
    source = place_of_list(cases) if is_work_folder(cases) else cases
    listed = read_cases(source)
    options: dict[str, Any] = {
        "trust": trust, "mirroring": mirroring, "checkpointing": checkpointing, "half": half,
    }  # fmt: skip
    request = StudyRequest(
        cases=listed, source=source.absolute(), attacks=attacks, per_organ=per_organ, region=region, device=device,
        networks=tuple(NetworkSpec(checkpoint=one, **options) for one in network), threads=threads, pictures=pictures,
        bundles=bundles, retries=retries,
    )  # fmt: skip
    say(f"{len(listed)} case{'' if len(listed) == 1 else 's'}")
    with interruptible("stopping; what is done is kept (Ctrl-C again to end at once)") as cancel:
        summary = show(run_cohort(request, out, cancel, scheduler=scheduler, workers=workers))
    _tell(summary, out, as_json)
    raise typer.Exit(_status(summary))


def _attacks(drops: list[float], seeds: list[int], attackers: list[str], **settings: Any) -> tuple[AttackRequest, ...]:
    from ..case import AttackRequest

    return tuple(
        AttackRequest.model_validate({"drop": drop, "seed": seed, "attacker": attacker, **settings})
        for attacker, drop, seed in product(*(dict.fromkeys(one) for one in (attackers, drops, seeds)))
    )


def _tell(summary: StudySummary, out: Path, as_json: bool) -> None:
    done = summary.reached + summary.not_reached
    if as_json:
        names = ("total", "skipped", "done", "failed", "absent", "reached", "not_reached", "lost_workers", "stopped")
        print(json.dumps({name: getattr(summary, name) for name in names}, indent=2))
    parts = [f"{done} of {summary.total} attacks done, {summary.reached} reached their drop"]
    parts += [f"{summary.skipped} of them were done before"] if summary.skipped else []
    parts += [f"{summary.absent} without the organ"] if summary.absent else []
    parts += [f"{summary.failed} failed, each with its reason in the table"] if summary.failed else []
    say("; ".join(parts))
    if summary.stopped:
        say("stopped; the same command goes on from there")
    say(f"results.csv, results.parquet, fragility.svg and report.html in {out}")


def _status(summary: StudySummary) -> int:
    if summary.stopped or (summary.failed and not summary.reached + summary.not_reached):
        return FAULT
    return NOT_REACHED if summary.failed or summary.not_reached else REACHED
