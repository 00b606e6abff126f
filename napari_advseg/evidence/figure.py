"""The case at a glance: three planes through the worst place, the change, and a bar per organ."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..attacks import AttackResult
from ..volume import SOFT_TISSUE, Grid, Region, Reorientation, reorient, reorient_grid, reorientation
from .chance import chance_sentence
from .measures import Evidence, newly_wrong
from .palette import organ_colour

_PLANES = (("axial", 0), ("coronal", 1), ("sagittal", 2))
_COLUMNS = (
    "CT and its segmentation",
    "perturbed CT and its segmentation",
    "displacement (mm)",
    "intensity change (HU)",
)
_GRID_LINES = 22
_TITLE_WIDTH = 210  # characters that the figure is wide
_MARGIN = 4  # voxels


def draw_figure(result: AttackResult, evidence: Evidence, path: Path) -> Path:
    """Write ``figure.png``; holds no patient identity. Returns the path."""
    scene = _Scene(result)
    figure = Figure(figsize=(19, 11.5), dpi=100, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 5, width_ratios=[1, 1, 1, 1, 0.8])
    for row, (plane, axis) in enumerate(_PLANES):
        _draw_plane(axes[row], scene, axis, plane)
    for column, title in enumerate(_COLUMNS):
        axes[0, column].set_title(title, fontsize=11)
    axes[0, 0].legend(handles=_legend(result), fontsize=7, loc="lower left", framealpha=0.6)
    _draw_bars(axes[0, 4], result)
    _draw_path(axes[1, 4], result, evidence)
    _draw_text(axes[2, 4], result, evidence)
    title = textwrap.fill(sentence(result, evidence) + "   Research use only.", _TITLE_WIDTH)
    figure.suptitle(title, fontsize=12)
    figure.savefig(path)
    return path


def sentence(result: AttackResult, evidence: Evidence | None) -> str:
    """The result in a few plain words."""
    asked = f"Asked for a Dice drop of {result.target_drop:.2f}"
    got = f"{'reached' if result.reached else 'NOT reached, closest'} {result.achieved_drop:.3f}"
    text = f"{asked}: {got} ({result.clean_dice:.3f} to {result.attacked_dice:.3f})."
    if result.repeats is not None:
        text += (
            f" The network is random: {len(result.repeats.drops)} repeats gave {result.repeats.mean:.3f} "
            f"with a standard error of {result.repeats.standard_error:.3f}."
        )
    if result.stopped:
        text = text[:-1] + f", {result.stopped}."
    if evidence is not None:
        text += (
            f" {chance_sentence(result.achieved_drop, evidence.control_drop)} "
            f"Largest shift {evidence.max_displacement_mm:.1f} mm, largest intensity change {evidence.max_hu:.1f} HU."
        )
    return text


class _Scene:
    """The result's images with axes to Superior, Posterior and Left, and the worst place."""

    def __init__(self, result: AttackResult) -> None:
        change = reorientation(result.ct.grid, "SPL")
        shown = drawn_region(result)

        def turn(array: NDArray[Any]) -> NDArray[Any]:
            return reorient(array[(..., *shown.slices)], change)

        self.grid: Grid = reorient_grid(result.ct.grid.crop(shown.slices), change)
        self.first = _first_slices(result.ct.grid, shown, change)
        self.clean, self.perturbed = turn(result.ct.hu), turn(result.whole_perturbed)
        self.clean_labels, self.attacked_labels = turn(result.clean_labels), turn(result.attacked_labels)
        self.appearance = turn(result.whole_appearance)
        components = turn(result.whole_displacement)[list(change.order)].copy()
        for axis in change.flips:
            components[axis] *= -1
        self.displacement = components
        spacing = np.array(self.grid.spacing, np.float32).reshape(3, 1, 1, 1)
        self.length = np.sqrt(np.square(components * spacing).sum(0))
        self.organs = [organ.id for organ in result.organs]
        self.worst = self._worst_place(turn(newly_wrong(result)))

    def _worst_place(self, wrong: NDArray[Any]) -> tuple[int, int, int]:
        """On each axis the slice with most newly wrong voxels; of the organs where there are none."""
        if not wrong.any():
            wrong = np.isin(self.clean_labels, self.organs)
        z, y, x = (
            int(np.argmax(wrong.sum(axis=tuple(other for other in range(3) if other != axis)))) for axis in range(3)
        )
        return z, y, x


def drawn_region(result: AttackResult) -> Region:
    """What is drawn: the region and a little around it."""
    start = [max(0, low - _MARGIN) for low in result.region.start]
    stop = [min(n, high + _MARGIN) for n, high in zip(result.ct.grid.shape, result.region.stop, strict=True)]
    return Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _first_slices(grid: Grid, shown: Region, change: Reorientation) -> tuple[int, int, int]:
    """Number of the first drawn slice per shown axis, counted in the CT from inferior, anterior and right."""
    first = [shown.start[axis] for axis in change.order]
    for axis in change.flips:
        first[axis] = grid.shape[change.order[axis]] - shown.stop[change.order[axis]]
    return first[0], first[1], first[2]


