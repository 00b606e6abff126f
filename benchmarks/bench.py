"""Every question about the search, answered by one command: does it hit, how small is the change, what does it cost, how
does it grow.

    python benchmarks/bench.py --work bench_out                         within 30 minutes on two cores
    python benchmarks/bench.py --work bench_out --full --real CT LABELS JSON
    python benchmarks/bench.py --work bench_out --docs                  also puts the tables into the pages
    python benchmarks/bench.py --work bench_out --verify SCRIPT         an independent checker (SCRIPT BUNDLE CT) of every bundle

Runs the benchmarks one after the other, each in a process of its own with one thread; a run that was stopped goes on.
``WORK/rows.jsonl`` and ``WORK/peers.jsonl`` hold a line per measurement, ``WORK/*.md`` the tables, ``WORK/growth.svg`` the
plot, and ``WORK/seconds.json`` what every benchmark took.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from measured import put

from napari_advseg.samples import write_sample

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
COST = ROOT / "docs" / "cost.md"
FEW = ("ours", "PGD, 10 HU", "CosPGD, 10 HU", "AdvChain-like", "white noise")
REAL_ORGANS = "liver,spleen,kidney_left,gallbladder,stomach"


@dataclass(frozen=True)
class Stage:
    """A benchmark and what it is asked."""

    question: str
    script: str
    options: tuple[str, ...] = ()
    pages: tuple[Path, ...] = (COST,)


def stages(work: Path, full: bool, real: tuple[str, ...], verify: Path | None) -> list[Stage]:
    """What is run, in order."""
    own = ("--work", str(work))
    given = ("--real", *real) if real else ()
    peers = () if full else ("--cases", "1", "--drops", "0.3", "--only", *FEW)
    checked = ("--verify", str(verify)) if verify else ()
    hits = (COST, ROOT / "README.md")
    found = [
        Stage(
            "Does it hit, and how small is the change?",
            "drops.py",
            (*own, "--out", str(work / "cases"), *checked),
            hits,
        ),
        Stage("What do others make of the same CTs?", "peers.py", (*own, *peers), ()),
        Stage("Can a model observer see it?", "observer.py", own, (ROOT / "docs" / "benchmarks.md",)),
        Stage("What does it cost?", "cost.py", (*own, *given)),
        *([Stage("Are there quicker ways?", "ways.py", own)] if full else []),
        *([Stage("What does a thorough search give?", "thorough.py", (*own, *given))] if full else []),
        Stage("How does it grow?", "growth.py", (*own, *(("--full",) if full else ()))),
        Stage("How soon is it there?", "start.py", own),
    ]
    if real:
        ct, labels, names = real
        case = ("--ct", ct, "--reference", labels, "--label-names", names, "--network", "abdomen8")
        asked = ("--organs", REAL_ORGANS, "--drops", "0.1", "0.3", "0.5", "--out", str(work / "real"))
        found.append(Stage("Does it hit on a real CT?", "drops.py", (*own, *case, *asked, *checked), hits))
    return found


def run(stage: Stage, docs: bool) -> tuple[bool, float]:
    """Whether it worked, and the seconds it took."""
    shown = ("--docs", *map(str, stage.pages)) if docs and stage.pages else ()
    if docs and stage.script == "growth.py":
        shown = (*shown, "--image", str(ROOT / "docs" / "images" / "growth.svg"))
    print(f"\n## {stage.question}\n", flush=True)
    begun = time.monotonic()
    threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, str(HERE / stage.script), *stage.options, *shown]
    done = subprocess.run(command, env={**os.environ, **threads}, check=False)
    return done.returncode == 0, time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("bench_out"))
    parser.add_argument(
        "--full",
        action="store_true",
        help="all peers, other ways to run the network, the thorough search, volumes up to 512 x 512 x 600, and the real CT",
    )
    parser.add_argument("--real", nargs=3, default=(), metavar=("CT", "LABELS", "JSON"))
    parser.add_argument("--docs", action="store_true", help="put the tables into the pages")
    parser.add_argument("--verify", type=Path, help="a checker that every bundle is given to")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    real = tuple(args.real)
    if args.full and not real:
        folder = args.work / "abdomen"
        if not folder.exists():
            write_sample("abdomen", folder)
        real = tuple(str(folder / name) for name in ("ct.nii.gz", "labels.nii.gz", "labels.json"))
    file = args.work / "seconds.json"
    seconds = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    failed = []
    for stage in stages(args.work, args.full, real, args.verify):
        worked, took = run(stage, args.docs)
        seconds[stage.question] = seconds.get(stage.question, 0.0) + took  # all goes, where it was stopped
        file.write_text(json.dumps(seconds, indent=1) + "\n", encoding="utf-8")
        if not worked:
            failed.append(stage.script)
    lines = [f"| {question} | {took:.0f} |" for question, took in {**seconds, "all": sum(seconds.values())}.items()]
    table = "\n".join(["| question | seconds |", "|---|---|", *lines])
    print(f"\n{table}")
    put(table, "bench", COST if args.docs else None)
    if failed:
        print(f"\nfailed: {', '.join(failed)}; the same command goes on with what is missing", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
