"""What colours mean: swatches with words, and a colour scale with its ends."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

_SQUARE = '<span style="color: {colour}">■</span>&nbsp;{meaning}'


class SwatchLegend(QLabel):
    """A coloured square and its meaning for each, and a note; hidden while empty."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.hide()

    def set_entries(self, colours: Sequence[str], meanings: Sequence[str], note: str = "") -> None:
        squares = [
            _SQUARE.format(colour=colour, meaning=meaning.replace(" ", "&nbsp;"))
            for colour, meaning in zip(colours, meanings, strict=True)
        ]
        self.setText(" &nbsp; ".join(squares) + (f"<br><small>{note}</small>" if note else ""))
        self.setVisible(bool(squares))


class ColourScale(QWidget):
    """A bar from nothing to most, in napari's colours of that name."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = _Bar()
        self._low, self._high, self._note = QLabel("0"), QLabel(), QLabel()
        self._note.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self._low)
        row.addWidget(self._bar, 1)
        row.addWidget(self._high)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self._note)
        self.hide()

    def set_scale(self, colormap: str, high: str, note: str) -> None:
        self._bar.set_colormap(colormap)
        self._high.setText(high)
        self._note.setText(note)
        self.show()

    def text(self) -> str:
        return f"{self._low.text()} to {self._high.text()}: {self._note.text()}"


class _Bar(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(10)
        self._stops: list[QColor] = []

    def set_colormap(self, name: str) -> None:
        from napari.utils.colormaps import ensure_colormap

        colours = ensure_colormap(name).map([step / 16 for step in range(17)])
        self._stops = [QColor.fromRgbF(*(float(part) for part in colour[:3])) for colour in colours]
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        painter, gradient = QPainter(self), QLinearGradient(0, 0, self.width(), 0)
        for index, colour in enumerate(self._stops):
            gradient.setColorAt(index / (len(self._stops) - 1), colour)
        painter.fillRect(self.rect(), gradient)
        painter.end()
