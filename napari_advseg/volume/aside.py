"""Folders that are filled aside, so that nobody takes a half-written one for whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder``, to be filled and renamed to it; what has not been renamed at the end is removed.

    Until it is renamed only the user may enter; then it has the rights that the user's folders have.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    private = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        aside = private / "new"
        aside.mkdir()
        yield aside
    finally:
        shutil.rmtree(private, ignore_errors=True)
