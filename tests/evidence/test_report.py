from __future__ import annotations

import base64
import io
import json
import re
import shlex
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_advseg.evidence import organ_table, read_bundle, reproduction, result_sentences, write_report
from napari_advseg.evidence.charts import StrengthChart, strength_svg, strip_svg

VOID = {"meta", "img", "br", "input"}
LOADS = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href", "formaction"}


class Page(HTMLParser):
    """Tags in their order, closed as they were opened; what they would load; the words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def changed(bundle: Path, to: Path, change: Callable[[dict], object]) -> Path:
    shutil.copytree(bundle, to)
    record = json.loads((to / "result.json").read_text())
    change(record)
    (to / "result.json").write_text(json.dumps(record))
    return to


@pytest.fixture(scope="module")
def one(phantom, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report([phantom.bundle], tmp_path_factory.mktemp("r") / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def several(phantom, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("several")
    other = changed(
        phantom.bundle, folder / "other", lambda r: r.update(reached=False, achieved_drop=0.111, target_drop=0.5)
    )
    return write_report([phantom.bundle, other], folder / "all.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("which", ["one", "several"])
def test_the_page_is_whole_and_loads_nothing(which: str, request) -> None:
    text = request.getfixturevalue(which)
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert [len(page.all(tag)) for tag in ("html", "head", "body", "main", "title", "h1")] == [1] * 6
    assert page.all("script") == page.all("link") == page.all("iframe") == []
    assert re.findall(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)) == []
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in LOADS & set(attributes):
            value = attributes[name] or ""
            assert value.startswith("data:image/") or (name == "href" and value[1:] in ids and value[0] == "#"), (
                tag,
                name,
            )
    assert "default-src 'none'" in str(page.all("meta"))
    assert "prefers-color-scheme: dark" in text


def test_the_page_says_what_was_found(one: str, phantom) -> None:
    text, result = Page(one).text, phantom.finding.result
    record = json.loads((phantom.bundle / "result.json").read_text())
    assert f"phantom2d loses {result.achieved_drop:.3f} of its Dice" in text
    assert f"A random change of the same size costs {record['control']['drop']:.3f}." in text
    assert f"The gap between attack and chance, {result.achieved_drop - record['control']['drop']:.3f}" in text
    assert text.count("Research use only") >= 2
    assert record["network"]["sha256"] in text
    for package, version in record["versions"].items():
        assert f"{package} {version}" in text
    for row in organ_table(read_bundle(phantom.bundle)):
        assert row.name.replace("_", " ") in text
        for figure in (f"{row.attacked_dice:.3f}", f"{row.attacked_ml:.1f}", f"{row.change_ml:+.1f}"):
            assert figure in text
        assert f"{row.attacked_hd95_mm:.1f}" in text


def test_the_figure_is_in_the_page_as_pixels_alone(one: str, phantom) -> None:
    (image,) = Page(one).all("img")
    source = image["src"] or ""
    assert image["alt"]
    with (
        Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))) as shown,
        Image.open(phantom.bundle / "figure.png") as figure,
    ):
        assert shown.size == figure.size
        assert np.abs(np.asarray(shown, float) - np.asarray(figure.convert("RGB"), float)).mean() < 5
        assert not shown.getexif()


def test_no_patient_identity_gets_in(phantom, tmp_path: Path, several: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    planted = b"Muster", b"Erika", b"19700101"
    assert all(part in (phantom.bundle / "result.json").read_bytes() for part in planted)  # the CT's path names it
    named = shutil.copytree(phantom.bundle, tmp_path / "Muster_Erika_19700101")
    info = PngInfo()
    info.add_text("Patient", "Muster Erika 19700101")
    with Image.open(named / "figure.png") as figure:
        figure.save(named / "figure.png", pnginfo=info)
    page = write_report([named, named], tmp_path / "report.html").read_bytes()
    pictures = [base64.b64decode(found) for found in re.findall(rb"base64,([A-Za-z0-9+/=]+)", page)]
    assert len(pictures) == 2
    for part in planted:
        assert part not in page
        assert part not in several.encode()
        assert not any(part in picture for picture in pictures)


def test_what_bundles_say_is_text_and_never_markup(phantom, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"

    def spoil(record: dict) -> None:
        record["network"]["name"] = record["attacker_note"] = record["organs"][0]["name"] = evil

    page = Page(write_report([changed(phantom.bundle, tmp_path / "b", spoil)], tmp_path / "r.html").read_text())
    assert page.all("script") == []
    assert evil in "".join(page.words)


def test_several_cases_have_a_table_with_anchors_and_what_it_cost(several: str) -> None:
    page = Page(several)
    assert [link["href"] for link in page.all("a")] == ["#case-1", "#case-2"]
    assert [article["id"] for article in page.all("article")] == ["case-1", "case-2"]
    assert "Largest shift median" in page.text.replace("  ", " ")
    assert "NOT reached within" in page.text
    assert "0.111" in page.text
    assert len(page.all("img")) == 2


def test_one_case_has_neither(one: str) -> None:
    page = Page(one)
    assert page.all("a") == []
    assert "What it cost" not in page.text


def test_names_can_be_given(phantom, tmp_path: Path) -> None:
    text = Page(write_report([phantom.bundle] * 2, tmp_path / "r.html", names=["A-01", "A-02"]).read_text()).text
    assert "A-01" in text
    assert "Case 1" not in text
    with pytest.raises(ValueError, match="got 1 names for 2 bundles"):
        write_report([phantom.bundle] * 2, tmp_path / "r.html", names=["A-01"])


def test_a_report_that_fails_leaves_the_old_one(phantom, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    out.write_text("old")
    broken = shutil.copytree(phantom.bundle, tmp_path / "b")
    (broken / "figure.png").unlink()
    with pytest.raises(ValueError, match="figure.png is missing or no picture"):
        write_report([phantom.bundle, broken], out)
    assert out.read_text() == "old"
    with pytest.raises(ValueError, match="at least one bundle"):
        write_report([], out)
    with pytest.raises(ValueError, match="the report is one file"):
        write_report([phantom.bundle], tmp_path)


def test_the_command_makes_the_bundle_anew(phantom, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from napari_advseg.cli import app

    again = reproduction(read_bundle(phantom.bundle))
    case = phantom.ct.parent
    meant = {
        "CT": phantom.ct, "LABELS": case / "labels.nii.gz", "NAMES.json": case / "labels.json", "ATTACKER": "phantom2d",
        "BUNDLE": tmp_path / "again",
    }  # fmt: skip
    assert {word for word, _ in again.placeholders} == set(meant)
    words = [str(meant.get(word, word)) for word in shlex.split(again.commands[0])]
    assert words[:2] == ["napari-advseg", "attack"]
    done = CliRunner().invoke(app, words[1:])
    assert done.exit_code == 0, done.output
    one, other = read_bundle(phantom.bundle), read_bundle(tmp_path / "again")
    assert np.array_equal(one.perturbed, other.perturbed)
    assert other.record["achieved_drop"] == one.record["achieved_drop"]
    words = [str(meant.get(word, word)) for word in shlex.split(again.commands[1])]
    assert CliRunner().invoke(app, words[1:]).exit_code == 0


def test_the_command_names_what_was_set(phantom, tmp_path: Path) -> None:
    def change(record: dict) -> None:
        record.update(tolerance=0.02, interpolation="linear", attacker="search", half_precision=True)
        record["network"].update(format="nnunet", name="Dataset901", mirror_axes=[])

    (command, check) = reproduction(read_bundle(changed(phantom.bundle, tmp_path / "b", change))).commands
    for words in ("--network CHECKPOINT", "--tolerance 0.02", "--interpolation linear", "--half", "--no-mirroring"):
        assert words in command
    assert "--attacker" not in command
    assert "Dataset901" not in command + check


def test_the_sentence_tells_of_misses_and_notes() -> None:
    record = {
        "network": {"name": "net"}, "dice": {"clean": 0.9, "attacked": 0.8}, "achieved_drop": 0.1, "target_drop": 0.3,
        "tolerance": 0.01, "reached": False, "change": {"max_displacement_mm": 1.23, "max_hu": 4.56},
        "control": {"drop": 0.02}, "attacker_note": "Trained for another drop.", "stopped": "cancelled",
        "repeats": {"drops": [0.1, 0.1], "mean": 0.1, "standard_error": 0.001},
    }  # fmt: skip
    text = " ".join(result_sentences(record))
    for words in (
        "NOT reached",
        "largest shift is 1.2 mm",
        "4.6 HU",
        "2 repeats",
        "Trained for",
        "stopped before its end",
    ):
        assert words in text


def test_the_chart_puts_higher_dice_higher() -> None:
    chart = StrengthChart(((0.0, 0.9), (0.5, 0.8), (1.0, 0.6)), (0.5, 0.8), 0.79, 0.88)
    page = Page(str(strength_svg(chart)))
    places = [(float(c["cx"] or 0), float(c["cy"] or 0)) for c in page.all("circle")]
    assert places[0][0] < places[1][0] < places[2][0]
    assert places[0][1] < places[1][1] < places[2][1]
    assert places[3] == places[1]  # the ring of the result
    (square,) = page.all("rect")
    assert places[0][1] < float(square["y"] or 0) + 5 < places[1][1]


@pytest.mark.parametrize("values", [[0.0, 0.0], [-0.1, 0.2, 0.3], [5.0]])
def test_a_strip_keeps_its_dots_inside(values: list[float]) -> None:
    page = Page(str(strip_svg("Drop", values, " mm", 2)))
    places = [float(dot["cx"] or "nan") for dot in page.all("circle")]
    assert len(places) == len(values)
    assert all(0 < place < 460 for place in places)
    assert places == sorted(places)


def test_the_template_travels_with_the_package() -> None:
    assert (files("napari_advseg.evidence") / "templates" / "report.html.j2").is_file()
