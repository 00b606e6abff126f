"""How much smaller is the change where the search is thorough, and what does that cost?

    python benchmarks/thorough.py --work DIR
    python benchmarks/thorough.py --work DIR --real CT LABELS JSON      also abdomen8 on a real CT

Five made patients; passes are the search's alone, without the clean one and the random control. Docs: ``thorough``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from cost import REAL_ORGANS, SEEDS, TARGETS, figures, patient
from drops import machine
from measured import put
from rows import Rows

from napari_advseg.attacks import CancelToken
from napari_advseg.case import Case, CaseRequest, finish, open_case


def measure(rows: Rows, name: str, number: int, case: Case, organs: tuple[str, ...] = ()) -> None:
    """One case at every drop, both ways; what the rows hold is not measured again."""
    for asked in TARGETS:
        for thorough in (False, True):
            key = {"case": name, "patient": number, "asked": asked, "thorough": thorough}
            if not rows.find(**key):
                rows.keep(key, figures(case, asked, organs, thorough))


def table(rows: Rows) -> str:
    """Ratios of the sizes are medians over the patients, with the range in brackets; passes are means."""
    lines = [
        "| case | drop asked | reached, usual | thorough | size, usual | size, thorough over usual | passes, usual | thorough |",
        "|" + "---|" * 8,
    ]
    for case in dict.fromkeys(row["case"] for row in rows.all):
        for asked in TARGETS:
            usual, longer = (rows.find(case=case, asked=asked, thorough=way) for way in (False, True))
            ratios = [after["size"] / before["size"] for before, after in zip(usual, longer, strict=True)]
            spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
            reached = [f"{sum(row['reached'] for row in some)} of {len(some)}" for some in (usual, longer)]
            passes = [
                " / ".join(f"{np.mean([row[kind] for row in some]):.1f}" for kind in ("forward", "backward"))
                for some in (usual, longer)
            ]
            lines.append(
                f"| {case} | {asked:.2f} | {reached[0]} | {reached[1]} | {np.mean([row['size'] for row in usual]):.3f} "
                f"| {np.median(ratios):.2f}{spread} | {passes[0]} | {passes[1]} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--real", type=Path, nargs=3, metavar=("CT", "LABELS", "JSON"))
    parser.add_argument("--docs", type=Path, help="the page that shows the table")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = Rows(args.work, "thorough")
    for seed in SEEDS:
        measure(rows, "phantom2d, five made patients", seed, patient(seed))
    if args.real:
        ct, labels, names = args.real
        request = CaseRequest(ct=ct, network="abdomen8", reference=labels, label_names=names, device="cpu")
        measure(rows, "abdomen8, a real CT", 0, finish(open_case(request, CancelToken())), REAL_ORGANS)
    text = f"Measured on {rows.dates()} on {machine()}.\n\n{table(rows)}"
    put(text, "thorough", args.docs)
    (args.work / "thorough.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
