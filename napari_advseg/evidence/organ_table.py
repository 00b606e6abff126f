"""What the attack did to each organ: Dice, volume, surface distance, and where to look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..attacks import AttackResult
from ..volume import Grid, Region
from .bundle_reading import Bundle


@dataclass(frozen=True)
class OrganRow:
    """One organ before and after the attack.

    Parameters
    ----------
    clean_dice, attacked_dice
        Of the network on the CT with the reference, and on the perturbed CT with the moved reference.
    clean_ml, attacked_ml
        Volume of the network's segmentation, millilitres.
    clean_hd95_mm, attacked_hd95_mm
        Greater of the two directed 95th percentiles of the distances between the surfaces of segmentation and
        reference, mm; None where one of them is empty.
    newly_wrong
        Voxels of this organ that the attack alone made wrong.
    worst_slices
        Index along each array axis (z, y, x) of the slice with most of them; None where there are none.
    """

    id: int
    name: str
    clean_dice: float
    attacked_dice: float
    clean_ml: float
    attacked_ml: float
    clean_hd95_mm: float | None
    attacked_hd95_mm: float | None
    newly_wrong: int
    worst_slices: tuple[int, int, int] | None

    @property
    def drop(self) -> float:
        """Dice lost."""
        return self.clean_dice - self.attacked_dice

    @property
    def change_ml(self) -> float:
        """Volume gained, ml; negative where it shrank."""
        return self.attacked_ml - self.clean_ml


def organ_table(shown: AttackResult | Bundle) -> tuple[OrganRow, ...]:
    """A row per scored organ, in the result's order; from a result in memory or a bundle read back."""
    grid = shown.ct.grid if isinstance(shown, AttackResult) else shown.grid
    millilitres = float(np.prod(grid.spacing)) / 1000.0
    clean, attacked = shown.clean_labels, shown.attacked_labels
    rows = []
    for organ in shown.organs:
        wrong = (attacked != shown.moved_reference) & (attacked != clean)
        wrong &= (attacked == organ.id) | (shown.moved_reference == organ.id)
        before, after = clean == organ.id, attacked == organ.id
        rows.append(
            OrganRow(
                id=organ.id,
                name=organ.name,
                clean_dice=organ.clean,
                attacked_dice=organ.attacked,
                clean_ml=float(before.sum()) * millilitres,
                attacked_ml=float(after.sum()) * millilitres,
                clean_hd95_mm=hd95_mm(before, shown.reference == organ.id, grid),
                attacked_hd95_mm=hd95_mm(after, shown.moved_reference == organ.id, grid),
                newly_wrong=int(wrong.sum()),
                worst_slices=worst_slices(wrong),
            )
        )
    return tuple(rows)


def hd95_mm(one: NDArray[np.bool_], other: NDArray[np.bool_], grid: Grid) -> float | None:
    """The 95th-percentile Hausdorff distance of two masks (z, y, x), mm; None where one of them is empty.

    The greater of the two directed percentiles of the distances between edge voxels, as MONAI defines it. Along an axis
    of one voxel no voxel is an edge.
    """
    if not (one.any() and other.any()):
        return None
    box = Region.around(one | other, grid).slices
    structure = ndimage.generate_binary_structure(3, 1)
    for axis, voxels in enumerate(grid.shape):
        if voxels == 1:
            structure = structure & np.eye(3, dtype=bool)[1].reshape([-1 if a == axis else 1 for a in range(3)])
    masks = [mask[box] for mask in (one, other)]
    edges = [mask & ~ndimage.binary_erosion(mask, structure) for mask in masks]
    to = [ndimage.distance_transform_edt(~edge, sampling=grid.spacing) for edge in edges]
    return float(max(np.percentile(to[1][edges[0]], 95), np.percentile(to[0][edges[1]], 95)))


def worst_slices(wrong: NDArray[np.bool_]) -> tuple[int, int, int] | None:
    """Index along each array axis of the slice with most True voxels of (z, y, x); None where all are False."""
    if not wrong.any():
        return None
    z, y, x = (int(np.argmax(wrong.sum(axis=tuple(other for other in range(3) if other != axis)))) for axis in range(3))
    return z, y, x
