"""3-D networks of few channels on stacks of few slices: with their layers' sides turned, beside without.

    python benchmarks/thin_layers.py [--docs docs/cost.md]

There and back (the gradient with respect to the input) through bare networks with random weights, with one thread, in turns
in one process; the ratio is the median of the turns', of the processor's seconds. Docs: ``thin``.
"""

from __future__ import annotations

import argparse
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import monai.networks.nets as nets
import numpy as np
import torch
from cost import timed
from drops import machine
from measured import put
from torch import nn

from napari_advseg.networks.thin_layers import turn_thin_layers

TURNS = 3
GIVEN: dict[str, Any] = {"spatial_dims": 3, "in_channels": 1, "out_channels": 9}
_U_NET = {"channels": (16, 32, 64, 128, 256), "strides": (2, 2, 2, 2), "num_res_units": 2}
CASES: dict[str, tuple[str, dict[str, Any], tuple[int, int, int]]] = {
    "U-Net of 8 to 32 channels (`unet3d`)": (
        "UNet",
        {"channels": (8, 16, 32), "strides": (2, 2), "num_res_units": 1, "norm": "batch"},
        (20, 112, 144),
    ),
    "SegResNet from 8 channels (MONAI's default)": ("SegResNet", {"init_filters": 8}, (16, 160, 160)),
    "the same, more slices": ("SegResNet", {"init_filters": 8}, (48, 96, 96)),
    "U-Net of 16 to 256 channels": ("UNet", _U_NET, (32, 96, 96)),
    "the same in a cube": ("UNet", _U_NET, (96, 96, 96)),
    "U-Net of 32 to 256 channels": (
        "UNet",
        {"channels": (32, 64, 128, 256), "strides": (2, 2, 2), "num_res_units": 2},
        (24, 160, 160),
    ),
}


def there_and_back(network: nn.Module, image: torch.Tensor) -> None:
    scores = network(image)
    torch.autograd.grad(scores, image, torch.full_like(scores, 1e-5))


def row(name: str) -> str:
    kind, arguments, size = CASES[name]
    plain = getattr(nets, kind)(**GIVEN, **arguments).eval().requires_grad_(False)
    turned = deepcopy(plain)
    turn_thin_layers(turned)
    image = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for network in (plain, turned):  # what only the first time costs
        there_and_back(network, image)
    times = np.array(
        [[timed(lambda n=network: there_and_back(n, image)) for network in (plain, turned)] for _ in range(TURNS)]
    )
    sides = " x ".join(map(str, size))
    return f"| {name} | {sides} | {np.median(times[:, 0]):.2f} | {np.median(times[:, 1] / times[:, 0]):.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=Path, help="the page that shows the table")
    args = parser.parse_args()
    torch.set_num_threads(1)
    lines = ["| network | voxels at once | seconds, layers as they are | times as long, turned |", "|" + "---|" * 4]
    lines += [row(name) for name in CASES]
    text = f"Measured on {date.today():%d %B %Y} on {machine()}.\n\n" + "\n".join(lines)
    put(text, "thin", args.docs)
    print(text)


if __name__ == "__main__":
    main()
