"""The report: bundles as one page that needs nothing but itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image

from .bundle_reading import FIGURE, Bundle, read_bundle
from .chance import chance_sentence, chance_verdict
from .charts import StrengthChart, strength_svg, strip_svg
from .organ_table import OrganRow, organ_table
from .page import page_environment
from .reproduction import Reproduction, reproduction

_TEMPLATE = "report.html.j2"
_FIGURE_WIDTH = 1900  # pixels: as wide as figure.png is drawn, and no wider
_WEBP_QUALITY = 85


@dataclass(frozen=True)
class ReportCase:
    """What the page says of one case; no path, no patient identity."""

    name: str
    anchor: str
    sentences: tuple[str, ...]
    figure: str
    organs: tuple[OrganRow, ...]
    chart: Markup
    record: dict[str, Any]
    again: Reproduction

    @property
    def gap(self) -> float:
        """The drop beyond that of the random control."""
        return float(self.record["achieved_drop"]) - float(self.record["control"]["drop"])

    @property
    def verdict(self) -> str:
        """A sentence where the attack does not stand out from chance, else ""."""
        return chance_verdict(float(self.record["achieved_drop"]), float(self.record["control"]["drop"]))


def write_report(bundles: Sequence[str | Path], path: str | Path, names: Sequence[str] | None = None) -> Path:
    """Write one HTML file about one bundle or several; it loads nothing from anywhere.

    It is written aside and renamed when whole; a file that stands there is replaced.

    Parameters
    ----------
    names
        How the cases are called; "Case 1" and so on by default, because folders are often named after patients.

    Returns
    -------
    The path.

    Raises
    ------
    FileNotFoundError, ValueError
        No bundle, or one that is not whole (one line); nothing is written then.
    OSError
        It cannot be written.
    """
    path = Path(path)
    if not bundles:
        raise ValueError("a report needs at least one bundle; got none")
    if path.is_dir():
        raise ValueError(f"the report is one file; got the folder {path}: name a file in it, such as report.html")
    if names is None:
        names = [f"Case {number}" for number in range(1, len(bundles) + 1)]
    if len(names) != len(bundles):
        raise ValueError(f"each case has one name; got {len(names)} names for {len(bundles)} bundles")
    cases = [
        _case(read_bundle(folder), name, f"case-{number}")
        for number, (folder, name) in enumerate(zip(bundles, names, strict=True), start=1)
    ]
    page = page_environment().get_template(_TEMPLATE).render(cases=cases, strips=_strips(cases))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".writing-{path.name}")
    try:
        aside.write_text(page, encoding="utf-8")
        return aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def result_sentences(record: dict[str, Any]) -> tuple[str, ...]:
    """The result in plain words: what was lost, by which change, and what chance would have cost."""
    dice, change = record["dice"], record["change"]
    drop, asked = record["achieved_drop"], record["target_drop"]
    lost = (
        f"{record['network']['name']} loses {drop:.3f} of its Dice ({dice['clean']:.3f} to {dice['attacked']:.3f}) "
        f"to a change whose largest shift is {change['max_displacement_mm']:.1f} mm "
        f"and whose largest change of intensity is {change['max_hu']:.1f} HU."
    )
    chance = chance_sentence(drop, record["control"]["drop"])
    within = f"within the tolerance of {record['tolerance']:g}"
    goal = f"Asked for: {asked:.2f}, {'reached' if record['reached'] else 'NOT reached'} {within}."
    found = [lost, chance, goal]
    if record.get("repeats"):
        repeats = record["repeats"]
        found.append(
            f"The network is random: {len(repeats['drops'])} repeats lost {repeats['mean']:.3f} "
            f"with a standard error of {repeats['standard_error']:.3f}."
        )
    if record.get("attacker_note"):
        found.append(record["attacker_note"])
    if record.get("stopped"):
        found.append("The attack was stopped before its end.")
    return tuple(found)


def _case(bundle: Bundle, name: str, anchor: str) -> ReportCase:
    record = bundle.record
    clean = float(record["dice"]["clean"])
    chart = StrengthChart(
        tuple((point.strength, clean - point.drop) for point in bundle.points),
        (float(record["strength"]), float(record["dice"]["attacked"])),
        clean - float(record["target_drop"]),
        clean - float(record["control"]["drop"]),
    )
    return ReportCase(
        name,
        anchor,
        result_sentences(record),
        _picture(bundle.folder / FIGURE),
        organ_table(bundle),
        strength_svg(chart),
        record,
        reproduction(bundle),
    )


def _picture(path: Path) -> str:
    """The figure as a data URI; its pixels alone, smaller, without what else the file may hold."""
    try:
        with Image.open(path) as figure:
            pixels = figure.convert("RGB")
    except OSError as fault:
        raise ValueError(f"{path} is missing or no picture: copy the bundle whole, or attack anew") from fault
    pixels.thumbnail((_FIGURE_WIDTH, _FIGURE_WIDTH))
    out = io.BytesIO()
    pixels.save(out, format="WEBP", quality=_WEBP_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def _strips(cases: Sequence[ReportCase]) -> list[Markup]:
    """What it cost over the cases; nothing for a single one."""
    if len(cases) < 2:
        return []
    rows = (
        ("Dice drop", [c.record["achieved_drop"] for c in cases], "", 3),
        ("Random control's drop", [c.record["control"]["drop"] for c in cases], "", 3),
        ("Largest shift", [c.record["change"]["max_displacement_mm"] for c in cases], " mm", 2),
        ("Largest intensity change", [c.record["change"]["max_hu"] for c in cases], " HU", 1),
        ("Passes of the network", [c.record["cost"]["forward"] + c.record["cost"]["backward"] for c in cases], "", 0),
    )
    return [strip_svg(label, values, unit, digits) for label, values, unit, digits in rows]
