"""Two folders swapped in one step, where the system can."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_HERE = -100  # AT_FDCWD of Linux
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def exchanged(one: Path, other: Path) -> bool:
    """Swap two folders that are there, so that at every moment both names lead to a whole one.

    Returns
    -------
    False where the system or the file system cannot; then nothing has changed.
    """
    a, b = os.fsencode(one.absolute()), os.fsencode(other.absolute())
    try:
        system = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            return bool(system.renameat2(_HERE, a, _HERE, b, ctypes.c_uint(_EXCHANGE)) == 0)
        if sys.platform == "darwin":
            return bool(system.renamex_np(a, b, ctypes.c_uint(_EXCHANGE)) == 0)
    except (OSError, AttributeError, TypeError):  # TypeError: Windows has no library without a name
        pass
    return False
