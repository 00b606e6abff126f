"""One patient at several drops, drawn: what a learned attacker makes of a CT."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..attacks import Measured, Target
from ..volume import SOFT_TISSUE, reorient, reorient_grid, reorientation
from .palette import organ_colour

EXAMPLES = "examples.png"


def draw_examples(target: Target, measured: Mapping[float, Measured], folder: Path) -> Path:
    """Write ``examples.png``: a column per drop asked for, the perturbed CT over what was changed.

    The slice is the same in every column, the one with most voxels of the scored organs. Holds no patient identity.
    """
    region, grid = target.synthesis.region, target.synthesis.ct.grid
    change = reorientation(grid, "SPL")
    spacing = reorient_grid(grid, change).spacing
    scored = reorient(np.isin(target.reference[region.slices], target.ids), change)
    index = int(scored.sum((1, 2)).argmax())
    in_view = region.within(target.placed.view).slices

    def cut(volume: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(reorient(volume, change)[index])

    figure = Figure(figsize=(3.2 * len(measured), 6.6), layout="constrained")
    axes = figure.subplots(2, len(measured), squeeze=False)
    low, high = SOFT_TISSUE
    bound = max(0.5, target.synthesis.budget.max_hu)
    for column, (drop, found) in enumerate(measured.items()):
        above, below = axes[:, column]
        aspect = spacing[1] / spacing[2]
        above.imshow(cut(found.perturbed), cmap="gray", vmin=low, vmax=high, aspect=aspect)
        for organ in target.ids:
            for labels, width, style in (
                (target.reference[region.slices], 0.7, ":"),
                (found.attacked[in_view], 1.2, "-"),
            ):
                mask = cut(labels) == organ
                if mask.any() and not mask.all():
                    above.contour(mask, [0.5], colors=[organ_colour(organ)], linewidths=width, linestyles=style)
        shift = np.sqrt(np.square(found.displacement * np.array(grid.spacing, np.float32).reshape(3, 1, 1, 1)).sum(0))
        above.set_title(f"asked {drop:.2f}, cost {found.drop:.2f}", fontsize=10)
        image = below.imshow(cut(found.appearance), cmap="RdBu_r", vmin=-bound, vmax=bound, aspect=aspect)
        if shift.max() > 0:
            below.contour(cut(shift), levels=[1.0, 2.0, 3.0, 4.0], colors="0.2", linewidths=0.6)
        below.set_title(f"largest {shift.max():.1f} mm, {np.abs(found.appearance).max():.0f} HU", fontsize=10)
        for ax in (above, below):
            ax.set_axis_off()
    figure.colorbar(image, ax=axes[1], shrink=0.7, label="intensity change (HU); lines: shift in whole mm")
    figure.suptitle(
        "A patient kept out of training. Solid: the network's segmentation, dotted: the reference.", fontsize=11
    )
    aside = folder / f".{EXAMPLES}"
    figure.savefig(aside, format="png", dpi=110)
    return aside.replace(folder / EXAMPLES)
