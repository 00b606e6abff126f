"""Where a segmentation is wrong, and where a network changed its mind: arrays alone, no layers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LabelArray = NDArray[np.integer]
MISSED, FALSE, OTHER = 1, 2, 3  # the values of a map; 0 where there is nothing to tell


@dataclass(frozen=True)
class MapKind:
    """A map of differences.

    Parameters
    ----------
    text
        What a user chooses it by.
    meanings
        Of the values 1, 2, 3.
    colours
        Of the same; the two maps of errors share theirs, told apart by red-green blind eyes as well.
    note
        A line under the legend.
    """

    text: str
    meanings: tuple[str, str, str]
    colours: tuple[str, str, str]
    note: str = ""


_WRONG = ("missed", "false", "another organ")
_WRONG_COLOURS = ("#ffb000", "#dc267f", "#648fff")
KINDS = {
    "all": MapKind("all errors", _WRONG, _WRONG_COLOURS, "Against the reference, moved with the anatomy."),
    "new": MapKind("newly wrong", _WRONG, _WRONG_COLOURS, "Wrong, and not what the network said of the CT."),
    "mind": MapKind(
        "changed its mind",
        ("lost", "gained", "another organ"),
        ("#fe6100", "#00c2a8", "#a78bfa"),
        "Perturbed against clean CT; moved anatomy counts.",
    ),
}


def differences(
    found: LabelArray, truth: LabelArray, organs: Collection[int] | None = None, before: LabelArray | None = None
) -> NDArray[np.uint8]:
    """How ``found`` differs from ``truth``, voxel by voxel.

    Parameters
    ----------
    found, truth
        Class ids of one shape, 0 the background.
    organs
        Only voxels that are one of these in either array; every organ where None.
    before
        Only voxels where ``found`` is not what was found before.

    Returns
    -------
    uint8: ``MISSED`` where only ``truth`` has an organ, ``FALSE`` where only ``found`` has one, ``OTHER`` where both
    have different ones, else 0.
    """
    differ = found != truth
    if before is not None:
        differ &= found != before
    if organs is not None:
        scored = np.zeros(int(max(found.max(initial=0), truth.max(initial=0), *organs, 0)) + 1, bool)
        scored[list(organs)] = True
        differ &= scored[found] | scored[truth]
    kind = np.where(found == 0, MISSED, np.where(truth == 0, FALSE, OTHER))
    return np.where(differ, kind, 0).astype(np.uint8)
