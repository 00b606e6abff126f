"""Running a job from the shell: the progress bar, Ctrl-C, and what is said."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ..attacks import CancelToken, Progress
    from ..case import AttackRequest, CaseRequest, Finding

T = TypeVar("T")


def attack_and_save(case: CaseRequest, request: AttackRequest, out: Path, as_json: bool) -> Finding:
    """Run the whole job; Ctrl-C ends it and saves the best so far."""
    from ..attacks import CancelToken
    from ..case import complete_finding, run, save_finding
    from ..evidence import check_replaceable, result_record, sentence

    check_replaceable(out)
    with interruptible("stopping; the best so far will be saved (Ctrl-C again to drop it)") as cancel:
        finding = show(run(case, request, cancel))
        if finding.evidence is None:  # stopped: the best so far still gets its control
            finding = show(complete_finding(finding, CancelToken()))
    for warning in (*finding.case.warnings, *filter(None, [finding.result.note])):
        say(f"warning: {warning}")
    if finding.result.broken_off:
        say(f"warning: the attack was {finding.result.stopped}; the best until then is saved")
    save_finding(finding, out)
    assert finding.evidence is not None
    if as_json:
        print(json.dumps(result_record(finding.result, finding.evidence, finding.case.network), indent=2))
    say(sentence(finding.result, finding.evidence))
    for organ in finding.result.organs:
        say(f"  {organ.name:20} {organ.clean:.3f} -> {organ.attacked:.3f}")
    cost = finding.result.cost
    say(f"{cost.forward} forward and {cost.backward} backward passes, {cost.seconds:.1f} s; bundle in {out}")
    return finding


@contextmanager
def interruptible(promise: str) -> Iterator[CancelToken]:
    """A token that the first Ctrl-C cancels, saying ``promise`` if any; the second one ends the program."""
    from ..attacks import CancelToken

    cancel = CancelToken()

    def interrupt(*_: object) -> None:
        if cancel.cancelled:
            raise KeyboardInterrupt
        if promise:
            say(promise)
        cancel.cancel()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)


def show(steps: Generator[Progress, None, T]) -> T:
    """Run the steps with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    from ..case import finish

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=1.0, detail="")

        def update(step: Progress) -> None:
            drop = "" if step.drop is None else f"drop {step.drop:.3f}"
            left = "" if step.seconds_left is None else f", about {step.seconds_left:.0f} s left"
            bar.update(task, completed=step.fraction, description=step.text, detail=drop + left)

        return finish(steps, update)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
