"""The user's word that a file may run code when it is loaded, remembered by the file's SHA-256."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

_for_now: list[str] = []  # trusted by whoever sent the file, for as long as it is being opened


class ConsentNeededError(ValueError):
    """The checkpoint's format can run code when it is loaded and the user has not said that the file is trusted."""

    def __init__(self, path: Path, sha256: str, kind: str) -> None:
        self.path = path
        self.sha256 = sha256
        super().__init__(
            f"{path} is a {kind} file, a format that can run code when it is loaded: load it only if you trust where "
            f"it came from (--trust in the shell, trust=True in Python); its SHA-256 is {sha256}"
        )


def settings_folder() -> Path:
    """Where consent is kept; the environment variable NAPARI_ADVSEG_SETTINGS moves it."""
    return Path(
        os.environ.get("NAPARI_ADVSEG_SETTINGS") or platformdirs.user_config_dir("napari-advseg", appauthor=False)
    )


def trusted(sha256: str) -> bool:
    """Whether the user has consented to the file with this SHA-256."""
    return sha256 in _for_now or sha256 in _read()


@contextmanager
def trusting(sha256: str) -> Iterator[None]:
    """Take the file with this SHA-256 as trusted while inside; nothing is remembered."""
    _for_now.append(sha256)
    try:
        yield
    finally:
        _for_now.remove(sha256)


def trusted_files() -> tuple[str, ...]:
    """The SHA-256 of all files that the user has consented to."""
    return tuple(sorted(_read()))


def remember_trust(sha256: str) -> None:
    """Keep the user's consent to the file with this SHA-256."""
    _write(_read() | {sha256})


def withdraw_trust(sha256: str) -> None:
    """Forget the user's consent."""
    _write(_read() - {sha256})


def _file() -> Path:
    return settings_folder() / "trusted_files.json"


def _read() -> set[str]:
    try:
        return set(json.loads(_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return set()  # nothing kept, or nothing that can be read: consent is asked for again


def _write(hashes: set[str]) -> None:
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(".writing")
    aside.write_text(json.dumps(sorted(hashes)), encoding="utf-8")
    aside.replace(file)
