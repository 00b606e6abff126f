"""A bundle comes into its place in one step where the system can, and else so that one of the two always stands."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from napari_advseg.evidence import bundle, exchange
from napari_advseg.evidence.bundle import _put_in_place, _versions, check_replaceable
from napari_advseg.evidence.exchange import exchanged


def folder(path: Path, content: str, name: str = "result.json") -> Path:
    path.mkdir()
    (path / name).write_text(content)
    return path


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    return folder(tmp_path / "aside", "new"), folder(tmp_path / "bundle", "old")


def content(path: Path) -> str:
    return (path / "result.json").read_text()


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="this system cannot swap two folders")
def test_two_folders_are_swapped(both: tuple[Path, Path]) -> None:
    assert exchanged(*both)
    assert [content(path) for path in both] == ["old", "new"]


def test_nothing_is_swapped_where_one_is_missing(both: tuple[Path, Path]) -> None:
    assert not exchanged(both[0], both[1].with_name("nowhere"))
    assert not exchanged(both[0].with_name("nowhere"), both[1])
    assert [content(path) for path in both] == ["new", "old"]


class Library:
    """A system that tells what it was asked, and whether it could."""

    def __init__(self, status: int) -> None:
        self.status, self.asked = status, []

    def renamex_np(self, one: bytes, other: bytes, flags: ctypes.c_uint) -> int:
        self.asked.append((one, other, flags.value))
        return self.status


@pytest.mark.parametrize(("status", "could"), [(0, True), (-1, False)])
def test_macos_is_asked_in_its_own_way(both: tuple[Path, Path], monkeypatch, status: int, could: bool) -> None:
    library = Library(status)
    monkeypatch.setattr(exchange, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name, **options: library)
    assert exchanged(*both) is could
    assert library.asked == [(*(str(path.absolute()).encode() for path in both), 2)]  # RENAME_SWAP


def raising(fault: Exception) -> Callable[..., Any]:
    def load(*_: object, **__: object) -> Any:
        raise fault

    return load


@pytest.mark.parametrize("fault", [OSError("no library"), TypeError("no name"), AttributeError("renameat2")])
def test_a_system_that_cannot_swap_says_so_and_changes_nothing(both, monkeypatch, fault: Exception) -> None:
    monkeypatch.setattr(ctypes, "CDLL", raising(fault))
    assert exchanged(*both) is False
    monkeypatch.setattr(ctypes, "CDLL", lambda name, **options: object())  # one that lacks the function
    assert exchanged(*both) is False
    assert [content(path) for path in both] == ["new", "old"]


def test_another_system_is_not_asked(both: tuple[Path, Path], monkeypatch) -> None:
    monkeypatch.setattr(exchange, "sys", SimpleNamespace(platform="win32"))
    assert exchanged(*both) is False
    assert [content(path) for path in both] == ["new", "old"]


@pytest.mark.parametrize("swaps", [True, False])
def test_a_new_bundle_takes_the_place_of_the_old_one(both, monkeypatch, swaps: bool) -> None:
    if not swaps:
        monkeypatch.setattr(bundle, "exchanged", lambda one, other: False)
    aside, place = both
    _put_in_place(aside, place)
    assert content(place) == "new"
    left = {path.name for path in place.parent.iterdir()}
    assert left <= {"bundle", "aside"}  # what was swapped out lies aside, and goes with that folder
    assert ("aside" in left) is (swaps and sys.platform in ("linux", "darwin"))


def test_a_new_bundle_needs_no_old_one(both: tuple[Path, Path]) -> None:
    aside, place = both
    _put_in_place(aside, place.with_name("other"))
    assert content(place.with_name("other")) == "new"
    assert not aside.exists()
    assert content(place) == "old"


def test_the_old_bundle_comes_back_where_the_new_one_cannot_be_renamed(both, monkeypatch) -> None:
    aside, place = both
    monkeypatch.setattr(bundle, "exchanged", lambda one, other: False)
    rename = Path.rename

    def refuse(path: Path, to: Path) -> Path:
        if path == aside:
            raise OSError("the network drive is gone")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="network drive"):
        _put_in_place(aside, place)
    assert content(place) == "old"
    assert sorted(path.name for path in place.parent.iterdir()) == ["aside", "bundle"]


def test_only_a_bundle_or_nothing_may_be_replaced(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    check_replaceable(tmp_path / "empty")
    check_replaceable(folder(tmp_path / "bundle", "{}"))
    thesis = folder(tmp_path / "thesis", "text", "thesis.tex")
    for taken in (thesis, thesis / "thesis.tex"):
        with pytest.raises(FileExistsError, match="no attack bundle"):
            check_replaceable(taken)


def test_a_package_that_is_not_installed_is_left_out_of_the_versions(monkeypatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "torch":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert set(_versions()) == {"python", "napari-advseg", "numpy", "SimpleITK", "monai"}