def _draw_plane(row: Any, scene: _Scene, axis: int, plane: str) -> None:
    index = scene.worst[axis]
    spacing = [s for a, s in enumerate(scene.grid.spacing) if a != axis]
    origin = "upper" if axis == 0 else "lower"  # superior is up in coronal and sagittal views
    show = {"aspect": spacing[0] / spacing[1], "origin": origin}

    def cut(volume: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.take(volume, index, axis=axis))

    low, high = SOFT_TISSUE
    for column, hu, labels in (
        (0, scene.clean, scene.clean_labels),
        (1, scene.perturbed, scene.attacked_labels),
    ):
        row[column].imshow(cut(hu), cmap="gray", vmin=low, vmax=high, interpolation="nearest", **show)
        for organ in scene.organs:
            mask = cut(labels) == organ
            if mask.any() and not mask.all():
                row[column].contour(mask, levels=[0.5], colors=[organ_colour(organ)], linewidths=1.1)
    length = row[2].imshow(cut(scene.length), cmap="magma", vmin=0, vmax=max(0.1, float(scene.length.max())), **show)
    _draw_warped_grid(row[2], scene, axis, index)
    bound = max(0.5, float(np.abs(scene.appearance).max()))
    added = row[3].imshow(cut(scene.appearance), cmap="RdBu_r", vmin=-bound, vmax=bound, **show)
    for column, image in ((2, length), (3, added)):
        row[column].figure.colorbar(image, ax=row[column], shrink=0.75, pad=0.01)
    for ax in row[:4]:
        ax.set_xticks([])
        ax.set_yticks([])
        for side, letter in zip(("left", "right", "top", "bottom"), _letters(axis), strict=True):
            where = {"left": (0.01, 0.5), "right": (0.97, 0.5), "top": (0.5, 0.96), "bottom": (0.5, 0.01)}[side]
            ax.text(
                *where,
                letter,
                transform=ax.transAxes,
                color="yellow",
                fontsize=8,
                ha="center" if side in ("top", "bottom") else "left",
            )
    row[0].set_ylabel(f"{plane}, slice {scene.first[axis] + index}", fontsize=11)


def _letters(axis: int) -> tuple[str, str, str, str]:
    """Left, right, top and bottom of the shown plane."""
    return (("R", "L", "A", "P"), ("R", "L", "S", "I"), ("A", "P", "S", "I"))[axis]


def _draw_warped_grid(ax: Any, scene: _Scene, axis: int, index: int) -> None:
    """Lines of a regular grid, each point drawn where it is pulled from."""
    rows, columns = [a for a in range(3) if a != axis]
    plane = np.take(scene.displacement, index, axis=axis + 1)
    down, across = plane[rows], plane[columns]
    height, width = down.shape
    y, x = np.mgrid[0:height, 0:width].astype(float)
    for line in range(0, height, max(1, height // _GRID_LINES)):
        ax.plot((x + across)[line], (y + down)[line], color="white", linewidth=0.5, alpha=0.8)
    for line in range(0, width, max(1, width // _GRID_LINES)):
        ax.plot((x + across)[:, line], (y + down)[:, line], color="white", linewidth=0.5, alpha=0.8)


def _draw_bars(ax: Any, result: AttackResult) -> None:
    names = [organ.name.replace("_", " ") for organ in result.organs]
    places = np.arange(len(names))
    colours = [organ_colour(organ.id) for organ in result.organs]
    ax.barh(places - 0.2, [o.clean for o in result.organs], height=0.38, color=colours, alpha=0.45)
    ax.barh(places + 0.2, [o.attacked for o in result.organs], height=0.38, color=colours)
    ax.set_yticks(places, names, fontsize=8)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_title("Dice per organ: CT (pale), perturbed CT (full)", fontsize=9)


def _draw_path(ax: Any, result: AttackResult, evidence: Evidence) -> None:
    ax.plot(
        [p.strength for p in result.path],
        [p.drop for p in result.path],
        "o-",
        color="#1f4e9c",
        label="attack",
    )
    ax.plot([result.strength], [evidence.control_drop], "s", color="#888888", label="random change of the same size")
    ax.axhline(result.target_drop, color="#c03020", linestyle="--", linewidth=1, label="asked for")
    ax.set_xlabel("strength", fontsize=8)
    ax.set_title("Dice drop against strength", fontsize=9)
    ax.set_ylim(bottom=min(0.0, evidence.control_drop) - 0.02)
    ax.legend(fontsize=7)


def _draw_text(ax: Any, result: AttackResult, evidence: Evidence) -> None:
    budget = result.synthesis.budget
    lines = [
        f"drop asked {result.target_drop:.3f}, measured {result.achieved_drop:.4f}",
        f"random control {evidence.control_drop:.4f}",
        f"shift: largest {evidence.max_displacement_mm:.2f} mm of {budget.max_displacement_mm:g}, "
        f"mean {evidence.mean_displacement_mm:.2f} mm",
        f"intensity: largest {evidence.max_hu:.1f} HU of {budget.max_hu:g}, rms {evidence.rms_hu:.2f} HU",
        f"Jacobian {evidence.min_jacobian:.2f} to {evidence.max_jacobian:.2f}",
        f"noise power, perturbed over clean: {evidence.noise_ratio:.3f}",
        f"SSIM in the soft-tissue window: {evidence.ssim:.4f}",
        f"{result.cost.forward} forward and {result.cost.backward} backward passes, {result.cost.seconds:.0f} s",
    ]
    ax.axis("off")
    ax.text(0, 1, "\n".join(lines), va="top", fontsize=8.5, family="monospace", transform=ax.transAxes)


def _legend(result: AttackResult) -> list[Any]:
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=organ_colour(o.id), label=o.name.replace("_", " ")) for o in result.organs]
