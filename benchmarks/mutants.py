"""Would the tests notice? A sample of small faults in the code, and how many of them a test finds.

    python benchmarks/mutants.py --work DIR [--count 100] [--seed 0] [--docs docs/mutants.md]
    python benchmarks/mutants.py --work DIR --again SURVIVORS_OF      with new tests, those that survived another run
    python benchmarks/mutants.py --work DIR --only-table

Works on a copy of the code in ``DIR/copy``: no fault ever stands in the working tree. First the tests run once with
coverage, which tells the tests of every line; then every mutant is tried by the tests that run its line, those that run
least of the code first, for at most ``--most-seconds`` together, in a fork of a process that has loaded torch already. What
is a mutant, and which ones cannot be seen by any test and are left out beforehand, stands in ``mutant_places.py``. A run
that was stopped goes on: ``DIR/mutants.jsonl`` holds what has been tried.
"""

from __future__ import annotations

import argparse
import difflib
import json
import shutil
import sys
from collections import Counter
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from measured import put
from mutant_places import Mutant, draw
from mutant_runs import Tests, cover, run_whole, try_mutant, warm_up

ROOT = Path(__file__).parents[1]
ROOMS = ("synthesis", "attacks", "evidence")
TESTS = ("tests/synthesis", "tests/attacks", "tests/evidence")
COPIED = ("napari_advseg", "tests", "pyproject.toml", "README.md", "napari.yaml")
LONGER, AT_LEAST_S = 5.0, 90.0
Row = dict[str, Any]


def copy_of_code(copy: Path) -> None:
    """The working tree as it is now, anew."""
    if copy.exists():
        shutil.rmtree(copy)
    copy.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "fuzzing", "faults"))
        else:
            shutil.copy(source, copy / name)


def change_of(source: str, code: str) -> str:
    """The lines that differ."""
    lines = difflib.unified_diff(source.splitlines(), code.splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def try_all(work: Path, copy: Path, mutants: list[Mutant], tests: Tests) -> list[Row]:
    """A row for each; those that are in the work folder are not tried again."""
    file = work / "mutants.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    rows = {row["mutant"]: row for row in map(json.loads, lines)}
    log = work / "pytest.log"
    for number, mutant in enumerate(mutants):
        name = f"{mutant.file}:{mutant.line}:{mutant.column} {mutant.operator} {mutant.occurrence}"
        if name in rows:
            continue
        own, source = tests.of(mutant), (copy / mutant.file).read_text(encoding="utf-8")
        outcome, seconds = "no test", 0.0
        if own:
            limit = max(AT_LEAST_S, LONGER * tests.seconds(own))
            outcome, seconds = try_mutant(copy, mutant, own, limit, log)
        row = {"mutant": name, **asdict(mutant), "outcome": outcome, "tests": len(own), "seconds": round(seconds, 1),
               "change": change_of(source, mutant.code(source))}  # fmt: skip
        rows[name] = row
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        print(f"{number + 1} of {len(mutants)}: {name}: {outcome}, {len(own)} tests, {seconds:.1f} s", flush=True)
    return list(rows.values())


def interval(part: int, whole: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, part / whole
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z * (share * (1 - share) / whole + z * z / (4 * whole * whole)) ** 0.5 / (1 + z * z / whole)
    return middle - half, middle + half


def text_of(about: Row, rows: list[Row]) -> str:
    """A table of rooms, and one of files."""
    lines = [
        "| room or file | drawn | killed | timeout | survived | no test | found | 95 % interval |",
        "|---" * 8 + "|",
    ]
    for room in ROOMS:
        some = [row for row in rows if row["file"].split("/")[1] == room]
        if some:
            lines.append(_line(f"**{room}**", some))
            lines += [
                _line(f"`{file.split('/', 1)[1]}`", [row for row in some if row["file"] == file])
                for file in sorted({row["file"] for row in some})
            ]
    return (
        f"Measured on {about['date']} on {about['machine']}; seed {about['seed']}, {about['tests']} tests in "
        f"{about['seconds']:.0f} s.\n\n" + "\n".join(lines)
    )


def _line(name: str, rows: list[Row]) -> str:
    count = Counter(row["outcome"] for row in rows)
    found = count["killed"] + count["timeout"]
    low, high = interval(found, len(rows))
    return (
        f"| {name} | {len(rows)} | {count['killed']} | {count['timeout']} | {count['survived']} | {count['no test']} "
        f"| {100 * found / len(rows):.0f} % | {100 * low:.0f} to {100 * high:.0f} % |"
    )


def survivors_of(folder: Path) -> list[str]:
    lines = (folder / "mutants.jsonl").read_text(encoding="utf-8").splitlines()
    return [row["mutant"] for row in map(json.loads, lines) if row["outcome"] in ("survived", "no test")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100, help="mutants per room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", nargs="+", default=ROOMS, choices=ROOMS)
    parser.add_argument("--tests", nargs="+", default=TESTS)
    parser.add_argument("--most-seconds", type=float, default=20, help="of the tests of one mutant, together")
    parser.add_argument("--again", type=Path, help="the work folder of another run, of whose draw only the survivors")
    parser.add_argument("--only-table", action="store_true")
    parser.add_argument("--name", default="mutants", help="of the markers")
    parser.add_argument("--docs", type=Path, help="put the tables between the markers of this page")
    chosen = parser.parse_args()
    work = chosen.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    about_file, covered, copy = work / "about.json", work / "covered.json", work / "copy"
    if not chosen.only_table:
        if not covered.exists():
            copy_of_code(copy)
            shutil.copytree(copy / "napari_advseg", work / "whole" / "napari_advseg", dirs_exist_ok=True)
            cover(copy, chosen.tests, covered)
        shutil.copytree(work / "whole", copy, dirs_exist_ok=True)  # a run that was killed leaves its mutant
        found = json.loads(covered.read_text(encoding="utf-8"))
        if found["failed"]:
            print(f"left out, as they fail on the code as it is: {found['failed']}", file=sys.stderr)
        mutants = [one for room in chosen.rooms for one in draw(copy, room, chosen.count, chosen.seed)]
        if chosen.again is not None:
            kept = set(survivors_of(chosen.again))
            mutants = [
                one for one in mutants if f"{one.file}:{one.line}:{one.column} {one.operator} {one.occurrence}" in kept
            ]
        tests = Tests(found, chosen.most_seconds)
        warm_up(copy, tests.modules)
        whole = sorted(set(found["seconds"]) - set(found["failed"]))
        passed = work / "passed"
        if not passed.exists() and not run_whole(whole, 1800, work / "pytest.log"):
            print(f"the tests do not pass on the code as it is: see {work / 'pytest.log'}", file=sys.stderr)
            return 1
        passed.touch()
        try_all(work, copy, mutants, tests)
        from drops import machine  # only now: it loads the package

        about = {
            "date": f"{date.today():%d %B %Y}", "machine": machine(), "seed": chosen.seed, "count": chosen.count,
            "tests": len(found["seconds"]), "seconds": sum(found["seconds"].values()),
        }  # fmt: skip
        about_file.write_text(json.dumps(about, indent=1), encoding="utf-8")
    rows = [json.loads(line) for line in (work / "mutants.jsonl").read_text(encoding="utf-8").splitlines()]
    text = text_of(json.loads(about_file.read_text(encoding="utf-8")), rows)
    print(text)
    put(text, chosen.name, chosen.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
