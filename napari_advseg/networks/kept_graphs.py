"""Which windows keep their graph from the way there to the way back, so that they need not be run again.

Those that held a share of the last gradient are likely to hold one of the next. Their graphs are kept while there is
memory to spare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from .free_memory import fits
from .windows import Windows


@dataclass(eq=False)
class KeptGraphs:
    """What the last gradient has shown of a network's windows.

    Parameters
    ----------
    on
        Whether graphs may be kept at all.
    kept
        Windows whose graph is in memory.
    """

    on: bool = True
    kept: int = 0
    _plan: tuple[object, ...] | None = None
    _busy: frozenset[int] = frozenset()
    _bytes: float | None = None  # of the graph of one window's run

    def begin(self) -> None:
        """A pass begins."""
        self.kept = 0

    def keep(self, windows: Windows, some: Sequence[int], runs: int, device: torch.device) -> bool:
        """Whether the graph of these windows' batch, each of which is run ``runs`` times, is to be kept; it counts as kept
        then."""
        if not self.on or self._bytes is None or self._plan != _plan_of(windows) or not self._busy.issuperset(some):
            return False
        held, more = self.kept * runs * self._bytes, len(some) * runs * self._bytes
        if not fits(more, device, held):
            return False
        self.kept += len(some)
        return True

    @contextmanager
    def watched(self, windows: Windows, some: Sequence[int]) -> Iterator[Callable[..., None]]:
        """Find out what the graph made inside takes, where that is not known yet. Gives a function that is told what is kept
        beside the graph."""
        if self._bytes is not None and self._plan == _plan_of(windows):
            yield lambda *_: None
            return
        storages: dict[int, int] = {}

        def count(*tensors: Tensor) -> None:
            storages.update({(own := tensor.untyped_storage()).data_ptr(): own.nbytes() for tensor in tensors})

        def pack(saved: Tensor) -> Tensor:
            count(saved)
            return saved.detach()  # a graph that held its own answers would never be freed

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
            yield count
        self._plan, self._bytes = _plan_of(windows), sum(storages.values()) / len(some)

    def saw(self, windows: Windows, busy: Sequence[int]) -> None:
        """The windows that held a share of the gradient; the graphs have been gone through."""
        self.kept = 0
        if self._plan == _plan_of(windows):
            self._busy = frozenset(busy)


def _plan_of(windows: Windows) -> tuple[object, ...]:
    return windows.shape, windows.size, windows.starts
