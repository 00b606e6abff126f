"""Faults at the n-th time that a process touches the files of a folder: for a process of its own, there is no way back."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

_CHANGES = {"os.rename": 2, "os.mkdir": 1, "os.remove": 1, "os.rmdir": 1, "os.chmod": 1, "os.truncate": 1, "os.link": 2}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_LOOKS = ("os.listdir", "os.scandir")


class Events:
    """Counts what Python does in a folder, from the call of :meth:`begin` on.

    Parameters
    ----------
    kill_at
        Die without notice before the n-th event, reading included; 0 for never.
    fail_from
        Let the n-th event that writes and all later ones fail; 0 for never.
    number
        The system's number of that error, such as ``errno.ENOSPC``.
    """

    def __init__(self, folder: Path, kill_at: int = 0, fail_from: int = 0, number: int = errno.EACCES) -> None:
        self.folder, self.kill_at, self.fail_from, self.number = str(folder.resolve()), kill_at, fail_from, number
        self.seen = self.written = 0

    def begin(self) -> None:
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" and event not in _CHANGES and event not in _LOOKS:
            return
        if not self._inside(event, arguments):
            return
        self.seen += 1
        if self.seen == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if event in _LOOKS or (event == "open" and not _opened_to_write(arguments)):
            return
        self.written += 1
        if 0 < self.fail_from <= self.written:
            raise OSError(self.number, os.strerror(self.number), str(arguments[0]))

    def _inside(self, event: str, arguments: tuple[Any, ...]) -> bool:
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return False  # by number: it was opened before
        name = Path(os.fsdecode(path))
        if not name.is_absolute():
            number = arguments[-1] if event in _CHANGES else -1
            near = isinstance(number, int) and number >= 0  # a name beside a folder that is open
            name = (Path(f"/proc/self/fd/{number}").readlink() if near else Path.cwd()) / name
        return str(name).startswith(self.folder + os.sep)


def _opened_to_write(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    return any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(flags & _WRITES)


def bound_files(size: int, *, deadly: bool) -> None:
    """No file may grow beyond ``size`` bytes: writing fails from there on, or kills in the middle of the file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if deadly else signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def bound_memory(more_mb: float) -> None:
    """The process may map ``more_mb`` beyond what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + int(more_mb * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
