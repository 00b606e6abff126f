"""The user closes the window, takes layers away, presses twice, or opens a second napari while work is going on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.registry import injected
from faults.tiny import QUICK, small_figure, write_case
from toy_networks import threshold_network
from viewer.cases.fake_cases import FakeCases, FakeDesk
from viewer.conftest import sweeps  # noqa: F401
from viewer.fake_core import FakeCore, make_result
from viewer.test_dock import RESULT, attacked, case_layers, message, opened, settle, user_layer

from napari_advseg.attacks import CancelToken, Progress
from napari_advseg.case import CaseRequest, Finding, finish, run, save_finding
from napari_advseg.cohort import WorkFolder
from napari_advseg.evidence import verify_bundle
from napari_advseg.viewer.cases.controller import CasesController
from napari_advseg.viewer.core import Saved
from napari_advseg.volume import read_ct

SECTION = "In the viewer"
MakeDock = Callable[[FakeCore], Any]


class Loading(FakeCore):
    """Reads a CT that does not come to its end."""

    def open_case(self, wish: Any, cancel: CancelToken) -> Generator[Any, None, Any]:
        self.opened.append(wish)
        while not cancel.cancelled:
            yield Progress("Reading the CT", 0.0)
        self.stopped.set()
        cancel.check()


class Saving(FakeCore):
    """Saves a finding of the package's own."""

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding

    def save(self, finding: Finding, folder: Path, cancel: CancelToken) -> Generator[Progress, None, Saved]:
        yield Progress("Writing the bundle", 0.9)
        return Saved(finding, save_finding(self.finding, folder))


@injected(
    SECTION,
    "the viewer is closed while a case is being read",
    "the reading stops, and its thread ends",
)
def test_closed_while_a_case_is_loading(make_docked: MakeDock, qtbot: Any) -> None:
    core = Loading()
    dock = make_docked(core)
    dock.inputs.ct.set_value(user_layer(dock))
    dock.inputs.network.set_value("fake")
    qtbot.waitUntil(lambda: bool(core.opened), timeout=10_000)
    controller, viewer = dock.controller, dock._viewer
    viewer.close()
    qtbot.waitUntil(core.stopped.is_set, timeout=20_000)
    assert controller.join(10)
    qtbot.wait(100)


@injected(
    SECTION,
    "the viewer is closed while a bundle is being saved",
    "the bundle is there, whole, or not at all; the thread ends",
)
def test_closed_while_a_bundle_is_being_saved(
    make_docked: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = write_case(tmp_path / "case")
    request = CaseRequest(ct=case / "ct.nii.gz", network=threshold_network(), reference=case / "labels.nii.gz")
    core = Saving(finish(run(request, QUICK, CancelToken())))
    begun, closed = threading.Event(), threading.Event()

    def figure(*arguments: Any) -> Path:
        begun.set()
        assert closed.wait(30)
        return small_figure(*arguments)

    monkeypatch.setattr("napari_advseg.evidence.bundle.draw_figure", figure)
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_args, **_kwargs: str(tmp_path))
    dock = make_docked(core)
    attacked(dock, qtbot)
    dock.job.save.click()
    qtbot.waitUntil(begun.is_set, timeout=20_000)
    controller, viewer = dock.controller, dock._viewer
    viewer.close()
    closed.set()
    qtbot.wait(100)
    assert controller.join(20)
    assert list(tmp_path.glob(".*")) == []
    for bundle in tmp_path.glob("attack-*"):
        checks = verify_bundle(bundle, read_ct(case / "ct.nii.gz"))
        assert [check.name for check in checks if not check.ok] == []


