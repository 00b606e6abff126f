"""Every input of the corpus is accepted, warned of or refused as its row says, and does nothing of its own."""

from __future__ import annotations

import resource
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile.corpus import ENTRIES, SHELVES, forget
from hostile.registry import MARK, Entry, Opened
from hostile.table import PAGE, page

SECONDS = 20  # a hang; the slowest entry takes two
MEGABYTES = 1500  # what opening may add to the most that this process has ever held


@pytest.fixture(scope="module", autouse=True)
def _tidy() -> Iterator[None]:
    yield
    forget()


@pytest.fixture
def bounded() -> Iterator[None]:
    """An alarm for a hang, and a look at the memory."""

    def ring(*_: object) -> None:
        raise AssertionError(f"it has not ended after {SECONDS} s")

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    before = _peak()
    try:
        yield
    finally:
        signal.alarm(0)
    assert _peak() - before < MEGABYTES


def _peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_it_ends_as_its_row_says(entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounded: None) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of the formats that are made here
        given = entry.make(folder)
    monkeypatch.chdir(tmp_path)
    before = _listed(tmp_path)
    if entry.outcome == "refused":
        # ValueError and FileNotFoundError are what the shell and the viewer show as one line.
        with pytest.raises((ValueError, FileNotFoundError, FileExistsError)) as caught:
            entry.open(given)
        assert entry.line in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    else:
        opened: Opened = entry.open(given)
        assert any(entry.line in line for line in opened.warnings) if entry.line else not opened.warnings
        assert all(len(line.splitlines()) == 1 for line in opened.warnings)
        assert entry.right(opened.value)
    made = _listed(tmp_path) - before
    assert not made - {tmp_path / "given" / "report.html"}
    assert not any(path.name == MARK for path in made)


def _listed(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_the_corpus_is_whole() -> None:
    assert len(ENTRIES) >= 80
    assert [name for name, count in Counter(entry.id for entry in ENTRIES).items() if count > 1] == []
    assert all(entry.line or entry.outcome == "accepted" for entry in ENTRIES)
    assert all(shelf.entries for shelf in SHELVES)


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python tests/hostile/table.py"
