"""What the dock of cases shows; panels listen to it, the controller changes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from .rows import CaseRow


class CasesState(QObject):
    """All in the main thread.

    ``rows_changed`` tells of a new list, ``row_changed`` and ``picture_changed`` of one row's number, ``said`` of a line
    and whether it tells of a failure.
    """

    rows_changed = Signal()
    row_changed = Signal(int)
    picture_changed = Signal(int)
    current_changed = Signal()
    names_changed = Signal()
    queue_changed = Signal()
    said = Signal(str, bool)

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[CaseRow, ...] = ()
        self.pictures: dict[int, NDArray[np.uint8]] = {}
        self.current: int | None = None
        self.file_names = False
        self.work: Path | None = None
        self.queue = False
        self.line = ""

    def set_rows(self, rows: tuple[CaseRow, ...]) -> None:
        """Another list."""
        self.rows, self.pictures, self.current = rows, {}, None
        self.rows_changed.emit()
        self.current_changed.emit()

    def set_row(self, index: int, row: CaseRow) -> None:
        if index < len(self.rows) and self.rows[index] != row:
            self.rows = (*self.rows[:index], row, *self.rows[index + 1 :])
            self.row_changed.emit(index)

    def set_picture(self, index: int, picture: NDArray[np.uint8]) -> None:
        if index < len(self.rows):
            self.pictures[index] = picture
            self.picture_changed.emit(index)

    def set_current(self, index: int | None) -> None:
        if index != self.current:
            self.current = index
            self.current_changed.emit()

    def set_file_names(self, shown: bool) -> None:
        """Whether the names of the files are shown instead of pseudonyms."""
        if shown != self.file_names:
            self.file_names = shown
            self.names_changed.emit()

    def set_queue(self, runs: bool) -> None:
        if runs != self.queue:
            self.queue = runs
            self.queue_changed.emit()

    def say(self, line: str, failed: bool = False) -> None:
        self.line = line
        self.said.emit(line, failed)

    def name(self, index: int) -> str:
        """What a case is called just now."""
        return self.rows[index].name(file_names=self.file_names)
