"""Other ways to run the network in a step: half precision, channels last, compiled; beside the way it is run.

    python benchmarks/ways.py --work DIR

Every way in turns with the plain one, in one process with one thread; ratios are medians of the turns', of the
processor's seconds. Drops are always measured in full; what a way changes is the gradient, and its cosine with the plain one
is told.
The plugin's layers look for a cancel before they run, which a compiled network cannot, so only the bare one is compiled.
Half precision is bfloat16, which some processors have units for; the table says what this one has. Docs: ``ways``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from cost import timed
from drops import machine
from measured import put
from rows import Row, Rows
from step_cases import StepCase, fixed_3d, shipped_2d, step_inputs, wide_2d, windowed
from torch import nn

from napari_advseg.networks.network import first_output

TURNS = 3
Way = Callable[[StepCase], AbstractContextManager[None]]
CASES: dict[str, Callable[[], StepCase]] = {
    "2-D, `phantom2d`, 20 slices of 112 x 144": shipped_2d,
    "2-D, U-Net of 32 to 512 channels, the same slices": wide_2d,
    "3-D, `abdomen8`'s layers, 144 x 144 x 144 at once": fixed_3d,
    "3-D, U-Net of 32 to 320 channels, 96 x 96 x 96 at once": lambda: windowed(
        (96, 96, 96), (96, 96, 96), (32, 64, 128, 256, 320)
    ),
}


@contextmanager
def half_precision(case: StepCase) -> Iterator[None]:
    """As ``--half`` does."""
    with case.target.placed.network.execution.halved(True):
        yield


@contextmanager
def channels_last(case: StepCase) -> Iterator[None]:
    """The weights' channels beside each other in memory; the layers' inputs follow them."""
    module = case.target.placed.network.module
    _order(module, channels_last=True)
    try:
        yield
    finally:
        _order(module, channels_last=False)


@contextmanager
def both(case: StepCase) -> Iterator[None]:
    with half_precision(case), channels_last(case):
        yield


WAYS: dict[str, Way] = {"half precision": half_precision, "channels last": channels_last, "both": both}


def _order(module: nn.Module, *, channels_last: bool) -> None:
    for value in module.parameters():
        last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(value.ndim)
        if last is not None:
            value.data = value.data.contiguous(memory_format=last if channels_last else torch.contiguous_format)


def gradient_of(case: StepCase) -> torch.Tensor:
    """The soft drop's gradient at a random change of a tenth of the budget."""
    synthesis = case.target.synthesis
    draw = torch.randn(synthesis.size, generator=torch.Generator().manual_seed(1))
    return case.target.measure_with_gradient(synthesis.project(0.1 * draw))[1]


def beside(case: StepCase, way: Way, turns: int) -> Row:
    """A way's step over the plain one, and what it changes."""
    gradient = gradient_of(case)
    with way(case):
        turned = gradient_of(case)
        case.step()  # what only the first time costs
    plain, changed = [], []
    for _ in range(turns):
        plain.append(timed(case.step))
        with way(case):
            changed.append(timed(case.step))
    cosine = torch.nn.functional.cosine_similarity(gradient.double(), turned.double(), dim=0)
    ratio = float(np.median(np.array(changed) / np.array(plain)))
    return {"plain": float(np.median(plain)), "ratio": ratio, "cosine": float(cosine)}


def compiled(case: StepCase, turns: int) -> Row:
    """The bare network compiled, over itself."""
    module = deepcopy(case.target.placed.network.module)
    for layer in module.modules():
        layer._forward_pre_hooks.clear()
        layer._forward_hooks.clear()
    inputs = step_inputs(case.target)

    def there_and_back(network: Callable[[torch.Tensor], object]) -> None:
        for image in inputs:
            scores = first_output(network(image))
            torch.autograd.grad(scores, image, torch.full_like(scores, 1e-5))

    faster = torch.compile(module)
    there_and_back(faster)
    there_and_back(module)
    times = [(timed(lambda: there_and_back(module)), timed(lambda: there_and_back(faster))) for _ in range(turns)]
    plain, changed = np.array(times).T
    return {"plain": float(np.median(plain)), "ratio": float(np.median(changed / plain)), "cosine": None}


def table(rows: Rows) -> str:
    lines = [
        "| case | way | seconds as it is | times as long | gradient's cosine |",
        "|" + "---|" * 5,
    ]
    for row in rows.all:
        cosine = "" if row["cosine"] is None else f"{row['cosine']:.4f}"
        lines.append(f"| {row['case']} | {row['way']} | {row['plain']:.2f} | {row['ratio']:.2f} | {cosine} |")
    return "\n".join(lines)


def units() -> str:
    """What the processor has for bfloat16."""
    capability = torch.cpu.get_capabilities()
    names = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512"}
    found = [name for key, name in names.items() if capability.get(key)]
    return f"bfloat16 units: {', '.join(found) or 'none'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--docs", type=Path, help="the page that shows the table")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = Rows(args.work, "ways")
    for name, make in CASES.items():
        case: StepCase | None = None
        for way in (*WAYS, "compiled, the bare network"):
            key = {"case": name, "way": way}
            if rows.find(**key):
                continue
            case = case or make()
            rows.keep(key, beside(case, WAYS[way], args.turns) if way in WAYS else compiled(case, args.turns))
    text = f"Measured on {rows.dates()} on {machine()}; {units()}.\n\n{table(rows)}"
    put(text, "ways", args.docs)
    (args.work / "ways.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
