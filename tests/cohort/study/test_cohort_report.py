"""The report: its figures follow from the table, it needs nothing but itself, and it names no patient."""

from __future__ import annotations

import io
import math
import re
import statistics
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from cohort.study.studies import QUICK, Pretending, pretended_cases, read_rows, run_here, study
from PIL import Image
from scipy.stats import rankdata
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


def test_intervals_are_those_of_patients_drawn_anew(page: str, rows: list[dict[str, str]]) -> None:
    """Drawn here by other random numbers: a bound of 2.5 % lies between those of 1.5 % and 4 %, and so above."""
    for network, attacker, drop, _, reached, lost, control, gap, size, *_ in Tables(page).tables["hits"][1:]:
        own = of(rows, network, attacker, drop)
        sizes = [float(row["size"]) if row["reached"] == "true" else math.inf for row in own]
        falls, chance = [float(row["lost"]) for row in own], [float(row["control_lost"]) for row in own]
        for cell, values, statistic, digits in (
            (reached, [100.0 * (row["reached"] == "true") for row in own], np.mean, 0),
            (lost, falls, np.mean, 3),
            (control, chance, np.mean, 4),
            (gap, [a - b for a, b in zip(falls, chance, strict=True)], np.mean, 3),
            (size, sizes, np.median, 3),
        ):
            with np.errstate(invalid="ignore"):
                drawn = statistic(np.random.default_rng(7).choice(values, (20_000, len(values))), axis=1)
            bounds = [np.quantile(drawn, at, method="inverted_cdf") for at in (0.015, 0.04, 0.96, 0.985)]
            low, high = said_interval(cell)
            rounding = 0.51 * 10.0**-digits
            assert bounds[0] - rounding <= low <= bounds[1] + rounding, (network, drop, cell)
            assert bounds[2] - rounding <= high <= bounds[3] + rounding, (network, drop, cell)


def of(rows: list[dict[str, str]], network: str, attacker: str, drop: str) -> list[dict[str, str]]:
    """The rows of whole cases, attacked alike."""
    return [
        row for row in rows
        if (row["network"], row["attacker"], float(row["drop"]), row["organ"]) == (network, attacker, float(drop), "")
    ]  # fmt: skip


def said_interval(cell: str) -> tuple[float, float]:
    said = re.fullmatch(r"(?:> budget|\S+) (> budget|\S+) to (> budget|\S+)", cell)
    if said is None:  # all patients alike: no interval is shown
        return (float(cell),) * 2
    low, high = (math.inf if one == "> budget" else float(one) for one in said.groups())
    return low, high


def test_what_a_fixed_change_costs_follows_from_the_table(page: str, rows: list[dict[str, str]]) -> None:
    shown = Tables(page).tables["budgets"][1:]
    assert {row[0] for row in shown} == {"phantom2d", "second"}
    for network, attacker, size, patients, middle in shown:
        own = [row for drop in DROPS for row in of(rows, network, attacker, str(drop))]
        medians = []
        for drop in DROPS:
            alike = of(rows, network, attacker, str(drop))
            medians.append(statistics.median(float(r["size"]) if r["reached"] == "true" else math.inf for r in alike))
        assert any(f"{one:.2g}" == f"{float(size):.2g}" for one in medians)
        drops = []
        for case in {row["case_id"] for row in own}:
            points = sorted((float(row["size"]), float(row["lost"])) for row in own if row["case_id"] == case)
            below, reached = (0.0, 0.0), 0.0
            for point in points:  # along straight lines from no change on, never falling
                point = point[0], max(point[1], below[1])
                if point[0] >= float(size):
                    share = (float(size) - below[0]) / (point[0] - below[0])
                    reached = below[1] + share * (point[1] - below[1])
                    break
                below, reached = point, point[1]
            drops.append(reached)
        assert int(patients) == len(drops) == 20
        assert first(middle) == f"{statistics.median(drops):.3f}"


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
    said: list[str] = []
    tested: list[float] = []
    for names, _, drop, patients, size, p, adjusted, reached, control in shown:
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
        tested.append(signed_rank(found))
        assert p == p_value(tested[-1])
        said.append(adjusted)
        own = {network: of(rows, network, "search", drop) for network in (one, second)}
        for cell, column, scale, digits in ((reached, "reached", 100, 0), (control, "control_lost", 1, 4)):
            means = {
                network: statistics.fmean(float({"true": "1", "false": "0"}.get(row[column], row[column])) for row in listed)
                for network, listed in own.items()
            }  # fmt: skip
            assert first(cell) == number(scale * (means[second] - means[one]), digits)
    order = sorted(range(len(tested)), key=tested.__getitem__)
    expected, greatest = {}, 0.0
    for rank, index in enumerate(
        order
    ):  # Holm: the smallest p times their number, the next times one less, never falling
        greatest = max(greatest, min(1.0, (len(tested) - rank) * tested[index]))
        expected[index] = p_value(greatest)
    assert said == [expected[index] for index in range(len(said))]


def signed_rank(differences: list[float]) -> float:
    """Two-sided p of the signed-rank test: exact where no two are alike, else by the normal approximation."""
    left = [one for one in differences if one]
    ranks = rankdata([min(abs(one), 1e9) for one in left])
    total = sum(rank for rank, one in zip(ranks, left, strict=True) if one > 0)
    n = len(left)
    if n == len(differences) and len(set(ranks)) == n:
        ways = [1] + [0] * (n * (n + 1) // 2)
        for rank in range(1, n + 1):
            for at in range(len(ways) - 1, rank - 1, -1):
                ways[at] += ways[at - rank]
        smaller = int(min(total, len(ways) - 1 - total))
        return min(1.0, 2 * sum(ways[: smaller + 1]) / 2**n)
    ties = sum(count**3 - count for count in Counter(ranks).values())
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24 - ties / 48)
    return math.erfc(abs(total - n * (n + 1) / 4) / spread / math.sqrt(2))


def p_value(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


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
