"""What a cohort takes beside its attacks, for more and more cases: the client's hashing and bookkeeping, tables, report."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rows import Row, Rows

from napari_advseg.attacks import CancelToken, peak_memory_mb
from napari_advseg.case import AttackRequest, finish
from napari_advseg.cohort import WorkFolder, read_cases
from napari_advseg.cohort.study import InProcess, NetworkSpec, StudyRequest, Task, TaskRecord, run_study
from napari_advseg.cohort.study.executors import Ended
from napari_advseg.cohort.study.report import write_cohort_report
from napari_advseg.cohort.study.table import write_results
from napari_advseg.samples import write_sample

DROPS = (0.1, 0.3, 0.5)


class Copying(InProcess):
    """One attack is made; all others have its record under their own names, so that only the engine's work is left."""

    def __init__(self) -> None:
        super().__init__(CancelToken())
        self._made: dict[float, tuple[TaskRecord, bytes]] = {}

    def collect(self, timeout: float) -> list[Ended]:
        task: Task = self._waiting[0]
        drop = task.job.attack.drop
        if drop not in self._made:
            (ended,) = super().collect(timeout)
            assert ended.record is not None
            self._made[drop] = ended.record, ended.picture
            return [ended]
        self._waiting.pop(0)
        record, picture = self._made[drop]
        return [Ended(task, record.model_copy(update={"id": task.id, "case_id": task.case_id}), picture)]


def measure(work: Path, cases: int) -> Row:
    """Seconds and peak memory of a cohort of files that differ in one byte of the CT, without the attacks."""
    source, out = work / f"grown{cases}", work / f"grown_out{cases}"
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    case = write_sample("phantom", work / f"grown_sample{cases}", 0)
    for number in range(cases):
        folder = source / f"p{number:07}"
        folder.mkdir(parents=True)
        content = (case / "ct.nii.gz").read_bytes()
        # a gzip file may be followed by another one: an empty one of its own name makes another content
        (folder / "ct.nii.gz").write_bytes(content + _empty_gzip(number))
        (folder / "labels.nii.gz").write_bytes((case / "labels.nii.gz").read_bytes())
    shutil.rmtree(case)
    attacks = tuple(AttackRequest(drop=drop, attacker="phantom2d", generated="alone", tolerance=0.5) for drop in DROPS)
    request = StudyRequest(
        cases=read_cases(source),
        source=source,
        networks=(NetworkSpec(checkpoint="phantom2d"),),
        attacks=attacks,
        device="cpu",
    )
    jobs, folder_of = request.jobs(), WorkFolder(out, source)
    times = {}
    executor = Copying()
    for drop in range(len(DROPS)):  # the real attacks, before the clock runs
        only = request.model_copy(update={"cases": request.cases[:1], "attacks": attacks[drop : drop + 1]})
        finish(run_study(only, only.jobs(), folder_of, executor, CancelToken()))
    for name in ("run", "again"):
        began = time.monotonic()
        finish(run_study(request, jobs, folder_of, executor, CancelToken()))
        times[name] = time.monotonic() - began
    plain = tuple(job for _, job in jobs)
    began = time.monotonic()
    count = write_results(request.cases, plain, folder_of, out)
    times["tables"] = time.monotonic() - began
    began = time.monotonic()
    write_cohort_report(plain, folder_of, out)
    times["report"] = time.monotonic() - began
    kept = sum(path.stat().st_size for path in (out / "tasks").rglob("*") if path.is_file())
    named = {name: (out / name).stat().st_size for name in ("results.csv", "report.html", "hashes.json")}
    shutil.rmtree(source)
    shutil.rmtree(out)
    return times | {"rows": count, "mb": peak_memory_mb(), "kept_bytes": kept, "bytes": named}


def grow(work: Path, counts: Sequence[int]) -> str:
    """A table for the counts, each measured in a process of its own."""
    rows = Rows(work, "cohort-growth")
    for count in counts:
        if not rows.find(cases=count):
            command = [sys.executable, __file__, str(work), str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{count} cases: the process ended with {done.returncode}\n{done.stderr[-2000:]}")
            rows.keep({"cases": count}, json.loads(done.stdout.splitlines()[-1]))
    lines = [
        f"Without the attacks: seconds of the client for cases x {len(DROPS)} drops, measured on {rows.dates()}.",
        "",
        "| cases | tasks: hash, submit, write | again, all done | tables | report | peak MB | records and pictures, MB | "
        "CSV, MB | report, kB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for count in counts:
        row = rows.find(cases=count)[-1]
        sizes = row["bytes"]
        lines.append(
            f"| {count} | {row['run']:.2f} | {row['again']:.2f} | {row['tables']:.2f} | {row['report']:.2f} | {row['mb']:.0f} | "
            f"{row['kept_bytes'] / 1e6:.2f} | {sizes['results.csv'] / 1e6:.2f} | "
            f"{sizes['report.html'] / 1e3:.0f} |"
        )
    return "\n".join(lines)


def _empty_gzip(number: int) -> bytes:
    import gzip
    import io

    out = io.BytesIO()
    with gzip.GzipFile(filename=str(number), mode="wb", fileobj=out, mtime=0):
        pass
    return out.getvalue()


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
