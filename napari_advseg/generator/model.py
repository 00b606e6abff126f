"""The generator and its critic: one implementation for slices and volumes, fully convolutional.

The generator is a small U-Net whose every block is modulated by the drop asked for and by a noise vector (feature-wise
linear modulation; Perez et al., AAAI 2018). The critic looks at patches (Isola et al., CVPR 2017), with spectral
normalisation and the hinge loss (Miyato et al., ICLR 2018).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .card import AttackerCard

_LEVELS = 3  # halvings
_WAVES = 6  # sines that spell out the drop
_LARGEST = 2.0  # control values, in budgets
_GROUP = 4  # channels normalised together


def _convolution(dimensions: int, here: int, there: int, stride: int = 1) -> nn.Module:
    layer: type[nn.Conv2d | nn.Conv3d] = nn.Conv2d if dimensions == 2 else nn.Conv3d
    return layer(here, there, 3, stride=stride, padding=1)


class _Block(nn.Module):
    """Two convolutions with a skip, modulated by the condition."""

    def __init__(self, dimensions: int, here: int, there: int, condition: int) -> None:
        super().__init__()
        self.first = _convolution(dimensions, here, there)
        self.second = _convolution(dimensions, there, there)
        self.norm = nn.GroupNorm(there // _GROUP, there)
        self.modulate = nn.Linear(condition, 2 * there)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        first = self.first(image)
        scale, shift = self.modulate(condition).view(2, -1, *([1] * (image.ndim - 2)))
        hidden = F.silu(self.norm(first) * (1 + scale) + shift)
        second: Tensor = self.second(hidden)
        return F.silu(second + first)


class FieldGenerator(nn.Module):
    """A CT and its clean scores in, velocity and appearance out.

    ``forward`` takes (n, channel, *spatial) features, the drop asked for and a noise vector (``card.noise``,), and
    gives (n, velocity components, *coarse) and (n, scales, *spatial) in budgets; the velocity lives on a grid four
    times coarser.
    """

    def __init__(self, card: AttackerCard) -> None:
        super().__init__()
        self.card = card
        widths = [card.width * 2**level for level in range(_LEVELS + 1)]
        condition = 64
        self.embed = nn.Sequential(
            nn.Linear(2 * _WAVES + 1 + card.noise, condition), nn.SiLU(), nn.Linear(condition, condition), nn.SiLU()
        )
        d = card.dimensions
        self.enter = _convolution(d, card.channels, widths[0])
        self.down = nn.ModuleList(_Block(d, widths[i], widths[i], condition) for i in range(_LEVELS))
        self.shrink = nn.ModuleList(_convolution(d, widths[i], widths[i + 1], 2) for i in range(_LEVELS))
        self.bottom = _Block(d, widths[-1], widths[-1], condition)
        self.up = nn.ModuleList(_Block(d, widths[i + 1] + widths[i], widths[i], condition) for i in range(_LEVELS))
        moving, added = card.fields
        self.velocity = _convolution(d, widths[2], max(1, moving))
        self.appearance = _convolution(d, widths[0], max(1, added))
        # How strong a change must be is the drop's affair first: a gain per field, learned from the condition.
        self.gain = nn.Linear(condition, 2)
        nn.init.zeros_(self.gain.weight)
        nn.init.constant_(self.gain.bias, -1.5)

    def forward(self, features: Tensor, drop: float, noise: Tensor) -> tuple[Tensor, Tensor]:
        condition = self.embed(torch.cat([_spelled(drop, noise), noise]))
        level = self.enter(features)
        kept = []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            level = block(level, condition)
            kept.append(level)
            level = shrink(level)
        level = self.bottom(level, condition)
        coarse = level
        for index in reversed(range(_LEVELS)):
            grown = F.interpolate(level, size=kept[index].shape[2:], mode="nearest")
            level = self.up[index](torch.cat([grown, kept[index]], 1), condition)
            if index == 2:
                coarse = level
        moving, added = self.card.fields
        gain = F.softplus(self.gain(condition))
        velocity = torch.tanh(self.velocity(coarse) * gain[0]) * _LARGEST
        appearance = torch.tanh(self.appearance(level) * gain[1]) * _LARGEST
        return velocity[:, :moving], appearance[:, :added]


class PatchCritic(nn.Module):
    """Judges every patch of a CT: above 0 for real, below for attacked. (n, 1, *spatial) -> (n, 1, *coarser)."""

    def __init__(self, dimensions: int, width: int = 24) -> None:
        super().__init__()
        widths = [1, width, 2 * width, 2 * width]
        normed = torch.nn.utils.parametrizations.spectral_norm
        layers: list[nn.Module] = []
        for index, (here, there) in enumerate(pairwise(widths)):
            layers += [normed(_convolution(dimensions, here, there, 1 if index == 0 else 2)), nn.LeakyReLU(0.2)]
        layers.append(normed(_convolution(dimensions, widths[-1], 1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        judged: Tensor = self.layers(image)
        return judged


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The hinge loss of the critic's answers."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def _spelled(drop: float, like: Tensor) -> Tensor:
    """The drop as a number and as sines of growing frequency, so that near drops can be told apart."""
    waves = torch.arange(_WAVES, device=like.device, dtype=like.dtype)
    angle = drop * torch.pi * 2**waves
    return torch.cat([torch.full((1,), drop, device=like.device, dtype=like.dtype), angle.sin(), angle.cos()])
