"""Charts of many values as SVG, in the colours of the page around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from .statistics import Values

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP, _BOTTOM = 560, 150, 24, 34, 24, 48
_MOST_DOTS = 200  # more would be a bar of ink, and a large page
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def spread_svg(title: str, rows: Sequence[tuple[str, Values, str]], unit: str, digits: int) -> Markup:
    """The spread of values, a row each: 5 to 95 % as a line, the middle half as a box, the median, and dots where they are
    few.

    Parameters
    ----------
    rows
        (label, (value,), class): the class is "attack" or "control". Infinite values are counted in the label, not drawn.
    unit
        Under the axis.
    """
    finite = [(label, values[np.isfinite(values)], len(values), kind) for label, values, kind in rows]
    everything = np.concatenate([values for _, values, _, _ in finite] or [np.zeros(0)])
    low = min(0.0, float(everything.min(initial=0.0)))
    high = float(everything.max(initial=0.0))
    high = high if high > low else low + 1.0

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    height = _TOP + _ROW * len(finite) + _BOTTOM
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" class="chart spread" aria-label="{escape(title)}">'
        f'<text x="0" y="13" class="strong">{escape(title)}</text>'
    ]
    for number, (label, values, count, kind) in enumerate(finite):
        middle = _TOP + _ROW * number + _ROW / 2
        parts.append(_row(label, values, count, kind, middle, x, digits))
    base = height - _BOTTOM + 4
    parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = low + share * (high - low)
        parts.append(f'<text x="{x(value):.1f}" y="{base + 14}" text-anchor="middle">{value:.{digits}f}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{base + 32}" text-anchor="middle">{escape(unit)}</text></svg>')
    return Markup("".join(parts))


def _row(label: str, values: Values, count: int, kind: str, y: float, x: object, digits: int) -> str:
    assert callable(x)
    beyond = count - len(values)
    text = f'<text x="0" y="{y + 4:.1f}">{escape(label)}{f" ({beyond} beyond)" if beyond else ""}</text>'
    if not len(values):
        return text
    quantiles = [float(one) for one in np.quantile(values, _QUANTILES)]
    low, first, middle, third, high = (x(one) for one in quantiles)
    said = ", ".join(f"{one:.{digits}f}" for one in quantiles)
    parts = [
        text,
        f'<g class="{kind}" data-quantiles="{said}"><title>{escape(label)}: 5, 25, 50, 75, 95 % at {said}</title>'
        f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<rect class="box" x="{first:.1f}" width="{max(1.0, third - first):.1f}" y="{y - 7:.1f}" height="14"/>',
    ]
    if len(values) <= _MOST_DOTS:
        parts += [f'<circle class="one" cx="{x(float(one)):.1f}" cy="{y:.1f}" r="2.2"/>' for one in values]
    parts.append(f'<line class="middle" x1="{middle:.1f}" x2="{middle:.1f}" y1="{y - 9:.1f}" y2="{y + 9:.1f}"/></g>')
    return "".join(parts)
