"""What an attack costs: passes to a target, and the time of a step over the bare network's.

    python benchmarks/cost.py --work DIR
    python benchmarks/cost.py --work DIR --real CT LABELS JSON      also abdomen8 on a real CT

The search draws no random numbers: its seed only makes the random control repeatable. So the median is over five made
patients, and that five seeds on one patient change nothing is measured as well. Step and bare network run in turns in
one process with one thread, and the ratio is the median of the turns'; their seconds are the processor's, which other work
lengthens less than the clock's. One thread against two is the clock's, the fastest of the turns. Docs: the markers
``passes``, ``step`` and ``shares`` of a page.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from drops import machine
from measured import put
from rows import Row, Rows
from shares import PARTS, shares
from step_cases import StepCase, fixed_3d, on_real, shipped_2d, wide_2d, windowed

from napari_advseg.attacks import AttackResult, CancelToken, SearchSettings, search
from napari_advseg.case import AttackRequest, Case, CaseRequest, finish, make_target, open_case
from napari_advseg.networks import open_network
from napari_advseg.samples import load_sample

SEEDS = range(5)
TARGETS = (0.1, 0.3, 0.5)
TURNS = 3
GOAL = 1.15
REAL_ORGANS = ("liver", "spleen", "kidney_left", "gallbladder", "stomach")  # wholly on the CT that README measures


def patient(seed: int) -> Case:
    """The embedded case, of another patient."""
    sample = load_sample("phantom", seed)
    network = open_network("phantom2d", device="cpu")
    request = CaseRequest(ct=sample.ct, network=network, reference=sample.label_volume, label_names=sample.names)
    return finish(open_case(request, CancelToken()))


def searched(
    case: Case, drop: float, seed: int = 0, organs: tuple[str, ...] = (), thorough: bool = False
) -> AttackResult:
    """The search alone, without the clean pass and the random control."""
    target = make_target(case, AttackRequest(organs=organs))
    return finish(search(target, SearchSettings(drop, seed=seed, thorough=thorough), case.clean_labels, CancelToken()))


def figures(case: Case, drop: float, organs: tuple[str, ...] = (), thorough: bool = False) -> Row:
    """What a search took."""
    begun = time.process_time()
    result = searched(case, drop, organs=organs, thorough=thorough)
    cost = result.cost
    return {
        "reached": result.reached,
        "drop": result.achieved_drop,
        "size": result.size,
        "forward": cost.forward,
        "backward": cost.backward,
        "seconds": time.process_time() - begun,
    }


def measure_passes(rows: Rows, real: list[Path] | None) -> None:
    """To every target on five patients, the middle one with five seeds on one patient, and on the real CT."""
    for seed in SEEDS:
        case = None
        for asked in TARGETS:
            key = {"what": "passes", "case": "phantom2d, five made patients", "patient": seed, "asked": asked}
            if not rows.find(**key):
                case = case or patient(seed)
                rows.keep(key, figures(case, asked))
    key = {"what": "seeds", "case": "phantom2d", "patient": 0, "asked": 0.3}
    if not rows.find(**key):
        case = patient(0)
        found = [searched(case, 0.3, seed) for seed in SEEDS]
        same = all(torch.equal(one.parameters, found[0].parameters) for one in found)
        passes = sorted({(one.cost.forward, one.cost.backward) for one in found})
        rows.keep(key, {"alike": same, "passes": passes})
    if real:
        ct, labels, names = real
        case = None
        for asked in TARGETS:
            key = {"what": "passes", "case": "abdomen8, a real CT", "patient": 0, "asked": asked}
            if not rows.find(**key):
                request = CaseRequest(ct=ct, network="abdomen8", reference=labels, label_names=names, device="cpu")
                case = case or finish(open_case(request, CancelToken()))
                rows.keep(key, figures(case, asked, REAL_ORGANS))


def timed(work: Callable[[], None], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds, of the processor by default."""
    begun = clock()
    work()
    return clock() - begun


def measure_steps(rows: Rows, cases: dict[str, Callable[[], StepCase]], turns: int) -> None:
    """Step and bare network in turns with one thread, and the shares of the step's parts."""
    for name, make in cases.items():
        key = {"what": "step", "case": name}
        if rows.find(**key):
            continue
        torch.set_num_threads(1)
        case = make()
        case.bare(), case.step()  # what only the first time costs
        bare, step = np.array([(timed(case.bare), timed(case.step)) for _ in range(turns)]).T
        part = shares(case.step)
        ratios = step / bare
        rows.keep(
            key,
            {
                "voxels": int(np.prod(case.target.placed.view.shape)),
                "organs": len(case.target.organs),
                "step": float(np.median(step)),
                "bare": float(np.median(bare)),
                "ratio": float(np.median(ratios)),
                "least": float(ratios.min()),
                "most": float(ratios.max()),
                "shares": part,
            },
        )


