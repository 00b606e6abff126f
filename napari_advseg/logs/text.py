"""What a log may hold: faults told without the paths, file names and quoted words that could name a patient."""

from __future__ import annotations

import errno
import logging
import os
import re
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from .. import __version__

_PACKAGE = Path(__file__).parent.parent
_STDLIB = Path(sysconfig.get_path("stdlib"))
_INSTALLED = re.compile(r"(?:^|[\\/])(?:site|dist)-packages[\\/](?P<rest>.+)$")
_URL = re.compile(r"\bhttps?://[^\s)\]'\"]+")
_UID = re.compile(r"\b\d+(?:\.\d+){3,}\b")  # DICOM's; a version has fewer dots
_PATH = re.compile(r"(?<![\w<])~?[\\/]+[\w.]|\w[\\/]+\w|\b[A-Za-z]:[\\/]|\w[\\/](?=\s|$)")
_SUFFIXES = (
    "nii.gz", "nii", "nrrd", "nhdr", "mha", "mhd", "raw", "dcm", "ima", "img", "hdr", "pth", "pt2", "pt", "ts", "ckpt",
    "safetensors", "zip", "gz", "json", "yaml", "yml", "csv", "xlsx", "txt", "html", "png", "gif", "mp4",
)  # fmt: skip
_FILE = re.compile(rf"\S\.(?P<suffix>{'|'.join(map(re.escape, _SUFFIXES))})\b", re.IGNORECASE)
_QUOTED = re.compile(r"(?<!\w)(?P<mark>['\"])(?P<inside>.*?)(?P=mark)(?!\w)")
_WORD = re.compile(r"[A-Za-z_][\w.]*")
_OF_CODE = (AttributeError, TypeError, NameError, ImportError)  # what these quote are names in code
_LONGEST = 600  # characters of a fault's own text


class PrivateFormatter(logging.Formatter):
    """Lines of a log that say which version and process, and of faults where they arose; no path of the user's.

    A fault's frames are shown by the files of the code. Its text is left out where it was worded here, because it names
    the user's files and the frame tells it too, and where it holds a path: one with spaces in it has no end to cut at.
    """

    def __init__(self) -> None:
        super().__init__(f"%(asctime)s {__version__} [%(process)d] %(levelname)s %(name)s: %(text)s")

    def format(self, record: logging.LogRecord) -> str:
        """One record; neither its message nor ``exc_text``, which others may have filled, is taken as it is."""
        copy = logging.makeLogRecord(record.__dict__ | {"exc_info": None, "exc_text": None, "stack_info": None})
        copy.text = _message(record)
        copy.asctime = self.formatTime(copy)
        lines = [self.formatMessage(copy)]
        if record.exc_info and record.exc_info[1] is not None:
            lines += fault_lines(record.exc_info[1])
        return "\n".join(lines)


def without_paths(text: str) -> str:
    """The text on one line where it names no file, a placeholder with the file's last suffix where it does."""
    text = _UID.sub("<UID>", _URL.sub("<URL>", " ".join(text.split())))
    named = [found["suffix"].lower() for found in _FILE.finditer(text)]
    if named or _PATH.search(text):
        return f"<text with a path{f' to a .{named[-1]}' if named else ''}>"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def fault_lines(fault: BaseException) -> list[str]:
    """A fault with its causes, the first one first, as a traceback names them."""
    chain: list[BaseException] = []
    one: BaseException | None = fault
    while one is not None and all(one is not other for other in chain):
        chain.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    lines: list[str] = []
    for number, part in enumerate(reversed(chain)):
        lines += ["which led to:"] if number else []
        lines += [line for frame in traceback.extract_tb(part.__traceback__) for line in _frame_lines(frame)]
        lines.append(f"{type(part).__name__}: {_fault_text(part)}".removesuffix(": "))
    return lines


def _message(record: logging.LogRecord) -> str:
    arguments: Any = record.args
    if isinstance(arguments, tuple):
        arguments = tuple(_argument(one) for one in arguments)
    elif arguments:
        arguments = {name: _argument(one) for name, one in arguments.items()}
    try:
        text = str(record.msg) % arguments if arguments else str(record.msg)
    except (TypeError, ValueError, KeyError):
        text = str(record.msg)
    # Placeholders that were put in above are no paths; what an f-string put in may be.
    return text if arguments and not _names_file(str(record.msg)) else without_paths(text)


def _names_file(text: str) -> bool:
    return without_paths(text).startswith("<text with a path")


def _argument(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, os.PathLike):
        found = _FILE.search(Path(value).name)
        return f"<path to a .{found['suffix'].lower()}>" if found else "<path>"
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {_fault_text(value)}".removesuffix(": ")
    return without_paths(value) if isinstance(value, str) else f"<{type(value).__name__}>"


def _fault_text(fault: BaseException) -> str:
    if isinstance(fault, OSError) and fault.errno is not None:
        return f"{errno.errorcode.get(fault.errno, fault.errno)}, {os.strerror(fault.errno)}"
    if isinstance(fault, KeyError) or _worded_here(fault.__traceback__):
        return ""
    text = without_paths(str(fault))
    of_code = isinstance(fault, _OF_CODE)
    return _QUOTED.sub(lambda found: _quoted(found, of_code), text)


def _quoted(found: re.Match[str], of_code: bool) -> str:
    inside = found["inside"]
    harmless = not any(letter.isalpha() for letter in inside) or (of_code and _WORD.fullmatch(inside))
    return found[0] if harmless else f"{found['mark']}...{found['mark']}"


def _worded_here(trace: TracebackType | None) -> bool:
    """Whether a ``raise`` of this package gave the fault its text."""
    frames = traceback.extract_tb(trace)
    return bool(frames) and _is_own(frames[-1].filename) and (frames[-1].line or "").startswith("raise")


def _is_own(file: str) -> bool:
    return Path(file).is_relative_to(_PACKAGE)


def _frame_lines(frame: traceback.FrameSummary) -> list[str]:
    place = code_file(frame.filename)
    if place is None:  # a script or another plugin: what it is called, and says, is the user's
        return [f'  File "(other code)", line {frame.lineno}']
    head = f'  File "{place}", line {frame.lineno}, in {frame.name}'
    return [head, f"    {frame.line.splitlines()[0]}"] if frame.line else [head]


def code_file(file: str) -> str | None:
    """A file of this package, an installed one or Python itself, without what leads to it; None for any other."""
    if _is_own(file):
        return (Path(_PACKAGE.name) / Path(file).relative_to(_PACKAGE)).as_posix()
    if (installed := _INSTALLED.search(file)) is not None:
        return installed["rest"].replace("\\", "/")
    if Path(file).is_relative_to(_STDLIB):
        return Path(file).relative_to(_STDLIB).as_posix()
    return file if file.startswith("<frozen ") else None
