"""One slice of a case as a picture: the CT, the network's segmentation painted over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from ...attacks import AttackResult
    from ...evidence import Evidence

_PAINT = 0.5  # how much of an organ's colour covers the CT


def painted_slice(image: Image, labels: Labels, index: int) -> NDArray[np.uint8]:
    """uint8 RGB (rows, columns) of one axial slice, in the window and the colours that the viewer shows."""
    low, high = image.contrast_limits
    hu = np.asarray(image.data[index], dtype=np.float32)
    grey = np.clip((hu - low) / max(high - low, 1e-6), 0, 1)
    picture = np.repeat(grey[..., None], 3, axis=2)
    flat = np.asarray(labels.data[index])
    for label in np.unique(flat):
        if label:
            inside = flat == label
            colour = np.asarray(_colour(labels, int(label)), dtype=np.float32)
            picture[inside] = (1 - _PAINT) * picture[inside] + _PAINT * colour
    return np.asarray(np.rint(picture * 255), dtype=np.uint8)


def plain_sentence(result: AttackResult, evidence: Evidence | None) -> str:
    """What happened, for people who have never heard of Dice drops."""
    from ...evidence import chance_costs, chance_verdict

    said = (
        f"The segmentation's agreement with the truth (Dice) falls from {result.clean_dice:.2f} "
        f"to {result.attacked_dice:.2f}"
    )
    if evidence is None:
        return f"{said} after a change that is hard to see."
    text = (
        f"{said} after a shift of at most {evidence.max_displacement_mm:.1f} mm and a change of at most "
        f"{evidence.max_hu:.0f} HU; {chance_costs(evidence.control_drop, digits=2)}."
    )
    return f"{text} {chance_verdict(result.achieved_drop, evidence.control_drop)}".strip()


def _colour(labels: Labels, label: int) -> Any:
    colours = labels.colormap.color_dict
    return colours.get(label, colours[None])[:3]
