"""The fragility curve: the smallest change that costs a drop, over the patients, as a figure to print and as data."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ...evidence import organ_colour
from ..writing import write_bytes, write_text
from .findings import Hits

CSV, SVG = "fragility.csv", "fragility.svg"
_COLUMNS = (
    "network", "attacker", "aim", "drop", "patients", "reached", "size", "size_low", "size_high", "mm", "hu", "control",
)  # fmt: skip
_ALL = "#222222"
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "napari-advseg", "font.family": "sans-serif", "font.size": 9}


def write_fragility(rows: Sequence[Hits], folder: Path) -> None:
    """Write ``fragility.csv`` and ``fragility.svg``; a file that stands there is replaced when the new one is whole.

    A point is the median over the patients of the root mean square of the smallest change that costs the drop, in units of
    the budget, with its 95 % interval; what half of the patients did not lose within the budget has no point in the figure
    and an empty cell in the data.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for row in rows:
        numbers = (row.size.value, row.size.low, row.size.high, row.mm.value, row.hu.value, row.control.value)
        table.writerow(
            [*row.kind, row.patients, repr(row.reached.value), *(repr(n) if math.isfinite(n) else "" for n in numbers)]
        )
    write_text(folder / CSV, text.getvalue())
    write_bytes(folder / SVG, fragility_svg(rows))


def fragility_svg(rows: Sequence[Hits]) -> bytes:
    """The curves, a panel per network and attacker, a line per aim; the same rows give the same bytes."""
    panels = list(dict.fromkeys((row.kind.network, row.kind.attacker) for row in rows))
    aims = list(dict.fromkeys(row.kind.aim for row in rows))
    with rc_context(_STYLE):
        figure = Figure(figsize=(1.2 + 3.6 * max(1, len(panels)), 3.4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, max(1, len(panels)), sharey=True, squeeze=False)[0]
        for axis, panel in zip(axes, panels, strict=False):
            for number, aim in enumerate(aims):
                own = [row for row in rows if (row.kind.network, row.kind.attacker, row.kind.aim) == (*panel, aim)]
                _draw(axis, own, aim, _ALL if number == 0 else organ_colour(number))
            axis.set_title(f"{panel[0]}, {panel[1]}", fontsize=9)
            axis.set_xlabel("Dice drop")
            axis.set_xticks(sorted({row.kind.drop for row in rows}))
            axis.set_xlim(left=0)
            axis.set_ylim(bottom=0)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].set_ylabel("smallest change that costs it\n(root mean square, units of the budget)")
        lines = {name: line for axis in axes for line, name in zip(*axis.get_legend_handles_labels(), strict=True)}
        if lines:
            axes[-1].legend(list(lines.values()), list(lines), frameon=False, fontsize=8)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _draw(axis: object, rows: Sequence[Hits], aim: str, colour: str) -> None:
    shown = [row for row in rows if math.isfinite(row.size.value)]
    if not shown:
        return
    drops, sizes = [row.kind.drop for row in shown], [row.size.value for row in shown]
    # the part of an interval that is beyond the budget has no place in the figure; the data tells it by an empty cell
    below = [row.size.value - row.size.low if math.isfinite(row.size.low) else 0.0 for row in shown]
    above = [row.size.high - row.size.value if math.isfinite(row.size.high) else 0.0 for row in shown]
    name = "all organs" if aim == "all" else aim.replace("_", " ")
    axis.errorbar(  # type: ignore[attr-defined]
        drops,
        sizes,
        yerr=[below, above],
        color=colour,
        marker="o",
        markersize=3.5,
        linewidth=1.4,
        capsize=2,
        label=name,
    )
