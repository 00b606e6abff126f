"""Which workers a scheduler has, which of them is asked, and a line about them for the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..attacks import Cancelled, CancelToken
from .calls import SILENT_S, Call
from .connecting import ClusterLostError, connect, let_go, need_dask, quiet
from .greeting import PROTOCOL, greet

if TYPE_CHECKING:
    from distributed import Client

_LOOK_S = 10.0


@dataclass(frozen=True)
class Seen:
    """A worker as it was seen.

    Parameters
    ----------
    said
        What it says of itself, see :func:`greet`; empty where it could not answer.
    waiting
        Tasks that it has in hand or before it.
    fault
        Why it cannot be asked, in a line that goes on after its address; "" where it can.
    """

    address: str
    said: dict[str, Any]
    waiting: int
    fault: str = ""


def seen_workers(client: Client, wanted: tuple[str, ...] = ()) -> list[Seen]:
    """All workers of a scheduler.

    Parameters
    ----------
    wanted
        Names of pieces; ``said["held"]`` has those that a worker holds.
    """
    waiting = {address: len(keys) for address, keys in client.processing().items()}
    answers = client.run(greet, wanted, on_error="return")
    return [_seen(address, answer, waiting.get(address, 0)) for address, answer in sorted(answers.items())]


def asked_workers(client: Client, scheduler: str, cancel: CancelToken, wanted: tuple[str, ...] = ()) -> list[Seen]:
    """:func:`seen_workers`, until the user asks to stop.

    Raises
    ------
    Cancelled
        The user has.
    ClusterLostError
        There is no answer.
    """
    try:
        return Call(lambda: seen_workers(client, wanted)).within(cancel, SILENT_S)
    except Cancelled:
        raise
    except OSError as fault:
        raise ClusterLostError(f"the Dask scheduler {scheduler} does not answer any more") from fault


def chosen(workers: list[Seen], scheduler: str) -> Seen:
    """The worker to be asked: a GPU before none, then the least to do, then the most that it holds already.

    Raises
    ------
    ClusterLostError
        There is no worker.
    ValueError
        None could do it; one line.
    """
    if not workers:
        raise ClusterLostError(
            f"the Dask scheduler {scheduler} has no worker: start one there, or choose 'This computer' under Compute"
        )
    able = [one for one in workers if not one.fault]
    if not able:
        raise ValueError(f"the worker {workers[0].address} {workers[0].fault}")
    return min(able, key=lambda one: (not one.said["gpu"], one.waiting, -len(one.said["held"]), one.address))


def what_is_there(scheduler: str) -> str:
    """One line on a scheduler's workers, such as "1 worker, cuda:0 NVIDIA H100".

    Raises
    ------
    ValueError, ImportError, ClusterLostError
        One line: Dask is missing, the address is none, nobody answers, or no worker could do it.
    """
    need_dask()
    with quiet():
        client = connect(scheduler, _LOOK_S)
        try:
            workers = asked_workers(client, scheduler, CancelToken())
        finally:
            let_go(client)
    best = chosen(workers, scheduler)
    devices = sorted({str(one.said["device"]) for one in workers if not one.fault})
    count = f"{len(workers)} worker{'' if len(workers) == 1 else 's'}"
    faults = [f"{one.address} {one.fault}" for one in workers if one.fault]
    parts = [", ".join([count, *devices]), other_versions(best), *faults[:1]]
    return "; ".join(part for part in parts if part)


def other_versions(worker: Seen) -> str:
    """A note where a worker has other versions than there are here, under which last digits may differ; else ""."""
    import torch

    from .. import __version__

    here = {"napari-advseg": __version__, "torch": str(torch.__version__)}
    other = [f"{name} {worker.said[name]} (here {own})" for name, own in here.items() if worker.said[name] != own]
    return f"{' and '.join(other)}: last digits may differ" if other else ""


def _seen(address: str, answer: Any, waiting: int) -> Seen:
    if isinstance(answer, ModuleNotFoundError) and str(answer.name).partition(".")[0] == "napari_advseg":
        return Seen(address, {}, waiting, "lacks napari-advseg: install the version there that is here")
    if isinstance(answer, BaseException):
        line = (str(answer).strip().splitlines() or [""])[0]
        return Seen(address, {}, waiting, f"does not answer as it should ({type(answer).__name__}: {line})")
    if answer["protocol"] != PROTOCOL:
        return Seen(
            address, answer, waiting,
            f"has napari-advseg {answer['napari-advseg']}, whose messages mean something else: install the version there "
            "that is here",
        )  # fmt: skip
    return Seen(address, answer, waiting)
