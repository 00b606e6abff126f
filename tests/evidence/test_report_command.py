"""napari-advseg report."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from napari_advseg import cli


def shell(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["napari-advseg", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_page_is_written_and_the_cases_are_told_apart(phantom, tmp_path: Path, monkeypatch, capsys) -> None:
    out = tmp_path / "new" / "report.html"
    assert shell(monkeypatch, "report", phantom.bundle, phantom.bundle, "--out", out) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert f"Case 2 is {phantom.bundle}" in said.err
    assert "Case 2" in out.read_text(encoding="utf-8")
    assert [file.name for file in out.parent.iterdir()] == ["report.html"]


def test_what_is_no_bundle_ends_with_status_2_and_one_line(tmp_path: Path, monkeypatch, capsys) -> None:
    assert shell(monkeypatch, "report", tmp_path, "--out", tmp_path / "r.html") == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert "no attack bundle" in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "r.html").exists()
