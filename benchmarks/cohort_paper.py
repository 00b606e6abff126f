"""A cohort that nobody has run: machines, hours and bytes, from costs that were measured."""

from __future__ import annotations

from pathlib import Path

from rows import Row, Rows

DROPS = 3
_WEEK_H = 7 * 24


def on_paper(work: Path, cases: int) -> str:
    """What ``cases`` CTs x 3 drops take, by the rates that ``cohort.py`` has left in ``work``."""
    runs, growth = Rows(work, "cohort").all, Rows(work, "cohort-growth").all
    if not runs or not growth:
        raise SystemExit("measure first: cohort.py --work DIR, and cohort.py --work DIR --growth 100 1000")
    largest: Row = max(growth, key=lambda row: row["cases"])
    # the processor's seconds: the clock's say what else ran on the machine
    one = max((row for row in runs if row["run"] == "one" and "own_cpu_seconds" in row), key=lambda row: row["cases"])
    tasks, did = cases * DROPS, one.get("did", one["cases"])
    seconds = one["own_cpu_seconds"] / (did * len(one["drops"]))
    share = cases / largest["cases"]
    core_hours = tasks * seconds / 3600
    client = {name: share * largest[name] / 3600 for name in ("run", "again", "tables", "report")}
    kept, table = share * largest["kept_bytes"], share * largest["bytes"]["results.csv"]
    return "\n".join(
        [
            f"{cases:,} CTs x {DROPS} drops of the embedded kind, in proportion to what was measured: an attack took "
            f"{seconds:.1f} s of one core, all included, on {did} cases; the rest is from {largest['cases']} cases.",
            "",
            f"* {tasks:,} attacks, {core_hours:,.0f} core hours: {core_hours / _WEEK_H:,.0f} cores for a week.",
            f"* The client: {client['run']:.1f} h of hashing, submitting and writing records beside the attacks, "
            f"{client['again']:.1f} h to find that all is done, {client['tables']:.1f} h for the tables and "
            f"{client['report']:.1f} h for the report.",
            f"* {kept / 1e9:,.0f} GB of records and pictures, {table / 1e9:.1f} GB of CSV.",
            f"* One client feeds {seconds * largest['cases'] * DROPS / largest['run']:,.0f} cores before it is what limits.",
        ]
    )
