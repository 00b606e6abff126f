"""Something to be done once the event loop has its turn, unless its owner is gone by then."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


def later(owner: QObject, do: Callable[[], object]) -> None:
    """Do it in the event loop's next turn."""
    timer = QTimer(owner)
    timer.setSingleShot(True)
    timer.timeout.connect(do)
    timer.timeout.connect(timer.deleteLater)
    timer.start(0)
