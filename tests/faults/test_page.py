"""The page of faults says what the tests inject."""

from __future__ import annotations

from faults.table import PAGE, page, rows


def test_the_page_is_current() -> None:
    survived = {fault.test: fault.injected // fault.each for fault in rows()}
    assert PAGE.read_text(encoding="utf-8") == page(survived), "write it anew: python tests/faults/table.py"


def test_a_hundred_kills_are_among_them() -> None:
    assert sum(fault.injected for fault in rows() if fault.section == "Killed") >= 100
    assert len({fault.test for fault in rows()}) == len(rows())
