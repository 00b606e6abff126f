"""The report: its figures follow from the table, it needs nothing but itself, and it names no patient."""

from __future__ import annotations

import io
import math
import re
import statistics
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cohort.study.studies import QUICK, Pretending, pretended_cases, read_rows, run_here, study
from PIL import Image
from test_packaging import ROOT

from napari_advseg.attacks import CancelToken
from napari_advseg.cohort import WorkFolder
from napari_advseg.cohort.study import NetworkSpec, StudyRequest, TaskStore
from napari_advseg.cohort.study.report import number, write_cohort_report
from napari_advseg.cohort.study.table import CSV, PARQUET, write_results

SHIPPED = ROOT / "napari_advseg" / "samples" / "phantom2d.safetensors"
DROPS = (0.1, 0.3, 0.5)


class Tables(HTMLParser):
    """The cells of the tables that have a name; a line break in a cell is a space."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.loads: list[str] = []
        self._name, self._cell = "", False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [value for name in ("src", "href", "data", "xlink:href") if (value := given.get(name))]
        if tag == "table":
            self._name = given.get("id") or ""
            self.tables[self._name] = []
        elif tag == "tr":
            self.tables[self._name].append([])
        elif tag in ("td", "th"):
            self._cell = True
            self.tables[self._name][-1].append("")
        elif tag == "br" and self._cell:
            self.tables[self._name][-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.tables[self._name][-1][-1] += data.strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of twenty patients and two networks."""
    root = tmp_path_factory.mktemp("report")
    source = pretended_cases(root / "cases", 20)
    request = two_networks(source, root)
    run_here(request, root / "out", Pretending(CancelToken()))
    return root / "out"


