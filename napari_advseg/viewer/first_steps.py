"""What to do first, while no CT is chosen."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel

from .links import link

OPEN, SAMPLE = "open", "sample"


class FirstSteps(QLabel):
    """One line with two links."""

    open_asked = Signal()
    sample_asked = Signal()

    def __init__(self) -> None:
        super().__init__(f"{link(OPEN, 'Open a CT')}, or {link(SAMPLE, 'try the sample')}.")
        self.setToolTip("A CT is a file, a DICOM folder or an open image layer; the sample needs no download")
        self.setWordWrap(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.linkActivated.connect(self._on_link)

    def _on_link(self, link: str) -> None:
        (self.open_asked if link == OPEN else self.sample_asked).emit()
