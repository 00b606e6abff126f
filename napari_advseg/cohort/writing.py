"""Text on disk, written aside, flushed and renamed: a killed process leaves the old file or the new one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

ASIDE = ".writing-"


def write_text(path: Path, text: str) -> Path:
    """Write a UTF-8 file in one step; returns its path."""
    number, name = tempfile.mkstemp(prefix=ASIDE, dir=path.parent)
    aside = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        aside.chmod(0o644)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path