@injected(
    SECTION,
    "layers of a result are removed and renamed after the attack",
    "the next attack puts the result's layers there again, once each; the renamed one is the same layer or replaced",
)
def test_layers_are_removed_and_renamed_after_an_attack(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    attacked(dock, qtbot)
    mine = dock._viewer.add_points([[1, 2, 3]], name="mine too")
    dock._viewer.layers.remove(case_layers(dock)["perturbed"])
    case_layers(dock)["attacked"].name = "mine too"  # a name that is taken
    dock.job.run.click()
    settle(dock, qtbot)
    qtbot.waitUntil(lambda: not dock.layers.showing and set(case_layers(dock)) >= RESULT, timeout=10_000)
    assert mine in dock._viewer.layers
    roles = [layer for layer in dock._viewer.layers if layer in case_layers(dock).values()]
    assert len(roles) == len(RESULT | {"ct", "clean"})
    assert message(dock) == ""


@injected(SECTION, "Run is pressed three times before anything has begun", "one attack is made")
def test_run_is_pressed_three_times(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    opened(dock, qtbot)
    for _ in range(3):
        dock.run()
    settle(dock, qtbot)
    qtbot.waitUntil(lambda: not dock.layers.showing, timeout=10_000)
    assert len(core.attacked) == 1


class Locking(FakeCases):
    """Works in a work folder under the package's own lock."""

    def attack_all(self, cases: Any, work: Path, *rest: Any) -> Generator[Any, None, str]:
        yield Progress("Opening the network", 0.0)
        with WorkFolder(work, cases.source).working():
            return (yield from super().attack_all(cases, work, *rest))


@pytest.fixture
def make_cases(qtbot: Any) -> Iterator[Callable[[FakeCases], tuple[CasesController, list[str]]]]:
    made: list[tuple[CasesController, FakeDesk]] = []

    def one(core: FakeCases) -> tuple[CasesController, list[str]]:
        desk, said = FakeDesk(FakeCore()), list[str]()
        made.append((CasesController(core, FakeCore(), desk), desk))
        desk.made.said.connect(lambda line, _failed: said.append(line))
        return made[-1][0], said

    yield one
    for controller, desk in made:
        controller.shut_down()
        desk.made.shut_down()
        assert controller.join(10)
        assert desk.made.join(10)


@injected(
    SECTION,
    "a second dock attacks all in the work folder of a first one",
    "the second says so in one line, and can go on once the first has ended",
)
def test_two_docks_in_one_work_folder(make_cases: Any, qtbot: Any, tmp_path: Path) -> None:
    write_case(tmp_path / "cohort" / "a")
    cores = [Locking(), Locking()]
    cores[0].endless = 1
    (first, _), (second, said) = (make_cases(core) for core in cores)
    for controller in (first, second):
        controller.open_list(tmp_path / "cohort")
        qtbot.waitUntil(lambda c=controller: len(c.state.rows) == 3 and c._job is None, timeout=10_000)
    first.attack_all()
    qtbot.waitUntil(lambda: first.state.rows[1].state == "running", timeout=10_000)
    second.attack_all()
    qtbot.waitUntil(lambda: not second.state.queue, timeout=10_000)
    (line,) = said
    assert " works in " in line
    assert len(line.splitlines()) == 1
    assert cores[1].attacked == []
    first.cancel()
    qtbot.waitUntil(lambda: not first.state.queue, timeout=10_000)
    second.attack_all()
    qtbot.waitUntil(lambda: cores[1].attacked == [1, 2], timeout=10_000)
    qtbot.waitUntil(lambda: not second.state.queue, timeout=10_000)


def test_a_fault_in_the_middle_of_an_attack_is_told_beside_the_best_until_then(make_dock: MakeDock, qtbot: Any) -> None:
    class BreakingCore(FakeCore):
        def attack_case(self, case: Any, wish: Any, cancel: Any) -> Any:
            yield from ()
            return Finding(case, make_result(case, wish, 0.1, "broken off by a fault: the device fell asleep"), None)

    dock = make_dock(BreakingCore())
    opened(dock, qtbot)
    with qtbot.waitSignal(dock.controller.found):
        dock.job.run.click()
    qtbot.waitUntil(lambda: "fell asleep" in message(dock))
