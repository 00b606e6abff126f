"""A cohort of phantoms: one process beside two workers, what kills cost, and how time, memory and bytes grow.

    python benchmarks/cohort.py --work DIR [--cases 200] [--drops 0.1 0.3 0.5] [--alone 40] [--undisturbed 200]
                                [--runs one two killed]
    python benchmarks/cohort.py --work DIR --growth 1 10 100 1000                   what is not the attacks, for many cases
    python benchmarks/cohort.py --work DIR --paper 1000000                          one million CTs, from what was measured

The first measures three runs: a scheduler and two workers, each a process of its own, of which one worker is killed with
SIGKILL after a third and the scheduler with its workers after two thirds, all started anew; the local cluster, undisturbed,
on the first ``--undisturbed`` cases, by default all; and one process, on the first ``--alone`` cases. The tables must be equal
to the last bit, but for the columns of time, as far as they have the same cases. Memory is the workers' resident size when
they have done a tenth of their tasks, and at the end.
``--runs`` does only these; the table comes once none is missing.

Growth runs the engine with attacks that take no time: what the client, the tables and the report take.

With ``--work`` a run that was stopped goes on. ``--docs PAGE`` puts the tables between the markers ``cohort``,
``cohort-growth`` and ``cohort-paper`` of a page.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from cohort_growth import grow
from cohort_paper import on_paper
from drops import machine
from measured import put
from rows import Row, Rows

from napari_advseg.attacks import CancelToken, Progress
from napari_advseg.case import AttackRequest, finish
from napari_advseg.cohort import read_cases
from napari_advseg.cohort.study import NetworkSpec, StudyRequest, StudySummary, run_cohort
from napari_advseg.cohort.study.table import CSV, TIME_COLUMNS
from napari_advseg.samples import write_sample

RUNS = {"one": "one process", "two": "two local workers", "killed": "two workers, one killed, scheduler restarted"}


def phantoms(folder: Path, count: int) -> Path:
    """Phantoms as files, made where they are missing."""
    for seed in range(count):
        if not (folder / f"p{seed:04}").exists():
            write_sample("phantom", folder / f"p{seed:04}", seed)
    return folder


def request_for(source: Path, cases: int, drops: Sequence[float], attacker: str) -> StudyRequest:
    """The study that every run does."""
    attacks = tuple(AttackRequest(drop=drop, attacker=attacker) for drop in drops)
    listed = read_cases(source)[:cases]
    return StudyRequest(
        cases=listed, source=source, networks=(NetworkSpec(checkpoint="phantom2d"),), attacks=attacks, device="cpu"
    )


class Watch:
    """Looks at a run every second: the memory of its workers by the share of tasks that is over, and what is to be killed."""

    def __init__(self, workers: Callable[[], list[psutil.Process]], kills: dict[float, Callable[[], None]]) -> None:
        self.workers, self.kills = workers, dict(kills)
        self.memory: list[tuple[float, float]] = []
        self.killed = 0
        self._next = 0.0

    def __call__(self, step: Progress) -> None:
        for share in [one for one in self.kills if step.fraction >= one and step.fraction < 1]:
            self.kills.pop(share)()
            self.killed += 1
        if time.monotonic() > self._next:
            self._next = time.monotonic() + 1.0
            sizes = []
            for one in self.workers():
                with suppress(psutil.Error):
                    sizes.append(one.memory_info().rss / 1e6)
            if sizes:
                self.memory.append((step.fraction, max(sizes)))

    def at(self, share: float) -> float:
        """The largest worker, MB, when a share of the tasks was over."""
        later = [size for fraction, size in self.memory if fraction >= share] or [size for _, size in self.memory[-1:]]
        return later[0] if later else float("nan")


class Site:
    """A scheduler and two workers in processes of their own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._log = (folder / "site.log").open("ab")
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self._run("dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")
        for _ in range(2):
            self.start_worker()

    def start_worker(self) -> None:
        self._run("dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")

    def workers(self) -> list[psutil.Process]:
        return [psutil.Process(one.pid) for one in self._processes[1:] if one.poll() is None]

    def kill_worker(self) -> None:
        self._kill(self._processes.pop())
        self.start_worker()

    def restart(self) -> None:
        self.end()
        self.start()

    def end(self) -> None:
        for one in self._processes:
            self._kill(one)
        self._processes.clear()

    def _run(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
        environment = os.environ | {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}  # as docs/cohort.md says
        self._processes.append(subprocess.Popen(command, stdout=self._log, stderr=self._log, env=environment))

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()


def children() -> list[psutil.Process]:
    """The local cluster's workers."""
    found = psutil.Process().children(recursive=True)
    return [one for one in found if "spawn_main" in " ".join(one.cmdline())]


def timed(request: StudyRequest, out: Path, scheduler: str, watch: Watch) -> tuple[StudySummary, Row]:
    """One run from nothing: the summary, and what it took."""
    shutil.rmtree(out, ignore_errors=True)
    began, busy = time.monotonic(), time.process_time()
    workers = 2 if scheduler == "local" else None
    summary = finish(run_cohort(request, out, CancelToken(), scheduler=scheduler, workers=workers), watch)
    seconds = time.monotonic() - began
    return summary, {
        "seconds": seconds, "own_cpu_seconds": time.process_time() - busy,
        "cases_per_hour": 3600 * len(request.cases) / seconds, "done": summary.done,
        "failed": summary.failed, "kills": watch.killed, "mb_early": watch.at(0.1),
        "mb_end": watch.at(0.95), "load": os.getloadavg()[0],
    }  # fmt: skip


@contextmanager
def site_in(folder: Path) -> Iterator[Site]:
    found = Site(folder)
    found.start()
    try:
        yield found
    finally:
        found.end()


def measure(
    work: Path, given: dict[str, int], drops: Sequence[float], attacker: str, runs: Sequence[str]
) -> tuple[str, bool]:
    """The table of the three runs, and whether their results are equal; "" where a run is still missing."""
    cases = given["killed"]
    source = phantoms(work / f"phantoms{cases}", cases)
    rows = Rows(work, "cohort")
    same: Row = {"cases": cases, "drops": list(drops), "attacker": attacker}
    keys: dict[str, Row] = {name: same | {"run": name, "did": given[name]} for name in RUNS}

    def run(name: str, scheduler: str, watch: Watch) -> None:
        asked = request_for(source, given[name], drops, attacker)
        rows.keep(keys[name], timed(asked, work / f"{name}{cases}", scheduler, watch)[1])

    missing = [name for name in runs if not rows.find(**keys[name])]
    if "killed" in missing:
        with site_in(work) as site:
            run("killed", site.address, Watch(site.workers, {1 / 3: site.kill_worker, 2 / 3: site.restart}))
    if "one" in missing:
        run("one", "none", Watch(lambda: [psutil.Process()], {}))
    if "two" in missing:
        run("two", "local", Watch(children, {}))
    if not all(rows.find(**keys[name]) for name in RUNS):
        return "", True
    found = {name: rows.find(**keys[name])[-1] for name in RUNS}
    tables = {name: _table(work / f"{name}{cases}" / CSV) for name in RUNS}

    def alike(name: str) -> bool:
        among = {row["case"] for row in tables[name]}
        return tables[name] == [row for row in tables["killed"] if row["case"] in among]

    equal = alike("one") and alike("two")
    lines = [
        f"{cases} phantoms x {len(drops)} drops ({', '.join(f'{drop:g}' for drop in drops)}), {attacker}, measured on "
        f"{rows.dates()} on {machine()}. {len(tables['killed'])} rows of results, "
        f"{'equal to the last bit' if equal else 'NOT EQUAL'} in all runs that have them, but for the columns of time.",
        "",
        "| run | cases | seconds | cases per hour | times one process | kills | largest worker early, MB | at the end | load |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, told in RUNS.items():
        row = found[name]
        lines.append(
            f"| {told} | {given[name]} | {row['seconds']:.0f} | {row['cases_per_hour']:.0f} | "
            f"{row['cases_per_hour'] / found['one']['cases_per_hour']:.2f} | {row['kills']} | {row['mb_early']:.0f} | "
            f"{row['mb_end']:.0f} | {row['load']:.1f} |"
        )
    return "\n".join(lines), equal


def _table(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [{k: v for k, v in row.items() if k not in TIME_COLUMNS} for row in csv.DictReader(stream)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("bench_out"))
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--drops", type=float, nargs="+", default=[0.1, 0.3, 0.5])
    parser.add_argument("--attacker", default="search")
    parser.add_argument("--alone", type=int, default=40)
    parser.add_argument("--undisturbed", type=int)
    parser.add_argument("--runs", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--growth", type=int, nargs="+")
    parser.add_argument("--paper", type=int)
    parser.add_argument("--docs", type=Path)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.growth:
        text, name, equal = grow(given.work, given.growth), "cohort-growth", True
    elif given.paper:
        text, name, equal = on_paper(given.work, given.paper), "cohort-paper", True
    else:
        did = {"one": given.alone, "two": given.undisturbed or given.cases, "killed": given.cases}
        did = {run: min(count, given.cases) for run, count in did.items()}
        (text, equal), name = measure(given.work, did, given.drops, given.attacker, given.runs), "cohort"
    print(text)
    print(json.dumps({"system": platform.platform(), "load": os.getloadavg()}), file=sys.stderr)
    if text:
        put(text, name, given.docs)
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
