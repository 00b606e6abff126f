"""A list of cases as a CSV."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..volume import parse_json
from .listed import ListedCase
from .writing import write_text

_NEEDED = ("case", "ct")
_COLUMNS = (*_NEEDED, "reference", "label_names", "series")
_LONGEST_TOLD = 1000  # characters of a cell in a message


def read_table(path: Path) -> list[ListedCase]:
    """The cases of a CSV, in the order of its rows, under the names of its column ``case``.

    Separated by commas, semicolons or tabs, as the first line is; blank lines and a byte order mark do not matter.
    Paths are relative to the CSV. ``label_names`` is a JSON file or JSON itself.

    Raises
    ------
    ValueError
        One line that names the row: columns that are missing or unknown, a cell too many, no name, a name that is
        there twice, a file that is not.
    """
    folder = path.parent.resolve()  # so that ".." in a cell is what the system takes it for
    cases: list[ListedCase] = []
    rows: dict[str, int] = {}
    for number, row in _rows(path):
        where = f"{path.name}, row {number}"
        for column in _NEEDED:
            if not row[column]:
                raise ValueError(f"{where}: the column '{column}' is empty: give the case's {_meaning(column)}")
        if row["case"] in rows:
            raise ValueError(
                f"{where}: the case '{_told(row['case'])}' is in row {rows[row['case']]} already: "
                "give each case a name of its own"
            )
        rows[row["case"]] = number
        cases.append(
            ListedCase(
                name=row["case"],
                ct=_file(row["ct"], "ct", folder, where),
                reference=_file(row["reference"], "reference", folder, where) if row.get("reference") else None,
                label_names=_label_names(row.get("label_names", ""), folder, where),
                series=_series(row.get("series", "")),
            )
        )
    return cases


def write_table(cases: Sequence[ListedCase], path: str | Path) -> Path:
    """Write a list as a CSV that :func:`read_cases` reads with ``names="file"``; returns its path.

    Paths are written relative to the CSV where that is possible.
    """
    path = Path(path)
    folder = path.parent.resolve()
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for case in cases:
        names = case.label_names
        if isinstance(names, dict):
            named = json.dumps({str(index): name for index, name in names.items()}, ensure_ascii=False)
        else:
            named = _relative(names, folder)
        series = "" if case.series is None else str(case.series)
        table.writerow([case.name, _relative(case.ct, folder), _relative(case.reference, folder), named, series])
    return write_text(path, text.getvalue())


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line of the file, cells by column), blank lines left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        raise ValueError(f"{path} is no CSV in UTF-8: save it as 'CSV UTF-8'") from fault
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = next((one for one in ";\t" if one in first), ",")
    table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    try:
        before = 0
        for cells in table:
            number, before = before + 1, table.line_num  # a quoted line break spreads a row over several lines
            if not any(cell.strip() for cell in cells):
                continue
            stripped = [cell.strip() for cell in cells]
            if header is None:
                header = _checked_header(stripped, path.name, number)
                continue
            if any(stripped[len(header) :]):
                raise ValueError(
                    f"{path.name}, row {number}: {len(cells)} cells under {len(header)} columns: put quotation marks "
                    f"around a cell that holds '{separator}'"
                )
            yield number, dict(zip(header, stripped + [""] * (len(header) - len(stripped)), strict=False))
    except csv.Error as fault:
        raise ValueError(
            f"{path.name}, row {table.line_num}: this is no CSV ({fault}): save the table as CSV"
        ) from fault
    if header is None:
        raise ValueError(f"{path} is empty: expected a CSV with the columns {', '.join(_NEEDED)}")


def _checked_header(cells: list[str], name: str, number: int) -> list[str]:
    header = [cell.lower() for cell in cells]
    while header and not header[-1]:
        header.pop()
    missing = [column for column in _NEEDED if column not in header]
    unknown = [cell for cell in header if cell not in _COLUMNS]
    twice = [column for column in _COLUMNS if header.count(column) > 1]
    if missing or unknown or twice:
        raise ValueError(
            f"{name}, row {number}: the columns are {_told(', '.join(cells))}; expected case and ct and, where wanted, "
            "reference, label_names and series, each once: correct the first row"
        )
    return header


def _file(cell: str, column: str, folder: Path, where: str) -> Path:
    path = Path(os.path.normpath(folder / cell))
    try:
        exists = path.exists()
    except (OSError, ValueError):  # a name that is too long, a null byte
        exists = False
    if not exists:
        raise ValueError(
            f"{where}: there is no {_meaning(column)} {_told(str(path))}: correct the path, which is relative to the CSV"
        )
    return path


def _label_names(cell: str, folder: Path, where: str) -> Path | dict[int, str] | None:
    if not cell:
        return None
    if not cell.startswith("{"):
        return _file(cell, "label_names", folder, where)
    try:
        return {int(index): str(name) for index, name in parse_json(cell).items()}
    except (ValueError, TypeError) as fault:
        raise ValueError(
            f'{where}: label_names is {_told(cell)}: expected a JSON file, or JSON such as {{"5": "liver"}}'
        ) from fault


def _series(cell: str) -> str | int | None:
    return int(cell) if cell.isdecimal() else cell or None


def _told(cell: str) -> str:
    """A cell in a message: on one line, whatever breaks it holds, and no longer than can be read."""
    text = " ".join(cell.split())
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}..."


def _meaning(column: str) -> str:
    return {"case": "name", "ct": "CT", "reference": "labels", "label_names": "file of label names"}[column]


def _relative(path: Path | None, folder: Path) -> str:
    if path is None:
        return ""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()
