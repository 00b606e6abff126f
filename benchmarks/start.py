"""How soon the plugin is there: its import, its dock in a real napari, and whether torch is kept out of the way.

    python benchmarks/start.py --work DIR

Everything in processes of its own. The import is that of ``napari_advseg`` over an empty interpreter, as the difference
of the medians of processes that run in turns, and again where napari has been imported. The docks are opened by
``dock_opening.py``, with a display or else under xvfb-run.

Docs: the markers ``start`` of a page.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from drops import machine
from measured import put
from rows import Row, Rows

PACKAGE = Path(__file__).resolve().parents[1] / "napari_advseg"
IMPORTS = {"an empty interpreter": "pass", "napari_advseg": "import napari_advseg"}
IMPORT_GOAL_MS, DOCK_GOAL_S = 50.0, 1.0
TITLES = ("Attack", "Compare", "Cases")
IMPORT_TURNS, DOCK_TURNS = 15, 5


def measure_imports(turns: int) -> Row:
    """Median milliseconds of each process, and what the import adds, by the clock and of the processor."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in IMPORTS}
    for turn in range(turns + 1):  # the first one fills the disk's cache
        for name, code in IMPORTS.items():
            begun, processor = time.perf_counter(), _children()
            subprocess.run([sys.executable, "-c", code], check=True)
            if turn:
                taken[name].append(((time.perf_counter() - begun) * 1000, (_children() - processor) * 1000))
    empty, ours = (np.median(taken[name], 0) for name in IMPORTS)
    return {"empty_ms": float(empty[0]), "added_ms": float((ours - empty)[0]), "processor_ms": float((ours - empty)[1])}


def _children() -> float:
    """Seconds of the processor that the processes started here have taken."""
    times = os.times()
    return times.children_user + times.children_system


def in_own_process(title: str) -> Row:
    """A dock from a child, under a display of its own where there is none."""
    command = [sys.executable, str(Path(__file__).with_name("dock_opening.py")), title]
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform != "linux"
    if not shown:
        if shutil.which("xvfb-run") is None:
            raise FileNotFoundError("there is no display and no xvfb-run: install xvfb")
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NAPARI_CONFIG": ""})
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"napari ended with {done.returncode}\n{done.stderr[-2000:]}")
    return dict(json.loads(lines[-1]))


def table(rows: Rows) -> str:
    """Each goal with what was measured."""
    (imported,) = rows.find(what="import")
    docks = rows.find(what="dock")
    beside = float(np.median([row["import_ms"] for row in docks]))
    lines = [
        "| what | median | of the processor | goal | met |",
        "|---|---|---|---|---|",
        f"| `import napari_advseg`, over an empty interpreter's {imported['empty_ms']:.0f} ms | {imported['added_ms']:.0f} ms "
        f"| {imported['processor_ms']:.0f} ms | {IMPORT_GOAL_MS:.0f} ms | {_met(imported['added_ms'] <= IMPORT_GOAL_MS)} |",
        f"| the same where napari is imported already | {beside:.1f} ms | | {IMPORT_GOAL_MS:.0f} ms "
        f"| {_met(beside <= IMPORT_GOAL_MS)} |",
    ]
    for title in TITLES:
        some = rows.find(what="dock", title=title)
        shown = [row["shown_s"] for row in some]
        middle = float(np.median(shown))
        lines.append(
            f"| {title} dock, from the call to its first painting, {len(some)} times {min(shown):.2f} to {max(shown):.2f} s "
            f"| {middle:.2f} s | {np.median([row['processor_s'] for row in some]):.2f} s | {DOCK_GOAL_S:.0f} s "
            f"| {_met(middle <= DOCK_GOAL_S)} |"
        )
    early = sum(row["torch_before_shown_in_main_thread"] for row in docks)
    lines.append(
        f"| torch looked for by the main thread before the dock is shown | {early} of {len(docks)} times | | never "
        f"| {_met(early == 0)} |"
    )
    return "\n".join(lines)


def _met(met: bool) -> str:
    return "yes" if met else "no"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=DOCK_TURNS, help="of each dock")
    parser.add_argument("--docs", type=Path, help="the page that shows the table")
    args = parser.parse_args()
    compileall.compile_dir(PACKAGE, quiet=2)  # as pip does; an editable install is compiled when it is first used
    rows = Rows(args.work, "start")
    if not rows.find(what="import"):
        rows.keep({"what": "import"}, measure_imports(IMPORT_TURNS))
    for turn in range(args.turns):
        for title in TITLES:
            key = {"what": "dock", "title": title, "turn": turn}
            if not rows.find(**key):
                rows.keep(key, in_own_process(title))
    text = f"Measured on {rows.dates()} on {machine()}.\n\n{table(rows)}"
    (args.work / "start.md").write_text(text + "\n", encoding="utf-8")
    put(text, "start", args.docs)
    print(text)


if __name__ == "__main__":
    main()
