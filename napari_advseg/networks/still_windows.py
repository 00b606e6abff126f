"""Windows that see nothing of what differs from pass to pass are run once: their part of the stitched scores is kept.

An attack changes the CT within a box around some organs, and of a network's windows over a whole body most lie beyond it.
What a window is shown is compared bit by bit, so a network whose pre-processing depends on all voxels runs as before. The
sum is then taken in another order, which moves scores by some ten-millionths of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from .boxes import Box, box_around, hull, meet
from .free_memory import fits
from .windows import Windows

_FEWEST = 1 / 8  # of all windows: below, keeping their part does not pay


@dataclass(frozen=True, eq=False)
class Known:
    """The input that others are compared with, the box in which they have differed, and what the windows beyond it add to
    the scores, (class, *shape) before their division by the weights; None where that is not in memory."""

    first: Tensor
    windows: Windows
    box: Box | None = None
    part: Tensor | None = None

    def like(self, windows: Windows) -> bool:
        mine = self.windows
        return (mine.shape, mine.size, mine.starts) == (windows.shape, windows.size, windows.starts)


@dataclass(eq=False)
class StillWindows:
    """What is remembered of the windows of one CT; off unless :meth:`begin` has been called.

    Parameters
    ----------
    roomy
        Whether parts may be kept.
    """

    on: bool = False
    roomy: bool = True
    known: Known | None = None

    def begin(self) -> None:
        """Passes over one CT and changed forms of it begin."""
        self.on, self.known = True, None

    def end(self) -> None:
        """Forget, and remember nothing more."""
        self.on, self.known = False, None

    @property
    def holds(self) -> bool:
        """Whether a part is in memory."""
        return self.known is not None and self.known.part is not None

    def give_up(self) -> None:
        """Keep no part any more."""
        self.roomy = False
        if self.known is not None:
            self.known = replace(self.known, part=None)

    def split(self, image: Tensor, windows: Windows) -> tuple[list[int], list[int], Known | None]:
        """Of a padded input: the windows that are still, the others, and what is known of the still ones."""
        every, known = list(range(len(windows.starts))), self.known
        if not self.on:
            return [], every, None
        if known is None:
            self.known = Known(image.detach().clone(), windows)
            return [], every, None
        if not known.like(windows):
            return [], every, None
        box = hull(box_around(image.detach() != known.first), known.box)
        if box is None:
            return [], every, None
        if box != known.box:
            self.known = known = replace(known, box=box, part=None)
        moving = [index for index in every if meet(windows.slices(index), box)]
        still = sorted(set(every) - set(moving))
        if len(still) < _FEWEST * len(every):
            self.end()
            return [], every, None
        return still, moving, known

    def take(self, known: Known, part: Tensor) -> None:
        """What the still windows add, where there is room for it and nothing else has become known meanwhile."""
        if self.known is known and self.roomy and fits(part.numel() * part.element_size(), part.device):
            self.known = replace(known, part=part.clone())
