"""The way to a Dask scheduler that somebody runs."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

_lock = threading.Lock()
_LOGGERS = ("distributed", "distributed.client")  # whose levels Dask sets
_levels: dict[str, int] = {}  # before it became quiet
_quiet = 0  # how many want it so, in any thread
_EXAMPLE = "tcp://host:8786, tls://host:8786, or the .json file that a scheduler writes"


class ClusterLostError(OSError):
    """The scheduler does not answer, or not any more; one line."""


def need_dask() -> None:
    """Raise an ImportError of one line where Dask is not installed."""
    try:
        import distributed  # noqa: F401
    except ModuleNotFoundError as fault:
        raise ImportError(
            "computing elsewhere needs Dask, which is not installed: pip install 'napari-advseg[cohort]'"
        ) from fault


def names_scheduler(text: str) -> bool:
    """Whether a text has the form of a scheduler's address, or of the file that one writes."""
    return "://" in text or text.endswith(".json")


def connect(scheduler: str, timeout_s: float) -> Client:
    """A client of a scheduler, encrypted where the address is ``tls://`` and as Dask's own settings say.

    Parameters
    ----------
    scheduler
        Its address, or its JSON file.

    Raises
    ------
    ValueError
        It is no such address or file, or TLS is not set up for it.
    ClusterLostError
        It does not answer within ``timeout_s`` seconds.
    """
    need_dask()
    from distributed import Client
    from distributed.versions import VersionMismatchWarning

    if not names_scheduler(scheduler):
        raise ValueError(f"a Dask scheduler is given as {_EXAMPLE}; got {scheduler!r}")
    in_file = scheduler.endswith(".json")
    if in_file and not Path(scheduler).is_file():
        raise ClusterLostError(f"there is no scheduler file {scheduler}: start the scheduler with it")
    given = {"scheduler_file": scheduler} if in_file else {"address": scheduler}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # a table; what matters is told where it matters
            return Client(**given, timeout=timeout_s, set_as_default=False)
    except ValueError as fault:
        if in_file:  # half written
            raise ClusterLostError(_silent(scheduler)) from fault
        raise ValueError(f"{scheduler} is no address of a Dask scheduler: {fault}") from fault
    except (TypeError, RuntimeError) as fault:  # how Dask tells that its TLS lacks something
        raise ValueError(f"{scheduler} cannot be reached as Dask's TLS is set up here: {_first(fault)}") from fault
    except (OSError, TimeoutError) as fault:
        raise ClusterLostError(_silent(scheduler)) from fault


def let_go(client: Client, timeout_s: float = 1.0) -> None:
    """Close a client, whatever state it is in."""
    with quiet(), suppress(Exception):
        client.close(timeout=timeout_s)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what Dask logs of workers that are lost: it would tear the progress line, and the user is told anyway."""
    global _quiet
    with _lock:
        if not _quiet:
            for name in _LOGGERS:
                _levels[name] = logging.getLogger(name).level
                logging.getLogger(name).setLevel(logging.CRITICAL)
        _quiet += 1
    try:
        yield
    finally:
        with _lock:
            _quiet -= 1
            if not _quiet:
                for name, level in _levels.items():
                    logging.getLogger(name).setLevel(level)


def _silent(scheduler: str) -> str:
    return f"the Dask scheduler {scheduler} does not answer"


def _first(fault: BaseException) -> str:
    return (str(fault).strip().splitlines() or [type(fault).__name__])[0]
