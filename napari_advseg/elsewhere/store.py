"""Where a worker keeps the pieces that it was sent: a folder of its own, for as long as it runs."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from .pieces import checked

FOLDER = "napari-advseg"
MOST_BYTES = 8 * 2**30
_STALE_S = 3600.0  # a piece that is being sent grows faster


class PieceStore:
    """Pieces as files under their names, readable by the worker's user alone; the ones used last stay.

    Parameters
    ----------
    local_directory
        The worker's, which Dask removes when the worker ends.
    most_bytes
        What all pieces together may take.
    """

    def __init__(self, local_directory: str | Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder = Path(local_directory) / FOLDER
        self._most = most_bytes

    def held(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Which of the pieces are there; they count as used now."""
        there = []
        for name in names:
            path = self.folder / checked(name)
            if path.is_file():
                os.utime(path)
                there.append(name)
        return tuple(there)

    def path(self, name: str) -> Path:
        """The file of a piece; ValueError where it is not there, any more."""
        path = self.folder / checked(name)
        if not path.is_file():
            raise ValueError("what was sent is not on the worker any more: run again")
        os.utime(path)
        return path

    def read(self, name: str) -> bytes:
        """The bytes of a piece."""
        return self.path(name).read_bytes()

    def put(self, name: str, sender: str, offset: int, block: bytes, total: int) -> None:
        """A part of a piece; after the last one the whole is held against its name.

        Parameters
        ----------
        sender
            Tells apart those who send the same piece at the same time.
        offset, total
            Bytes before this part, and of the whole piece.

        Raises
        ------
        ValueError
            A part is missing, the piece is not what its name says, or larger than what may be kept.
        OSError
            The disk is full.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = self.folder / f".{checked(name)}-{checked(sender)}"
        if offset == 0:
            self._make_room(total)
        with open(aside, "ab", opener=lambda file, flags: os.open(file, flags, 0o600)) as out:
            if out.tell() != offset:
                raise ValueError(f"a part of a piece is missing: {out.tell()} of {offset} bytes are here")
            out.write(block)
        if offset + len(block) == total:
            with aside.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            if sha256 != name.partition(".")[0]:
                aside.unlink()
                raise ValueError("a piece was damaged on its way: run again")
            aside.replace(self.folder / name)

    def _make_room(self, wanted: int) -> None:
        if wanted > self._most:
            raise ValueError(f"a piece has {wanted} bytes, and the worker keeps {self._most}: run it on this computer")
        files = sorted((one for one in self.folder.iterdir() if one.is_file()), key=lambda one: one.stat().st_mtime)
        taken = sum(one.stat().st_size for one in files)
        for one in files:
            stale = one.name.startswith(".") and time.time() - one.stat().st_mtime > _STALE_S
            if stale or (taken + wanted > self._most and not one.name.startswith(".")):
                taken -= one.stat().st_size
                one.unlink(missing_ok=True)
