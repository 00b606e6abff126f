"""One dock in one napari: how long it takes to be there, and who looks for torch, as a line of JSON.

    python benchmarks/dock_opening.py TITLE

Timed from napari's call that opens the dock to the end of its first painting, modules and all, in a napari that has
settled. A watcher on the import system tells when torch is looked for first, and in which thread. Nothing but napari is
imported before; so this is a program of its own, which ``start.py`` runs.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # nobody's preferences are read or written
SETTLE_S, PATIENCE_S, AFTER_S = 2.0, 60.0, 10.0


class TorchWatcher(MetaPathFinder):
    """Sees every module that is looked for, and finds none."""

    def __init__(self) -> None:
        self.at: float | None = None
        self.in_main_thread = False

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name == "torch" and self.at is None:
            self.at = time.perf_counter()
            self.in_main_thread = threading.current_thread() is threading.main_thread()


def main() -> None:
    watcher = TorchWatcher()
    sys.meta_path.insert(0, watcher)
    import napari
    from qtpy.QtCore import QEvent, QEventLoop, QObject, QTimer

    begun = time.perf_counter()
    import napari_advseg  # noqa: F401

    imported = time.perf_counter() - begun

    class Painted(QObject):
        """When the event loop was next idle after a widget had been painted first."""

        at = processor = 0.0

        def eventFilter(self, _watched: Any, event: Any) -> bool:
            if event.type() == QEvent.Type.Paint and not self.at:
                self.at = -1.0
                QTimer.singleShot(0, self._note)
            return False

        def _note(self) -> None:
            self.at, self.processor = time.perf_counter(), time.process_time()

    def wait(until: Callable[[], bool], seconds: float) -> None:
        deadline, loop, look = time.monotonic() + seconds, QEventLoop(), QTimer()
        look.timeout.connect(lambda: loop.quit() if until() or time.monotonic() > deadline else None)
        look.start(5)
        loop.exec()

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1560, 960)
    wait(lambda: False, SETTLE_S)
    before, painted = watcher.at is not None, Painted()
    begun, processor = time.perf_counter(), time.process_time()
    _, dock = viewer.window.add_plugin_dock_widget("napari-advseg", sys.argv[1])
    made = time.perf_counter()
    dock.installEventFilter(painted)
    wait(lambda: painted.at > 0, PATIENCE_S)
    early = watcher.at is not None and watcher.at < painted.at
    wait(lambda: watcher.at is not None, AFTER_S)
    found = {
        "import_ms": imported * 1000,
        "made_s": made - begun,
        "shown_s": painted.at - begun,
        "processor_s": painted.processor - processor,
        "torch_before_dock": before,
        "torch_before_shown": early,
        "torch_before_shown_in_main_thread": early and watcher.in_main_thread,
        "torch_later_s": None if watcher.at is None else watcher.at - begun,
        "torch_in_main_thread": watcher.in_main_thread,
    }
    print(json.dumps(found), flush=True)
    os._exit(0)  # what napari has to tidy up is not measured


if __name__ == "__main__":
    main()
