"""The cases without a viewer: opening, reading ahead, the queue, a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from viewer.cases.fake_cases import FakeCases, FakeDesk
from viewer.fake_core import FakeCore

from napari_advseg.networks import ConsentNeededError
from napari_advseg.viewer.cases.controller import CasesController
from napari_advseg.viewer.state import Phase
from napari_advseg.volume import SeveralSeriesError

Make = Callable[..., tuple[CasesController, FakeDesk]]


@pytest.fixture
def make(qtbot: Any) -> Iterator[Make]:
    made: list[tuple[CasesController, FakeDesk]] = []

    def one(core: FakeCases, main: FakeCore | None = None) -> tuple[CasesController, FakeDesk]:
        desk = FakeDesk(main or FakeCore())
        made.append((CasesController(core, FakeCore(), desk), desk))
        return made[-1]

    yield one
    for controller, desk in made:
        controller.shut_down()
        desk.made.shut_down()
        assert controller.join(10)
        assert desk.made.join(10)


@pytest.fixture
def cases_folder(tmp_path: Path) -> Path:
    (tmp_path / "cohort").mkdir()
    return tmp_path / "cohort"


def listed(controller: CasesController, qtbot: Any, folder: Path) -> None:
    controller.open_list(folder)
    qtbot.waitUntil(lambda: len(controller.state.rows) > 0 and controller._job is None, timeout=10_000)


def states(controller: CasesController) -> list[str]:
    return [row.state for row in controller.state.rows]


def test_a_list_is_shown_under_pseudonyms_and_its_pictures_come(make: Make, qtbot: Any, cases_folder: Path) -> None:
    core = FakeCases()
    controller, _ = make(core)
    listed(controller, qtbot, cases_folder)
    assert [controller.state.name(i) for i in range(3)] == ["Case 1", "Case 2", "Case 3"]
    controller.state.set_file_names(True)
    assert controller.state.name(2) == "muster_3"
    qtbot.waitUntil(lambda: set(controller.state.pictures) == {0, 1, 2}, timeout=10_000)


def test_a_list_that_is_not_there_is_said_in_one_line(make: Make, qtbot: Any, tmp_path: Path) -> None:
    controller, _ = make(FakeCases())
    controller.open_list(tmp_path / "nowhere")
    qtbot.waitUntil(lambda: "there is no folder" in controller.state.line, timeout=10_000)


def test_a_new_case_is_shown_and_the_next_ct_is_read_ahead_once(make: Make, qtbot: Any, cases_folder: Path) -> None:
    core = FakeCases()
    controller, desk = make(core)
    listed(controller, qtbot, cases_folder)
    qtbot.waitUntil(lambda: len(controller.state.pictures) == 3, timeout=10_000)
    core.read.clear()
    controller.open(0)
    qtbot.waitUntil(lambda: len(desk.cts) == 1 and core.read == [0, 1], timeout=10_000)
    qtbot.wait(200)
    assert core.read == [0, 1], "one case is read ahead, no more"
    controller.go(1)
    qtbot.waitUntil(lambda: len(desk.cts) == 2 and core.read == [0, 1, 2], timeout=10_000)
    assert desk.away == [desk.cts[0].case_id]
    assert float(desk.cts[1].plan.data.min()) == pytest.approx(float(desk.cts[0].plan.data.min()) + 1)


def test_next_and_previous_stay_inside_the_list(make: Make, qtbot: Any, cases_folder: Path) -> None:
    controller, desk = make(FakeCases(2))
    listed(controller, qtbot, cases_folder)
    controller.go(-1)
    assert controller.state.current == 1
    controller.go(1)
    assert controller.state.current == 1
    controller.go(-1)
    assert controller.state.current == 0
    qtbot.waitUntil(lambda: bool(desk.cts) and controller._job is None, timeout=10_000)
    assert len({shown.case_id for shown in desk.cts[-1:]}) == 1


def test_of_two_openings_in_a_row_the_last_counts(make: Make, qtbot: Any, cases_folder: Path) -> None:
    controller, desk = make(FakeCases())
    listed(controller, qtbot, cases_folder)
    controller.open(0)
    controller.open(2)
    qtbot.waitUntil(lambda: controller._job is None, timeout=10_000)
    assert [controller.case_of(shown.case_id) for shown in desk.cts] == [2]


def test_a_case_that_cannot_be_read_is_said_and_the_next_can(make: Make, qtbot: Any, cases_folder: Path) -> None:
    core = FakeCases()
    core.unreadable = {1}
    controller, desk = make(core)
    listed(controller, qtbot, cases_folder)
    controller.open(1)
    qtbot.waitUntil(lambda: "no readable image" in controller.state.line, timeout=10_000)
    controller.go(1)
    qtbot.waitUntil(lambda: len(desk.cts) == 1, timeout=10_000)


def test_one_of_several_series_is_asked_for(make: Make, qtbot: Any, cases_folder: Path) -> None:
    core = FakeCases()
    read_ct, seen = core.read_ct, []

    def several(case: Any, series: str | None = None) -> Any:
        seen.append(series)
        if series is None and case.index == 0:
            raise SeveralSeriesError(Path("x"), [("1.2", 3), ("1.3", 90)])
        return read_ct(case)

    core.read_ct = several  # type: ignore[method-assign]
    controller, desk = make(core)
    controller.ask_series = lambda series: series[1][0]
    listed(controller, qtbot, cases_folder)
    controller.open(0)
    qtbot.waitUntil(lambda: len(desk.cts) == 1, timeout=10_000)
    assert "1.3" in seen


def test_attack_all_fills_the_table_and_a_failure_does_not_end_it(make: Make, qtbot: Any, cases_folder: Path) -> None:
    core = FakeCases()
    core.failing = {1}
    controller, _desk = make(core)
    listed(controller, qtbot, cases_folder)
    seen: list[str] = []
    controller.queue.progressed.connect(lambda progress: seen.append(progress.text))
    controller.attack_all()
    assert controller.state.queue
    qtbot.waitUntil(lambda: not controller.state.queue, timeout=10_000)
    assert states(controller) == ["done", "failed", "done"]
    assert controller.state.rows[1].reason == "the file is torn"
    assert any(text.startswith("Case 1") for text in seen)
    assert controller.state.line == "3 of 3 cases done."
    qtbot.waitUntil(lambda: len(controller.state.pictures) == 3, timeout=10_000)
    assert controller.state.pictures[0].max() == 200, "the picture is of the attacked case"


def test_a_done_case_opens_from_its_bundle_while_the_queue_runs(make: Make, qtbot: Any, cases_folder: Path) -> None:
    core = FakeCases()
    core.endless = 1
    controller, desk = make(core)
    listed(controller, qtbot, cases_folder)
    controller.attack_all()
    qtbot.waitUntil(lambda: states(controller) == ["done", "running", "new"], timeout=10_000)
    controller.open(0)
    qtbot.waitUntil(lambda: len(desk.recalled) == 1, timeout=10_000)
    assert desk.bare[0].case_id == desk.recalled[0].scene.case_id
    assert desk.cts == [], "no network is opened for it"
    assert controller.state.queue
    controller.cancel()
    qtbot.waitUntil(lambda: not controller.state.queue, timeout=10_000)
    assert states(controller) == ["done", "new", "new"]
    assert controller.state.line.startswith("Stopped: 1 of 3")


def test_after_a_restart_the_work_goes_on_where_it_was(make: Make, qtbot: Any, cases_folder: Path) -> None:
    core = FakeCases()
    core.endless = 1
    controller, _ = make(core)
    listed(controller, qtbot, cases_folder)
    controller.attack_all()
    qtbot.waitUntil(lambda: states(controller)[1] == "running", timeout=10_000)
    controller.shut_down()
    again = FakeCases()
    second, desk = make(again)
    listed(second, qtbot, cases_folder)
    assert states(second) == ["done", "new", "new"]
    second.attack_all()
    qtbot.waitUntil(lambda: states(second) == ["done"] * 3, timeout=10_000)
    assert again.attacked == [1, 2]
    assert desk.made.phase is Phase.IDLE


def test_a_locked_work_folder_is_one_line(make: Make, qtbot: Any, cases_folder: Path) -> None:
    from napari_advseg.cohort import LockedError

    core = FakeCases()
    core.fault = LockedError("process 7 works in x: wait for it, end it, or choose another work folder")
    controller, desk = make(core)
    said: list[str] = []
    desk.made.said.connect(lambda line, _failed: said.append(line))
    listed(controller, qtbot, cases_folder)
    controller.attack_all()
    qtbot.waitUntil(lambda: not controller.state.queue, timeout=10_000)
    assert said == ["process 7 works in x: wait for it, end it, or choose another work folder"]
    controller.attack_all()
    qtbot.waitUntil(lambda: states(controller) == ["done"] * 3, timeout=10_000)


def test_a_network_that_must_be_trusted_is_asked_about_and_the_queue_goes_on(
    make: Make, qtbot: Any, cases_folder: Path
) -> None:
    core = FakeCases()
    core.fault = ConsentNeededError(Path("model.ts"), "ab12", "TorchScript")
    controller, desk = make(core)
    desk.made.asked.connect(lambda question: desk.made.consent(question.sha256))
    listed(controller, qtbot, cases_folder)
    controller.attack_all()
    qtbot.waitUntil(lambda: states(controller) == ["done"] * 3, timeout=10_000)
    qtbot.waitUntil(lambda: not controller.state.queue, timeout=10_000)


def test_without_a_network_attack_all_says_what_is_missing(make: Make, qtbot: Any, cases_folder: Path) -> None:
    controller, desk = make(FakeCases())
    desk.refusal = "Choose a network: a known one, a checkpoint file or a model folder."
    listed(controller, qtbot, cases_folder)
    controller.attack_all()
    assert controller.state.line == desk.refusal
    assert not controller.state.queue


def test_while_another_job_runs_no_case_is_opened(make: Make, qtbot: Any, cases_folder: Path) -> None:
    from viewer.fake_core import make_ct

    from napari_advseg.viewer.wishes import AttackWish, CaseWish
    from napari_advseg.volume import write_image

    ct = make_ct()
    path = write_image(cases_folder / "ct.nii.gz", ct.hu.astype("int16"), ct.grid)
    core = FakeCore(endless=True)
    controller, desk = make(FakeCases(), core)
    listed(controller, qtbot, cases_folder)
    desk.made.run(CaseWish(path, "fake"), AttackWish())
    controller.open(0)
    controller.attack_all()
    assert "Another job is running" in controller.state.line
    assert desk.cts == []
    desk.made.cancel()


def test_another_work_folder_is_surveyed(make: Make, qtbot: Any, cases_folder: Path, tmp_path: Path) -> None:
    controller, _ = make(FakeCases())
    listed(controller, qtbot, cases_folder)
    controller.attack_all()
    qtbot.waitUntil(lambda: not controller.state.queue, timeout=10_000)
    controller.choose_work(tmp_path / "other")
    qtbot.waitUntil(lambda: states(controller) == ["new"] * 3 and controller._job is None, timeout=10_000)
    controller.choose_work(tmp_path / "cohort-attacks")
    qtbot.waitUntil(lambda: states(controller) == ["done"] * 3, timeout=10_000)
