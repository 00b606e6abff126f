"""What it changes that clipping hands gradients on near its edges: the search on a network with a narrow window.

    python benchmarks/clipping.py [--drops 0.2 0.4] [--half-width 60]

The network is ``phantom2d`` behind a clip of its HU, around the organs' median, so that much of the organs and of what
lies around them is clipped; its own prediction on the clean CT is the reference. The clip is run as torch's own (no
gradient outside), with a gradient that fades over 5 HU outside, as this package does, over more, and everywhere.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from napari_advseg import attack, load_sample, open_network
from napari_advseg.networks import Intensity, SegmentationNetwork, intensity
from napari_advseg.networks.steps import Scale

WAYS = (
    ("none outside", 0.0),
    ("fading over 5 HU", 5.0),
    ("fading over 10 HU", 10.0),
    ("fading over 30 HU", 30.0),
    ("everywhere", math.inf),
)


def clipped(low: float, high: float) -> SegmentationNetwork:
    network = open_network("phantom2d", device="cpu")
    narrow = Scale(intensity=Intensity(rule="zscore", low=low, high=high))
    network.card = network.card.model_copy(update={"steps": (narrow, *network.card.pipeline())})
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drops", type=float, nargs="+", default=(0.2, 0.4))
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--half-width", type=float, nargs="+", default=(20.0, 60.0), help="HU")
    arguments = parser.parse_args()
    apply = intensity.clip
    print(
        "| window, HU | organs' voxels outside | drop | clip's gradient | reached | passes | rms HU | largest HU | "
        "largest mm |\n|---|---|---|---|---|---|---|---|---|"
    )
    for half in arguments.half_width:
        for drop in arguments.drops:
            for name, reach in WAYS:
                intensity.clip = lambda image, low, high, reach=reach: apply(image, low, high, reach)
                rows, outside = [], []
                for seed in arguments.seeds:
                    case = load_sample("phantom", seed)
                    organs = case.ct.hu[case.labels > 0]
                    middle = float(np.median(organs))
                    outside.append(float(np.mean(np.abs(organs - middle) > half)))
                    found = attack(case.ct, clipped(middle - half, middle + half), drop)
                    assert found.evidence is not None
                    rows.append((found.result, found.evidence))
                print(
                    f"| ±{half:.0f} | {100 * np.mean(outside):.0f} % | {drop:.2f} | {name} "
                    f"| {sum(r.reached for r, _ in rows)} of {len(rows)} "
                    f"| {np.mean([r.cost.forward + r.cost.backward for r, _ in rows]):.0f} "
                    f"| {np.mean([e.rms_hu for _, e in rows]):.2f} | {np.mean([e.max_hu for _, e in rows]):.1f} "
                    f"| {np.mean([e.max_displacement_mm for _, e in rows]):.2f} |",
                    flush=True,
                )
    intensity.clip = apply


if __name__ == "__main__":
    main()
