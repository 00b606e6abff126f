"""A part of a dock under a title that opens and closes it; closed, it takes one line."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

_ARROW = 30  # pixels of the arrow and the frame beside the text


class Fold(QWidget):
    """``toggled`` carries whether the content is seen now."""

    toggled = Signal(bool)

    def __init__(self, text: str, content: QWidget, *, expanded: bool = False) -> None:
        super().__init__()
        self._content = content
        self._head = _Head(text)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._head)
        column.addWidget(content)
        self._head.toggled.connect(self._on_toggled)
        self._head.setChecked(expanded)
        self._on_toggled(expanded)

    def isExpanded(self) -> bool:
        return bool(self._head.isChecked())

    def expand(self) -> None:
        self._head.setChecked(True)

    def collapse(self) -> None:
        self._head.setChecked(False)

    def text(self) -> str:
        """The whole title, however much of it there is room for."""
        return self._head.whole

    def setText(self, text: str) -> None:
        self._head.say(text)

    def _on_toggled(self, expanded: bool) -> None:
        self._head.setArrowType(Qt.ArrowType.DownArrow if expanded else Qt.ArrowType.RightArrow)
        self._content.setVisible(expanded)
        self.toggled.emit(expanded)


class _Head(QToolButton):
    """The title, cut where the dock is narrow; then the tooltip has it all."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.whole = text
        self.setCheckable(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setStyleSheet("QToolButton { text-align: left; }")
        self.say(text)

    def say(self, text: str) -> None:
        self.whole = text
        self._elide()

    def minimumSizeHint(self) -> QSize:
        return QSize(_ARROW, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        room = max(0, self.width() - _ARROW)
        shown = self.fontMetrics().elidedText(self.whole, Qt.TextElideMode.ElideMiddle, room)
        self.setText(shown)
        self.setToolTip(self.whole if shown != self.whole else "")
