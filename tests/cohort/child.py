"""A process of its own for the tests: it holds a work folder's lock, or runs the queue and kills itself in the middle."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from cohort.cohorts import run_phantoms, say, toy_request

import napari_advseg.evidence.bundle
from napari_advseg.cohort import WorkFolder, read_cases

KINDS: dict[str, Callable[[Path], bool]] = {
    "record": lambda target: target.suffix == ".json" and target.parent.parent.name == "cases",
    "image": lambda target: target.name == "moved_reference.nii.gz",
    "bundle": lambda target: target.parent.parent.name == "cases" and not target.suffix,
}


def kill_at(when: str, kind: str, number: int) -> None:
    """Die without notice before or after the n-th renaming of a kind of file."""
    seen: Counter[str] = Counter()

    def patched(rename: Callable[..., Path]) -> Callable[..., Path]:
        def renaming(self: Path, target: Path) -> Path:
            seen[kind] += KINDS[kind](Path(target))
            dies = seen[kind] == number and KINDS[kind](Path(target))
            if dies and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = rename(self, target)
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return renaming

    Path.rename, Path.replace = patched(Path.rename), patched(Path.replace)  # type: ignore[method-assign]


def hold(source: Path, folder: Path) -> None:
    """Hold the lock with a case begun until standard input ends."""
    work, cases = WorkFolder(folder, source), read_cases(source)
    request = toy_request(cases)
    with work.working():
        work.begin(work.status(cases[0], request.jobs(request.open())[0]))
        print("holding", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    task, source, folder, *moment = sys.argv[1:]
    if task == "hold":
        hold(Path(source), Path(folder))
    else:
        napari_advseg.evidence.bundle.draw_figure = lambda *_: Path()
        if moment:
            kill_at(moment[0], moment[1], int(moment[2]))
        run_phantoms(Path(source), Path(folder), say)
