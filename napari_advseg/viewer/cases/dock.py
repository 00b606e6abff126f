"""The dock of cases: a list of them, one after the other or all at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QCoreApplication, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
)

from ..choice_box import Browse, ChoiceBox, ask_file, ask_folder
from ..core import Core, PackageCore
from ..dock_widget import DockWidget
from ..job_panel import progress_text
from ..message_line import MessageLine
from ..progress_bar import ProgressBar
from ..questions import ask_series
from ..take_along.panel import WrittenLine, ask_where
from .controller import CasesController
from .core import CasesCore, PackageCases
from .desk import Desk, DockDesk
from .table import CasesTable

if TYPE_CHECKING:
    import napari

    from ...attacks import Progress

NEXT_KEY, PREVIOUS_KEY = "Ctrl+PgDown", "Ctrl+PgUp"


class CasesDock(DockWidget):
    """Many cases: a table, next and previous, attack all.

    Parameters
    ----------
    napari_viewer
        The viewer that the dock belongs to.
    core, thread_core, desk
        What does the work, and where cases are opened; the package's own rooms and the main dock by default.
    """

    def __init__(
        self,
        napari_viewer: napari.Viewer,
        core: CasesCore | None = None,
        thread_core: Core | None = None,
        desk: Desk | None = None,
    ) -> None:
        super().__init__()
        self.undocked.connect(self.shut_down)
        self.controller = CasesController(
            core or PackageCases(), thread_core or PackageCore(), desk or DockDesk(napari_viewer)
        )
        self.state = self.controller.state
        self.controller.ask_series = lambda series: ask_series(self, series)
        self.source = ChoiceBox(
            "choose a list…",
            [
                Browse(
                    "Folder", "CTs, a folder per case, nnU-Net, BIDS", ask_folder("Open a folder of cases", "lists")
                ),
                Browse(
                    "CSV", "A table with the columns case and ct", ask_file("Open a list", "CSV (*.csv *.tsv)", "lists")
                ),
            ],
            "A folder of CTs, with or without labels, or a CSV that names them",
        )
        self.work = ChoiceBox(
            "beside the list",
            [Browse("Folder", "Where the bundles go", ask_folder("Choose the work folder", "written"))],
            "Every attack is saved here as it is done; attack all goes on where it was",
        )
        self.file_names = QCheckBox("File names")
        self.file_names.setToolTip("Show what the files are called, which may be the patient's name")
        self.previous = QPushButton("Previous")
        self.previous.setToolTip(f"Open the case before ({PREVIOUS_KEY})")
        self.next = QPushButton("Next")
        self.next.setToolTip(f"Open the next case ({NEXT_KEY})")
        self.table = CasesTable(self.state)
        self.attack = QPushButton("Attack all")
        self.attack.setToolTip("Attack every case that is not done, with the network and the settings of the main dock")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop within about a second; what has been reached is saved")
        self.report = QPushButton("Report…")
        self.report.setToolTip("Write one page about all cases that are done, under their pseudonyms")
        self.bar = ProgressBar()
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setMinimumHeight(2 * self.line.fontMetrics().lineSpacing())
        self.message = MessageLine()
        self.written = WrittenLine()
        self._lay_out()
        self._connect()
        self._show_buttons()

    def open_list(self, source: Path) -> None:
        """List a folder or a CSV."""
        self.source.set_value(source)

    def shut_down(self) -> None:
        """Stop the work; returns at once, and may be called again."""
        self.controller.shut_down()

    # What the panels tell

    def _on_source(self) -> None:
        source = self.source.value()
        if isinstance(source, Path):
            self.controller.open_list(source)
            self._show_work()

    def _on_work(self) -> None:
        folder = self.work.value()
        if isinstance(folder, Path) and folder != self.state.work:
            self.controller.choose_work(folder)
            self._show_work()

    def _show_work(self) -> None:
        if self.state.work is not None:
            self.work.set_value(self.state.work)
        if self.source.value() is not None and self.controller.cases is not None and self.state.queue:
            self.source.set_value(self.controller.cases.source)

    def _show_buttons(self) -> None:
        state = self.state
        count, current = len(state.rows), state.current
        self.previous.setEnabled(count > 0 and current != 0)
        self.next.setEnabled(count > 0 and current != count - 1)
        self.attack.setEnabled(count > 0 and not state.queue)
        self.cancel.setEnabled(state.queue)
        self.report.setEnabled(any(row.bundle is not None for row in state.rows) and not state.queue)
        self.source.setEnabled(not state.queue)
        self.work.setEnabled(not state.queue)
        for widget in (self.bar, self.line):
            widget.setVisible(state.queue)
        if not state.queue:
            self.bar.show_fraction(0.0)
            self.line.setText("")

    def _on_progress(self, progress: Progress) -> None:
        self.bar.show_fraction(progress.fraction)
        self.line.setText(progress_text(progress))

    def _on_cancel(self) -> None:
        self.line.setText("Stopping…")
        self.controller.cancel()

    def _on_report(self) -> None:
        path = ask_where(self, "Report of the cases", "attack-report.html", "HTML (*.html)")
        if path is not None:
            self.written.hide()
            self.controller.queue.report(path)

    # Widgets

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Cases", self.source)
        form.addRow("Work folder", self.work)
        walk = QHBoxLayout()
        walk.addWidget(self.file_names, 1)
        walk.addWidget(self.previous)
        walk.addWidget(self.next)
        run = QHBoxLayout()
        run.addWidget(self.attack)
        run.addWidget(self.cancel)
        run.addWidget(self.report)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(4)
        column.addLayout(form)
        column.addLayout(walk)
        column.addWidget(self.table, 1)
        column.addLayout(run)
        for widget in (self.bar, self.line, self.message, self.written):
            column.addWidget(widget)
        self.setMinimumWidth(330)

    def _connect(self) -> None:
        controller, state = self.controller, self.state
        self.source.changed.connect(self._on_source)
        self.work.changed.connect(self._on_work)
        self.file_names.toggled.connect(state.set_file_names)
        self.previous.clicked.connect(lambda: controller.go(-1))
        self.next.clicked.connect(lambda: controller.go(1))
        self.table.open_asked.connect(controller.open)
        self.attack.clicked.connect(controller.attack_all)
        self.cancel.clicked.connect(self._on_cancel)
        self.report.clicked.connect(self._on_report)
        state.row_changed.connect(lambda _index: self._show_buttons())
        controller.queue.written.connect(self.written.show_written)
        controller.queue.progressed.connect(self._on_progress)
        state.said.connect(self.message.say)
        for signal in (state.rows_changed, state.current_changed, state.queue_changed):
            signal.connect(self._show_buttons)
        for key, step in ((NEXT_KEY, 1), (PREVIOUS_KEY, -1)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
            shortcut.activated.connect(lambda step=step: controller.go(step))
        self.destroyed.connect(controller.shut_down)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(controller.shut_down)
