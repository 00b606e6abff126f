"""Files on disk, written aside, flushed and renamed: a killed process leaves the old file or the new one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

ASIDE = ".writing-"


def write_text(path: Path, text: str) -> Path:
    """Write a UTF-8 file in one step; returns its path."""
    return write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file in one step; returns its path."""
    aside = path.with_name(f"{ASIDE}{secrets.token_hex(8)}")
    try:
        with aside.open("xb") as stream:  # with the rights that the user's files have
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path
