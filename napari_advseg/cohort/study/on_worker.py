"""A task as a Dask worker does it."""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import suppress
from functools import cache

from ...attacks import CancelToken, Progress
from .task import Task
from .working import run_task

_ASK_S = 2.0  # between two questions to the scheduler whether to stop
_TRIM, _MMAP = -1, -3  # glibc's M_TRIM_THRESHOLD, M_MMAP_THRESHOLD


def work(content: str, stop: str) -> tuple[str, bytes]:
    """A task as a Dask worker does it: JSON in, the record as JSON and the picture out.

    Parameters
    ----------
    stop
        Name of the :class:`distributed.Event` that is set when the client wants no more.
    """
    from distributed import Event, get_worker

    _keep_freed_memory()
    cancel = CancelToken()
    event, asked = Event(stop), [time.monotonic()]

    def look(_: Progress) -> None:
        if time.monotonic() - asked[0] > _ASK_S:
            asked[0] = time.monotonic()
            with suppress(Exception):  # a scheduler that is gone is the client's to deal with, and no fault of the case
                if event.is_set():
                    cancel.cancel()

    record, picture = run_task(Task.model_validate_json(content), cancel, look, str(get_worker().name))
    return record.model_dump_json(), picture


@cache
def _keep_freed_memory() -> None:
    """Undo Dask's MALLOC_TRIM_THRESHOLD_, under which glibc gives every tensor back to the system and asks for it anew.

    Every step of an attack makes and frees large ones. What is set is what glibc arrives at by itself.
    """
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        return
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP, 32 << 20)
        libc.mallopt(_TRIM, 64 << 20)
