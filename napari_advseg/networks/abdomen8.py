"""The architecture of the published network ``abdomen8``: a 3-D U-Net of strided and plain convolutions.

Described by Heinrich, Oktay and Bouteldja, "OBELISK-Net", Medical Image Analysis 54 (2019); this is our own
implementation of the described layers, with the published weights' names.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .card import ModelCard
from .intensity import Intensity

_ENCODER = (("1", 5, 14), ("2", 14, 28), ("3", 28, 42), ("4", 42, 56), ("5", 56, 70))
_DECODER = (
    ("6dU", 126, 56, "44"),
    ("6cU", 98, 42, "33"),
    ("6bU", 70, 28, "22"),
    ("6U", 42, 14, "11"),
    ("7U", 19, 9, "0"),
)
_SLOPE = 0.1

CARD = ModelCard(
    name="abdomen8",
    dimensions=3,
    labels={
        0: "background",
        1: "spleen",
        2: "pancreas",
        3: "kidney_left",
        4: "gallbladder",
        5: "esophagus",
        6: "liver",
        7: "stomach",
        8: "duodenum",
    },
    orientation="LAI",
    input_size=(144, 144, 144),
    region_margin_mm=(10.0, 25.0, 25.0),
    intensity=Intensity(rule="none"),
    batch=1,
    source="https://github.com/mattiaspaul/OBELISK, models/allconvunet_tcia_fold2.pth",
    licence="MIT (weights), trained on NIH Pancreas-CT",
    sha256="d918c51ebe4f093bec86bddb7b4922327d3032fb00e7ab244551f38589b73c91",
    format="published",
)


class AllConvUNet(nn.Module):
    """(batch, 1, x, y, z) raw HU -> (batch, 9, x, y, z) logits; each side a multiple of 16 or more."""

    def __init__(self) -> None:
        super().__init__()
        self._block("0", 1, 5)
        for level, inside, outside in _ENCODER:
            self._block(level, inside, outside, stride=2)
            self._block(level * 2, outside, outside)
        for name, inside, outside, _ in _DECODER:
            self._block(name, inside, outside)
        self.conv77U = nn.Conv3d(9, 9, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        skips = {"0": self._layer("0", image)}
        x = skips["0"]
        for level, _, _ in _ENCODER:
            x = skips[level * 2] = self._layer(level * 2, self._layer(level, x))
        for name, _, _, skip in _DECODER:
            up = F.interpolate(x, size=skips[skip].shape[2:], mode="trilinear", align_corners=False)
            x = self._layer(name, torch.cat([up, skips[skip]], 1))
        return self.conv77U(x)  # type: ignore[no-any-return]

    def _block(self, name: str, inside: int, outside: int, stride: int = 1) -> None:
        self.add_module(f"conv{name}", nn.Conv3d(inside, outside, 3, stride=stride, padding=1))
        self.add_module(f"batch{name}", nn.BatchNorm3d(outside))

    def _layer(self, name: str, x: Tensor) -> Tensor:
        return F.leaky_relu(self.get_submodule(f"batch{name}")(self.get_submodule(f"conv{name}")(x)), _SLOPE)
