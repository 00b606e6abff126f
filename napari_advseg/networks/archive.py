"""A checkpoint's folder, on disk or in a zip file that is never unpacked."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import yaml

from ..volume import parse_json
from .plain_yaml import parse_yaml

LARGEST_ENTRY = 16 * 2**30  # bytes; no network file is larger
_LARGEST_RATIO = 1000  # of a zip's unpacked size over its packed one; weights hardly shrink
_LARGEST_TEXT = 64 * 2**20


class Archive:
    """The files of a folder or of a zip file, by paths with forward slashes relative to it.

    Raises
    ------
    ValueError
        A zip that is damaged, whose names lead out of it, or that would swell beyond reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            self.names = sorted(
                entry.relative_to(path).as_posix() for entry in path.rglob("*") if entry.is_file()
            )  # fmt: skip
            return
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as fault:
            raise ValueError(f"{path} is no zip file that can be read: {fault}") from fault
        entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        for entry in entries:
            name = PurePosixPath(entry.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts or ":" in "".join(name.parts[:1]):
                raise ValueError(f"{path} holds a name that leads out of it, {entry.filename!r}: it is not opened")
            if entry.file_size > LARGEST_ENTRY or entry.file_size > _LARGEST_RATIO * max(entry.compress_size, 1024):
                raise ValueError(
                    f"{path} holds {entry.filename!r}, which would swell from {entry.compress_size} to "
                    f"{entry.file_size} bytes: it is not opened"
                )
        self.names = sorted(entry.filename for entry in entries)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def under(self, folder: str) -> list[str]:
        """Names in ``folder`` and below it; all for ""."""
        return [name for name in self.names if not folder or name.startswith(f"{folder}/")]

    def open(self, name: str) -> BinaryIO:
        """The bytes of one file, seekable."""
        if self._zip is None:
            return (self.path / name).open("rb")
        size = self._zip.getinfo(name).file_size
        try:
            with self._zip.open(name) as stream:
                content = stream.read(size + 1)
        except (zipfile.BadZipFile, OSError, EOFError, zlib.error, RuntimeError) as fault:  # RuntimeError: a password
            raise ValueError(f"{self.path} is damaged at {name}: {fault}") from fault
        return io.BytesIO(content)

    def read_data(self, name: str) -> dict[str, Any]:
        """A JSON or YAML file that holds a table, as plain data."""
        with self.open(name) as stream:
            text = stream.read(_LARGEST_TEXT)
        try:
            content = parse_json(text) if name.endswith(".json") else parse_yaml(text)
        except (ValueError, yaml.YAMLError) as fault:
            raise ValueError(f"{self.path}: {name} cannot be read: {str(fault).splitlines()[0]}") from fault
        if not isinstance(content, dict):
            raise ValueError(f"{self.path}: {name} holds no table but {type(content).__name__}")
        return content

    def sha256(self, names: list[str]) -> str:
        """One hash over the named files, in the order of their names, with the names."""
        total = hashlib.sha256()
        for name in sorted(names):
            total.update(name.encode())
            with self.open(name) as stream:
                while block := stream.read(2**20):
                    total.update(block)
        return total.hexdigest()
