"""A scheduler and a worker on this computer, as somebody else would run them."""

from __future__ import annotations

import logging

import psutil
from distributed import Client, LocalCluster


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
