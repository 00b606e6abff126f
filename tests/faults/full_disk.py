"""A small file system of one's own, gone when the process ends; root alone may mount one."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

from .remains import bytes_of

NOT_SUPPORTED = 77
_OWN_MOUNTS, _PRIVATE_BELOW = 0x00020000, (1 << 18) | (1 << 14)  # CLONE_NEWNS; MS_PRIVATE and MS_REC


def mounted(folder: Path, size_kb: int) -> bool:
    """Mount an empty file system of ``size_kb`` that only this process sees; False where that may not be."""
    system = ctypes.CDLL(None, use_errno=True)
    if system.unshare(_OWN_MOUNTS) != 0 or system.mount(None, b"/", None, ctypes.c_ulong(_PRIVATE_BELOW), None) != 0:
        return False
    folder.mkdir()
    options = f"size={size_kb}k".encode()
    return bool(system.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", ctypes.c_ulong(0), options) == 0)


def moved_to_a_full_disk(bundle: Path, folder: Path, room_kb: int) -> Path | None:
    """The bundle on a file system that has ``room_kb`` left; None where none can be mounted."""
    page = os.sysconf("SC_PAGESIZE")
    taken = sum(-(-path.stat().st_size // page) * page for path in bundle.iterdir())
    if not mounted(folder, taken // 1024 + room_kb):
        return None
    return Path(shutil.copytree(bundle, folder / bundle.name))


def said_of(bundle: Path, before: Path) -> str:
    return f"the earlier bundle is {'untouched' if bytes_of(bundle) == bytes_of(before) else 'DAMAGED'}"
