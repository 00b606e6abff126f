"""The log: one file in the user's own folder that is kept small, is theirs alone, and names no patient."""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import re
from collections import deque
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

from .text import PrivateFormatter

LOG_NAME = "napari-advseg.log"
_MOVED_BY = "NAPARI_ADVSEG_LOGS"
_LARGEST, _KEPT = 1_000_000, 3  # bytes of a file; older files beside it
_logger = logging.getLogger("napari_advseg")
_handler: _PrivateFile | None = None


def log_folder() -> Path:
    """Where the log is kept; the environment variable NAPARI_ADVSEG_LOGS moves it."""
    return Path(os.environ.get(_MOVED_BY) or platformdirs.user_log_dir("napari-advseg", appauthor=False))


def start_log() -> Path | None:
    """Let what this package logs go to the file, once however often it is called.

    Returns
    -------
    The file; None where it cannot be written to, and then Python's own way of logging stays.
    """
    global _handler
    file = log_folder() / LOG_NAME
    if _handler is not None and _handler.file == file:
        return file
    stop_log()
    try:
        _make_private(file.parent)
        _handler = _PrivateFile(file)
    except (OSError, ValueError):  # read-only, no home, a name that is none
        return None
    _logger.addHandler(_handler)
    return file


def stop_log() -> None:
    """Close the file, if it is open."""
    global _handler
    if _handler is not None:
        _logger.removeHandler(_handler)
        _handler.close()
        _handler = None


def log_place() -> str:
    """Where the details of a fault are, for a message to the user."""
    return "on standard error" if _handler is None else f"in the log, {without_user(str(_handler.file))}"


def last_lines(count: int) -> list[str]:
    """The end of the log; nothing where there is none."""
    try:
        with (log_folder() / LOG_NAME).open(encoding="utf-8", errors="replace") as stream:
            return [line.rstrip("\n") for line in deque(stream, maxlen=count)]
    except OSError:
        return []


def without_user(text: str) -> str:
    """The text with ``~`` for the user's home folder, and without the user's name in other paths."""
    names: set[str] = set()
    with contextlib.suppress(RuntimeError, OSError):  # a user without a home
        home = Path.home()
        for one in sorted({str(home), str(home.resolve())}, key=len, reverse=True):
            if one != home.anchor:
                text = re.sub(rf"{re.escape(one)}(?![\w.-])", "~", text)
        names.add(home.name)
    with contextlib.suppress(KeyError, OSError, ImportError):  # a user without a name
        names.add(getpass.getuser())
    for name in filter(None, names):
        text = re.sub(rf"(?<=[\\/]){re.escape(name)}(?=[\\/]|$)", "(user)", text)
    return text


class _PrivateFile(RotatingFileHandler):
    """A rotating file that only its user can read, and that never disturbs the program."""

    def __init__(self, file: Path) -> None:
        self.file = file
        super().__init__(file, maxBytes=_LARGEST, backupCount=_KEPT, encoding="utf-8", errors="replace")
        self.setFormatter(PrivateFormatter())

    def _open(self) -> TextIOWrapper:
        stream = open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=_own_only)  # noqa: SIM115
        with contextlib.suppress(OSError):  # one that an older umask left open to others
            Path(self.baseFilename).chmod(0o600)
        return stream

    def doRollover(self) -> None:
        """Rotate; where another process holds the file (Windows), go on in the same one."""
        try:
            super().doRollover()
        except OSError:
            self.stream = self._open()

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: a full disk is no reason to print a traceback for every line."""


def _own_only(path: str, flags: int) -> int:
    # A link that somebody else put there is not followed.
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


def _make_private(folder: Path) -> None:
    if os.environ.get(_MOVED_BY) and folder.exists():
        return  # a folder that the user named may be shared with other things; the file is private anyway
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        folder.chmod(0o700)
