"""Work that another panel gives to the dock's controller, run between the dock's own jobs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .state import Phase
from .wishes import CaseWish

if TYPE_CHECKING:
    from ..attacks import CancelToken


def _nothing(*_: object) -> None:
    return None


@dataclass(frozen=True, eq=False)
class SideJob:
    """One job: what runs in the thread, and who is told of it in the main thread.

    Parameters
    ----------
    start
        Gives the job's steps; called in the thread with the wish, to which the user's answers have been added, and the
        token. Where a question to the user ends the job, it is called once more with the answer.
    stepped, returned
        Told of each step that is no progress, and of what the job returns.
    ended
        Told, before ``returned``, that the job has come to its end, whichever.
    stopped
        The line for a job that was cancelled.
    """

    phase: Phase
    start: Callable[[CaseWish | None, CancelToken], Generator[Any, None, Any]]
    stepped: Callable[[object], object] = _nothing
    returned: Callable[[object], object] = _nothing
    ended: Callable[[], object] = _nothing
    stopped: str = "Stopped."
