"""A full-size CT with a network that works through windows: one gradient, its memory, and its time beside the bare
network's over the same windows.

    python benchmarks/full_size.py [--shape 300 512 512] [--patch 96 128 128]

The CT is noise with an ellipsoid organ, so that the windows that touch the organ are few, as in a patient. The network
is a 3-D U-Net of MONAI with random weights: time and memory do not depend on what it has learned.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from monai.networks.nets import UNet

from napari_advseg.attacks import peak_memory_mb
from napari_advseg.networks import ModelCard, network_from_module
from napari_advseg.networks.stitching import _busy, _where
from napari_advseg.networks.windows import plan_windows
from napari_advseg.volume import Grid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(300, 512, 512))
    parser.add_argument("--patch", type=int, nargs=3, default=(96, 128, 128))
    parser.add_argument("--channels", type=int, nargs="+", default=(8, 16, 32))
    arguments = parser.parse_args()
    shape, patch = tuple(arguments.shape), tuple(arguments.patch)
    torch.manual_seed(0)
    module = UNet(3, 1, 3, tuple(arguments.channels), (2,) * (len(arguments.channels) - 1))
    card = ModelCard(
        name="bench", dimensions=3, labels=["background", "liver", "spleen"], patch=patch, batch=1,
        intensity={"rule": "window", "low": -160, "high": 240},
    )  # fmt: skip
    network = network_from_module(module, card, device="cpu")
    placed = network.on(Grid(shape, (1.5, 0.8, 0.8)))
    z, y, x = (torch.linspace(-1, 1, n) for n in shape)
    ball = ((z / 0.25)[:, None, None] ** 2 + (y / 0.2)[None, :, None] ** 2 + (x / 0.2)[None, None] ** 2) < 1
    hu = (ball * 150.0 - 50 + torch.randn(shape) * 20).requires_grad_()
    before = peak_memory_mb()
    started = time.monotonic()
    scores = placed.scores(hu)
    there = time.monotonic() - started
    share = torch.zeros_like(scores)  # the gradient of an organ's Dice lies on the organ
    share[:, ball] = torch.randn(3, int(ball.sum())) * 1e-5
    windows = plan_windows(card, shape)
    total = torch.zeros(windows.shape)
    for index in range(len(windows.starts)):
        total[windows.slices(index)] += windows.weight
    box = _where(share)
    busy = _busy(share[(slice(None), *box)] / total[box], box, windows)
    started = time.monotonic()
    torch.autograd.grad(scores, hu, share)
    back = time.monotonic() - started
    peak = peak_memory_mb()

    bare_there = bare_back = 0.0
    for index in busy:
        cut = hu.detach()[windows.slices(index)][None, None].clone().requires_grad_()
        started = time.monotonic()
        answer = module(cut)
        middle = time.monotonic()
        torch.autograd.grad(answer, cut, answer.detach())
        bare_there, bare_back = bare_there + middle - started, bare_back + time.monotonic() - middle
    bare = bare_there + bare_back
    volume = float(np.prod(shape)) * 4 / 2**20
    print(f"CT {shape}, one volume of float32 {volume:.0f} MB; patch {patch}: {len(windows.starts)} windows,")
    print(f"  of which {len(busy)} are run again for the gradient")
    print(f"scores, all windows without a graph: {there:.1f} s")
    print(f"gradient, the windows that matter with their graph: {back:.1f} s")
    print(f"bare network, forward and backward over the same windows: {bare:.1f} s; ratio {back / bare:.2f}")
    print(f"peak memory {peak:.0f} MB, {before:.0f} MB before; {(peak - before) / volume:.1f} volumes")


if __name__ == "__main__":
    main()
