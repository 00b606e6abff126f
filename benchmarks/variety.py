"""Is the attack specified beforehand? Many draws of a learned attacker on one CT: where and how they change it.

    python benchmarks/variety.py --work DIR [--network unet2d] [--draws 32] [--drop 0.3] [--patient 0]

Takes network and attacker from the work folder of benchmarks/learned.py. Every draw is set to the drop by the strength
path; then each half of the change is taken away. Writes ``DIR/variety.md``.
"""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import date
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from drops import machine
from learned import NETWORKS, SPACE, Bench
from measured import put
from numpy.typing import NDArray
from torch import Tensor

from napari_advseg.attacks import CancelToken, Target
from napari_advseg.case import AttackRequest, CaseRequest, attack_case, finish, make_target, open_case
from napari_advseg.networks import open_network
from napari_advseg.samples import load_sample

CHANGED = 0.1  # share of the body's voxels that counts as changed: those with most of it


def changed_most(change: NDArray[np.floating], body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The tenth of the body that a field changes most."""
    bound = np.quantile(np.abs(change[body]), 1 - CHANGED)
    return np.asarray((np.abs(change) >= bound) & body)


def half(target: Target, parameters: Tensor, *, velocity: bool) -> Tensor:
    """The parameters with only the deformation, or only the appearance."""
    parts = target.synthesis.split(parameters.clone())
    kept = [part if (index == 0) == velocity else torch.zeros_like(part) for index, part in enumerate(parts)]
    return torch.cat([part.flatten() for part in kept])


def overlap(masks: list[NDArray[np.bool_]]) -> tuple[float, float, float]:
    """Mean, least and largest Dice of all pairs."""
    pairs = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in combinations(masks, 2)]
    return float(np.mean(pairs)), float(np.min(pairs)), float(np.max(pairs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--network", default="unet2d")
    parser.add_argument("--draws", type=int, default=32)
    parser.add_argument("--drop", type=float, default=0.3)
    parser.add_argument("--patient", type=int, default=0)
    parser.add_argument("--docs", type=Path, help="the page that shows the tables")
    args = parser.parse_args()
    bench = Bench(args)
    one = next(other for other in (*NETWORKS, SPACE) if other.label == args.network)
    network = open_network(bench.network(one), device="cpu")
    sample = load_sample("phantom", args.patient)
    case = finish(open_case(CaseRequest(ct=sample.ct, network=network, reference=sample.label_volume), CancelToken()))
    target = make_target(case, AttackRequest())
    body = sample.ct.hu > -300
    moved, added, shares, worst, reached = [], [], [], Counter[str](), 0
    for seed in range(args.draws):
        request = AttackRequest(drop=args.drop, attacker=bench.attacker(one), seed=seed)
        result = finish(attack_case(case, request, CancelToken())).result
        reached += result.reached
        moved.append(changed_most(result.displacement_mm, body))
        added.append(changed_most(result.appearance, body))
        alone = [
            target.measure(half(target, result.parameters, velocity=velocity), result.strength).drop
            for velocity in (True, False)
        ]
        shares.append((*alone, result.achieved_drop))
        worst[max(result.organs, key=lambda organ: organ.drop).name] += 1
        print(f"draw {seed}: {result.achieved_drop:.3f}, alone {alone[0]:.3f} and {alone[1]:.3f}", flush=True)
    share = np.array(shares)
    lines = [
        f"Measured on {date.today():%d %B %Y} on {machine()}: `{args.network}`, phantom {args.patient}, {args.draws} draws, "
        f"drop {args.drop}; {reached} of {args.draws} within 0.01.",
        "",
        "| of the draws | mean | least | largest |",
        "|---|---|---|---|",
        f"| overlap (Dice) of the tenth of the body that two draws move most | {_three(overlap(moved))} |",
        f"| overlap (Dice) of the tenth whose HU two draws change most | {_three(overlap(added))} |",
        f"| drop with the deformation alone | {_three((share[:, 0].mean(), share[:, 0].min(), share[:, 0].max()))} |",
        f"| drop with the appearance alone | {_three((share[:, 1].mean(), share[:, 1].min(), share[:, 1].max()))} |",
        "",
        "The organ that loses most: "
        + ", ".join(f"{name} in {count}" for name, count in worst.most_common())
        + f". Two places picked at random would overlap by {CHANGED:.1f}.",
    ]
    (args.work / "variety.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    put("\n".join(lines), "variety", args.docs)
    print("\n".join(lines))


def _three(values: tuple[float, float, float]) -> str:
    return " | ".join(f"{value:.3f}" for value in values)


if __name__ == "__main__":
    main()
