"""A scheduler and a worker on this computer, as somebody else would run them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from distributed import Client, LocalCluster

_SAYS_AGAIN_S = 0.6  # longer than a worker waits between two of its best


def worker_of_its_own() -> LocalCluster:
    """A worker in a process of its own with one thread, which is started anew where it is killed."""
    cluster = LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, host="127.0.0.1", memory_limit=0,
        dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
    )  # fmt: skip
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        client.run(lambda: __import__("torch").set_num_threads(1))
    return cluster


def kill_worker(cluster: LocalCluster) -> None:
    """As a computer that runs out of memory does."""
    for nanny in cluster.workers.values():
        psutil.Process(nanny.pid).kill()


@contextmanager
def held(cluster: LocalCluster, measured: int) -> Iterator[None]:
    """Let attacks on the worker rest after so many measurements, with 0 before the first, until they are stopped.

    The attack is the real one.

    A worker ends a small attack in the time in which a busy computer lets the test hear of its beginning. Resting, it
    says its last step again and again. A worker that is started anew is not held.
    """
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        client.run(_hold, measured)
        try:
            yield
        finally:
            client.run(_let_go)


def _hold(measured: int) -> None:
    import time

    from napari_advseg.elsewhere import on_worker

    as_it_is = on_worker.attack_case

    def attack(case: Any, request: Any, cancel: Any, better: Any) -> Any:
        steps, left = as_it_is(case, request, cancel, better), measured
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            yield step
            left -= step.drop is not None
            if left > 0 or ("weak spots" not in step.text and step.drop is None):
                continue
            said = time.monotonic()
            while not cancel.cancelled:
                time.sleep(0.01)
                if time.monotonic() - said > _SAYS_AGAIN_S:
                    yield step
                    said = time.monotonic()

    attack.as_it_is = as_it_is  # type: ignore[attr-defined]
    on_worker.attack_case = attack


def _let_go() -> None:
    from napari_advseg.elsewhere import on_worker

    on_worker.attack_case = getattr(on_worker.attack_case, "as_it_is", on_worker.attack_case)
