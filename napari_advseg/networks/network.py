"""A segmentation network as one differentiable function: HU on the CT's grid in, class scores on that grid out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..volume import Grid, Region, Reorientation, reorientation
from .card import Intensity, ModelCard

NetworkFormat = Literal["published", "shipped", "weights", "torchscript", "module"]


@dataclass
class Passes:
    """How often the network ran over the case: the machine-independent cost."""

    forward: int = 0
    backward: int = 0


@dataclass
class SegmentationNetwork:
    """A checkpoint with its card, ready to be put on a CT's grid by :meth:`on`.

    Parameters
    ----------
    module
        Takes (batch, 1, *spatial) and gives (batch, class, *spatial) at the same size.
    check
        Called before every layer and again on the way back; raise in it to stop a pass within a layer's time.
    """

    module: nn.Module
    card: ModelCard
    source: str
    device: torch.device
    format: NetworkFormat = "module"
    passes: Passes = field(default_factory=Passes)
    check: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.module.to(self.device).eval()
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)
        for layer in self.module.modules():
            if not isinstance(layer, torch.jit.ScriptModule):
                layer.register_forward_pre_hook(self._before_layer)
                layer.register_forward_hook(self._after_layer)

    def on(self, grid: Grid, region: Region | None = None) -> PlacedNetwork:
        """Put the network on a CT's grid.

        ``region`` is what a network of fixed input size is shown; networks that take any size see the whole volume.
        """
        return PlacedNetwork(self, grid, region if self.needs_region and region is not None else Region.whole(grid))

    @contextmanager
    def stopping_at(self, check: Callable[[], None]) -> Iterator[None]:
        """Call ``check`` at every layer while inside; what it raises ends the pass."""
        before, self.check = self.check, check
        try:
            yield
        finally:
            self.check = before

    @property
    def needs_region(self) -> bool:
        """Whether the network has a fixed input size in 3-D, so that somebody must say what it is shown."""
        return self.card.input_size is not None and self.card.dimensions == 3

    def auto_region(self, labels: NDArray[np.integer[Any]], grid: Grid) -> Region:
        """The box around the organs in ``labels`` plus the card's margin, which is given along the patient's axes."""
        order = reorientation(grid, "SPL").order
        margin = [0.0, 0.0, 0.0]
        for patient_axis, array_axis in enumerate(order):
            margin[array_axis] = self.card.region_margin_mm[patient_axis]
        return Region.around(labels > 0, grid, (margin[0], margin[1], margin[2]))

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.module.parameters())

    def _before_layer(self, *_: Any) -> None:
        if self.check is not None:
            self.check()

    def _after_layer(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if self.check is not None and isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(self._on_the_way_back)

    def _on_the_way_back(self, _gradient: Tensor) -> None:
        if self.check is not None:
            self.check()


@dataclass(frozen=True)
class PlacedNetwork:
    """A network on a CT's grid; ``view`` is the box of the CT that it is shown."""

    network: SegmentationNetwork
    grid: Grid
    view: Region

    @property
    def view_grid(self) -> Grid:
        return self.grid.crop(self.view.slices)

    def scores(self, hu: Tensor) -> Tensor:
        """Class scores of the CT in the view.

        Parameters
        ----------
        hu
            (z, y, x) of ``view``, HU, on the network's device; may require a gradient.

        Returns
        -------
        (class, z, y, x): logits on the same voxels; the largest one is the segmentation.
        """
        if tuple(hu.shape) != self.view.shape:
            raise ValueError(f"the network was placed on a view of shape {self.view.shape}; got {tuple(hu.shape)}")
        card = self.network.card
        change = reorientation(self.grid, card.orientation)
        turned = _turn(hu, change)
        image = _intensity(_resample(turned[None, None], self._input_size(turned.shape)), card.intensity)[0, 0]
        logits = self._run(image)
        back = _resample(logits[None], tuple(turned.shape))[0]
        self.network.passes.forward += 1
        if back.requires_grad:
            back.register_hook(self._count_backward)
        return _turn_back(back, change)

    def labels(self, hu: Tensor) -> NDArray[np.uint16]:
        """The hard segmentation of the view, (z, y, x), as class ids."""
        with torch.inference_mode():
            return hard_labels(self.scores(hu))

    def embed(self, in_view: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """A segmentation of the view on the whole CT; background outside."""
        whole = np.zeros(self.grid.shape, np.uint16)
        whole[self.view.slices] = in_view
        return whole

    def _count_backward(self, _gradient: Tensor) -> None:
        self.network.passes.backward += 1

    def _input_size(self, turned: torch.Size) -> tuple[int, ...]:
        card = self.network.card
        size = list(turned)
        first = 3 - card.dimensions  # a 2-D network keeps its slices
        if card.input_size is not None:
            size[first:] = card.input_size
        elif card.spacing is not None:
            order = reorientation(self.grid, card.orientation).order
            have = [self.grid.spacing[axis] for axis in order][first:]
            size[first:] = [max(1, round(n * a / b)) for n, a, b in zip(size[first:], have, card.spacing, strict=True)]
        return tuple(size)

    def _run(self, image: Tensor) -> Tensor:
        """(s, h, w) network input -> (class, s, h, w) logits."""
        card = self.network.card
        batch = image[:, None] if card.dimensions == 2 else image[None, None]
        padded = _pad(batch, card.divisible_by)
        if card.patch is not None and card.dimensions == 3:
            out = _sliding_window(self.network, padded)
        else:
            out = torch.cat([self._call(chunk) for chunk in padded.split(card.batch)])
        for axis, size in enumerate(batch.shape[2:], start=2):
            out = out.narrow(axis, 0, size)
        if card.output == "probabilities":
            out = out.clamp_min(1e-6).log()
        return out.transpose(0, 1) if card.dimensions == 2 else out[0]

    def _call(self, batch: Tensor) -> Tensor:
        return call_module(self.network.module, batch, self.network.card)


def call_module(module: nn.Module, batch: Tensor, card: ModelCard) -> Tensor:
    """Run the bare module and hold its answer against the card."""
    out: Any = module(batch)
    if isinstance(out, tuple | list):  # deep supervision: the first is the full resolution
        out = out[0]
    if isinstance(out, dict):
        out = out["out"] if "out" in out else next(iter(out.values()))
    if out.shape[1] != len(card.labels):
        raise ValueError(
            f"the network '{card.name}' gives {out.shape[1]} classes, its card names {len(card.labels)} "
            f"({', '.join(card.labels.values())}): correct the card's labels"
        )
    if out.shape[2:] != batch.shape[2:]:
        raise ValueError(
            f"the network '{card.name}' answered {tuple(batch.shape[2:])} voxels with {tuple(out.shape[2:])}: "
            "it must keep the input's size (is divisible_by or input_size missing in the card?)"
        )
    scores: Tensor = out.float()
    return scores


def hard_labels(scores: Tensor) -> NDArray[np.uint16]:
    """The class of the largest score, (z, y, x)."""
    return scores.detach().argmax(0).to("cpu", torch.int32).numpy().astype(np.uint16)


def _turn(tensor: Tensor, change: Reorientation) -> Tensor:
    lead = tensor.ndim - 3
    turned = tensor.permute(*range(lead), *(lead + axis for axis in change.order))
    return turned.flip([lead + axis for axis in change.flips]) if change.flips else turned


def _turn_back(tensor: Tensor, change: Reorientation) -> Tensor:
    lead = tensor.ndim - 3
    unflipped = tensor.flip([lead + axis for axis in change.flips]) if change.flips else tensor
    return unflipped.permute(*range(lead), *(lead + axis for axis in change.inverse_order))


def _resample(tensor: Tensor, size: tuple[int, ...]) -> Tensor:
    """(n, c, a, b, c) to ``size``, trilinear, voxel edges aligned."""
    if tuple(tensor.shape[2:]) == tuple(size):
        return tensor
    return F.interpolate(tensor, size=size, mode="trilinear", align_corners=False)


def _pad(batch: Tensor, multiple: int) -> Tensor:
    extra = [-n % multiple for n in batch.shape[2:]]
    if not any(extra):
        return batch
    return F.pad(
        batch,
        [value for n in reversed(extra) for value in (0, n)],
        mode="constant",
        value=float(batch.detach().min()),
    )


def _intensity(hu: Tensor, rule: Intensity) -> Tensor:
    if rule.rule == "none":
        return hu
    if rule.rule == "zscore":
        low = -math.inf if rule.low is None else rule.low
        high = math.inf if rule.high is None else rule.high
        return (hu.clamp(low, high) - rule.mean) / rule.std
    low, high = rule.window
    if rule.clip:
        hu = hu.clamp(low, high)
    return (hu - low) / (high - low) * (rule.out_high - rule.out_low) + rule.out_low


def _sliding_window(network: SegmentationNetwork, image: Tensor) -> Tensor:
    from monai.inferers import sliding_window_inference

    card = network.card
    assert card.patch is not None
    return sliding_window_inference(  # type: ignore[no-any-return]
        image,
        card.patch,
        card.batch,
        lambda patch: call_module(network.module, patch, card),
        overlap=0.5,
        mode="gaussian",
    )
