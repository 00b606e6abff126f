"""Small charts as SVG, in the colours of the page around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 460, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 14, 44
_STRIP_HEIGHT, _STRIP_LABEL = 64, 20


@dataclass(frozen=True)
class StrengthChart:
    """What the chart of Dice against strength shows; Dice as fractions of 1, means over the organs."""

    points: tuple[tuple[float, float], ...]  # (strength, Dice), by strength
    found: tuple[float, float]
    target: float
    control: float


def strength_svg(chart: StrengthChart) -> Markup:
    """Dice against strength, with the Dice asked for, the result, and the random control of the same size."""
    values = [dice for _, dice in chart.points] + [chart.target, chart.control, chart.found[1]]
    low = min(0.9, float(np.floor(min(values) * 10)) / 10)
    high = max(low + 0.1, float(np.ceil(max(values) * 10)) / 10)

    def x(strength: float) -> float:
        return _LEFT + strength * (_WIDTH - _LEFT - _RIGHT)

    def y(dice: float) -> float:
        return _TOP + (high - dice) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" class="chart" '
        f'aria-label="Mean Dice against strength: {chart.found[1]:.3f} at strength {chart.found[0]:.2f}, '
        f'random control {chart.control:.3f}">'
    ]
    step = 0.1 if high - low <= 0.6 else 0.2
    for dice in np.arange(round(low / step) * step, high + 1e-9, step):
        if dice < low - 1e-9:
            continue
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(dice):.1f}" y2="{y(dice):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 7}" y="{y(dice) + 4:.1f}" text-anchor="end">{dice:.1f}</text>')
    for strength in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<text x="{x(strength):.1f}" y="{_HEIGHT - _BOTTOM + 17}" text-anchor="middle">{strength:g}</text>'
        )
    parts.append(
        f'<text x="{x(0.5):.1f}" y="{_HEIGHT - 6}" text-anchor="middle">strength of the change</text>'
        f'<line class="target" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(chart.target):.1f}" y2="{y(chart.target):.1f}"/>'
        f'<polyline class="path" points="{" ".join(f"{x(s):.1f},{y(d):.1f}" for s, d in chart.points)}"/>'
    )
    parts += [f'<circle class="point" cx="{x(s):.1f}" cy="{y(d):.1f}" r="3"/>' for s, d in chart.points]
    strength, dice = chart.found
    parts.append(f'<circle class="found" cx="{x(strength):.1f}" cy="{y(dice):.1f}" r="6"/>')
    parts.append(
        f'<rect class="control" x="{x(strength) - 5:.1f}" y="{y(chart.control) - 5:.1f}" width="10" height="10"/></svg>'
    )
    return Markup("".join(parts))


def strip_svg(label: str, values: Sequence[float], unit: str, digits: int) -> Markup:
    """The values of all cases as dots on a line from 0, with their median; ``unit`` follows the numbers."""
    width, base = _WIDTH, _STRIP_LABEL + 18
    array = np.asarray(values, float)
    low, high = min(0.0, float(array.min())), float(array.max())
    high = high if high > low else low + 1.0

    def x(value: float) -> float:
        return 12 + (value - low) / (high - low) * (width - 24)

    median = float(np.median(array))
    said = f"median {median:.{digits}f}{unit}, {array.min():.{digits}f} to {array.max():.{digits}f}{unit}"
    parts = [
        f'<svg viewBox="0 0 {width} {_STRIP_HEIGHT}" role="img" class="chart" aria-label="{escape(label)}: {said}">'
        f'<text x="12" y="14"><tspan class="strong">{escape(label)}</tspan> {said}</text>'
        f'<line class="grid" x1="12" x2="{width - 12}" y1="{base}" y2="{base}"/>'
        f'<line class="median" x1="{x(median):.1f}" x2="{x(median):.1f}" y1="{base - 10}" y2="{base + 10}"/>'
    ]
    parts += [f'<circle class="dot" cx="{x(value):.1f}" cy="{base}" r="5"/>' for value in array]
    parts.append(f'<text x="12" y="{_STRIP_HEIGHT - 6}">{low:.{digits}f}</text>')
    parts.append(
        f'<text x="{width - 12}" y="{_STRIP_HEIGHT - 6}" text-anchor="end">{high:.{digits}f}{unit}</text></svg>'
    )
    return Markup("".join(parts))
