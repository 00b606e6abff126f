"""Writes what is taken along, in the worker's thread; each function gives the steps of one job and the path."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import Core
from ..in_hand import Outcome
from .files import Kind

if TYPE_CHECKING:
    from ...attacks import CancelToken, Progress, Target
    from ...evidence import MovingPicture

_PLAY_STEPS = 12


def write_kind(
    core: Core, kind: Kind, outcome: Outcome, saved_to: Path | None, path: Path, cancel: CancelToken
) -> Generator[Progress, None, Path]:
    """One file about one case."""
    if kind.content == "report":
        return (yield from write_case_report(core, outcome, saved_to, path, cancel))
    return (yield from write_picture(kind, outcome, path, cancel))


def write_picture(kind: Kind, outcome: Outcome, path: Path, cancel: CancelToken) -> Generator[Progress, None, Path]:
    """A picture or a film; what stands there is replaced once it is whole."""
    from ...attacks import Progress
    from ...evidence import blink, play, save_picture

    result = outcome.finding.result
    if kind.content == "play":
        target = _target(outcome)

        def draw(tell: Callable[[int], None]) -> MovingPicture:
            return play(result, target, _PLAY_STEPS, tell)

        picture = yield from _telling(draw, _PLAY_STEPS + 1, "Drawing the play", cancel)
    else:
        yield Progress("Drawing", 0.1)
        picture = blink(result)
    cancel.check()
    yield Progress("Writing the file", 0.9)
    return save_picture(picture, path)


def write_case_report(
    core: Core, outcome: Outcome, saved_to: Path | None, path: Path, cancel: CancelToken
) -> Generator[Progress, None, Path]:
    """A page about one case, from its bundle; one that has not been saved is, for as long as it takes."""
    from ...attacks import Progress
    from ...evidence import write_report

    if saved_to is not None:
        yield Progress("Writing the report", 0.5)
        return write_report([saved_to], path)
    with tempfile.TemporaryDirectory(prefix="napari-advseg-") as aside:
        saved = yield from core.save(outcome.finding, Path(aside) / "bundle", cancel)
        cancel.check()
        yield Progress("Writing the report", 0.95)
        return write_report([saved.folder], path)


def write_list_report(
    bundles: Sequence[Path], names: Sequence[str], path: Path, cancel: CancelToken
) -> Generator[Progress, None, Path]:
    """A page about all cases that are done."""
    from ...attacks import Progress
    from ...evidence import write_report

    yield Progress(f"Writing the report of {len(bundles)} cases", 0.1)
    cancel.check()
    return write_report(list(bundles), path, list(names))


def _target(outcome: Outcome) -> Target | None:
    """What measures each frame; None where the network is not open."""
    from ...attacks import Target

    case, result = outcome.finding.case, outcome.finding.result
    if not outcome.live:
        return None
    organs = [replace(organ, attacked=organ.clean) for organ in result.organs]
    return Target(case.placed, result.synthesis, case.reference, organs)


def _telling(
    work: Callable[[Callable[[int], None]], Any], steps: int, text: str, cancel: CancelToken
) -> Generator[Progress, None, Any]:
    """Work that calls back at each step, as a generator; it is stopped at the next step after a cancel."""
    from ...attacks import Progress

    told: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    results: list[Any] = []
    faults: list[BaseException] = []

    def tell(step: int) -> None:
        cancel.check()
        told.put(step)

    def run() -> None:
        try:
            results.append(work(tell))
        except BaseException as fault:
            faults.append(fault)
        finally:
            told.put(None)

    thread = threading.Thread(target=run, name="napari-advseg play", daemon=True)
    thread.start()
    while (step := told.get()) is not None:
        yield Progress(text, 0.85 * step / steps)
    thread.join()
    if faults:
        raise faults[0]
    return results[0]
