"""What a report is made of: its sentences, its picture, and what several cases have in common; no bundle is needed."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
from findings import toy_finding
from markupsafe import Markup
from PIL import Image

from napari_advseg.attacks import PathPoint
from napari_advseg.evidence import organ_table, report, result_sentences, write_report
from napari_advseg.evidence.page import page_environment
from napari_advseg.evidence.report import ReportCase, _picture, _strips
from napari_advseg.evidence.reproduction import Reproduction


def record(**changed: Any) -> dict[str, Any]:
    return {
        "network": {"name": "net"}, "dice": {"clean": 0.912, "attacked": 0.604}, "achieved_drop": 0.308,
        "target_drop": 0.3, "tolerance": 0.01, "reached": True, "control": {"drop": 0.0214},
        "change": {"max_displacement_mm": 4.26, "max_hu": 11.37}, "cost": {"forward": 10, "backward": 6}, "strength": 0.75,
    } | changed  # fmt: skip


def case(number: int = 1, **changed: Any) -> ReportCase:
    return ReportCase(
        f"Case {number}", f"case-{number}", (), "", organ_table(toy_finding().result), Markup(""), record(**changed),
        Reproduction((), (), ()),
    )  # fmt: skip


def test_the_sentences_tell_what_was_lost_by_what_and_what_was_asked() -> None:
    lost, chance, goal = result_sentences(record())
    assert lost == (
        "net loses 0.308 of its Dice (0.912 to 0.604) to a change whose largest shift is 4.3 mm "
        "and whose largest change of intensity is 11.4 HU."
    )
    assert chance == "A random change of the same size costs 0.021."
    assert goal == "Asked for: 0.30, reached within the tolerance of 0.01."


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reached": False}, "NOT reached within the tolerance of 0.01."),
        ({"attacker_note": "Trained elsewhere."}, "Trained elsewhere."),
        ({"stopped": "cancelled"}, "The attack was stopped before its end."),
        (
            {"repeats": {"drops": [0.3] * 8, "mean": 0.3014, "standard_error": 0.0021}},
            "8 repeats lost 0.301 with a standard error of 0.002.",
        ),
    ],
)
def test_a_sentence_is_added_only_where_there_is_something_to_tell(changed: dict[str, Any], said: str) -> None:
    assert said in " ".join(result_sentences(record(**changed)))
    assert said not in " ".join(result_sentences(record()))
    nothing: dict[str, Any] = {"repeats": None, "attacker_note": "", "stopped": ""}
    assert result_sentences(record(**nothing)) == result_sentences(record())


def test_the_gap_is_what_the_attack_costs_beyond_chance() -> None:
    assert case().gap == pytest.approx(0.308 - 0.0214)
    assert case().verdict == ""
    assert "shows no particular weakness" in case(control={"drop": 0.3}).verdict


def test_one_case_has_no_strips_and_two_have_those_of_all_figures() -> None:
    assert _strips([case()]) == []
    other = case(
        2, achieved_drop=0.1, control={"drop": 0.05}, change={"max_displacement_mm": 2.0, "max_hu": 5.0},
        cost={"forward": 20, "backward": 1},
    )  # fmt: skip
    said = [re.findall(r'aria-label="([^"]*)"', str(strip))[0] for strip in _strips([case(), other])]
    assert said == [
        "Dice drop: median 0.204, 0.100 to 0.308",
        "Random control&#39;s drop: median 0.036, 0.021 to 0.050",
        "Largest shift: median 3.13 mm, 2.00 to 4.26 mm",
        "Largest intensity change: median 8.2 HU, 5.0 to 11.4 HU",
        "Passes of the network: median 18, 16 to 21",
    ]


def pixels_of(source: str) -> Image.Image:
    kind, content = source.split(",")
    assert kind == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content, validate=True)))


@pytest.mark.parametrize(
    ("size", "shown"), [((1900, 1150), (1900, 1150)), ((3800, 1000), (1900, 500)), ((300, 200), (300, 200))]
)
def test_a_figure_is_shown_as_wide_as_it_is_drawn_and_no_wider(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    Image.new("RGBA", size, (200, 30, 60, 255)).save(tmp_path / "f.png")
    with pixels_of(_picture(tmp_path / "f.png")) as picture:
        assert picture.size == shown
        assert np.abs(np.asarray(picture.convert("RGB"), int) - [200, 30, 60]).max() < 12


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_figure_that_is_none_is_named_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "figure.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"figure\.png is missing or no picture") as caught:
        _picture(tmp_path / "figure.png")
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_put_into_the_page_is_text_and_what_is_missing_is_a_fault() -> None:
    environment = page_environment()
    assert environment.from_string("{{ name }}").render(name="<b>") == "&lt;b&gt;"
    assert environment.from_string("{{ name | plain }}").render(name="left_lung") == "left lung"
    with pytest.raises(Exception, match="undefined"):
        environment.from_string("{{ nothing }}").render()
    assert environment.from_string("{% if yes %}\n  a\n  {% endif %}\nb").render(yes=True) == "  a\nb"


def test_the_chart_holds_the_dice_of_the_path_of_what_was_found_and_of_chance(tmp_path: Path, monkeypatch) -> None:
    """The clean Dice less each drop."""
    Image.new("RGB", (8, 8)).save(tmp_path / "figure.png")
    charts = []
    monkeypatch.setattr(report, "strength_svg", lambda chart: charts.append(chart) or Markup("<svg/>"))
    monkeypatch.setattr(report, "organ_table", lambda bundle: ())
    monkeypatch.setattr(report, "reproduction", lambda bundle: Reproduction((), (), ()))

    class Read:
        folder = tmp_path
        points = (PathPoint(0.0, 0.0), PathPoint(0.75, 0.308), PathPoint(1.0, 0.4))

    Read.record = record()  # type: ignore[attr-defined]
    made = report._case(Read(), "A-01", "case-1")  # type: ignore[arg-type]
    (chart,) = charts
    assert [value for point in chart.points for value in point] == pytest.approx([0, 0.912, 0.75, 0.604, 1, 0.512])
    assert chart.found == (0.75, 0.604)
    assert chart.target == pytest.approx(0.612)
    assert chart.control == pytest.approx(0.8906)
    assert (made.name, made.anchor, made.chart) == ("A-01", "case-1", "<svg/>")
    assert made.sentences == result_sentences(record())


def written(monkeypatch, path: Path, count: int, **options: Any) -> list[tuple[str, str]]:
    """The names and anchors of the cases on the page."""
    told: list[tuple[str, str]] = []

    def make(bundle: Any, name: str, anchor: str) -> ReportCase:
        told.append((name, anchor))
        return replace(case(), name=name, anchor=anchor)

    page = jinja2.Environment(loader=jinja2.DictLoader({"report.html.j2": "{{ cases|length }} of them"}))
    monkeypatch.setattr(report, "page_environment", lambda: page)
    monkeypatch.setattr(report, "read_bundle", lambda folder: None)
    monkeypatch.setattr(report, "_case", make)
    assert write_report([Path(f"b{number}") for number in range(count)], path, **options) == path
    return told


def test_cases_are_counted_from_one_or_called_by_their_names(tmp_path: Path, monkeypatch) -> None:
    page = tmp_path / "new" / "folder" / "r.html"
    assert written(monkeypatch, page, 2) == [("Case 1", "case-1"), ("Case 2", "case-2")]
    assert [file.name for file in page.parent.iterdir()] == ["r.html"]
    assert page.read_text(encoding="utf-8") == "2 of them"
    assert written(monkeypatch, page, 2, names=["A", "B"]) == [("A", "case-1"), ("B", "case-2")]
    for wrong in (["A"], ["A", "B", "C"]):
        with pytest.raises(ValueError, match="each case has one name"):
            write_report(["a", "b"], page, names=wrong)
