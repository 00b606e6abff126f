"""The results as a table: a row per case, attack and organ, and one per case and attack; as CSV and as Parquet.

It is made anew from the records each time, row after row, so that its size does not matter, and put in place when whole.
"""

from __future__ import annotations

import csv
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..identity import AttackJob
from ..listed import ListedCase
from ..work_folder import WorkFolder
from ..writing import ASIDE
from .task import LETTERS, task_id
from .task_record import TaskRecord, TaskStore, without_places

CSV, PARQUET = "results.csv", "results.parquet"
TIME_COLUMNS = ("seconds", "attack_seconds", "peak_memory_mb")  # what differs between equal runs
_TEXT = ("case", "case_id", "network", "network_sha256", "attacker", "aim", "organ", "state", "device", "reason")
_WHOLE = ("seed", "voxels", "forward", "backward")
COLUMNS = (
    "case", "case_id", "network", "network_sha256", "attacker", "drop", "seed", "aim", "organ", "state", "reached",
    "clean_dice", "attacked_dice", "lost", "control_lost", "voxels", "size", "max_displacement_mm",
    "mean_displacement_mm", "max_hu", "rms_hu", "min_jacobian", "max_jacobian", "noise_ratio", "ssim", "budget_mm",
    "budget_hu", "tolerance", "forward", "backward", "seconds", "attack_seconds", "peak_memory_mb", "device", "reason",
)  # fmt: skip
_CHANGE = COLUMNS[COLUMNS.index("max_displacement_mm") : COLUMNS.index("ssim") + 1]
_AT_ONCE = 10_000  # rows in memory
Row = dict[str, Any]


def write_results(cases: Iterable[ListedCase], jobs: Iterable[AttackJob], work: WorkFolder, folder: Path) -> int:
    """Write ``results.csv`` and ``results.parquet``; returns the number of rows.

    Attacks that are not done yet have no row. ``organ`` is empty in the row of the whole attack, whose Dice are means
    over the organs. ``control_lost`` is the mean drop of the random controls. ``aim`` says what the attack was scored on:
    "all", or the organs that were named.

    Raises
    ------
    OSError
        It cannot be written.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.schema([(name, _kind(name, pa)) for name in COLUMNS])
    mark = secrets.token_hex(8)
    aside = {name: folder / f"{ASIDE}{mark}-{name}" for name in (CSV, PARQUET)}
    count, kept = 0, list[Row]()
    try:
        with (
            aside[CSV].open("x", encoding="utf-8", newline="") as stream,
            ParquetWriter(aside[PARQUET], schema, compression="zstd") as parquet,
        ):
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(COLUMNS)
            for row in _rows(cases, tuple(jobs), work):
                table.writerow([_cell(row[name]) for name in COLUMNS])
                kept.append(row)
                count += 1
                if len(kept) == _AT_ONCE:
                    parquet.write_table(pa.Table.from_pylist(kept, schema))
                    kept.clear()
            parquet.write_table(pa.Table.from_pylist(kept, schema))
        for name, path in aside.items():
            path.replace(folder / name)
    finally:
        for path in aside.values():
            path.unlink(missing_ok=True)
    return count


def network_names(jobs: Iterable[AttackJob]) -> dict[str, str]:
    """What each network is called, by its SHA-256: its name, and some of its SHA-256 where several share the name."""
    names = {job.network_sha256: job.network for job in jobs}
    shared = list(names.values())
    return {
        sha256: name if shared.count(name) == 1 else f"{name} {sha256[:6]}" for sha256, name in sorted(names.items())
    }


def attacker_name(job: AttackJob) -> str:
    """What the attacker is called: "search", or a learned one's name, and how it was used."""
    attack = without_places(job).attack
    how: list[str] = [] if attack.attacker == "search" else [attack.generated]
    if attack.thorough and attack.searches:
        how.append("thorough")
    return f"{attack.attacker} ({', '.join(how)})" if how else attack.attacker


def aim_of(job: AttackJob) -> str:
    """What an attack was scored on: "all", or the organs that were named."""
    return ", ".join(job.attack.organs) or "all"


def _rows(cases: Iterable[ListedCase], jobs: tuple[AttackJob, ...], work: WorkFolder) -> Iterator[Row]:
    names, store = network_names(jobs), TaskStore(work.folder)
    for case in cases:
        case_id = work.case_id(case)
        for job in jobs:
            record = store.read(task_id(case_id, job))
            if record is not None:
                yield from _rows_of(case.name, record, job, names[job.network_sha256])


def _rows_of(name: str, record: TaskRecord, job: AttackJob, network: str) -> Iterator[Row]:
    row: Row = dict.fromkeys(COLUMNS)
    row |= {
        "case": name, "case_id": record.case_id, "network": network, "network_sha256": job.network_sha256[:LETTERS],
        "attacker": attacker_name(job), "drop": job.attack.drop, "seed": job.attack.seed, "aim": aim_of(job),
        "state": record.state, "clean_dice": record.clean_dice, "tolerance": job.attack.tolerance,
        "seconds": record.seconds, "reason": record.reason or None,
    }  # fmt: skip
    result = record.result
    if result is None:
        yield row
        return
    row |= {
        "reached": bool(result["reached"]), "attacked_dice": result["dice"]["attacked"], "lost": result["achieved_drop"],
        "control_lost": result["control"]["drop"], "voxels": sum(organ["voxels"] for organ in result["organs"]),
        "size": record.size, "budget_mm": result["budget"]["max_displacement_mm"],
        "budget_hu": result["budget"]["max_hu"], "forward": result["cost"]["forward"],
        "backward": result["cost"]["backward"], "attack_seconds": result["cost"]["seconds"],
        "peak_memory_mb": result["cost"]["peak_memory_mb"], "device": result["device"],
    }  # fmt: skip
    row |= {measure: result["change"][measure] for measure in _CHANGE}
    yield row
    for organ, control in zip(result["organs"], record.control_organs, strict=True):
        yield row | {
            "organ": organ["name"], "clean_dice": organ["clean"], "attacked_dice": organ["attacked"],
            "lost": organ["clean"] - organ["attacked"], "control_lost": control, "voxels": organ["voxels"],
        }  # fmt: skip


def _kind(name: str, pa: Any) -> Any:
    if name == "reached":
        return pa.bool_()
    if name in _TEXT:
        return pa.string()
    return pa.int64() if name in _WHOLE else pa.float64()


def _cell(value: Any) -> Any:
    """Numbers so that reading them gives the same number again."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else value
