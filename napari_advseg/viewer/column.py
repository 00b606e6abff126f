"""Panels under each other, in groups with a line between, that scroll where the window is low."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget


def scrolling_column(groups: Sequence[Sequence[QWidget]], footer: str) -> QScrollArea:
    """The groups from top to bottom, and a small line of text at the end."""
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(6, 6, 6, 6)
    column.setSpacing(8)
    for index, group in enumerate(groups):
        if index:
            line = QFrame()
            line.setFrameShape(QFrame.Shape.HLine)
            column.addWidget(line)
        for widget in group:
            column.addWidget(widget)
    column.addStretch(1)
    small = QLabel(footer)
    font = small.font()
    font.setPointSizeF(max(7.0, font.pointSizeF() * 0.85))
    small.setFont(font)
    column.addWidget(small)
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(content)
    return scroll


def pinned(widgets: Sequence[QWidget]) -> QWidget:
    """What stands under the column and is seen however far that is scrolled."""
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(6, 4, 6, 4)
    column.setSpacing(4)
    for widget in widgets:
        column.addWidget(widget)
    return content
