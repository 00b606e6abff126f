"""Windows that see nothing of what differs from pass to pass are run once: their part of the stitched scores is kept.

An attack changes the CT within a box around some organs, and of a network's windows over a whole body most lie beyond it.
What a window is shown is compared bit by bit, so a network whose pre-processing depends on all voxels runs as before. The
sum is then taken in another order, which moves scores by some ten-millionths of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .boxes import Box, box_around, hull, meet
from .free_memory import fits
from .windows import Windows

_FEWEST = 1 / 8  # of all windows: below, keeping their part does not pay


@dataclass
class StillWindows:
    """What is remembered of the windows of one CT; off unless :meth:`begin` has been called."""

    on: bool = False
    _first: Tensor | None = None
    _plan: Windows | None = None
    _box: Box | None = None
    _part: Tensor | None = None

    def begin(self) -> None:
        """Passes over one CT and changed forms of it begin."""
        self.__init__(on=True)  # type: ignore[misc]

    def end(self) -> None:
        """Forget, and remember nothing more."""
        self.__init__()  # type: ignore[misc]

    @property
    def holds(self) -> bool:
        """Whether anything is in memory."""
        return self._first is not None

    def split(self, image: Tensor, windows: Windows) -> tuple[list[int], list[int], Tensor | None]:
        """Of a padded input: the windows that are still, the others, and what the still ones add to the scores, (class,
        *shape) before their division by the weights; None where they have to be run, then see :meth:`take`."""
        every = list(range(len(windows.starts)))
        if not self.on:
            return [], every, None
        if self._first is None or self._plan is None:
            self._first, self._plan = image.detach().clone(), windows
            return [], every, None
        same = (windows.shape, windows.size, windows.starts) == (
            self._plan.shape, self._plan.size, self._plan.starts
        )  # fmt: skip
        box = hull(box_around(image.detach() != self._first), self._box) if same else None
        if not same or box is None:
            return [], every, None
        if box != self._box:
            self._box, self._part = box, None
        moving = [index for index in every if meet(windows.slices(index), box)]
        still = sorted(set(every) - set(moving))
        if len(still) < _FEWEST * len(every):
            self.end()
            return [], every, None
        return still, moving, self._part

    def take(self, part: Tensor) -> None:
        """What the still windows add, where there is room for it."""
        if fits(part.numel() * part.element_size(), part.device):
            self._part = part.clone()
        else:
            self.end()
