"""A process that has loaded everything and is copied for each fault: what dies is a copy, and dying costs nothing."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
LONGEST = 30  # seconds that a copy may take; it then says where it hangs, and dies in a way that no test accepts


@dataclass(frozen=True)
class End:
    """How a copy ended.

    Parameters
    ----------
    status
        The exit status, or minus the signal that killed it.
    out, err
        What it printed.
    seen, written
        How often it touched the folder, and how often to write; 0 where it did not come to its end.
    """

    status: int
    out: str
    err: str
    seen: int = 0
    written: int = 0


class Forge:
    """Runs jobs of ``faults.jobs`` by name, each in a copy of one warm process."""

    def __init__(self) -> None:
        quiet = {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | quiet
        )

    def run(self, job: str, folder: Path, **fault: Any) -> End:
        """Do a job in ``folder``, which becomes the working folder, under a fault; see :func:`_suffer`."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"job": job, "folder": str(folder), "fault": fault}) + "\n")
        stdin.flush()
        answer = stdout.readline()
        assert answer, "the forge has ended"
        return End(**json.loads(answer))

    def close(self) -> None:
        self._process.kill()  # it has nothing to put away
        self._process.wait(60)
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _serve() -> None:
    """Answer each line on standard input with how a copy of this process has ended."""
    import torch

    torch.set_num_threads(1)
    from faults.jobs import JOBS, warm_up

    warm_up()
    gc.collect()
    gc.freeze()  # what is loaded is not looked at again, and so not copied

    for line in sys.stdin:
        asked = json.loads(line)
        folder = Path(asked["folder"])
        said = [folder.with_name(f"{folder.name}.{name}") for name in ("out", "err", "counts")]
        for path in said:
            path.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            _be_the_copy(JOBS[asked["job"]], folder, said, asked["fault"])
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # copies of the copy
        counts = json.loads(said[2].read_text()) if said[2].exists() else {}
        answer = {"status": code, "out": said[0].read_text(), "err": said[1].read_text(errors="replace"), **counts}
        print(json.dumps(answer), flush=True)


def _be_the_copy(job: Any, folder: Path, said: list[Path], fault: dict[str, Any]) -> None:
    status = 1
    try:
        os.setsid()
        for number, path in enumerate(said[:2], start=1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        faulthandler.register(signal.SIGALRM, chain=True)
        signal.alarm(LONGEST)
        os.environ.update(
            {f"NAPARI_ADVSEG_{name}": str(folder.parent / name) for name in ("LOGS", "SETTINGS", "CACHE")}
        )
        os.chdir(folder)
        status = _suffer(job, folder, said[2], **fault)
    except (OSError, ValueError) as fault:  # what the shell and the viewer show as one line
        print(f"{type(fault).__name__}: {fault}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _suffer(
    job: Any,
    folder: Path,
    counts: Path,
    *,
    kill_at: int = 0,
    fail_from: int = 0,
    number: int = 13,
    file_size: int = 0,
    deadly: bool = False,
    memory_mb: float = 0.0,
    **given: Any,
) -> int:
    """Do the job under at most one fault (see ``faults.events``); ``given`` goes to the job, which returns its status."""
    from faults.events import Events, bound_files, bound_memory

    events = Events(folder, kill_at, fail_from, number)
    events.begin()
    if file_size:
        bound_files(file_size, deadly=deadly)
    if memory_mb:
        bound_memory(memory_mb)
    status: int = job(folder, **given)
    if not file_size:
        counts.write_text(json.dumps({"seen": events.seen, "written": events.written}))
    return status


if __name__ == "__main__":
    sys.path[0] = str(TESTS)
    _serve()