def measure_threads(rows: Rows, cases: dict[str, Callable[[], StepCase]], turns: int) -> None:
    """The step with one thread and with two, in turns: the fastest of each, in seconds of the clock."""
    for name, make in cases.items():
        key = {"what": "threads", "case": name}
        if rows.find(**key):
            continue
        case, taken = make(), {1: [0.0], 2: [0.0]}
        for turn in range(turns + 1):  # the first one warms up
            for threads, seconds in taken.items():
                torch.set_num_threads(threads)
                seconds.append(timed(case.step, time.perf_counter))
                if not turn:
                    seconds.clear()
        torch.set_num_threads(1)
        rows.keep(key, {"one": min(taken[1]), "two": min(taken[2])})


def passes_table(rows: Rows) -> str:
    """Medians and ranges over the patients."""
    lines = [
        "| case | drop asked | reached | forward passes | backward passes | seconds of the processor |",
        "|" + "---|" * 6,
    ]
    for case in dict.fromkeys(row["case"] for row in rows.find(what="passes")):
        for asked in TARGETS:
            some = rows.find(what="passes", case=case, asked=asked)
            if some:
                spread = [_spread([row[name] for row in some]) for name in ("forward", "backward")]
                lines.append(
                    f"| {case} | {asked:.2f} | {sum(row['reached'] for row in some)} of {len(some)} | {spread[0]} "
                    f"| {spread[1]} | {np.median([row['seconds'] for row in some]):.1f} |"
                )
    (seeds,) = rows.find(what="seeds")
    alike = "the same change" if seeds["alike"] else "different changes"
    passes = " or ".join(f"{forward} / {backward}" for forward, backward in seeds["passes"])
    return "\n".join(lines) + f"\n\nFive seeds on one patient, drop 0.30: {alike}, {passes} passes."


def _spread(values: list[int]) -> str:
    return f"{np.median(values):.0f}" + (f" ({min(values)} to {max(values)})" if len(values) > 1 else "")


def step_table(rows: Rows) -> str:
    """Ratios, and whether the goal is met."""
    lines = [
        f"| case | organs | bare network, s | step, s | ratio | least to most | at most {GOAL} |",
        "|" + "---|" * 7,
    ]
    lines += [
        f"| {row['case']} | {row['organs']} | {row['bare']:.2f} | {row['step']:.2f} | {row['ratio']:.2f} "
        f"| {row['least']:.2f} to {row['most']:.2f} | {'yes' if row['ratio'] <= GOAL else 'no'} |"
        for row in rows.find(what="step")
    ]
    if rows.find(what="threads"):
        lines += ["", "| case | step with one thread, s | with two, s | times as fast |", "|---|---|---|---|"]
    lines += [
        f"| {row['case']} | {row['one']:.2f} | {row['two']:.2f} | {row['one'] / row['two']:.2f} |"
        for row in rows.find(what="threads")
    ]
    return "\n".join(lines)


def shares_table(rows: Rows) -> str:
    """Shares of the step's time, in per cent."""
    lines = ["| case | " + " | ".join(PARTS) + " |", "|" + "---|" * (len(PARTS) + 1)]
    for row in rows.find(what="step"):
        lines.append(f"| {row['case']} | " + " | ".join(f"{100 * row['shares'][part]:.0f} %" for part in PARTS) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--real", type=Path, nargs=3, metavar=("CT", "LABELS", "JSON"))
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--docs", type=Path, help="the page that shows the tables")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = Rows(args.work, "cost")
    made: dict[str, Callable[[], StepCase]] = {
        "2-D, `phantom2d`, 20 slices of 112 x 144": shipped_2d,
        "2-D, U-Net of 32 to 512 channels, the same slices": wide_2d,
        "3-D, `abdomen8`'s layers, 144 x 144 x 144 at once": fixed_3d,
        "3-D, U-Net of 16 to 128 channels, 8 windows of 48 x 64 x 64": partial(
            windowed, shape=(72, 96, 96), patch=(48, 64, 64), filters=(16, 32, 64, 128)
        ),
    }
    if args.real:
        made["3-D, `abdomen8`, a real CT"] = partial(on_real, "abdomen8", *args.real)
    measure_passes(rows, args.real)
    measure_steps(rows, made, args.turns)
    measure_threads(rows, {name: make for name, make in made.items() if make in (shipped_2d, fixed_3d)}, args.turns)
    measured = f"Measured on {rows.dates()} on {machine()}."
    tables = {"passes": passes_table(rows), "step": step_table(rows), "shares": shares_table(rows)}
    for name, text in tables.items():
        put(f"{measured}\n\n{text}", name, args.docs)
        print(f"\n{text}")
    (args.work / "cost.md").write_text("\n\n".join((measured, *tables.values())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
