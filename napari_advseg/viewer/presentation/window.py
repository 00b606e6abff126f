"""The window of the presentation: left the CT, right the attacked CT, below a sentence and the slider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QImage, QKeyEvent, QPainter, QPaintEvent, QWheelEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QCloseEvent

_STYLE = """
QWidget { background: #101010; color: #f0f0f0; }
QSlider::groove:horizontal { height: 14px; border-radius: 7px; background: #404040; }
QSlider::sub-page:horizontal { height: 14px; border-radius: 7px; background: #ff9f1c; }
QSlider::handle:horizontal { width: 44px; margin: -15px 0; border-radius: 22px; background: #f0f0f0; }
QSlider::handle:horizontal:disabled { background: #707070; }
QSlider::sub-page:horizontal:disabled { background: #605030; }
"""
STEPS = 100  # of the slider, per Dice point of 1
_BIG, _MIDDLE, _SMALL = 22, 15, 11  # points


class Picture(QWidget):
    """One image, as large as there is room for, voxels as wide as they are."""

    scrolled = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.shown: NDArray[np.uint8] | None = None
        self._image = QImage()
        self._shape = (1.0, 1.0)
        self.setMinimumSize(120, 120)

    def show_picture(self, picture: NDArray[np.uint8], pixel: tuple[float, float]) -> None:
        """uint8 RGB (rows, columns); ``pixel`` is the height and width of one, mm."""
        self.shown = np.ascontiguousarray(picture)
        rows, columns, _ = self.shown.shape
        self._image = QImage(self.shown.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
        self._shape = (rows * pixel[0], columns * pixel[1])
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The image in the middle."""
        if self.shown is None:
            return
        height, width = self._shape
        scale = min(self.height() / height, self.width() / width)
        place = QRectF(0, 0, width * scale, height * scale)
        place.moveCenter(QRectF(self.rect()).center())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(place, self._image)
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Other slices."""
        turned = event.angleDelta().y()
        if turned:
            self.scrolled.emit(1 if turned > 0 else -1)


class PresentationWindow(QWidget):
    """Knows neither the viewer nor the dock. ``left`` is sent once, when it is closed in whatever way."""

    left = Signal()
    drop_asked = Signal(float)
    scrolled = Signal(int)

    def __init__(self) -> None:
        super().__init__(None, Qt.WindowType.Window)
        self.setWindowTitle("napari-advseg")
        self.setStyleSheet(_STYLE)
        self._told = False
        self.clean, self.attacked = Picture(), Picture()
        self.sentence = _label(_BIG)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setMinimumHeight(60)
        self.slider.setToolTip("How much of its Dice the network loses")
        self.only = _label(_SMALL)
        self.only.setText("Research use only")
        row = QHBoxLayout()
        row.setSpacing(16)
        self.captions = (_label(_MIDDLE), _label(_MIDDLE))
        for caption, text, picture in zip(
            self.captions, ("The CT as it is", "The CT, changed"), (self.clean, self.attacked), strict=True
        ):
            caption.setText(text)
            half = QVBoxLayout()
            half.addWidget(caption)
            half.addWidget(picture, 1)
            row.addLayout(half, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(40, 24, 40, 16)
        column.setSpacing(14)
        column.addLayout(row, 1)
        column.addWidget(self.sentence)
        column.addWidget(self.slider)
        column.addWidget(self.only)
        self.slider.valueChanged.connect(lambda value: self.drop_asked.emit(value / STEPS))
        for picture in (self.clean, self.attacked):
            picture.scrolled.connect(self.scrolled)

    def set_drop(self, drop: float, most: float, *, can_change: bool) -> None:
        """Where the slider stands, how far it goes, and whether it may be moved."""
        self.slider.blockSignals(True)
        self.slider.setRange(1, max(1, round(most * STEPS)))
        self.slider.setValue(round(drop * STEPS))
        self.slider.blockSignals(False)
        self.slider.setEnabled(can_change)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape and F11 leave."""
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_F11):
            self.close()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._told:
            self._told = True
            self.left.emit()
        super().closeEvent(event)


def _label(points: int) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    font = label.font()
    font.setPointSize(points)
    label.setFont(font)
    return label