def two_networks(source: Path, root: Path) -> StudyRequest:
    other = root / "other.safetensors"
    if not other.exists():
        other.write_bytes(SHIPPED.read_bytes())
        card = (
            SHIPPED.with_suffix(".yaml")
            .read_text()
            .replace("name: phantom2d", "name: second")
            .replace("low: -160.0", "low: -150.0")
        )
        other.with_suffix(".yaml").write_text(card)
    networks = (NetworkSpec(checkpoint="phantom2d"), NetworkSpec(checkpoint=str(other)))
    attacks = [QUICK.model_copy(update={"drop": drop, "attacker": "search"}) for drop in DROPS]
    return study(source, *attacks, networks=networks)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    source = folder.parent / "cases"
    request = two_networks(source, folder.parent)
    jobs = tuple(job for _, job in request.jobs())
    work, store = WorkFolder(folder, source), TaskStore(folder)
    picture = io.BytesIO()
    Image.new("RGB", (64, 32)).save(picture, format="WEBP")
    for task in request.tasks(request.jobs(), work):
        record = store.read(task.id)
        assert record is not None
        store.write(record, picture.getvalue())
    write_results(request.cases, jobs, work, folder)
    return write_cohort_report(jobs, work, folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(folder: Path, page: str) -> list[dict[str, str]]:
    return read_rows(folder / CSV)


def first(cell: str) -> str:
    return cell.split(" ")[0] if not cell.startswith(">") else cell


def test_hit_rates_and_sizes_follow_from_the_table(page: str, rows: list[dict[str, str]]) -> None:
    shown = Tables(page).tables["hits"][1:]
    assert len(shown) == 2 * len(DROPS)
    for network, attacker, drop, patients, reached, lost, control, gap, size, mm, hu in shown:
        own = [
            row for row in rows
            if (row["network"], row["attacker"], float(row["drop"]), row["organ"]) == (network, attacker, float(drop), "")
        ]  # fmt: skip
        assert int(patients) == len(own) == 20
        assert first(reached) == f"{100 * sum(row['reached'] == 'true' for row in own) / 20:.0f}"
        assert first(lost) == f"{statistics.fmean(float(row['lost']) for row in own):.3f}"
        assert first(control) == f"{statistics.fmean(float(row['control_lost']) for row in own):.4f}"
        difference = statistics.fmean(float(row["lost"]) - float(row["control_lost"]) for row in own)
        assert first(gap) == f"{difference:.3f}"
        for cell, column, digits in ((size, "size", 3), (mm, "max_displacement_mm", 2), (hu, "max_hu", 1)):
            bounded = [float(row[column]) if row["reached"] == "true" else math.inf for row in own]
            assert cell.startswith(number(statistics.median(bounded), digits))


def test_organs_follow_from_the_table(page: str, rows: list[dict[str, str]]) -> None:
    shown = Tables(page).tables["organs"][1:]
    assert len(shown) == 2 * len(DROPS) * 3
    for organ, network, attacker, drop, patients, clean, lost, control in shown:
        own = [
            row for row in rows
            if (row["organ"], row["network"], row["attacker"], float(row["drop"])) == (organ, network, attacker, float(drop))
        ]  # fmt: skip
        assert int(patients) == len(own)
        assert clean == f"{statistics.fmean(float(row['clean_dice']) for row in own):.3f}"
        assert first(lost) == f"{statistics.fmean(float(row['lost']) for row in own):.3f}"
        assert first(control) == f"{statistics.fmean(float(row['control_lost']) for row in own):.4f}"


def test_the_comparison_follows_from_the_table(page: str, rows: list[dict[str, str]]) -> None:
    shown = Tables(page).tables["comparisons"][1:]
    assert len(shown) == len(DROPS)
    for names, _, drop, patients, size, *_ in shown:
        second, one = names.split(" − ")
        sizes = {
            network: {
                row["case_id"]: float(row["size"]) if row["reached"] == "true" else math.inf
                for row in rows if row["network"] == network and float(row["drop"]) == float(drop) and not row["organ"]
            }
            for network in (one, second)
        }  # fmt: skip
        pairs = [(sizes[one][case], sizes[second][case]) for case in sizes[one]]
        found = [0.0 if a == b == math.inf else b - a for a, b in pairs]
        assert int(patients) == len(pairs) == 20
        assert size.startswith(number(statistics.median(found), 3))


def test_the_curve_is_data_and_a_figure_and_the_same_each_time(
    folder: Path, page: str, rows: list[dict[str, str]]
) -> None:
    data = read_rows(folder / "fragility.csv")
    assert [(one["network"], float(one["drop"])) for one in data] == [
        (network, drop) for network in ("phantom2d", "second") for drop in DROPS
    ]
    for one in data:
        own = [row for row in rows if (row["network"], row["drop"], row["organ"]) == (one["network"], one["drop"], "")]
        bounded = [float(row["size"]) if row["reached"] == "true" else math.inf for row in own]
        expected = statistics.median(bounded)
        assert one["size"] == ("" if math.isinf(expected) else repr(expected))
    svg = (folder / "fragility.svg").read_text()
    assert "<dc:date>" not in svg
    assert "Dice drop" in svg  # words are text


def test_the_spread_of_the_patients_follows_from_the_table(page: str, rows: list[dict[str, str]]) -> None:
    said = re.search(r"phantom2d, search: Dice drop</text>.*?data-quantiles=\"([^\"]*)\"", page)
    assert said is not None
    own = sorted(
        float(row["lost"]) for row in rows
        if (row["network"], float(row["drop"]), row["organ"]) == ("phantom2d", DROPS[0], "")
    )  # fmt: skip
    assert said[1].split(", ")[2] == f"{statistics.median(own):.2f}"


def test_the_most_fragile_cases_have_their_pictures(page: str) -> None:
    assert page.count("data:image/webp;base64,") == 2 * 6
    assert "<b>Case " in page


def test_the_page_loads_nothing_and_names_no_file(folder: Path, page: str) -> None:
    assert all(one.startswith("data:") for one in Tables(page).loads)
    assert "default-src 'none'" in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    told = page + (folder / CSV).read_text() + (folder / "fragility.svg").read_text()
    assert str(folder.parent) not in told
    assert ".nii" not in told


def test_csv_and_parquet_hold_the_same(folder: Path, rows: list[dict[str, str]]) -> None:
    from pyarrow import parquet

    stored = parquet.read_table(folder / PARQUET).to_pylist()
    assert len(stored) == len(rows)
    for one, row in zip(stored, rows, strict=True):
        for name, value in one.items():
            said = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            assert row[name] == said, name
