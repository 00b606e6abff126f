"""What the process of a Dask worker needs so that attacks run in it as they do elsewhere."""

from __future__ import annotations

import ctypes
import os
import re
from contextlib import suppress
from functools import cache

from ..networks import working_devices

_TRIM, _MMAP = -1, -3  # glibc's M_TRIM_THRESHOLD, M_MMAP_THRESHOLD


@cache
def keep_freed_memory() -> None:
    """Undo Dask's MALLOC_TRIM_THRESHOLD_, under which glibc gives every tensor back to the system and asks for it anew.

    Every step of an attack makes and frees large ones. What is set is what glibc arrives at by itself.
    """
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        return
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP, 32 << 20)
        libc.mallopt(_TRIM, 64 << 20)


def own_device(wanted: str, worker: str) -> str:
    """The device of the worker of this name: where several GPUs are visible, the one of the number at the name's end."""
    gpus = [name for name in working_devices() if name.startswith("cuda")]
    if wanted not in ("auto", "cuda") or len(gpus) < 2:
        return wanted
    number = re.search(r"(\d+)$", worker)
    return gpus[int(number[1]) % len(gpus) if number else 0]
