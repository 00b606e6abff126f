"""How time and memory of an attack step grow: with the volume, and with the number of organs.

    python benchmarks/growth.py --work DIR [--full]

Every size is measured in a process of its own, one thread, so that its peak memory is its own. The body is made, its
organs grow with the volume, and a small network of overlapping windows sees all of it. The bare network, every window
forward and backward, runs in turns with the step; the rest of the step is the package's own. Seconds are the
processor's, which other work lengthens little. No window's graph is kept, as where memory is short. A power law is
fitted to the step's seconds and to the memory above that of the bare process. ``--full`` adds volumes up to 512 x 512 x
600, of which one step is taken and measured.

Docs: the markers ``growth`` of a page, and the plot that ``--image`` names.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from drops import machine
from matplotlib.figure import Figure
from measured import put
from numpy.typing import NDArray
from rows import Row, Rows
from step_cases import windowed

from napari_advseg.attacks import peak_memory_mb

Shape = tuple[int, int, int]
SIZES: tuple[Shape, ...] = ((64, 64, 64), (96, 96, 96), (128, 128, 128), (160, 160, 160))
FULL_SIZES: tuple[Shape, ...] = ((256, 256, 256), (300, 512, 512), (600, 512, 512))
ORGANS = (1, 2, 4, 8, 16, 32)
ORGANS_AT: Shape = (64, 64, 64)
ORGANS_IN_SIZES = 4
PATCH: Shape = (64, 64, 64)
FILTERS = (4, 8, 16)
CLASSES = max(ORGANS) + 1  # for every number of organs: the network stays the same
TURNS = 3
LARGE = 1e7  # voxels: from there on the first step is measured, as another one takes too long


def measure(shape: Shape, organs: int, classes: int, turns: int) -> Row:
    """Median seconds of step and bare network, after a first step where the volume is not large; the peak memory in MB,
    all of it and above what the process began with."""
    torch.set_num_threads(1)
    began = peak_memory_mb()
    case = windowed(shape, PATCH, FILTERS, organs, classes)
    case.target.placed.network.execution.graphs.on = False  # how many are kept is the free memory's affair
    if np.prod(shape) < LARGE:
        case.step()  # the first takes a moment longer
    times, peaks = [], []
    for _ in range(turns):
        begun = time.process_time()
        case.step()
        between = time.process_time()
        peaks.append(peak_memory_mb())
        case.bare()
        times.append((time.process_time() - between, between - begun))
    bare, step = np.median(times, 0)
    return {
        "voxels": int(np.prod(shape)),
        "bare": float(bare),
        "step": float(step),
        "ratio": float(np.median([b / a for a, b in times])),
        "peak_mb": peaks[0],  # before the bare network, which has its own
        "above_mb": peaks[0] - began,
    }


def in_own_process(shape: Shape, organs: int, classes: int, turns: int) -> Row:
    """The same, from a child."""
    given = json.dumps([shape, organs, classes, turns])
    done = subprocess.run([sys.executable, __file__, "--one", given], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{shape}, {organs} organs: the process ended with {done.returncode}\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def fit(x: list[float], y: list[float]) -> tuple[float, float, float]:
    """y = factor * x ** power by least squares of the logarithms; the largest relative error as the third."""
    power, offset = np.polyfit(np.log(x), np.log(y), 1)
    made = np.exp(offset) * np.asarray(x) ** power
    return float(np.exp(offset)), float(power), float(np.abs(made / np.asarray(y) - 1).max())


def text_of(rows: Rows) -> str:
    """Two tables and the fitted powers."""
    parts = []
    for what, first in (("volume", "voxels"), ("organs", "organs")):
        some = rows.find(what=what)
        lines = [
            "| CT | organs | step, s | bare network, s | ratio | peak memory, MB | above the bare process, MB |",
            "|" + "---|" * 7,
        ]
        lines += [
            f"| {' x '.join(map(str, row['shape']))} | {row['organs']} | {row['step']:.2f} | {row['bare']:.2f} "
            f"| {row['ratio']:.2f} | {row['peak_mb']:.0f} | {row['above_mb']:.0f} |"
            for row in some
        ]
        fits = [
            f"{name}: power {power:.2f} (fit within {100 * error:.0f} %)"
            for name, column in (("seconds of the step", "step"), ("memory above the bare process", "above_mb"))
            for _, power, error in [fit([row[first] for row in some], [row[column] for row in some])]
        ]
        parts.append("\n".join(lines) + f"\n\nOver the number of {first}, {'; '.join(fits)}.")
    return "\n\n".join(parts)


def plot(rows: Rows, path: Path) -> None:
    """Seconds and memory, over voxels and over organs, with their power laws."""
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    grid = figure.subplots(2, 2, sharex="row")
    for line, (what, first) in zip(grid, (("volume", "voxels"), ("organs", "organs")), strict=True):
        some = rows.find(what=what)
        x: NDArray[np.float64] = np.array([row[first] for row in some], float)
        ticks = [f"{row[first] / 1e6:.2g}" if what == "volume" else f"{row[first]}" for row in some]
        for axes, column, label in zip(line, ("step", "above_mb"), ("step, s", "memory, MB"), strict=True):
            y = [row[column] for row in some]
            factor, power, _ = fit(list(x), y)
            axes.plot(x, y, "o")
            axes.plot(x, factor * x**power, "-", label=f"power {power:.2f}")
            axes.set(xscale="log", yscale="log", ylabel=label, ylim=(min(y) / 3, max(y) * 3))
            axes.set_xlabel("million voxels" if what == "volume" else "organs")
            axes.set_xticks(x, ticks)
            axes.xaxis.minorticks_off()
            axes.legend(fontsize=8, loc="upper left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--full", action="store_true", help="volumes up to 512 x 512 x 600")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--docs", type=Path, help="the page that shows the tables")
    parser.add_argument("--image", type=Path, help="where the plot goes; the work folder by default")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(*json.loads(args.one))))
        return
    if args.work is None:
        parser.error("--work is needed")
    rows = Rows(args.work, "growth")
    sizes = [("volume", shape, ORGANS_IN_SIZES, ORGANS_IN_SIZES + 1) for shape in SIZES + FULL_SIZES * args.full]
    for what, shape, organs, classes in [*sizes, *(("organs", ORGANS_AT, count, CLASSES) for count in ORGANS)]:
        key = {"what": what, "shape": list(shape), "organs": organs}
        if not rows.find(**key):
            turns = TURNS if np.prod(shape) < 1e6 else 1
            rows.keep(key, in_own_process(shape, organs, classes, turns))
    text = f"Measured on {rows.dates()} on {machine()}; one thread.\n\n{text_of(rows)}"
    (args.work / "growth.md").write_text(text + "\n", encoding="utf-8")
    image = args.image or args.work / "growth.svg"
    plot(rows, image)
    if args.docs:
        shown = Path(os.path.relpath(image, args.docs.parent)).as_posix()
        put(f"{text}\n\n![Time and memory of a step over voxels and organs]({shown})", "growth", args.docs)
    print(text)


if __name__ == "__main__":
    main()
