"""Attack steps to be timed, and beside each the bare network: forward and backward over the same input.

A step is what the search does again and again: synthesise, round, predict, measure hard and soft Dice, and all the way
back to the parameters of the next change. The bare network is given what its layers are given in the step, in the same
batches, and the same kind of gradient; every window once forward and once backward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from monai.networks.nets import DynUNet
from torch import Tensor, nn

from napari_advseg.attacks import CancelToken, Target
from napari_advseg.attacks.ascent import Ascent
from napari_advseg.case import AttackRequest, CaseRequest, finish, make_target, open_case
from napari_advseg.networks import ModelCard, SegmentationNetwork, network_from_module, open_network
from napari_advseg.networks.abdomen8 import CARD, AllConvUNet
from napari_advseg.networks.network import first_output
from napari_advseg.networks.steps import run_steps
from napari_advseg.networks.windows import plan_windows
from napari_advseg.samples import load_sample
from napari_advseg.volume import Volume, volume_from_array

STEP_DROP = 0.1  # of an ascent's step: any will do


@dataclass(frozen=True, eq=False)
class StepCase:
    """One step of an attack, and the bare network beside it; both can be run as often as one likes."""

    target: Target
    step: Callable[[], None]
    bare: Callable[[], None]


def step_case(target: Target) -> StepCase:
    """From what is attacked: the step from a small random change on."""
    ascent, synthesis = Ascent(target), target.synthesis
    draw = torch.randn(synthesis.size, generator=torch.Generator().manual_seed(0))
    start = synthesis.project(0.1 * draw)

    def step() -> None:
        _, gradient = target.measure_with_gradient(start)
        synthesis.project(ascent.step(start, gradient, STEP_DROP))

    cuts = step_inputs(target)
    module = target.placed.network.module

    def bare() -> None:
        for cut in cuts:
            scores = first_output(module(cut))
            torch.autograd.grad(scores, cut, torch.full_like(scores, 1e-5))

    return StepCase(target, step, bare)


def step_inputs(target: Target) -> list[Tensor]:
    """The batches that the network's layers are given for the clean CT."""
    placed, network = target.placed, target.placed.network
    hu = torch.from_numpy(np.ascontiguousarray(target.synthesis.ct.hu[placed.view.slices]))
    image = run_steps(network.card.pipeline(), hu, placed.view_grid).image
    windows = plan_windows(network.card, (image.shape[0], image.shape[1], image.shape[2]))
    padded = windows.pad(image)
    cuts = torch.stack([padded[windows.slices(index)] for index in range(len(windows.starts))])
    batches = cuts.split(network.execution.batch)
    return [(batch if network.card.dimensions == 2 else batch[:, None]).requires_grad_() for batch in batches]


def on_phantom(network: SegmentationNetwork) -> StepCase:
    """Any network of the phantom's labels, on phantom 0."""
    sample = load_sample("phantom", 0)
    request = CaseRequest(ct=sample.ct, network=network, reference=sample.label_volume, label_names=sample.names)
    return step_case(make_target(finish(open_case(request, CancelToken())), AttackRequest()))


def on_real(network: str, ct: Path, labels: Path, names: Path) -> StepCase:
    """A network by its name or path on a CT with labels."""
    request = CaseRequest(ct=ct, network=network, reference=labels, label_names=names, device="cpu")
    return step_case(make_target(finish(open_case(request, CancelToken())), AttackRequest()))


def wide(dimensions: int, filters: tuple[int, ...], classes: int) -> nn.Module:
    """A U-Net as nnU-Net lays it out; random weights, because time does not depend on what it has learned."""
    torch.manual_seed(0)
    kernels, strides = [3] * len(filters), [1] + [2] * (len(filters) - 1)
    return DynUNet(dimensions, 1, classes, kernels, strides, strides[1:], filters=filters)


def wide_2d() -> StepCase:
    """nnU-Net's width in the plane, slice by slice."""
    labels = {0: "background", **load_sample("phantom", 0).names}
    card = ModelCard(
        name="wide2d", dimensions=2, labels=labels, divisible_by=16, batch=4,
        intensity={"rule": "window", "low": -160, "high": 240},
    )  # fmt: skip
    module = wide(2, (32, 64, 128, 256, 512), len(labels))
    return on_phantom(network_from_module(module, card, device="cpu"))


def shipped_2d() -> StepCase:
    """The small network that comes with the package."""
    return on_phantom(open_network("phantom2d", device="cpu"))


def ball_ct(shape: tuple[int, int, int], organs: int, spacing: float = 1.5) -> tuple[Volume, Volume]:
    """A body of noise with round organs on a grid of places, and their labels 1, 2, ...; organs grow with the CT."""
    random = np.random.default_rng(0)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij", sparse=True)
    hu = np.where(y**2 + x**2 < 0.9, 40.0, -1000.0) + np.zeros(shape, np.float32)
    hu = (hu + random.normal(0, 10, shape)).astype(np.float32)
    labels = np.zeros(shape, np.int32)
    side = int(np.ceil(organs ** (1 / 3)))
    places = np.linspace(-0.45, 0.45, side) if side > 1 else np.zeros(1)
    radius = 0.35 / side
    for index, (a, b, c) in enumerate(np.array(np.meshgrid(places, places, places)).reshape(3, -1).T[:organs], 1):
        ball = (z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2 < radius**2
        labels[ball] = index
        hu[ball] += 80
    mm = (spacing,) * 3
    return volume_from_array(hu, spacing=mm), volume_from_array(labels, spacing=mm)


def windowed(
    shape: tuple[int, int, int],
    patch: tuple[int, int, int],
    filters: tuple[int, ...],
    organs: int = 2,
    classes: int | None = None,
) -> StepCase:
    """A 3-D network that works through overlapping windows, on a made body with round organs."""
    classes = classes or organs + 1
    labels = {0: "background", **{index: f"organ {index}" for index in range(1, classes)}}
    card = ModelCard(
        name="windowed", dimensions=3, labels=labels, patch=patch, batch=1, tiling="nnunet", divisible_by=16,
        intensity={"rule": "window", "low": -160, "high": 240},
    )  # fmt: skip
    network = network_from_module(wide(3, filters, classes), card, device="cpu")
    ct, reference = ball_ct(shape, organs)
    case = finish(open_case(CaseRequest(ct=ct, network=network, reference=reference), CancelToken()))
    return step_case(make_target(case, AttackRequest()))


def fixed_3d() -> StepCase:
    """The published network's layers with random weights on the phantom, resampled to its fixed input."""
    torch.manual_seed(0)
    return on_phantom(network_from_module(AllConvUNet(), CARD, device="cpu"))
