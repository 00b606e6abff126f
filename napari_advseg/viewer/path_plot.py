"""Dice against the strength of the change: what is asked, what is shown, and what chance costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

_HEIGHT = 148
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 10, 8, 32
_SHOWN, _ASKED, _CHANCE = "#e8740c", "#2f9e5b", "#8a6fd1"  # legible on dark and on light
_KEY_STEP = 0.05


@dataclass(frozen=True)
class PathPicture:
    """What the plot shows.

    Parameters
    ----------
    points
        Strength -> measured drop.
    clean
        Mean Dice on the CT.
    asked
        The drop that is asked for.
    strength, drop
        Of the change that is shown.
    chance
        Strength and drop of the random control; None where there is none.
    """

    points: Mapping[float, float]
    clean: float
    asked: float
    strength: float
    drop: float
    chance: tuple[float, float] | None = None

    @property
    def dice_range(self) -> tuple[float, float]:
        """Lowest and highest Dice on the axis, in tenths with some air."""
        drops = [*self.points.values(), self.drop, self.asked]
        lowest, highest = self.clean - max(drops), self.clean - min(*drops, 0.0)
        low = max(0.0, int((lowest - 0.02) * 10) / 10)
        return low, max(low + 0.1, min(1.0, -int(-(highest + 0.02) * 10 - 0.999) / 10))


class PathPlot(QWidget):
    """A click or a drag sets the strength, and so do the arrow keys; ``strength_picked`` carries it."""

    strength_picked = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._picture: PathPicture | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip(
            "Mean Dice against the strength of the change, as measured. Click to set the strength. Orange: what is "
            "shown; green: the drop that is asked for; violet: a random change"
        )

    @property
    def picture(self) -> PathPicture | None:
        return self._picture

    def sizeHint(self) -> QSize:
        return QSize(300, _HEIGHT)

    def show_picture(self, picture: PathPicture | None) -> None:
        self._picture = picture
        self.update()

    def place(self, strength: float, dice: float) -> QPointF:
        """Where a strength and a Dice lie in the widget, pixels."""
        assert self._picture is not None
        low, high = self._picture.dice_range
        frame = self._frame()
        share = (high - dice) / (high - low)
        return QPointF(frame.left() + strength * frame.width(), frame.top() + share * frame.height())

    def _frame(self) -> QRectF:
        return QRectF(_LEFT, _TOP, max(1, self.width() - _LEFT - _RIGHT), max(1, self.height() - _TOP - _BOTTOM))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pick(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._pick(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -_KEY_STEP, Qt.Key.Key_Right: _KEY_STEP}.get(event.key())
        if step is None or self._picture is None:
            super().keyPressEvent(event)
        else:
            self.strength_picked.emit(min(1.0, max(0.0, round(self._picture.strength + step, 4))))

    def _pick(self, event: QMouseEvent) -> None:
        if self._picture is not None and self.isEnabled():
            frame = self._frame()
            share = (event.position().x() - frame.left()) / frame.width()
            self.strength_picked.emit(round(min(1.0, max(0.0, share)), 3))

    def paintEvent(self, _event: QPaintEvent) -> None:
        picture = self._picture
        if picture is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = QColor(self.palette().color(self.foregroundRole()))
        small = painter.font()
        small.setPointSizeF(max(7.0, small.pointSizeF() * 0.85))
        painter.setFont(small)
        self._paint_axes(painter, picture, ink)
        asked = picture.clean - picture.asked
        self._line(painter, _ASKED, Qt.PenStyle.DashLine, [(0.0, asked), (1.0, asked)])
        path = [(s, picture.clean - picture.points[s]) for s in sorted(picture.points)]
        self._line(painter, ink.name(), Qt.PenStyle.SolidLine, path)
        for strength, dice in path:
            self._dot(painter, ink.name(), strength, dice, 2.5)
        if picture.chance is not None:
            strength, drop = picture.chance
            self._line(painter, _CHANCE, Qt.PenStyle.DotLine, [(0.0, picture.clean), (strength, picture.clean - drop)])
            self._dot(painter, _CHANCE, strength, picture.clean - drop, 4.0)
        shown = picture.clean - picture.drop
        low, _ = picture.dice_range
        self._line(painter, _SHOWN, Qt.PenStyle.SolidLine, [(picture.strength, low), (picture.strength, shown)])
        self._dot(painter, _SHOWN, picture.strength, shown, 5.0)
        painter.end()

    def _paint_axes(self, painter: QPainter, picture: PathPicture, ink: QColor) -> None:
        low, high = picture.dice_range
        faint = QColor(ink)
        faint.setAlpha(60)
        frame = self._frame()
        tenths = range(round(low * 10), round(high * 10) + 1)
        every = max(1, round(len(tenths) / 5))
        for tenth in tenths[::every]:
            y = self.place(0.0, tenth / 10).y()
            painter.setPen(QPen(faint, 1))
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
            painter.setPen(ink)
            text = QRectF(0, y - 8, _LEFT - 5, 16)
            painter.drawText(
                text, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), f"{tenth / 10:.1f}"
            )
        painter.setPen(ink)
        for strength, flag in ((0.0, "AlignLeft"), (0.5, "AlignHCenter"), (1.0, "AlignRight")):
            x = frame.left() + strength * frame.width()
            left = {"AlignLeft": x, "AlignHCenter": x - 30, "AlignRight": x - 60}[flag]
            text = QRectF(left, frame.bottom() + 2, 60, 14)
            painter.drawText(text, int(getattr(Qt.AlignmentFlag, flag)), f"{strength:.0%}")
        self._paint_key(painter, ink, frame)

    def _paint_key(self, painter: QPainter, ink: QColor, frame: QRectF) -> None:
        """The names of the colours, under the axis."""
        parts = (("Dice", ink.name()), ("shown", _SHOWN), ("asked", _ASKED), ("random", _CHANCE), ("strength →", ""))
        x = frame.left()
        metrics = painter.fontMetrics()
        for text, colour in parts:
            y = frame.bottom() + 23
            width = metrics.horizontalAdvance(text)
            if not colour:
                painter.setPen(ink)
                painter.drawText(QPointF(frame.right() - width, y + 4), text)
                continue
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colour))
            painter.drawEllipse(QPointF(x + 3, y), 3.0, 3.0)
            painter.setPen(ink)
            painter.drawText(QPointF(x + 9, y + 4), text)
            x += width + 20

    def _line(self, painter: QPainter, colour: str, style: Qt.PenStyle, points: list[tuple[float, float]]) -> None:
        painter.setPen(QPen(QColor(colour), 1.6, style))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF([self.place(*point) for point in points]))

    def _dot(self, painter: QPainter, colour: str, strength: float, dice: float, radius: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawEllipse(self.place(strength, dice), radius, radius)
