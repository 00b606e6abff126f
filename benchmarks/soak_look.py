"""What is counted in a running napari, for the soak."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections import Counter
from typing import Any

import psutil
from qtpy.QtCore import QCoreApplication, QObject
from qtpy.QtWidgets import QApplication
from soak_fit import Sample

_MALLINFO2 = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uord", "ford", "keepcost")


def heap_mb() -> float | None:
    """What malloc has given out, where glibc tells: memory that is free again, but not given back, left out."""

    class Counts(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in _MALLINFO2]

    try:
        tell = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return None
    tell.restype = Counts
    told = tell()
    return float(told.uord + told.hblkhd) / 2**20


def look(seconds: float, viewer: Any, done: dict[str, int], faults: list[str]) -> Sample:
    """One line of the samples, after a sweep of memory."""
    gc.collect()
    process, application = psutil.Process(), QCoreApplication.instance()
    windows = QApplication.topLevelWidgets()
    qobjects = sum(1 + len(one.findChildren(QObject)) for one in [application, *windows] if one is not None)
    return {
        "seconds": round(seconds, 1),
        "rss_mb": round(process.memory_info().rss / 2**20, 2),
        "heap_mb": heap_mb(),
        "python_threads": threading.active_count(),
        "os_threads": process.num_threads(),
        "handles": process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
        "layers": len(viewer.layers),
        "widgets": len(QApplication.allWidgets()),
        "qobjects": qobjects,
        "objects": len(gc.get_objects()) + gc.get_freeze_count(),
        "done": dict(done),
        "faults": list(faults),
    }


def count_types() -> Counter[str]:
    """How many of Python's objects there are of each type; without those that were set aside at the start."""
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
