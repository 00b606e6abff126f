"""The report's charts: whatever they show stands where their own axes say."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_advseg.evidence.charts import StrengthChart, strength_svg, strip_svg


def attributes(svg: str, tag: str, kind: str = "") -> list[dict[str, str]]:
    found = [dict(re.findall(r'([\w-]+)="([^"]*)"', one)) for one in re.findall(rf"<{tag} ([^>]*?)/?>", svg)]
    return [one for one in found if not kind or one.get("class") == kind]


def texts(svg: str) -> list[tuple[float, float, str]]:
    return [
        (float(x), float(y), text) for x, y, text in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<', svg)
    ]


DICE = st.floats(0.0, 1.0)


@given(st.lists(DICE, min_size=2, max_size=8), DICE, DICE)
def test_everything_stands_where_the_axes_say(path: list[float], target: float, control: float) -> None:
    strengths = np.linspace(0, 1, len(path))
    found = (float(strengths[-1]), path[-1])
    svg = str(strength_svg(StrengthChart(tuple(zip(strengths, path, strict=True)), found, target, control)))
    width, height = (float(n) for n in attributes(svg, "svg")[0]["viewBox"].split()[2:])
    lines = attributes(svg, "line", "grid")
    left, right = float(lines[0]["x1"]), float(lines[0]["x2"])
    assert 0 < left < right < width

    labels = [(x, y, float(text)) for x, y, text in texts(svg) if re.fullmatch(r"[\d.]+", text)]
    ticks = [(float(line["y1"]), value) for line, (_, _, value) in zip(lines, labels, strict=False)]
    assert all(line["y1"] == line["y2"] for line in lines)
    assert len(ticks) >= 2
    (y0, d0), (y1, d1) = ticks[0], ticks[-1]
    assert np.allclose(np.diff([value for _, value in ticks]), round(d1 - d0, 1) / (len(ticks) - 1))

    def place(dice: float) -> float:
        return y0 + (dice - d0) / (d1 - d0) * (y1 - y0)

    for y, value in ticks:
        assert y == pytest.approx(place(value), abs=0.2)
    for (x, _, text), strength in zip(labels[len(ticks) :], (0.0, 0.25, 0.5, 0.75, 1.0), strict=True):
        assert text == strength
        assert x == pytest.approx(left + strength * (right - left), abs=0.2)
    points = attributes(svg, "circle", "point")
    drawn = [tuple(map(float, one.split(","))) for one in attributes(svg, "polyline", "path")[0]["points"].split()]
    for (px, py), circle, strength, dice in zip(drawn, points, strengths, path, strict=True):
        assert (px, py) == (float(circle["cx"]), float(circle["cy"]))
        assert px == pytest.approx(left + strength * (right - left), abs=0.2)
        assert py == pytest.approx(place(dice), abs=0.2)
        assert 0 <= py <= height
    (ring,) = attributes(svg, "circle", "found")
    assert (float(ring["cx"]), float(ring["cy"])) == drawn[-1]
    (line,) = attributes(svg, "line", "target")
    assert float(line["y1"]) == float(line["y2"]) == pytest.approx(place(target), abs=0.2)
    assert (float(line["x1"]), float(line["x2"])) == (left, right)
    (square,) = attributes(svg, "rect", "control")
    assert float(square["x"]) + float(square["width"]) / 2 == pytest.approx(float(ring["cx"]), abs=0.2)
    assert float(square["y"]) + float(square["height"]) / 2 == pytest.approx(place(control), abs=0.2)


def test_the_axis_holds_the_values_and_little_more() -> None:
    svg = str(strength_svg(StrengthChart(((0.0, 0.93), (1.0, 0.62)), (1.0, 0.62), 0.65, 0.91)))
    shown = [float(text) for _, _, text in texts(svg) if re.fullmatch(r"0\.\d|1\.0", text)][:5]
    assert shown == [0.6, 0.7, 0.8, 0.9, 1.0]
    wide = str(strength_svg(StrengthChart(((0.0, 0.95), (1.0, 0.05)), (1.0, 0.05), 0.1, 0.9)))
    assert [text for _, _, text in texts(wide)][:6] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]


def test_a_chart_says_its_figures_to_those_who_do_not_see_it() -> None:
    svg = str(strength_svg(StrengthChart(((0.0, 0.9), (1.0, 0.6)), (0.75, 0.654), 0.65, 0.912)))
    assert "0.654 at strength 0.75, random control 0.912" in attributes(svg, "svg")[0]["aria-label"]


@given(st.lists(st.floats(-5, 50), min_size=1, max_size=7))
def test_a_strip_is_to_scale_from_zero(values: list[float]) -> None:
    svg = str(strip_svg("Largest shift", values, " mm", 2))
    base = attributes(svg, "line", "grid")[0]
    left, right = float(base["x1"]), float(base["x2"])
    low, high = min(0.0, *values), max(values)
    high = high if high > low else low + 1
    for dot, value in zip(attributes(svg, "circle", "dot"), values, strict=True):
        assert float(dot["cx"]) == pytest.approx(left + (value - low) / (high - low) * (right - left), abs=0.1)
        assert dot["cy"] == base["y1"] == base["y2"]
    (mark,) = attributes(svg, "line", "median")
    middle = left + (np.median(values) - low) / (high - low) * (right - left)
    assert float(mark["x1"]) == float(mark["x2"]) == pytest.approx(middle, abs=0.1)
    assert float(mark["y1"]) < float(base["y1"]) < float(mark["y2"])
    said = attributes(svg, "svg")[0]["aria-label"]
    assert said == f"Largest shift: median {np.median(values):.2f} mm, {min(values):.2f} to {max(values):.2f} mm"
    ends = [text for _, _, text in texts(svg)][-2:]
    assert ends == [f"{low:.2f}", f"{high:.2f} mm"]


def chart(*dice: float, target: float = 0.5, control: float = 0.5) -> str:
    strengths = np.linspace(0, 1, len(dice))
    points = tuple((float(s), d) for s, d in zip(strengths, dice, strict=True))
    return str(strength_svg(StrengthChart(points, points[-1], target, control)))


def ticks(svg: str) -> list[tuple[float, float]]:
    """(y, Dice) of the lines across, from the lowest Dice up."""
    values = [float(text) for _, _, text in texts(svg) if re.fullmatch(r"[\d.]+", text)]
    lines = attributes(svg, "line", "grid")
    return [(float(line["y1"]), value) for line, value in zip(lines, values, strict=False)]


@pytest.mark.parametrize(
    ("dice", "low", "high"),
    [((0.54, 0.41), 0.4, 0.6), ((0.95, 0.31), 0.3, 1.0), ((1.0, 0.0), 0.0, 1.0), ((0.5, 0.5), 0.5, 0.6),
     ((0.45, 0.52), 0.4, 0.6), ((1.0, 1.0), 0.9, 1.0)],
)  # fmt: skip
def test_the_axis_fills_the_chart_from_tenth_to_tenth(dice: tuple[float, ...], low: float, high: float) -> None:
    """The lowest Dice stands on the axis of the strengths, the highest at the top, whatever they are."""
    whole = chart(0.0, 1.0)
    bottom, top = ticks(whole)[0][0], ticks(whole)[-1][0]
    svg = chart(*dice, target=dice[0], control=dice[1])
    drawn = attributes(svg, "polyline", "path")[0]["points"].split()
    for value, point in zip(dice, drawn, strict=True):
        y = bottom + (value - low) / (high - low) * (top - bottom)
        assert float(point.split(",")[1]) == pytest.approx(y, abs=0.11)
    assert 0 < top < 30
    labels = [y for _, y, text in texts(svg) if text in ("0", "0.25", "0.75", "1")]
    assert labels[0] > bottom
    assert max(y for _, y, _ in texts(svg)) < float(attributes(svg, "svg")[0]["viewBox"].split()[3])


def test_no_line_is_drawn_below_the_axis() -> None:
    found = ticks(chart(0.95, 0.12, target=0.3))
    assert [value for _, value in found] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert all(y <= ticks(chart(0.0, 1.0))[0][0] for y, _ in found)
    assert [value for _, value in ticks(chart(0.95, 0.45))] == [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]  # six tenths: each


def test_a_label_stands_beside_what_it_names() -> None:
    svg = chart(0.8, 0.6, target=0.7)
    line = attributes(svg, "line", "grid")[0]
    beside = [(x, y) for x, y, text in texts(svg) if re.fullmatch(r"0\.[5-9]|1\.0", text) and x < float(line["x1"])]
    assert len(beside) == len(ticks(svg))
    for (x, baseline), (y, _) in zip(beside, ticks(svg), strict=True):
        assert 0 < float(line["x1"]) - x < 15
        assert 0 < baseline - y < 9  # a digit is about as high: the line runs through its middle
    (name,) = [(x, y) for x, y, text in texts(svg) if text == "strength of the change"]
    assert name[0] == pytest.approx((float(line["x1"]) + float(line["x2"])) / 2, abs=0.1)
    below = max(y for _, y, text in texts(svg) if text == "0.25")
    assert name[1] - below >= 14  # under the numbers


def test_a_strip_s_parts_do_not_run_into_each_other() -> None:
    svg = str(strip_svg("Dice <drop>", [0.1, 0.3, 0.2], "", 3))
    width, height = (float(n) for n in attributes(svg, "svg")[0]["viewBox"].split()[2:])
    base = attributes(svg, "line", "grid")[0]
    assert float(base["x1"]) == width - float(base["x2"]) > 5  # a dot has its place on both sides
    dots = attributes(svg, "circle", "dot")
    mark = attributes(svg, "line", "median")[0]
    above, *ends = [y for _, y, _ in texts(svg)]
    assert above + 4 < float(mark["y1"]) <= float(base["y1"]) - float(dots[0]["r"])
    assert float(base["y1"]) - float(mark["y1"]) == float(mark["y2"]) - float(base["y1"])
    assert all(float(mark["y2"]) + 8 < y < height for y in ends)
    assert [text for _, _, text in texts(svg)][-2:] == ["0.000", "0.300"]
    assert "Dice &lt;drop&gt;" in svg
    assert "<drop>" not in svg


def test_a_strip_of_equal_values_has_a_scale() -> None:
    for value, ends in ((0.0, ["0.0", "1.0"]), (-2.0, ["-2.0", "-1.0"]), (3.0, ["0.0", "3.0"])):
        assert [text for _, _, text in texts(str(strip_svg("Shift", [value] * 2, "", 1)))][-2:] == ends
