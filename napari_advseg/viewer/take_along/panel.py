"""The row of the main dock from which a result is taken along or presented."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from ..habits import last_folder, note_folder
from ..links import link
from ..side_job import SideJob
from ..state import Phase
from .exports import write_kind
from .files import KINDS, Kind

if TYPE_CHECKING:
    from ..controller import Controller
    from ..core import Core


class WrittenLine(QLabel):
    """Hidden until a file has been written; then a line with a link that opens its folder."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.linkActivated.connect(lambda link: QDesktopServices.openUrl(QUrl(link)))
        self.hide()

    def show_written(self, path: Path) -> None:
        self.setText(folder_link(path))
        self.show()


class TakeAlongPanel(QWidget):
    """A menu of files, a button for the presentation, and a line that leads to the folder of the last file."""

    present_asked = Signal()

    def __init__(self, controller: Controller, core: Core) -> None:
        super().__init__()
        self._controller, self._core = controller, core
        self.menu = QMenu(self)
        self.menu.setToolTipsVisible(True)
        for kind in KINDS:
            action = self.menu.addAction(kind.title)
            action.setToolTip(kind.tip)
            action.triggered.connect(lambda _checked=False, kind=kind: self._ask(kind))
        self.button = QPushButton("Take along")
        self.button.setToolTip("Write a picture, a film or a report of the result to a file")
        self.button.setMenu(self.menu)
        self.present = QPushButton("Present")
        self.present.setToolTip("The two images, one sentence and a slider on the whole screen (F11)")
        self.line = WrittenLine()
        row = QHBoxLayout()
        row.addWidget(self.button)
        row.addWidget(self.present)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.line)
        self.present.clicked.connect(self.present_asked)
        controller.phase_changed.connect(self._on_phase)
        self._on_phase(controller.phase)

    def write(self, kind: Kind, path: Path) -> None:
        """Write one kind to a file, in the worker."""
        controller, core = self._controller, self._core
        outcome, saved_to = controller.outcome, controller.saved_to
        if outcome is None:
            return
        path = path if path.suffix.lower() == kind.suffix else path.with_name(path.name + kind.suffix)
        self.line.hide()

        def start(_wish: object, token: Any) -> Generator[Any, None, Path]:
            return write_kind(core, kind, outcome, saved_to, path, token)

        side = SideJob(Phase.EXPORTING, start, returned=self._on_written, stopped="Stopped; no file was written.")
        controller.begin(side)

    def _ask(self, kind: Kind) -> None:
        outcome = self._controller.outcome
        if outcome is None:
            return
        finding = outcome.finding
        proposed = kind.file_name(finding.case.network.card.name, finding.result.target_drop)
        path = ask_where(self, "Take along", proposed, kind.filters)
        if path is not None:
            self.write(kind, path)

    def _on_written(self, path: object) -> None:
        if isinstance(path, Path):
            self.line.show_written(path)

    def _on_phase(self, phase: Phase) -> None:
        there = self._controller.outcome is not None
        self.button.setEnabled(there and not phase.busy)
        self.present.setEnabled(there)
        if not there:
            self.line.hide()


def ask_where(parent: QWidget, title: str, proposed: str, filters: str) -> Path | None:
    """A file to write; None where the user names none."""
    folder = last_folder("written")
    name, _ = QFileDialog.getSaveFileName(parent, title, str(Path(folder) / proposed) if folder else proposed, filters)
    if not name:
        return None
    note_folder("written", Path(name))
    return Path(name)


def folder_link(path: Path) -> str:
    """ "Written: name. Open the folder", the last as a link."""
    from html import escape

    address = escape(QUrl.fromLocalFile(str(path.absolute().parent)).toString())
    return f"Written: {escape(path.name)}. {link(address, 'Open the folder')}"
