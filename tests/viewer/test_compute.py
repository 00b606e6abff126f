"""Attacks from the dock on a worker elsewhere: here, on this computer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from clusters import held, kill_worker, worker_of_its_own
from cohort.cohorts import phantom_cohort
from viewer.fake_core import FakeCore
from viewer.test_dock import user_layer
from viewer.test_phantom import add_slices

from napari_advseg.attacks import CancelToken
from napari_advseg.elsewhere.connecting import ClusterLostError
from napari_advseg.viewer import habits
from napari_advseg.viewer.cases.core import PackageCases
from napari_advseg.viewer.cases.rows import RowFound
from napari_advseg.viewer.compute_field import HERE
from napari_advseg.viewer.state import Phase
from napari_advseg.viewer.wishes import AttackWish, CaseWish

ELSEWHERE = "tcp://gpu:8786"
MakeDock = Callable[[FakeCore], Any]
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning:distributed"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Preferences of the test's own."""
    section = SimpleNamespace(scheduler="")
    monkeypatch.setattr(habits, "preferences", lambda name: section if name == "compute" else None)
    return section


def chosen(field: Any, qtbot: Any, address: str) -> str:
    """The line on an address, once it is known."""
    field.set_address(address)
    qtbot.waitUntil(lambda: not field.line.text().startswith("Looking"), timeout=20_000)
    return str(field.line.text())


def test_the_dock_begins_here_and_offers_what_answered_last(
    make_dock: MakeDock, qtbot: Any, kept: SimpleNamespace
) -> None:
    dock = make_dock(FakeCore())
    field = dock.inputs.compute
    assert (field.address(), field.box.count(), field.line.isHidden()) == ("", 1, True)
    assert chosen(field, qtbot, f" {ELSEWHERE} ") == f"1 worker at {ELSEWHERE}"
    assert kept.scheduler == ELSEWHERE
    assert dock.inputs.more.text() == f"More about the case: on {ELSEWHERE}"
    assert [field.box.itemText(index) for index in range(field.box.count())] == [HERE, ELSEWHERE]
    field.set_address("")
    assert (dock.inputs.more.text(), field.line.isHidden()) == ("More about the case", True)
    again = make_dock(FakeCore()).inputs.compute
    assert again.address() == ""
    assert again.box.itemText(1) == ELSEWHERE


def test_what_does_not_answer_is_told_below_and_not_kept(
    make_dock: MakeDock, qtbot: Any, kept: SimpleNamespace
) -> None:
    core = FakeCore()
    dock = make_dock(core)
    core.fault = OSError("the Dask scheduler tcp://gpu:8786 does not answer")
    assert chosen(dock.inputs.compute, qtbot, ELSEWHERE) == "The Dask scheduler tcp://gpu:8786 does not answer"
    assert kept.scheduler == ""
    assert chosen(dock.inputs.compute, qtbot, ELSEWHERE) == f"1 worker at {ELSEWHERE}", "asked again"


def test_what_is_chosen_goes_with_the_attack_and_keeps_the_case_open(
    make_dock: MakeDock, qtbot: Any, kept: SimpleNamespace
) -> None:
    core = FakeCore()
    dock = make_dock(core)
    dock.inputs.ct.set_value(user_layer(dock))
    dock.inputs.network.set_value("fake")
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=20_000)
    chosen(dock.inputs.compute, qtbot, ELSEWHERE)
    assert dock.inputs.fold.text() == f"Case: mine, fake, on {ELSEWHERE}"
    dock.run()
    qtbot.waitUntil(lambda: dock.controller.phase is Phase.DONE, timeout=20_000)
    assert [wish.compute for wish in core.attacked] == [ELSEWHERE]
    assert len(core.opened) == 1
    assert dock.settings(None)[1].compute == ELSEWHERE, "the queue of cases asks for the same"


