"""3-D convolutions of few channels, turned so that torch takes its quicker way on a CPU.

torch hands a convolution of one image to oneDNN only where channels times the first two spatial sides, without the third, are
above 20480 (``ConvParams::use_mkldnn``; seen in 2.13); its other way takes several times as long. CTs have fewer slices than
pixels across, so the sides that count are put first.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_ENOUGH = 20480
_LARGE = 3  # kernels above it in their last two sides are quick as they are


class TurnedConv3d(nn.Conv3d):
    """``nn.Conv3d`` whose sides are turned where that is quicker: the same weights, the same answer up to rounding."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        order = self._order(input)
        if order is None or isinstance(self.padding, str):
            plain: Tensor = super()._conv_forward(input, weight, bias)
            return plain
        axes = (0, 1, *(axis + 2 for axis in order))
        stride, padding, dilation = (
            tuple(int(given[axis]) for axis in order) for given in (self.stride, self.padding, self.dilation)
        )
        turned = F.conv3d(input.permute(axes).contiguous(), weight.permute(axes), bias, stride, padding, dilation)
        back = [axes.index(axis) for axis in range(5)]
        return turned.permute(back).contiguous()

    def _order(self, image: Tensor) -> tuple[int, ...] | None:
        """The order of the sides that makes the quicker way be taken; None where it is taken anyhow, or never."""
        if image.ndim != 5 or image.device.type != "cpu" or image.dtype != torch.float32:
            return None
        if not torch.backends.mkldnn.is_available() or torch.is_autocast_enabled("cpu"):
            return None
        kernel = self.kernel_size
        if self.groups > 1 or self.padding_mode != "zeros" or min(kernel) == 1 or min(kernel[1:]) > _LARGE:
            return None
        batch, channels, *sides = image.shape
        order = tuple(sorted(range(3), key=lambda axis: -sides[axis]))
        counted = channels * sides[order[0]] * sides[order[1]]
        return order if batch == 1 and channels * sides[0] * sides[1] <= _ENOUGH < counted else None


def turn_thin_layers(module: nn.Module) -> None:
    """Let the 3-D convolutions inside a module of Python layers turn their sides; state, hooks and names stay."""
    for layer in module.modules():
        if type(layer) is nn.Conv3d and layer is not module:
            layer.__class__ = TurnedConv3d
