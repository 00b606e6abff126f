"""Scores of a network that looks through windows, and their exact gradient with few windows' graphs alive at a time.

The scores are stitched without a graph, but for windows whose graph is kept (:class:`KeptGraphs`). On the way back, each
other window is run again with its graph; its share of the gradient of the stitched scores is pushed through. Windows
whose share is negligible are left out: together they hold less than a millionth of the gradient's energy, so the gradient
of the scores changes by less than a thousandth. Windows that see nothing of what differs from pass to pass can be left out
on the way there (:class:`StillWindows`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .boxes import Box, box_above, meet
from .kept_graphs import KeptGraphs
from .still_windows import StillWindows
from .windows import Windows

_NEGLIGIBLE = 1e-6  # of the squared gradient
_TINY = 1e-7  # of the largest entry; two hundred million of these are still negligible

Variant = Callable[[Tensor, Sequence[int]], Tensor]
"""(window, *size) and the windows' indices -> (window, class, *size): one fold of an ensemble, one mirroring."""


@dataclass(frozen=True, eq=False)
class Spared:
    """What spares windows' runs, nothing by default; ``again`` is called on the way back where some have to be run again."""

    graphs: KeptGraphs = field(default_factory=lambda: KeptGraphs(on=False))
    still: StillWindows = field(default_factory=StillWindows)
    again: Callable[[], object] = lambda: None


def stitch(
    image: Tensor,
    windows: Windows,
    variants: Sequence[Variant],
    batch: Callable[[], int],
    spared: Spared | None = None,
) -> Tensor:
    """(a, b, c) input -> (class, a, b, c) scores, the weighted mean over windows and over variants.

    ``batch`` is asked anew before each call, because it shrinks where memory runs out.
    """
    padded = windows.pad(image)
    if keeps_graph(windows, variants):
        return windows.unpad(_whole(padded, windows, variants[0], batch))
    scores: Tensor = _Stitched.apply(padded, windows, tuple(variants), batch, spared or Spared())  # type: ignore[no-untyped-call]
    return windows.unpad(scores)


def keeps_graph(windows: Windows, variants: Sequence[Variant]) -> bool:
    """Whether the scores come with the graph of their way back; else all runs once more on it."""
    return windows.whole and len(variants) == 1


def _whole(image: Tensor, windows: Windows, run: Variant, batch: Callable[[], int]) -> Tensor:
    """Windows side by side: their graph is kept, which saves running them again."""
    answers = [run(_cut(image, windows, some), some) for some in _batches(range(len(windows.starts)), batch)]
    joined = torch.cat(answers)
    if len(joined) == 1:
        return joined[0]
    return joined[:, :, 0].transpose(0, 1)  # slices


