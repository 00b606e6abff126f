"""One process at a time: a lock that the system lets go of when its process dies, however it dies."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from .writing import write_text


class LockedError(ValueError):
    """Another process, or another window of this one, works in the folder."""


class Holder(BaseModel):
    """A process: its number, when it was started (seconds since 1970), and on which computer."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float
    computer: str

    @classmethod
    def this(cls) -> Holder:
        return cls(pid=os.getpid(), started=psutil.Process().create_time(), computer=socket.gethostname())

    @property
    def alive(self) -> bool:
        """Whether the process runs still; one on another computer cannot be asked and is taken to."""
        if self.computer != socket.gethostname():
            return True
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1.0  # numbers are given anew to later processes
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


class FolderLock:
    """The lock of a folder; the same object may take it several times over.

    Parameters
    ----------
    folder
        Gets the files ``lock`` and, for the message to others, ``holder.json``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / "lock", timeout=0, thread_local=False)

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._lock.is_locked

    def acquire(self) -> None:
        """Take it, or raise a :class:`LockedError` of one line that names the process that holds it."""
        try:
            self._lock.acquire()
        except Timeout:
            raise LockedError(self._who()) from None
        if self._lock.lock_counter == 1:
            write_text(self._folder / "holder.json", json.dumps(Holder.this().model_dump()) + "\n")

    def release(self) -> None:
        self._lock.release()

    def _who(self) -> str:
        try:
            holder = Holder.model_validate_json((self._folder / "holder.json").read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return f"another process works in {self._folder}: wait for it, or choose another work folder"
        where = "" if holder.computer == socket.gethostname() else f" on {holder.computer}"
        return (
            f"process {holder.pid}{where} works in {self._folder}: wait for it, end it, or choose another work folder"
        )
