"""A small picture of each draw, all of the same slice of the case: made in the worker's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .placement import Placement

if TYPE_CHECKING:
    from ..attacks import AttackResult
    from ..case import Finding
    from ..volume import Volume

LONGEST = 240  # pixels
_MARGIN_MM = 15.0
_PAINT = 0.5  # how much of the colour covers the CT


def thumbnail(finding: Finding) -> NDArray[np.uint8]:
    """The perturbed CT in the soft-tissue window, the network's segmentation of it painted over.

    The slice is the one with most voxels of the scored organs in the reference, cut around them; the reference, moved
    with the anatomy, is outlined.

    Returns
    -------
    picture
        uint8 RGB (height, width, 3), seen as in the viewer, pixels as high as wide.
    """
    from ..volume import SOFT_TISSUE

    result = finding.result
    placement = Placement.of(result.ct.grid)
    organs = [organ.id for organ in result.organs]
    z, rows, columns = _view(placement.to_shown(np.isin(result.reference, organs)), placement.scale)

    def cut(array: NDArray[Any]) -> NDArray[Any]:
        return placement.to_shown(array)[z, rows, columns]

    hu = cut(result.whole_perturbed).astype(np.float32)
    y, x = _pixels(hu.shape, placement.scale[1:])
    low, high = SOFT_TISSUE
    grey = np.clip((_between(hu, y, x) - low) / (high - low), 0, 1)
    nearest = np.ix_(np.rint(y).astype(int), np.rint(x).astype(int))
    found, moved = cut(result.attacked_labels)[nearest], cut(result.moved_reference)[nearest]
    picture = np.repeat(grey[..., None], 3, axis=2)
    for organ in finding.case.network.card.organs:
        colour = _rgb(organ)
        painted = found == organ
        picture[painted] = (1 - _PAINT) * picture[painted] + _PAINT * colour
        if organ in organs:
            picture[_edge(moved == organ)] = colour
    return np.asarray(np.rint(picture * 255), dtype=np.uint8)


def ct_picture(ct: Volume) -> NDArray[np.uint8]:
    """The middle slice of a CT in the soft-tissue window, as :func:`thumbnail` gives pictures."""
    from ..volume import SOFT_TISSUE

    placement = Placement.of(ct.grid)
    hu = placement.to_shown(ct.hu)[placement.shown.shape[0] // 2].astype(np.float32)
    low, high = SOFT_TISSUE
    grey = np.clip((_between(hu, *_pixels(hu.shape, placement.scale[1:])) - low) / (high - low), 0, 1)
    return np.asarray(np.rint(np.repeat(grey[..., None], 3, axis=2) * 255), dtype=np.uint8)


def largest(result: AttackResult) -> tuple[float, float]:
    """Greatest displacement, mm, and greatest intensity change, HU."""
    return float(result.displacement_mm.max(initial=0.0)), float(np.abs(result.appearance).max(initial=0.0))


def size(result: AttackResult) -> float:
    """Root mean square of the change in the region, in units of the budget, as the search measures it."""
    budget = result.synthesis.budget
    parts = ((result.displacement_mm, budget.max_displacement_mm), (result.appearance, budget.max_hu))
    return float(sum(float(np.square(change).mean()) / bound**2 for change, bound in parts if bound > 0) ** 0.5)


def _view(scored: NDArray[np.bool_], scale: tuple[float, float, float]) -> tuple[int, slice, slice]:
    """The slice with most scored voxels, and the box around them with a margin."""
    z = int(scored.sum((1, 2)).argmax())
    boxes = []
    for axis in range(2):
        size, pad = scored.shape[axis + 1], int(np.ceil(_MARGIN_MM / scale[axis + 1]))
        held = np.flatnonzero(scored[z].any(1 - axis))
        boxes.append(slice(max(0, held[0] - pad), min(size, held[-1] + pad + 1)) if len(held) else slice(0, size))
    return z, boxes[0], boxes[1]


def _pixels(shape: tuple[int, ...], mm: tuple[float, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rows and columns, as fractions of voxels, that square pixels show."""
    pixel = max(count * size for count, size in zip(shape, mm, strict=True)) / LONGEST
    y, x = (
        np.linspace(0, count - 1, max(1, round(count * size / pixel))) for count, size in zip(shape, mm, strict=True)
    )
    return y, x


def _between(image: NDArray[np.float32], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float32]:
    """Linear interpolation on a grid of rows and columns."""
    for axis, places in enumerate((y, x)):
        low = np.minimum(places.astype(int), image.shape[axis] - 1)
        high = np.minimum(low + 1, image.shape[axis] - 1)
        part = (places - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        image = (1 - part) * image.take(low, axis) + part * image.take(high, axis)
    return image


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of the mask with a neighbour outside it."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def _rgb(organ: int) -> NDArray[np.float64]:
    from ..evidence import organ_colour

    text = organ_colour(organ).removeprefix("#")
    return np.array([int(text[at : at + 2], 16) / 255 for at in (0, 2, 4)])
