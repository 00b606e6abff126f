"""A CT of two organs that are known by their HU, and what attacks it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_advseg.attacks import Measured, Target
from napari_advseg.networks import ModelCard
from napari_advseg.volume import Volume, volume_from_array

CARD = ModelCard(name="bands", dimensions=3, labels={0: "background", 1: "liver", 2: "spleen"})
SHAPE = (10, 20, 24)


class Bands(nn.Module):
    """Liver from 50 to 100 HU, spleen above."""

    def forward(self, hu: Tensor) -> Tensor:
        return torch.cat([50 - hu, 25 - (hu - 75).abs(), hu - 100], 1) / 5


def case() -> tuple[Volume, np.ndarray]:
    labels = np.zeros(SHAPE, np.uint16)
    labels[3:7, 5:15, 4:12], labels[3:7, 5:15, 14:20] = 1, 2
    hu = np.random.default_rng(0).normal(-60, 20, SHAPE)
    hu[labels == 1] = np.random.default_rng(1).uniform(55, 95, int((labels == 1).sum()))
    hu[labels == 2] = np.random.default_rng(2).uniform(103, 130, int((labels == 2).sum()))
    return volume_from_array(np.rint(hu).astype(np.float32), spacing=(4.0, 3.0, 2.0)), labels


def some(target: Target, size: float = 0.6) -> Tensor:
    made = target.synthesis
    return made.project(size * torch.randn(made.size, generator=torch.Generator().manual_seed(3)))


def same(one: Measured, other: Measured) -> None:
    assert one.drop == pytest.approx(other.drop)
    assert np.array_equal(one.perturbed, other.perturbed)
    assert np.array_equal(one.attacked, other.attacked)
