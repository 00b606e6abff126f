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

from ..networks import TurnedConv3d
from .card import AttackerCard

_FOLD = 2  # pixels per side that are folded into channels before the first convolution
_LEVELS = 2  # halvings after that
SIDES = _FOLD * 2**_LEVELS
_WAVES = 6  # sines that spell out the drop
_LARGEST = 2.0  # control values, in budgets
_GROWTH = 0.5  # the power of the drop to start from: near nothing, a drop grows about with the square of the change
_GROUP = 4  # channels normalised together
_EMPHASIS = 1.0
_WAVELENGTH_MM = 120.0  # of the map that a noise vector spells: some organs' size, so that draws differ in place


def _convolution(dimensions: int, here: int, there: int, stride: int = 1) -> nn.Module:
    layer: type[nn.Conv2d | nn.Conv3d] = nn.Conv2d if dimensions == 2 else TurnedConv3d
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

    ``forward`` takes (n, channel, *spatial) features, whose sides are multiples of ``SIDES``, the drop asked for and a
    noise vector (``card.noise``,), and gives (n, velocity components, *spatial / 4) and (n, scales, *spatial), both in
    budgets. In 2-D the batch is the slices of one CT in order: each is seen with its neighbours, and all of them
    together say how strong the change has to be.
    """

    def __init__(self, card: AttackerCard) -> None:
        super().__init__()
        self.card = card
        d, folded = card.dimensions, _FOLD**card.dimensions
        widths = [card.width * 2**level for level in range(_LEVELS + 1)]
        condition = 64
        self.embed = nn.Sequential(
            nn.Linear(2 * _WAVES + 1 + card.noise, condition), nn.SiLU(), nn.Linear(condition, condition), nn.SiLU()
        )
        self.enter = _convolution(d, (card.channels + 1) * folded, widths[0])
        self.down = nn.ModuleList(_Block(d, widths[i], widths[i], condition) for i in range(_LEVELS))
        self.shrink = nn.ModuleList(_convolution(d, widths[i], widths[i + 1], 2) for i in range(_LEVELS))
        self.bottom = _Block(d, widths[-1], widths[-1], condition)
        self.whole = nn.Linear(widths[-1], condition)  # what the CT as a whole adds to the condition
        self.up = nn.ModuleList(_Block(d, widths[i + 1] + widths[i], widths[i], condition) for i in range(_LEVELS))
        moving, added = card.fields
        self.velocity = _convolution(d, widths[1], max(1, moving))
        self.appearance = _convolution(d, widths[0], max(1, added) * folded)
        # How strong a change must be is the drop's affair first: it grows with a power of the drop, one per field, from
        # nothing, and a gain learned from the condition corrects that.
        self.gain = nn.Linear(condition, 2)
        self.growth = nn.Parameter(torch.full((2,), _GROWTH))
        self.emphasis = nn.Parameter(torch.full((2,), _EMPHASIS))
        for layer, bias in ((self.gain, -1.5), (self.whole, 0.0)):
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, bias)
        if d == 2:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the quicker one for few channels

    def forward(self, features: Tensor, drop: float, noise: Tensor) -> tuple[Tensor, Tensor]:
        told = drop if self.card.conditioned else sum(self.card.drops) / 2
        condition = self.embed(torch.cat([_spelled(told, noise), noise]))
        shown = with_neighbours(features, self.card)
        places = noise_map(noise, shown, self.card.spacing_mm)
        level = self.enter(fold(torch.cat([shown, places], 1)))
        kept = []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            level = block(level, condition)
            kept.append(level)
            level = shrink(level)
        level = self.bottom(level, condition)
        condition = condition + self.whole(level.mean(dim=(0, *range(2, level.ndim))))
        coarse = level
        for index in reversed(range(_LEVELS)):
            grown = F.interpolate(level, size=kept[index].shape[2:], mode="nearest")
            level = self.up[index](torch.cat([grown, kept[index]], 1), condition)
            if index == 1:
                coarse = level
        moving, added = self.card.fields
        gain = F.softplus(self.gain(condition))
        share = told / self.card.drops[1]
        grown_to: Tensor = _LARGEST * share**self.growth
        # Where the noise's map is high more is changed; the largest drops leave no such freedom.
        emphasis = self.emphasis * max(0.0, 1 - share)
        here = (emphasis[0] * F.interpolate(places, size=coarse.shape[2:], mode="area")).exp()
        velocity = torch.tanh(self.velocity(coarse) * gain[0]) * grown_to[0] * here
        here = (emphasis[1] * places).exp()
        appearance = torch.tanh(unfold(self.appearance(level)) * gain[1]) * grown_to[1] * here
        return velocity[:, :moving], appearance[:, :added]


def with_neighbours(stack: Tensor, card: AttackerCard) -> Tensor:
    """Slices (n, channel, *spatial) with the channels of their neighbours beside their own; volumes as they are."""
    n = card.neighbours if card.dimensions == 2 else 0
    if n == 0:
        return stack
    padded = torch.cat([stack[:1]] * n + [stack] + [stack[-1:]] * n)
    return torch.cat([padded[i : i + len(stack)] for i in range(2 * n + 1)], 1)


def noise_map(noise: Tensor, stack: Tensor, spacing_mm: float) -> Tensor:
    """A smooth map over a stack (n, channel, *spatial), the same for all n: (n, 1, *spatial), about normal.

    Each number of the noise is the weight of a plane wave through the middle, whose direction and phase are fixed.
    """
    spatial = stack.shape[2:]
    fixed = torch.Generator().manual_seed(0)
    directions = F.normalize(torch.randn(len(noise), len(spatial), generator=fixed), dim=1).to(noise)
    phases = (2 * torch.pi * torch.rand(len(noise), generator=fixed)).to(noise)
    total = noise.new_zeros(spatial)
    for weight, direction, phase in zip(noise, directions, phases, strict=True):
        angle = phase.expand(spatial)
        for axis, size in enumerate(spatial):
            place = (torch.arange(size, device=noise.device) - size / 2) * (2 * torch.pi * spacing_mm / _WAVELENGTH_MM)
            angle = angle + (place * direction[axis]).view(-1, *[1] * (len(spatial) - 1 - axis))
        total = total + weight * angle.cos()
    normal: Tensor = total * (2 / len(noise)) ** 0.5
    return normal.expand(len(stack), 1, *spatial)


def fold(image: Tensor) -> Tensor:
    """(n, c, *spatial) -> (n, c * 2^d, *spatial / 2): neighbouring pixels become channels, nothing is lost."""
    d = image.ndim - 2
    cut = image.reshape(*image.shape[:2], *(part for size in image.shape[2:] for part in (size // _FOLD, _FOLD)))
    moved = cut.permute(0, 1, *(3 + 2 * i for i in range(d)), *(2 + 2 * i for i in range(d)))
    return moved.reshape(len(image), -1, *(size // _FOLD for size in image.shape[2:]))


def unfold(image: Tensor) -> Tensor:
    """The inverse of :func:`fold`."""
    d = image.ndim - 2
    cut = image.reshape(len(image), -1, *([_FOLD] * d), *image.shape[2:])
    moved = cut.permute(0, 1, *(axis for i in range(d) for axis in (2 + d + i, 2 + i)))
    return moved.reshape(len(image), -1, *(size * _FOLD for size in image.shape[2:]))


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
