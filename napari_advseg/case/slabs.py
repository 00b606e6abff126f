"""A case cut into cases of few slices: what a 2-D network is trained against at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..attacks import score_organs
from ..volume import Region, Volume
from .case import Case

# Slices: one and its neighbours. A short training gets farther with many steps on few slices than with few on many.
SLAB = 3


def slabs(case: Case, most: int = SLAB) -> list[Case]:
    """The case's slices in stacks of at most ``most``, each a case of its own; those without an organ to score are left
    out. A case of a 3-D network, or of few slices, stays whole.
    """
    axis = case.network.card.slice_axis(case.ct.grid)
    if axis is None or case.ct.grid.shape[axis] <= most:
        return [case]
    found = []
    for indices in np.array_split(np.arange(case.ct.grid.shape[axis]), -(-case.ct.grid.shape[axis] // most)):
        start, stop = [0, 0, 0], list(case.ct.grid.shape)
        start[axis], stop[axis] = int(indices[0]), int(indices[-1]) + 1
        cut = Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])).slices
        grid = case.ct.grid.crop(cut)
        reference, clean = case.reference[cut], case.clean_labels[cut]
        organs = score_organs(case.network.card.labels, clean, reference)
        if organs:
            found.append(
                replace(
                    case, ct=Volume(np.ascontiguousarray(case.ct.hu[cut]), grid), placed=case.network.on(grid),
                    region=Region.whole(grid), reference=reference, clean_labels=clean, organs=organs,
                )
            )  # fmt: skip
    return found
