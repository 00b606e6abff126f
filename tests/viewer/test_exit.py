"""Python may end while the window is still open."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import napari
from qtpy.QtCore import QEventLoop, QTimer
viewer = napari.Viewer(show=True)
dock = viewer.window.add_plugin_dock_widget("napari-advseg", "Attack")[1]
loop = QEventLoop()
QTimer.singleShot(1500, loop.quit)
loop.exec()
print("open")
"""


def test_python_ends_quietly_where_the_window_is_still_open() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "open\n"
    assert "Traceback" not in done.stderr
