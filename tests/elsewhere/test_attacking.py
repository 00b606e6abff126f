"""An attack on a worker is the attack that is made here, and what goes wrong on the way is told in a line."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from clusters import held, kill_worker
from distributed import Client, LocalCluster

from napari_advseg.attacks import Cancelled, CancelToken, Progress
from napari_advseg.case import AttackRequest, Case, Finding, attack_case, finish, path_target
from napari_advseg.elsewhere import attacking, looking, visit
from napari_advseg.elsewhere.attacking import attack_elsewhere, attacking_on
from napari_advseg.elsewhere.connecting import ClusterLostError
from napari_advseg.elsewhere.greeting import greet
from napari_advseg.elsewhere.looking import Seen, chosen, what_is_there
from napari_advseg.elsewhere.visit import WorkerLostError

QUICK = AttackRequest(drop=0.2)
VOLUMES = ("perturbed", "displacement", "appearance", "clean_labels", "attacked_labels", "reference", "moved_reference")


def steps_on(cluster: LocalCluster, case: Case, cancel: CancelToken, request: AttackRequest = QUICK) -> Any:
    return attack_elsewhere(case, request, cancel, scheduler=cluster.scheduler_address)


def next_measured(steps: Generator[Progress, None, Finding], times: int = 1) -> None:
    """Go on until so many steps have told of a measurement."""
    while times:
        times -= next(steps).drop is not None


def go_until(steps: Generator[Progress, None, Finding], words: str) -> None:
    """Go on until a step says so."""
    while words not in next(steps).text:
        pass


def check_same(there: Finding, here: Finding) -> None:
    for name in VOLUMES:
        one, other = getattr(there.result, name), getattr(here.result, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other), name
    assert torch.equal(there.result.parameters, here.result.parameters)
    assert there.evidence == here.evidence
    own = {"cost": here.result.cost, "device": "", "synthesis": here.result.synthesis, "ct": here.result.ct}
    plain = [name for name in here.result.__dataclass_fields__ if name not in (*VOLUMES, "parameters", *own)]
    for name in plain:
        assert getattr(there.result, name) == getattr(here.result, name), name
    assert there.result.cost.forward == here.result.cost.forward
    assert there.result.device == "cpu of a Dask worker"


@pytest.fixture(autouse=True)
def one_thread() -> Generator[None, None, None]:
    """As the worker has; sums of another number of threads differ in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_result_is_the_one_computed_here_and_volumes_travel_once(
    cluster: LocalCluster, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = finish(attack_case(case, QUICK, CancelToken()))
    told: list[Progress] = []
    check_same(finish(steps_on(cluster, case, CancelToken()), told.append), here)
    assert [step.fraction for step in told] == sorted(step.fraction for step in told)
    sent: list[set[str]] = []
    monkeypatch.setattr(visit.Visit, "send", lambda _self, pieces: iter(sent.append(set(pieces)) or ()))
    check_same(finish(steps_on(cluster, case, CancelToken())), here)
    assert sent == [set()]


def test_another_rounding_here_fetches_what_was_measured(
    cluster: LocalCluster, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    thorough = AttackRequest(drop=0.2, thorough=True)
    here = finish(attack_case(case, thorough, CancelToken()))
    as_it_is = attacking.finding_of

    def otherwise(*given: Any) -> Finding:
        finding = as_it_is(*given)
        result = finding.result
        moved = np.zeros_like(result.moved_reference)
        return replace(finding, result=replace(result, perturbed=result.perturbed + 1, moved_reference=moved))

    monkeypatch.setattr(attacking, "finding_of", otherwise)
    check_same(finish(steps_on(cluster, case, CancelToken(), thorough)), here)


def test_a_learned_attacker_is_used_there(cluster: LocalCluster, case: Case, tmp_path: Any) -> None:
    import shutil

    from napari_advseg.samples import attacker_folder

    mine = shutil.copytree(attacker_folder("phantom2d"), tmp_path / "of the patient")
    for attacker in ("phantom2d", str(mine)):
        request = AttackRequest(drop=0.2, attacker=attacker)
        there = finish(steps_on(cluster, case, CancelToken(), request))
        check_same(there, finish(attack_case(case, request, CancelToken())))


def test_a_cancel_gives_the_best_so_far_within_a_second(cluster: LocalCluster, case: Case) -> None:
    cancel = CancelToken()
    steps = steps_on(cluster, case, cancel, AttackRequest(drop=0.5))
    with held(cluster, 6):
        next_measured(steps, 6)
        cancel.cancel()
        began = time.monotonic()
        finding = finish(steps)
        assert time.monotonic() - began < 2.0  # a second, and as much again for a machine that is busy
    assert finding.result.stopped == "cancelled"
    assert finding.result.achieved_drop > 0.02
    assert finding.evidence is None
    assert worker_rests(cluster)


@pytest.mark.parametrize("rounds_otherwise", [False, True])
def test_a_cancel_does_not_wait_for_a_worker_that_is_slow(
    cluster: LocalCluster, case: Case, monkeypatch: pytest.MonkeyPatch, rounds_otherwise: bool
) -> None:
    """The best that was heard of; where it cannot be made again to the last bit, measured here."""
    cancel = CancelToken()
    steps = steps_on(cluster, case, cancel, AttackRequest(drop=0.5))
    with held(cluster, 3):
        next_measured(steps, 3)
        cancel.cancel()
        monkeypatch.setattr(visit, "_STOPPING_S", -1.0)
        if rounds_otherwise:
            monkeypatch.setattr(attacking, "volumes_sha256", lambda _: "another")
            monkeypatch.setattr(visit.Visit, "volumes", lambda _: b"")
        finding = finish(steps)
    assert finding.result.stopped == "cancelled"
    assert finding.result.device == ("" if rounds_otherwise else "cpu of a Dask worker")
    target = path_target(finding)
    assert target.measure(finding.result.parameters, finding.result.strength).drop == finding.result.achieved_drop
    assert worker_rests(cluster)


def test_a_cancel_before_anything_was_measured_is_one(cluster: LocalCluster, case: Case) -> None:
    cancel = CancelToken()
    steps = steps_on(cluster, case, cancel)
    with held(cluster, 0):
        go_until(steps, "weak spots")
        cancel.cancel()
        with pytest.raises(Cancelled):
            finish(steps)
    assert worker_rests(cluster)


def test_a_worker_that_is_killed_leaves_the_best_so_far_and_a_new_one_takes_over(
    cluster: LocalCluster, case: Case
) -> None:
    steps = steps_on(cluster, case, CancelToken(), AttackRequest(drop=0.5))
    with held(cluster, 6):
        next_measured(steps, 8)  # so that the best of the six has come too
        kill_worker(cluster)
        finding = finish(steps)
    assert finding.result.stopped.startswith("broken off by a fault: the worker was lost")
    assert finding.result.broken_off
    assert finding.result.achieved_drop > 0.02
    assert finding.result.perturbed.shape == finding.result.region.shape
    cluster.wait_for_workers(1, timeout=60)
    one_more = finish(steps_on(cluster, case, CancelToken()))
    assert one_more.result.reached


def test_a_worker_that_is_killed_before_it_measured_is_told_of_in_a_line(cluster: LocalCluster, case: Case) -> None:
    steps = steps_on(cluster, case, CancelToken())
    with held(cluster, 0):
        go_until(steps, "weak spots")
        kill_worker(cluster)
        with pytest.raises(WorkerLostError, match=r"the worker was lost \(.*\): .* choose 'This computer'"):
            finish(steps)
    cluster.wait_for_workers(1, timeout=60)


def test_a_cancel_while_the_case_is_sent_or_a_worker_awaited(
    cluster: LocalCluster, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "_BLOCK", 1000)
    ct = replace(case.ct, hu=case.ct.hu + 1)  # which has not been sent yet
    cancel = CancelToken()
    steps = steps_on(cluster, replace(case, ct=ct), cancel)
    go_until(steps, "Sending the case")
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(steps)
    monkeypatch.setattr(looking, "seen_workers", lambda *_: [])
    cancel = CancelToken()
    steps = steps_on(cluster, case, cancel)
    go_until(steps, "Waiting for a worker")
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(steps)
    monkeypatch.setattr(attacking, "_WORKER_S", 0.1)
    with pytest.raises(ClusterLostError, match="has no worker"):
        finish(steps_on(cluster, case, CancelToken()))


def test_a_scheduler_that_goes_is_told_from_a_worker_that_goes() -> None:
    class Gone:
        def run(self, *_: Any, **__: Any) -> Any:
            raise OSError("closed")

        def nthreads(self) -> Any:
            raise OSError("closed")

        def processing(self) -> Any:
            raise OSError("closed")

    class There(Gone):
        def nthreads(self) -> Any:
            return {}

    for client, kind in ((Gone(), ClusterLostError), (There(), WorkerLostError)):
        with pytest.raises(kind):
            next(visit.Visit(client, "tcp://x:1", CancelToken()).attack(None))  # type: ignore[arg-type]
    with pytest.raises(ClusterLostError, match="the Dask scheduler tcp://x:1 does not answer any more"):
        looking.asked_workers(Gone(), "tcp://x:1", CancelToken())  # type: ignore[arg-type]


def test_what_fails_there_is_told_in_a_line(cluster: LocalCluster, case: Case) -> None:
    lower = replace(case, organs=tuple(replace(organ, clean=0.9) for organ in case.organs))
    steps = steps_on(cluster, lower, CancelToken(), AttackRequest(drop=0.95))
    with pytest.raises(ValueError, match=r"on the worker: target drop must be in \(0, 0.900\]"):
        finish(steps)


def test_a_scheduler_that_is_not_there_is_told_in_a_line_and_can_be_cancelled(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    cancel = CancelToken()
    steps = attack_elsewhere(case, QUICK, cancel, scheduler=nobody)
    next(steps)
    cancel.cancel()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        next(steps)
    assert time.monotonic() - began < 1.0
    monkeypatch.setattr(attacking, "_CONNECT_S", 0.5)
    with pytest.raises(ClusterLostError, match="does not answer: run again, or choose 'This computer'"):
        finish(attacking_on(nobody)(case, QUICK, CancelToken()))


def test_a_line_says_what_is_there(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    assert what_is_there(cluster.scheduler_address) == "1 worker, cpu"
    monkeypatch.setattr(torch, "__version__", "1.0")
    assert "last digits may differ" in what_is_there(cluster.scheduler_address)
    monkeypatch.setattr(looking, "PROTOCOL", 0)
    with pytest.raises(ValueError, match="whose messages mean something else: install the version there that is here"):
        what_is_there(cluster.scheduler_address)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("gpu-server", "a Dask scheduler is given as tcp://host:8786"),
        ("nowhere://host:1", "is no address of a Dask scheduler"),
        ("nothing.json", "there is no scheduler file nothing.json"),
        ("tls://127.0.0.1:1", "as Dask's TLS is set up here"),
    ],
)
def test_an_address_that_is_none_is_told_in_a_line(address: str, words: str) -> None:
    with pytest.raises((ValueError, OSError), match=words):
        what_is_there(address)


def test_dask_that_is_missing_is_told_in_a_line(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    for ask in (
        lambda: what_is_there("tcp://127.0.0.1:1"),
        lambda: next(attacking_on("tcp://x:1")(case, QUICK, CancelToken())),
    ):
        with pytest.raises(ImportError, match=r"pip install 'napari-advseg\[cohort\]'"):
            ask()


def test_the_worker_with_a_gpu_and_the_least_to_do_is_asked() -> None:
    def seen(address: str, gpu: bool, waiting: int, held: int = 0, fault: str = "") -> Seen:
        return Seen(address, {"gpu": gpu, "held": ("x",) * held}, waiting, fault)

    workers = [
        seen("a", False, 0),
        seen("b", True, 1),
        seen("c", True, 0),
        seen("d", True, 0, 2),
        seen("e", True, 0, 9, "lacks"),
    ]
    assert chosen(workers, "s").address == "d"
    with pytest.raises(ValueError, match="the worker e lacks"):
        chosen(workers[-1:], "s")
    with pytest.raises(ClusterLostError, match="has no worker: start one there"):
        chosen([], "s")


def worker_rests(cluster: LocalCluster, most_s: float = 5.0) -> bool:
    """Whether the worker comes to rest: no task in hand."""
    until = time.monotonic() + most_s
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        while time.monotonic() < until:
            if not any(client.run(lambda dask_worker: dask_worker.state.executing_count).values()):
                return True
            time.sleep(0.1)
    return False


def test_a_worker_greets_from_a_thread(cluster: LocalCluster) -> None:
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        (said,) = client.run(greet, ("0" * 64,)).values()
    assert said["held"] == ()
    assert said["device"] == "cpu"
