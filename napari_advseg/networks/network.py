"""A segmentation network as one differentiable function: HU on the CT's grid in, class scores on that grid out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..volume import Grid, Region, reorientation
from .card import ModelCard
from .execution import Execution, checkpointed
from .steps import run_steps
from .stitching import Variant, keeps_graph, stitch
from .thin_layers import turn_thin_layers
from .windows import Windows, plan_windows

NetworkFormat = Literal["published", "shipped", "weights", "torchscript", "export", "nnunet", "monai-bundle", "module"]
T = TypeVar("T")
_LEAST = 1e-6  # least probability, so that its logarithm stays finite


@dataclass
class Passes:
    """How often the network ran over the case: the machine-independent cost."""

    forward: int = 0
    backward: int = 0


class Ensemble(nn.Module):
    """Several trained copies of one network; their scores are averaged."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> Tensor:
        answers = [first_output(member(image)) for member in self.members]
        return torch.stack(answers).mean(0)


@dataclass
class SegmentationNetwork:
    """A checkpoint with its card, ready to be put on a CT's grid by :meth:`on`.

    Parameters
    ----------
    module
        Takes (batch, 1, *spatial) and gives (batch, class, *spatial) at the same size.
    check
        Called before every layer and again on the way back; raise in it to stop a pass within a layer's time.
    random
        Whether two passes over the same input differ (dropout that is on at inference). Such a network draws its
        random numbers from ``seed``, so that passes can be compared; see :meth:`drawing`.
    """

    module: nn.Module
    card: ModelCard
    source: str
    device: torch.device
    format: NetworkFormat = "module"
    passes: Passes = field(default_factory=Passes)
    check: Callable[[], None] | None = None
    random: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        self.module.to(self.device)
        _put_into_evaluation(self.module)
        turn_thin_layers(self.module)  # whatever the device: a run may climb down to the CPU
        self.execution = Execution(self.card.batch, self.device)
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)
        for layer in self.module.modules():
            if not isinstance(layer, torch.jit.ScriptModule | torch.fx.GraphModule):
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

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Passes over one CT and changed forms of it: windows that see no difference are run once while inside."""
        self.execution.still.begin()
        try:
            yield
        finally:
            self.execution.still.end()

    @contextmanager
    def drawing(self, seed: int) -> Iterator[None]:
        """Let a random network draw other random numbers while inside; the same seed draws the same ones."""
        before, self.seed = self.seed, seed
        try:
            yield
        finally:
            self.seed = before

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

    def variants(self) -> list[Variant]:
        """Every fold under every mirroring; their mean is the network's answer."""
        members = list(self.module.members) if isinstance(self.module, Ensemble) else [self.module]
        axes = self.card.mirror_axes
        flips = [some for count in range(len(axes) + 1) for some in combinations(axes, count)]
        return [
            self._variant(member, tuple(axis + 2 for axis in flip), number * len(flips) + index)
            for number, member in enumerate(members)
            for index, flip in enumerate(flips)
        ]

    def run(self, image: Tensor, windows: Windows) -> Tensor:
        """(a, b, c) network input -> (class, a, b, c), whatever the module gives: logits or probabilities."""
        variants = self.variants()
        alone = self.random and not keeps_graph(windows, variants)  # a window draws the same numbers there and back
        self.execution.rough = self.execution.half_for(image) and keeps_graph(windows, variants)

        def again() -> None:
            self.passes.forward += 1

        def batch() -> int:
            return 1 if alone else self.execution.batch

        return stitch(image, windows, variants, batch, self.execution.spared(image, again, repeats=not self.random))

    def _variant(self, member: nn.Module, flip: tuple[int, ...], number: int) -> Variant:
        def run(cut: Tensor, some: Sequence[int]) -> Tensor:
            self._before_layer()  # programs without layers are stopped between windows
            batch = cut if self.card.dimensions == 2 else cut[:, None]
            if flip:
                batch = batch.flip(flip)
            way = self.execution
            saving = checkpointed(member) if way.checkpointing and torch.is_grad_enabled() else nullcontext()
            with self._drawn(number * 1_000_003 + some[0]), way.precision(cut), saving:
                out = call_module(member, batch.to(way.device), self.card).to(cut.device)
            check_numbers(out, self.card, way.half_for(cut))
            if flip:
                out = out.flip(flip)
            return out[:, :, None] if self.card.dimensions == 2 else out

        return run

    @contextmanager
    def _drawn(self, place: int) -> Iterator[None]:
        """Fixed random numbers for one call, without touching those of the rest of the program."""
        if not self.random:
            yield
            return
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed((self.seed * 7_919 + place) % 2**63)
            yield

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
        network, card = self.network, self.network.card
        stage = run_steps(card.pipeline(), hu, self.view_grid)
        image = stage.image
        windows = plan_windows(card, (image.shape[0], image.shape[1], image.shape[2]))
        answer = network.run(image, windows)
        if card.output == "probabilities":
            answer = answer.clamp_min(_LEAST).log()
        back = stage.back(answer)
        if card.regions is not None:
            back = classes_of_regions(back, card.regions, len(card.labels))
        network.passes.forward += 1
        if back.requires_grad:
            back.register_hook(self._count_backward)
        return back

    def labels(self, hu: Tensor) -> NDArray[np.uint16]:
        """The hard segmentation of the view, (z, y, x), as class ids."""
        with torch.inference_mode():
            return hard_labels(self.enduring(lambda: self.scores(hu)))

    def enduring(self, work: Callable[[], T]) -> T:
        """``work()``; where memory runs out, again in a way that needs less (see :class:`Execution`)."""
        return self.network.execution.enduring(self.network.module, work)

    def embed(self, in_view: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """A segmentation of the view on the whole CT; background outside."""
        whole = np.zeros(self.grid.shape, np.uint16)
        whole[self.view.slices] = in_view
        return whole

    def _count_backward(self, _gradient: Tensor) -> None:
        self.network.passes.backward += 1


def call_module(module: nn.Module, batch: Tensor, card: ModelCard) -> Tensor:
    """Run the bare module and hold its answer against the card."""
    out = first_output(module(batch))
    if out.shape[1] != card.channels:
        raise ValueError(
            f"the network '{card.name}' gives {out.shape[1]} classes, its card names {card.channels} "
            f"({', '.join(card.labels.values())}): correct the card's labels"
        )
    if out.shape[2:] != batch.shape[2:]:
        raise ValueError(
            f"the network '{card.name}' answered {tuple(batch.shape[2:])} voxels with {tuple(out.shape[2:])}: "
            "it must keep the input's size (is divisible_by or input_size missing in the card?)"
        )
    scores: Tensor = out.float()
    return scores


def check_numbers(scores: Tensor, card: ModelCard, half: bool) -> None:
    """Raise a ValueError of one line where a score is NaN: its class would be taken for the largest. ``half``: whether they
    were reckoned in half precision."""
    if bool(scores.detach().amax().isnan()):  # the largest of numbers with a NaN among them is NaN
        way_out = "run it without half precision, or " if half else ""
        raise ValueError(
            f"the network '{card.name}' gives scores that are no numbers (NaN): {way_out}check its weights and the card's "
            "intensity scaling"
        )


def first_output(out: Any) -> Tensor:
    """The full-resolution scores of a module that answers with several (deep supervision) or with names."""
    if isinstance(out, tuple | list):
        out = out[0]
    if isinstance(out, dict):
        out = out["out"] if "out" in out else next(iter(out.values()))
    scores: Tensor = out
    return scores


def classes_of_regions(scores: Tensor, order: tuple[int, ...], classes: int) -> Tensor:
    """Scores of overlapping regions (sigmoids) as scores of classes whose largest is the label.

    nnU-Net paints the regions in their order, each with its class; a voxel keeps the last region that holds it. Class
    ``order[i]`` therefore wins where region i is above 0 and none of the later ones is; the background where none is.
    """
    result = [torch.full_like(scores[0], -torch.inf)] * classes
    later = torch.full_like(scores[0], -torch.inf)
    for channel in reversed(range(len(order))):
        result[order[channel]] = torch.minimum(scores[channel], -later)
        later = torch.maximum(later, scores[channel])
    result[0] = -later
    return torch.stack(result)


def hard_labels(scores: Tensor) -> NDArray[np.uint16]:
    """The class of the largest score, (z, y, x)."""
    index = scores.detach().max(0).indices  # argmax takes six times as long on a CPU
    return index.to("cpu", torch.int32).numpy().astype(np.uint16)


def _put_into_evaluation(module: nn.Module) -> None:
    try:
        module.eval()
    except NotImplementedError:  # an exported program has no modes: what it was exported in is what it does
        return
