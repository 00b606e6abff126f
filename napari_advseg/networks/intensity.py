"""How HU become a network's input, and gradients that clipping does not blind."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.ndimage import binary_fill_holes
from torch import Tensor

REACH_HU = 5.0  # beyond a clip's edge; farther makes the change larger: benchmarks/clipping.py


class Intensity(BaseModel):
    """How HU become the network's input.

    ``none`` hands raw HU on; ``window`` maps [low, high] linearly onto [out_low, out_high], clipped where
    ``clip``; ``zscore`` clips to [low, high] where given, then subtracts ``mean`` and divides by ``std``;
    ``image_zscore`` takes mean and standard deviation of the image itself; ``image_range`` maps the image's own
    least and greatest value onto [out_low, out_high]. ``mask`` restricts ``image_zscore`` to the voxels that are not
    0 ("nonzero"), or to those and the holes between them ("filled").
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rule: Literal["none", "window", "zscore", "image_zscore", "image_range"] = "none"
    low: float | None = None
    high: float | None = None
    out_low: float = 0.0
    out_high: float = 1.0
    clip: bool = True
    mean: float = 0.0
    std: float = Field(1.0, gt=0)
    mask: Literal["none", "nonzero", "filled"] = "none"

    @model_validator(mode="after")
    def _complete(self) -> Intensity:
        if self.rule == "window" and (self.low is None or self.high is None or self.low >= self.high):
            raise ValueError("the intensity rule 'window' needs low < high, in HU")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"the intensity rule {self.rule!r} needs low < high, in HU")
        return self

    @property
    def window(self) -> tuple[float, float]:
        """The HU that become ``out_low`` and ``out_high``."""
        if self.low is None or self.high is None:
            raise ValueError(f"the intensity rule {self.rule!r} has no window")
        return self.low, self.high

    def apply(self, image: Tensor) -> Tensor:
        """The scaled image, same shape; statistics of the image take part in the gradient."""
        if self.rule == "none":
            return image
        if self.rule == "window":
            low, high = self.window
            image = clip(image, low, high) if self.clip else image
            slope = (self.out_high - self.out_low) / (high - low)  # one factor: every step costs a full-size CT dearly
            return image * slope + (self.out_low - low * slope)
        if self.rule == "zscore":
            return clip(image, self.low, self.high) * (1 / self.std) - self.mean / self.std
        if self.rule == "image_range":
            low_seen, high_seen = image.min(), image.max()
            width = (high_seen - low_seen).clamp_min(1e-8)
            return (image - low_seen) / width * (self.out_high - self.out_low) + self.out_low
        mask = torch.ones_like(image, dtype=torch.bool) if self.mask == "none" else image.detach() != 0
        if self.mask == "filled":
            mask = torch.from_numpy(binary_fill_holes(mask.cpu().numpy())).to(image.device)
        values = image[mask]
        scaled = (image - values.mean()) / values.std(correction=0).clamp_min(1e-8)
        return torch.where(mask, scaled, image)


def clip(image: Tensor, low: float | None, high: float | None, reach: float = REACH_HU) -> Tensor:
    """Clip, but let a gradient through that fades over ``reach`` outside the window.

    A clip has no gradient outside its window, though a voxel a little outside may be brought in by the change that is
    looked for. Farther out hardly any is, and a gradient there only misleads.
    """
    result: Tensor = _Clip.apply(image, low, high, reach)  # type: ignore[no-untyped-call]
    return result


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, low: float | None, high: float | None, reach: float) -> Tensor:
        if low is None and high is None:
            return image.clone()
        ctx.limits = low, high, reach
        ctx.save_for_backward(image)
        return image.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        if not ctx.saved_tensors:
            return gradients[0], None, None, None
        (image,) = ctx.saved_tensors
        low, high, reach = ctx.limits
        outside = image - image.clamp(low, high)
        return gradients[0] * _share(outside.abs_(), reach), None, None, None


def _share(outside: Tensor, reach: float) -> Tensor:
    """How much of the gradient a voxel so far outside keeps: all within the window, none from ``reach`` on."""
    if reach == 0 or math.isinf(reach):
        return (outside <= reach).to(outside.dtype)
    return (1 - outside / reach).clamp_min_(0)
