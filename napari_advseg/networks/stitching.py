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
    """What spares windows' runs, nothing by default; ``again`` is called on the way back for the windows that count there."""

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
        kept: dict[int, tuple[Tensor, list[Tensor]]] = {}  # by the batch's first window
        spared.graphs.begin()

        def added(batches: list[list[int]], stitched: Tensor | None) -> Tensor | None:
            for some in batches:
                cut = _cut(image, windows, some)
                keep = ctx.needs_input_grad[0] and spared.graphs.keep(windows, some, len(variants), image.device)
                answers: list[Tensor] = []
                answer: Tensor | None = None
                for run in variants:
                    with torch.set_grad_enabled(keep):
                        one = run(cut.requires_grad_(keep), some)
                    if keep:
                        answers.append(one)
                    answer = one.detach() if answer is None else answer + one.detach()
                assert answer is not None
                if keep:
                    kept[some[0]] = cut, answers
                if stitched is None:
                    stitched = torch.zeros(answer.shape[1], *windows.shape, device=image.device, dtype=image.dtype)
                for row, index in enumerate(some):
                    stitched[(slice(None), *windows.slices(index))] += answer[row] * weight
            return stitched

        # The still ones come first, whether or not their part can be kept: the sum is the same to the last bit.
        still, moving, known = spared.still.split(image, windows)
        batches = _batches(still, batch), _batches(moving, batch)
        if known is not None and known.part is not None:
            stitched: Tensor | None = known.part.clone()
        elif (stitched := added(batches[0], None)) is not None and known is not None:
            spared.still.take(known, stitched)
        stitched = added(batches[1], stitched)
        assert stitched is not None
        total *= len(variants)
        stitched /= total
        ctx.save_for_backward(image, total)
        ctx.windows, ctx.variants, ctx.batches = windows, variants, [*batches[0], *batches[1]]
        ctx.spared, ctx.kept = spared, kept
        return stitched

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        image, total = ctx.saved_tensors
        windows, graphs = ctx.windows, ctx.spared.graphs
        weight = windows.weight.to(image.device, image.dtype)
        wanted = torch.zeros_like(image)
        box = _where(gradients[0])  # all that follows costs what the organs measure, not what the CT does
        share = gradients[0][(slice(None), *box)] / total[box]
        busy = _busy(share, box, windows)
        if busy:  # counted where graphs were kept, too: figures say nothing of a computer's memory
            ctx.spared.again()
        for batch in ctx.batches:  # as on the way there: kept or run again, the gradient is the same to the last bit
            some = [index for index in batch if index in busy]
            cut, answers = ctx.kept.pop(batch[0], (None, []))  # a graph can be gone through once
            if not some:
                continue
            pull = torch.stack([_seen(share, box, windows.slices(index)) * weight for index in some])
            peak = pull.abs().max().clamp_min(1e-30)  # half precision loses what is much smaller than 1
            for number, run in enumerate(ctx.variants):
                if answers and some == batch:
                    (gradient,) = torch.autograd.grad(answers[number], cut, pull / peak)
                else:
                    with torch.enable_grad(), graphs.watched(windows, some) as count:
                        again = _cut(image, windows, some).requires_grad_()
                        answer = run(again, some)
                        count(again, answer)
                    (gradient,) = torch.autograd.grad(answer, again, pull / peak)
                for row, index in enumerate(some):
                    wanted[windows.slices(index)] += gradient[row] * peak
        graphs.saw(windows, busy)
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
