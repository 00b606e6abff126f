"""The draws of a run as a strip of small pictures, of which one is picked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from .in_hand import Draw, Outcome

_SIDE = 88  # pixels of a picture's longer side
_ROOM = 18  # pixels for the scroll bar
_FRAME = "#ff9f1c"  # seen on dark and on light
_STYLE = f"""
QToolButton {{ border: 3px solid transparent; border-radius: 4px; padding: 2px; background: transparent; }}
QToolButton:hover {{ border-color: #808080; }}
QToolButton:checked {{ border-color: {_FRAME}; }}
"""


def draw_text(draw: Draw) -> str:
    """Whether the drop was reached, what was, and how large the change is."""
    result = draw.finding.result
    reached = "reached" if result.reached else "missed"
    return (
        f"{draw.number}: {reached}\ndrop {result.achieved_drop:.3f}\n{draw.largest_mm:.1f} mm, {draw.largest_hu:.1f} HU"
    )


class DrawsPanel(QWidget):
    """Hidden unless the last run had several draws. ``picked`` carries the index of the one that was clicked."""

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.tiles: list[QToolButton] = []
        self._draws: tuple[Draw, ...] = ()
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self.picked)
        self._strip = QScrollArea()
        self._strip.setWidgetResizable(True)
        self._strip.setFrameShape(QScrollArea.Shape.NoFrame)
        self._strip.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._into_sight = QTimer(self)  # once the tiles have their places
        self._into_sight.setSingleShot(True)
        self._into_sight.timeout.connect(self._scroll)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addWidget(self.title)
        column.addWidget(self._strip)
        self.hide()

    def show_draws(self, outcome: Outcome) -> None:
        """A tile per draw, the picked one framed; nothing where there was only one attack."""
        draws = outcome.draws
        if [id(draw.picture) for draw in draws] != [id(draw.picture) for draw in self._draws]:
            self._fill(draws)
        self._draws = draws
        self.setVisible(bool(draws))
        if draws:
            reached = sum(draw.finding.result.reached for draw in draws)
            best = "the smallest change that reached it" if reached else "the nearest"
            self.title.setText(f"{len(draws)} draws, {reached} reached the drop; number {outcome.best + 1} is {best}")
            self.mark(outcome.picked)

    def mark(self, index: int) -> None:
        """Frame a tile and bring it into sight."""
        if index < len(self.tiles):
            self.tiles[index].setChecked(True)
            self._into_sight.start(0)

    def clear(self) -> None:
        self._fill(())
        self.hide()

    def _fill(self, draws: Sequence[Draw]) -> None:
        for tile in self.tiles:
            self._group.removeButton(tile)
        self._draws, self.tiles = tuple(draws), [_tile(draw) for draw in draws]
        content = QWidget()
        row = QHBoxLayout(content)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for index, tile in enumerate(self.tiles):
            self._group.addButton(tile, index)
            row.addWidget(tile)
        row.addStretch(1)
        self._strip.setWidget(content)  # the old one goes, and its tiles with it
        self._strip.setFixedHeight(content.sizeHint().height() + _ROOM)

    def _scroll(self) -> None:
        checked = self._group.checkedButton()
        if checked is not None:
            self._strip.ensureWidgetVisible(checked, 8, 0)


def _tile(draw: Draw) -> QToolButton:
    tile = QToolButton()
    tile.setCheckable(True)
    tile.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
    pixmap = _pixmap(draw)
    tile.setIconSize(pixmap.size().scaled(QSize(_SIDE, _SIDE), Qt.AspectRatioMode.KeepAspectRatio))
    tile.setIcon(QIcon(pixmap))
    tile.setText(draw_text(draw))
    tile.setStyleSheet(_STYLE)
    tile.setToolTip(
        f"Draw {draw.number}: show it. The perturbed CT, the network's segmentation of it painted over, and the moved "
        "reference as a line; then the drop, the largest shift and the largest intensity change"
    )
    return tile


def _pixmap(draw: Draw) -> QPixmap:
    picture = np.ascontiguousarray(draw.picture)
    height, width, _ = picture.shape
    image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)  # copies, so that the array may go