def test_a_queue_whose_scheduler_is_gone_shows_the_case_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_advseg.elsewhere import attacking

    monkeypatch.setattr(attacking, "_CONNECT_S", 0.5)
    source = phantom_cohort(tmp_path / "cases", 2)
    core, nobody = PackageCases(), "tcp://127.0.0.1:1"
    cases = core.read_list(source)
    wish = CaseWish(cases.cases[0].ct, "phantom2d", device="cpu")
    steps = core.attack_all(cases, tmp_path / "work", wish, AttackWish(compute=nobody), None, CancelToken())
    rows: dict[int, Any] = {}
    line = f"the Dask scheduler {nobody} does not answer"

    def go() -> None:
        for step in steps:
            if isinstance(step, RowFound):
                rows[step.index] = step.row

    with pytest.raises(ClusterLostError, match=line):
        go()
    assert list(rows) == [0], "the queue ended"
    assert rows[0].state == "failed"
    assert rows[0].reason.startswith(line)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with worker_of_its_own() as started:
        yield started


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the worker has; sums of another number of threads differ in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def wait_for_end(dock: Any, qtbot: Any) -> Any:
    qtbot.waitUntil(lambda: not dock.controller.phase.busy, timeout=120_000)
    return dock.controller.outcome


def wait_for_a_drop(dock: Any, qtbot: Any) -> None:
    def told() -> bool:
        text = dock.job.line.text()
        return "drop 0." in text and "drop 0.00" not in text

    qtbot.waitUntil(told, timeout=60_000)


def test_run_cancel_a_lost_worker_and_a_new_one(
    dock: Any, qtbot: Any, cluster: Any, kept: SimpleNamespace, one_thread: None
) -> None:
    """One story, since a worker takes seconds to start."""
    add_slices(dock._viewer, 8, 12)
    dock.inputs.ct.set_value(dock._viewer.layers["slices"])
    dock.inputs.network.set_value("phantom2d")
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=60_000)
    field, message = dock.inputs.compute, dock._message
    assert chosen(field, qtbot, cluster.scheduler_address) == "1 worker, cpu"

    dock.slider.set_drop(0.2)
    dock.run()
    there = wait_for_end(dock, qtbot).finding
    assert dock.controller.phase is Phase.DONE, message.text()
    field.set_address("")
    dock.run()
    here = wait_for_end(dock, qtbot).finding
    for name in ("perturbed", "displacement", "appearance", "attacked_labels", "moved_reference"):
        assert np.array_equal(getattr(there.result, name), getattr(here.result, name)), name
    assert there.evidence == here.evidence
    assert (there.result.device, here.result.device) == ("cpu of a Dask worker", "")

    field.set_address(cluster.scheduler_address)
    dock.slider.set_drop(0.5)
    with held(cluster, 6):
        dock.run()
        wait_for_a_drop(dock, qtbot)
        began = time.monotonic()
        dock.job.cancel.click()
        outcome = wait_for_end(dock, qtbot)
        assert time.monotonic() - began < 2.0  # a second, and as much again for a machine that is busy
    assert outcome.finding.result.stopped == "cancelled"

    with held(cluster, 6):
        dock.run()
        wait_for_a_drop(dock, qtbot)
        kill_worker(cluster)
        lost = wait_for_end(dock, qtbot)
    assert lost is not outcome
    assert lost.finding.result.broken_off
    assert message.text().startswith("The attack was broken off by a fault: the worker was lost")
    assert message.text().endswith("The best until then is shown. Run again, or choose 'This computer' under Compute.")

    dock.slider.set_drop(0.2)
    dock.run()
    assert wait_for_end(dock, qtbot).finding.result.reached, "a new worker takes over"

    dock.slider.set_drop(0.5)
    with held(cluster, 6):
        dock.run()
        wait_for_a_drop(dock, qtbot)
        dock.controller.shut_down()
        assert dock.controller.join(5), "a window that is closed does not wait for the worker"
