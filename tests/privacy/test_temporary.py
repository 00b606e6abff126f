"""What is written for a while lies in folders that only the user may enter, and goes away; what stays has the user's rights."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from findings import toy_finding

import napari_advseg.evidence.bundle
import napari_advseg.samples.loading
from napari_advseg.attacks import CancelToken
from napari_advseg.case import finish, save_finding
from napari_advseg.cohort.writing import write_text
from napari_advseg.samples import write_sample
from napari_advseg.viewer.take_along.exports import write_case_report

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights elsewhere")


def rights(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture(params=[0o022, 0o077], ids=["others may read", "nobody else may read"])
def forbidden(request: pytest.FixtureRequest) -> Iterator[int]:
    """The rights that the user's umask takes away."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


class Watch:
    """Stands in for a function of a module and notes the rights of the hidden folders around the path that it is given."""

    def __init__(
        self, patch: pytest.MonkeyPatch, module: Any, name: str, *, goes_on: bool = True, fail: bool = False
    ) -> None:
        self.seen: set[int] = set()
        self._real: Callable[..., Any] = getattr(module, name)
        self._goes_on, self._fail = goes_on, fail
        patch.setattr(module, name, self)

    def __call__(self, *arguments: Any) -> Any:
        path = next(one for one in arguments if isinstance(one, Path))
        self.seen |= {rights(folder) for folder in path.parents if folder.name.startswith(".")}
        if self._fail:
            raise OSError("the disk is full")
        return self._real(*arguments) if self._goes_on else path


@pytest.mark.parametrize("again", [False, True], ids=["new", "replaced"])
def test_a_bundle_is_made_where_nobody_else_looks_and_stays_with_the_users_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forbidden: int, again: bool
) -> None:
    watch = Watch(monkeypatch, napari_advseg.evidence.bundle, "draw_figure", goes_on=False)  # the picture takes longest
    for _ in range(2 if again else 1):
        save_finding(toy_finding(), tmp_path / "bundle")
    assert watch.seen == {0o700}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert rights(tmp_path / "bundle") == 0o777 & ~forbidden
    assert {rights(file) for file in (tmp_path / "bundle").iterdir()} == {0o666 & ~forbidden}


def test_a_bundle_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch, napari_advseg.evidence.bundle, "draw_figure", fail=True)
    with pytest.raises(OSError, match="full"):
        save_finding(toy_finding(), tmp_path / "bundle")
    assert watch.seen
    assert list(tmp_path.iterdir()) == []


def test_a_sample_is_made_where_nobody_else_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forbidden: int
) -> None:
    watch = Watch(monkeypatch, napari_advseg.samples.loading, "write_image")
    write_sample("phantom", tmp_path / "case")
    assert watch.seen == {0o700}
    assert [path.name for path in tmp_path.iterdir()] == ["case"]
    assert rights(tmp_path / "case") == 0o777 & ~forbidden


def test_text_has_the_rights_of_the_users_other_files(tmp_path: Path, forbidden: int) -> None:
    write_text(tmp_path / "record.json", "{}")
    assert rights(tmp_path / "record.json") == 0o666 & ~forbidden
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize("fail", [False, True])
def test_a_report_of_what_is_not_saved_leaves_the_page_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: bool
) -> None:
    """The dock's core writes the bundle that the page is made from into a folder of its own."""
    from types import SimpleNamespace

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    seen: list[int] = []

    class Core:
        def save(self, finding: Any, folder: Path, cancel: CancelToken) -> Any:
            yield from ()
            seen.append(rights(folder.parent))
            if fail:
                raise OSError("the disk is full")
            return SimpleNamespace(folder=save_finding(finding, folder))

    outcome: Any = SimpleNamespace(finding=toy_finding())
    steps = write_case_report(Core(), outcome, None, tmp_path / "page.html", CancelToken())  # type: ignore[arg-type]
    if fail:
        with pytest.raises(OSError, match="full"):
            finish(steps)
    else:
        assert finish(steps).is_file()
    assert seen == [0o700]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_label_names_for_the_dock_are_the_users_alone_and_gone_with_the_process(tmp_path: Path) -> None:
    pytest.importorskip("napari")
    code = (
        "from napari_advseg.viewer.cases.desk import _names_file as file\n"
        "one, same, other = file({1: 'liver'}), file({1: 'liver'}), file({2: 'liver'})\n"
        "assert one == same != other and one.is_file()\n"
        "print(oct(one.parent.stat().st_mode & 0o777), one.parent.parent)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    assert done.stdout.split() == ["0o700", str(tmp_path)], done.stderr
    assert list(tmp_path.iterdir()) == []
