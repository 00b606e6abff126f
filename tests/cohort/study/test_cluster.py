"""On Dask's workers: the same table as in one process, whatever is lost on the way."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from cohort.study.studies import QUICK, Pretending, pretended, pretended_cases, records, run_here, study, table
from distributed import LocalCluster

from napari_advseg.attacks import Cancelled, CancelToken, Progress
from napari_advseg.case import finish
from napari_advseg.cohort import WorkFolder
from napari_advseg.cohort.study import (
    ClusterLostError,
    StudyRequest,
    StudySummary,
    Task,
    TaskRecord,
    on_worker,
    run_study,
)
from napari_advseg.cohort.study.cluster import executor_for

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning:distributed"),
    # a client's connection to a scheduler that was killed is closed by the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
DROPS = (0.1, 0.2)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """What is left of killed schedulers is collected while it may be warned of, not in another test or after all of them."""
    yield
    gc.collect()


def run_on(
    scheduler: str, request: StudyRequest, folder: Path, on_progress: Callable[[Progress], object], **options: object
) -> StudySummary:
    cancel = CancelToken()
    with executor_for(scheduler, cancel, **options) as executor:  # type: ignore[arg-type]
        steps = run_study(request, request.jobs(), WorkFolder(folder, request.source), executor, cancel)
        return finish(steps, on_progress)


def test_a_worker_that_is_killed_costs_nothing_but_time(phantoms: Path, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one(_: Progress) -> None:
        if records(tmp_path / "out") and not killed:
            children = psutil.Process().children(recursive=True)
            workers = [one for one in children if "spawn_main" in " ".join(one.cmdline())]
            busiest = max(workers, key=lambda one: sum(one.cpu_times()[:2]))
            busiest.send_signal(signal.SIGKILL)
            killed.append(busiest.pid)

    request = study(phantoms, *(QUICK.model_copy(update={"drop": drop}) for drop in DROPS))
    summary = run_on("local", request, tmp_path / "out", kill_one, workers=2)
    assert killed
    assert (summary.done, summary.failed) == (4, 0)
    assert run_here(request, tmp_path / "here").done == 4
    assert table(request, tmp_path / "out") == table(request, tmp_path / "here")


def test_the_workers_keep_no_call_stacks() -> None:
    """An hour of them is more than a gigabyte."""
    cancel = CancelToken()
    with executor_for("local", cancel, workers=1) as executor:
        stacks = executor._client.run(lambda dask_worker: len(dask_worker.profile_history))  # type: ignore[attr-defined]
        time.sleep(2.5)
        later = executor._client.run(lambda dask_worker: len(dask_worker.profile_history))  # type: ignore[attr-defined]
    assert list(stacks.values()) == list(later.values()) == [0]


class Site:
    """A scheduler with a worker as somebody else runs them, but in threads of this process: a new one starts quickly."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.cluster: LocalCluster | None = None

    def start(self) -> None:
        self.cluster = LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, scheduler_port=self.port, dashboard_address="127.0.0.1:0",
            host="127.0.0.1", memory_limit=0, silence_logs=logging.CRITICAL,
        )  # fmt: skip

    def end(self) -> None:
        if self.cluster is not None:
            self.cluster.close()
            self.cluster = None


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    found.start()
    yield found
    found.end()


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyRequest:
    """Twelve attacks whose figures are made up, by the worker in this process, too."""

    def run_task(task: Task, *_: object) -> tuple[TaskRecord, bytes]:
        time.sleep(0.05)
        return pretended(task), b""

    monkeypatch.setattr(on_worker, "run_task", run_task)
    return study(pretended_cases(tmp_path / "cases", 6), *(QUICK.model_copy(update={"drop": drop}) for drop in DROPS))


def test_a_scheduler_that_goes_and_comes_back_costs_nothing_but_time(
    site: Site, request_: StudyRequest, tmp_path: Path
) -> None:
    restarted: list[bool] = []

    def restart(_: Progress) -> None:
        if len(records(tmp_path / "out")) >= 2 and not restarted:
            site.end()
            site.start()
            restarted.append(True)

    summary = run_on(site.address, request_, tmp_path / "out", restart, patience_s=60.0)
    assert restarted
    assert (summary.done, summary.failed) == (12, 0)
    run_here(request_, tmp_path / "here", Pretending(CancelToken()))
    assert table(request_, tmp_path / "out") == table(request_, tmp_path / "here")


def test_a_scheduler_that_stays_away_is_told_of_in_a_line(site: Site, request_: StudyRequest, tmp_path: Path) -> None:
    with pytest.raises(ClusterLostError, match="does not answer; what is done is kept"):
        run_on(site.address, request_, tmp_path / "out", lambda _: site.end(), patience_s=2.0)
    assert len(records(tmp_path / "out")) < 12


def test_ctrl_c_stops_the_attack_that_runs(
    site: Site, request_: StudyRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()

    def endless(task: Task, cancel: CancelToken, on_progress: Callable[[Progress], object], _: str) -> None:
        while not cancel.cancelled:
            time.sleep(0.02)
            on_progress(Progress("attacking", 0.5))
        stopped.set()
        raise Cancelled

    monkeypatch.setattr(on_worker, "run_task", endless)
    monkeypatch.setattr(on_worker, "_ASK_S", 0.1)
    cancel = CancelToken()
    with executor_for(site.address, cancel) as executor:
        work, seen = WorkFolder(tmp_path / "out", request_.source), list[Progress]()
        steps = run_study(request_, request_.jobs(), work, executor, cancel)
        summary = finish(steps, lambda step: seen.append(step) or (cancel.cancel() if len(seen) > 4 else None))
        assert executor.running() == 0
        assert stopped.wait(10)
    assert (summary.stopped, summary.done) == ("cancelled", 0)


@pytest.mark.parametrize(
    ("scheduler", "words"),
    [
        ("luck", "the scheduler is 'local', 'none', an address"),
        ("nowhere.json", "there is no scheduler file nowhere.json"),
    ],
)
def test_a_scheduler_that_is_none_is_told_in_a_line(scheduler: str, words: str) -> None:
    with pytest.raises((ValueError, ClusterLostError), match=words), executor_for(scheduler, CancelToken()):
        pass


def test_what_is_not_installed_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ImportError, match=r"pip install 'napari-advseg\[cohort\]'"),
        executor_for("local", CancelToken()),
    ):
        pass
