"""Where a patch-based network looks: the windows over its input and how much each counts, by the peers' own rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from .card import ModelCard

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows over an input of three axes; a 2-D network's windows are one slice thick.

    Parameters
    ----------
    padding
        (before, after) for each axis, and the value to pad with.
    shape
        Of the padded input.
    size, starts
        Of every window, and the first voxel of each.
    weight
        (*size), how much a window's answer counts where windows overlap.
    """

    padding: tuple[tuple[int, int], ...]
    value: float | None
    shape: Shape
    size: Shape
    starts: tuple[Shape, ...]
    weight: Tensor

    @property
    def whole(self) -> bool:
        """Whether no two windows overlap: slices, or one window for all."""
        return all(a in (1, b) for a, b in zip(self.size, self.shape, strict=True)) and len(self.starts) == math.prod(
            b // a for a, b in zip(self.size, self.shape, strict=True)
        )

    def slices(self, index: int) -> tuple[slice, slice, slice]:
        a, b, c = (slice(s, s + n) for s, n in zip(self.starts[index], self.size, strict=True))
        return a, b, c

    def pad(self, image: Tensor) -> Tensor:
        """(a, b, c) -> ``shape``."""
        if not any(side for pair in self.padding for side in pair):
            return image
        sides = [side for pair in reversed(self.padding) for side in pair]
        value = float(image.detach().min()) if self.value is None else self.value
        return torch.nn.functional.pad(image, sides, value=value)

    def unpad(self, scores: Tensor) -> Tensor:
        """(class, *shape) -> (class, a, b, c)."""
        for axis, ((before, _), _) in enumerate(zip(self.padding, self.shape, strict=True), start=1):
            size = scores.shape[axis] - sum(self.padding[axis - 1])
            scores = scores.narrow(axis, before, size)
        return scores


def plan_windows(card: ModelCard, shape: Shape) -> Windows:
    """The windows of a network over an input of ``shape``."""
    first = 3 - card.dimensions
    if card.patch is None:
        padding = tuple((0, 0 if axis < first else -n % card.divisible_by) for axis, n in enumerate(shape))
        padded = _padded(shape, padding)
        size = (1, padded[1], padded[2]) if first else padded
        return Windows(padding, None, padded, size, _grid_starts(padded, size), torch.ones(size))
    patch = (1,) * first + tuple(card.patch)
    size = patch[0], patch[1], patch[2]
    missing = [max(0, m - n) for n, m in zip(shape, size, strict=True)]
    padding = tuple((n // 2, n - n // 2) for n in missing)
    padded = _padded(shape, padding)
    if card.tiling == "nnunet":
        starts, weight = _nnunet_starts(padded, size, card.overlap), _nnunet_weight(size[first:])
    else:
        starts, weight = _monai_starts(padded, size, card.overlap, first), _monai_weight(size[first:], card.weights)
    return Windows(padding, 0.0, padded, size, starts, weight.reshape(size))


def _padded(shape: Shape, padding: tuple[tuple[int, int], ...]) -> Shape:
    a, b, c = (n + sum(pair) for n, pair in zip(shape, padding, strict=True))
    return a, b, c


def _grid_starts(shape: Shape, size: Shape) -> tuple[Shape, ...]:
    a, b, c = (range(0, n, m) for n, m in zip(shape, size, strict=True))
    return tuple(product(a, b, c))


def _nnunet_starts(shape: Shape, size: Shape, overlap: float) -> tuple[Shape, ...]:
    """nnU-Net's rule: as few windows as the overlap allows, spread evenly."""
    along = []
    for n, m in zip(shape, size, strict=True):
        count = 1 if m == 1 and n == 1 else math.ceil((n - m) / (m * (1 - overlap))) + 1
        if m == 1:
            along.append(list(range(n)))
            continue
        step = (n - m) / (count - 1) if count > 1 else 0.0
        along.append([int(np.round(step * index)) for index in range(count)])
    return tuple(product(*along))  # type: ignore[arg-type]


def _nnunet_weight(size: tuple[int, ...]) -> Tensor:
    """A Gaussian of an eighth of the patch around its middle voxel, in half precision as nnU-Net keeps it."""
    impulse = np.zeros(size)
    impulse[tuple(n // 2 for n in size)] = 1
    smooth = gaussian_filter(impulse, [n / 8 for n in size], 0, mode="constant", cval=0)
    weight = torch.from_numpy(smooth / smooth.max() * 10).half()
    weight[weight == 0] = weight[weight > 0].min()
    return weight.float()


def _monai_starts(shape: Shape, size: Shape, overlap: float, first: int) -> tuple[Shape, ...]:
    """MONAI's rule: a fixed step, the last window moved back to the edge."""
    from monai.data.utils import dense_patch_slices

    step = [
        m if n == m or axis < first else max(1, int(m * (1 - overlap)))
        for axis, (n, m) in enumerate(zip(shape, size, strict=True))
    ]
    return tuple(
        (box[0].start, box[1].start, box[2].start) for box in dense_patch_slices(shape, size, step, return_slice=True)
    )


def _monai_weight(size: tuple[int, ...], weights: str) -> Tensor:
    from monai.data.utils import compute_importance_map

    weight: Tensor = compute_importance_map(size, mode=weights, sigma_scale=0.125, device="cpu", dtype=torch.float32)
    return weight