class _Stitched(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        image: Tensor,
        windows: Windows,
        variants: tuple[Variant, ...],
        batch: Callable[[], int],
        spared: Spared,
    ) -> Tensor:
        weight = windows.weight.to(image.device, image.dtype)
        total = torch.zeros(windows.shape, device=image.device, dtype=image.dtype)
        for index in range(len(windows.starts)):
            total[windows.slices(index)] += weight
        kept: list[tuple[list[int], Tensor, Tensor]] = []
        spared.graphs.begin()

        def added(indices: Sequence[int], stitched: Tensor | None) -> Tensor | None:
            for some in _batches(indices, batch):
                cut = _cut(image, windows, some)
                keep = ctx.needs_input_grad[0] and spared.graphs.keep(windows, some, len(variants), image.device)
                with torch.set_grad_enabled(keep):
                    answer = sum(run(cut.requires_grad_(keep), some) for run in variants)
                assert isinstance(answer, Tensor)
                if keep:
                    kept.append((some, cut, answer))
                    answer = answer.detach()
                if stitched is None:
                    stitched = torch.zeros(answer.shape[1], *windows.shape, device=image.device, dtype=image.dtype)
                for row, index in enumerate(some):
                    stitched[(slice(None), *windows.slices(index))] += answer[row] * weight
            return stitched

        still, moving, part = spared.still.split(image, windows)
        if part is not None:
            stitched: Tensor | None = part.clone()
        elif (stitched := added(still, None)) is not None:
            spared.still.take(stitched)
        stitched = added(moving, stitched)
        assert stitched is not None
        total *= len(variants)
        stitched /= total
        ctx.save_for_backward(image, total)
        ctx.windows, ctx.variants, ctx.batch, ctx.spared, ctx.kept = windows, variants, batch, spared, kept
        return stitched

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        image, total = ctx.saved_tensors
        windows: Windows = ctx.windows
        weight = windows.weight.to(image.device, image.dtype)
        wanted = torch.zeros_like(image)
        box = _where(gradients[0])  # all that follows costs what the organs measure, not what the CT does
        share = gradients[0][(slice(None), *box)] / total[box]
        busy = _busy(share, box, windows)

        def push(some: Sequence[int], cut: Tensor, answer: Tensor) -> None:
            pull = torch.stack([_seen(share, box, windows.slices(index)) * weight for index in some])
            peak = pull.abs().max().clamp_min(1e-30)  # half precision loses what is much smaller than 1
            (gradient,) = torch.autograd.grad(answer, cut, pull / peak)
            for row, index in enumerate(some):
                wanted[windows.slices(index)] += gradient[row] * peak

        done: set[int] = set()
        while ctx.kept:  # each can be gone through once
            some, cut, answer = ctx.kept.pop()
            if not set(some).isdisjoint(busy):
                push(some, cut, answer)
                done.update(some)
        missing = [index for index in busy if index not in done]
        if missing:
            ctx.spared.again()
        for some in _batches(missing, ctx.batch):
            for run in ctx.variants:
                cut = _cut(image, windows, some).requires_grad_()
                with torch.enable_grad(), ctx.spared.graphs.watched(windows, some):
                    answer = run(cut, some)
                push(some, cut, answer)
        ctx.spared.graphs.saw(windows, busy)
        return wanted, None, None, None, None


def _where(gradient: Tensor) -> Box:
    """The box outside of which every entry is at most a ten-millionth of the largest; all where there is no entry."""
    least = _TINY * float(max(gradient.max(), -gradient.min()))
    a, b, c = gradient.shape[1:]
    return box_above(gradient, least) or (slice(0, a), slice(0, b), slice(0, c))


def _seen(share: Tensor, box: Box, window: Box) -> Tensor:
    """The part of ``share``, which covers ``box``, in a window; 0 outside the box."""
    inside, sides = [slice(None)], []
    for whole, own in zip(box, window, strict=True):
        low, high = max(whole.start, own.start), min(whole.stop, own.stop)
        inside.append(slice(low - whole.start, max(low, high) - whole.start))
        sides.append((low - own.start, own.stop - high) if high > low else (0, own.stop - own.start))
    flat = [side for pair in reversed(sides) for side in pair]
    return torch.nn.functional.pad(share[tuple(inside)], flat)


def _busy(share: Tensor, box: Box, windows: Windows) -> list[int]:
    """The windows that hold all but a millionth of the gradient's energy, in their order."""
    squared = windows.weight.to(share.device, share.dtype).square()
    energy = share.square().sum(0, keepdim=True)
    near = [index for index in range(len(windows.starts)) if meet(box, windows.slices(index))]
    if not near:
        return []
    held = torch.stack([(_seen(energy, box, windows.slices(index))[0] * squared).sum() for index in near])
    order = held.argsort()
    small = held[order].double().cumsum(0) <= _NEGLIGIBLE * held.double().sum()
    return sorted(near[index] for index in order[~small].tolist())


def _cut(image: Tensor, windows: Windows, some: Sequence[int]) -> Tensor:
    return torch.stack([image[windows.slices(index)] for index in some])


def _batches(indices: Sequence[int], batch: Callable[[], int]) -> list[list[int]]:
    size = batch()
    return [list(indices[start : start + size]) for start in range(0, len(indices), size)]
