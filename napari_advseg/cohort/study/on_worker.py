"""A task as a Dask worker does it."""

from __future__ import annotations

import time
from contextlib import suppress

from ...attacks import CancelToken, Progress
from ...elsewhere.worker_process import keep_freed_memory
from .task import Task
from .working import run_task

_ASK_S = 2.0  # between two questions to the scheduler whether to stop


def work(content: str, stop: str) -> tuple[str, bytes]:
    """A task as a Dask worker does it: JSON in, the record as JSON and the picture out.

    Parameters
    ----------
    stop
        Name of the :class:`distributed.Event` that is set when the client wants no more.
    """
    from distributed import Event, get_worker

    keep_freed_memory()
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
