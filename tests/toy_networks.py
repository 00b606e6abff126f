"""Networks small enough to know what they must do, and CTs for them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from napari_advseg.networks import ModelCard, SegmentationNetwork, network_from_module
from napari_advseg.volume import Volume, volume_from_array

CARD = ModelCard(name="toy", dimensions=3, labels={0: "background", 1: "liver"})


class Threshold(nn.Module):
    """Organ where the HU are above ``at``; knows nothing but the voxel itself, so it moves with the anatomy."""

    def __init__(self, at: float = 50.0) -> None:
        super().__init__()
        self.at = at

    def forward(self, hu: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(hu), hu - self.at], 1)


class Place(nn.Module):
    """Organ where the CT is bright *and* lies in the first half of the x axis: does not follow the anatomy."""

    def forward(self, hu: Tensor) -> Tensor:
        ramp = torch.linspace(1, -1, hu.shape[-1], device=hu.device).expand_as(hu)
        return torch.cat([torch.zeros_like(hu), torch.minimum((hu - 50) / 20, ramp * 20)], 1)


class SmallConv(nn.Module):
    """Two smooth convolutions with fixed random weights, for gradient checks; 2-D or 3-D."""

    def __init__(self, dimensions: int, classes: int = 3) -> None:
        super().__init__()
        conv = nn.Conv2d if dimensions == 2 else nn.Conv3d
        torch.manual_seed(0)
        self.first, self.second = conv(1, 4, 3, padding=1), conv(4, classes, 3, padding=1)

    def forward(self, hu: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(hu / 100)))


class Hungry(nn.Module):
    """Runs out of memory for more than ``most`` windows at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.inner, self.most = SmallConv(3), most
        self.convs = nn.Sequential(nn.Conv3d(3, 3, 1), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        if len(image) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.convs(self.inner(image))


def threshold_network(at: float = 50.0, dimensions: int = 3) -> SegmentationNetwork:
    return network_from_module(Threshold(at), CARD.model_copy(update={"dimensions": dimensions}), device="cpu")


def graded_ct(shape: tuple[int, int, int] = (12, 24, 24)) -> tuple[Volume, np.ndarray]:
    """An organ whose left part is 3 HU and whose right part is 12 HU above the threshold of 50 HU, in fat.

    The cheapest way to lose organ voxels is known: lower the left part by 3 HU.
    """
    hu = np.full(shape, -100.0, np.float32)
    labels = np.zeros(shape, np.uint16)
    z, y, x = (slice(n // 4, n - n // 4) for n in shape)
    labels[z, y, x] = 1
    half = shape[2] // 2
    hu[z, y, x] = 62.0
    hu[z, y, slice(x.start, half)] = 53.0
    return volume_from_array(hu, spacing=(4.0, 3.0, 3.0)), labels
