"""What is taken along: pictures, films and reports, written in the worker's thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from viewer.fake_core import FakeCore
from viewer.phantom_bundle import saved_phantom
from viewer.test_dock import attacked, opened

from napari_advseg.attacks import Cancelled, CancelToken
from napari_advseg.case import finish
from napari_advseg.viewer.core import PackageCore
from napari_advseg.viewer.in_hand import Outcome
from napari_advseg.viewer.recalled import recall
from napari_advseg.viewer.scene import Scene
from napari_advseg.viewer.state import Phase
from napari_advseg.viewer.take_along.exports import write_case_report, write_kind, write_list_report
from napari_advseg.viewer.take_along.files import KINDS
from napari_advseg.viewer.take_along.panel import folder_link
from napari_advseg.viewer.wishes import AttackWish

MakeDock = Callable[[FakeCore], Any]
BY_NAME = {(kind.content, kind.suffix): kind for kind in KINDS}


def live_outcome() -> Outcome:
    return Outcome("c", saved_phantom().finding, Scene("c", ()), AttackWish())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.content == "blink"], ids=lambda kind: kind.suffix)
def test_pictures_of_a_result_are_written(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / kind.file_name("phantom2d", 0.3)
    assert finish(write_kind(PackageCore(), kind, live_outcome(), None, path, CancelToken())) == path
    assert path.stat().st_size > 1000
    if kind.suffix == ".gif":
        with Image.open(path) as film:
            assert film.n_frames == 2


def test_the_play_tells_how_far_it_is_and_can_be_stopped(tmp_path: Path) -> None:
    kind, path = BY_NAME["play", ".gif"], tmp_path / "play.gif"
    recalled = recall(saved_phantom().bundle, "c")
    steps = list(write_kind(PackageCore(), kind, recalled.outcome, None, path, CancelToken()))
    assert [step.fraction for step in steps] == sorted(step.fraction for step in steps)
    assert len(steps) > 10
    with Image.open(path) as film:
        assert film.n_frames == 24
    path.unlink()
    token = CancelToken()
    work = write_kind(PackageCore(), kind, recalled.outcome, None, path, token)
    next(work)
    token.cancel()
    with pytest.raises(Cancelled):
        list(work)
    assert not path.exists()


def test_reports_name_the_cases_as_they_are_told_to(tmp_path: Path) -> None:
    saved, path = saved_phantom(), tmp_path / "report.html"
    bundles, names = [saved.bundle, saved.bundle], ["Case 1", "Case 7"]
    finish(write_list_report(bundles, names, path, CancelToken()))
    assert "Case 7" in path.read_text(encoding="utf-8")
    finish(write_case_report(PackageCore(), live_outcome(), saved.bundle, path, CancelToken()))
    assert "Case 7" not in path.read_text(encoding="utf-8")


def test_names_of_files_hold_nothing_but_the_network_and_the_drop() -> None:
    assert BY_NAME["play", ".mp4"].file_name("my net/5", 0.25) == "attack-my-net-5-drop-0.25-play.mp4"
    assert BY_NAME["blink", ".png"].file_name("a", 0.3) == "attack-a-drop-0.30.png"


def test_the_link_leads_to_the_folder(tmp_path: Path) -> None:
    line = folder_link(tmp_path / "a&b.gif")
    assert "a&amp;b.gif" in line
    assert tmp_path.as_uri() in line


def test_the_menu_writes_where_the_user_says_and_links_to_it(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []
    written: list[tuple[Any, Path]] = []

    def write(_core: Any, kind: Any, _outcome: Any, _saved: Any, path: Path, _token: Any) -> Any:
        yield from ()
        written.append((kind, path))
        return path

    def where(_parent: Any, _title: str, proposed: str, _filters: str) -> tuple[str, str]:
        asked.append(proposed)
        return str(tmp_path / "mine"), ""

    monkeypatch.setattr("napari_advseg.viewer.take_along.panel.write_kind", write)
    monkeypatch.setattr("napari_advseg.viewer.take_along.panel.QFileDialog.getSaveFileName", where)
    dock = make_dock(FakeCore())
    opened(dock, qtbot)
    assert not dock.take_along.button.isEnabled()
    assert not dock.take_along.present.isEnabled()
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.take_along.button.isEnabled(), timeout=10_000)
    for action in dock.take_along.menu.actions():
        action.trigger()
        qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=10_000)
    assert [kind for kind, _ in written] == list(KINDS)
    assert [path.name for _, path in written] == [f"mine{kind.suffix}" for kind in KINDS]
    assert Path(asked[1]).name == "attack-fake-drop-0.30-blink.gif"
    assert Path(asked[1]).parent == tmp_path, "the second one is proposed where the first was written"
    assert tmp_path.as_uri() in dock.take_along.line.text()
    assert dock.controller.phase is Phase.DONE


def test_an_export_that_fails_is_one_line_and_one_that_is_cancelled_leaves_the_result(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def write(_core: Any, kind: Any, _outcome: Any, _saved: Any, path: Path, token: Any) -> Any:
        if kind.suffix == ".mp4":
            raise ValueError("an MP4 needs imageio-ffmpeg, which is not installed")
        while True:
            token.check()
            yield from ()
            import time

            time.sleep(0.01)

    monkeypatch.setattr("napari_advseg.viewer.take_along.panel.write_kind", write)
    dock = make_dock(FakeCore())
    attacked(dock, qtbot)
    dock.take_along.write(BY_NAME["blink", ".mp4"], tmp_path / "a.mp4")
    qtbot.waitUntil(lambda: dock.controller.phase is Phase.FAILED, timeout=10_000)
    assert dock._message.text() == "an MP4 needs imageio-ffmpeg, which is not installed"
    dock.take_along.write(BY_NAME["play", ".gif"], tmp_path / "a.gif")
    assert dock.controller.phase is Phase.EXPORTING
    dock.job.cancel.click()
    qtbot.waitUntil(lambda: dock.controller.phase is Phase.DONE, timeout=10_000)
    assert dock._message.text() == "Stopped; no file was written."
    assert dock.controller.outcome is not None
    assert dock.take_along.line.isHidden()


def test_the_pictures_are_of_the_result() -> None:
    kind = BY_NAME["blink", ".png"]
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = finish(write_kind(PackageCore(), kind, live_outcome(), None, Path(folder) / "a.png", CancelToken()))
        with Image.open(path) as picture:
            array = np.asarray(picture)
    left, right = np.split(array, 2, axis=1)
    assert left.shape == right.shape
    assert np.any(left != right)
