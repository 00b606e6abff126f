"""A list to choose from that also takes files: layers, names, and what the user browses for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPaintEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QWidget,
)

from .habits import Place, last_folder, note_folder


@dataclass(frozen=True)
class Browse:
    """A button beside the list: its text, its tooltip, and a function that asks the user for a path."""

    text: str
    tip: str
    ask: Callable[[QWidget], Path | None]


def ask_file(title: str, filters: str, place: Place = "cts") -> Callable[[QWidget], Path | None]:
    """A function that asks for a file, first where one of its kind was found last."""

    def ask(parent: QWidget) -> Path | None:
        name, _ = QFileDialog.getOpenFileName(parent, title, last_folder(place), filters)
        return _noted(name, place)

    return ask


def ask_folder(title: str, place: Place = "cts") -> Callable[[QWidget], Path | None]:
    """A function that asks for a folder, first where one of its kind was found last."""

    def ask(parent: QWidget) -> Path | None:
        return _noted(QFileDialog.getExistingDirectory(parent, title, last_folder(place)), place)

    return ask


def _noted(name: str, place: Place) -> Path | None:
    if not name:
        return None
    note_folder(place, Path(name))
    return Path(name)


class ChoiceBox(QWidget):
    """A combo box of offers, which come and go, and of paths, which stay.

    ``changed`` is sent when another value is chosen, by the user or by a program.
    """

    changed = Signal()

    def __init__(self, nothing: str, browse: Sequence[Browse] = (), tip: str = "") -> None:
        super().__init__()
        self._nothing = nothing
        self._offers: list[tuple[str, object]] = []
        self._paths: list[Path] = []
        self._value: object | None = None
        self._tip = tip
        self._combo = _ElidingCombo()
        self._combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._combo.setMinimumContentsLength(8)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        row.addWidget(self._combo, 1)
        for entry in browse:
            button = QToolButton()
            button.setText(entry.text)
            button.setToolTip(entry.tip)
            button.clicked.connect(lambda _checked=False, ask=entry.ask: self._browse(ask))
            row.addWidget(button)
        self._combo.activated.connect(self._picked)
        self._fill()

    def value(self) -> object | None:
        """What is chosen: an offer's value, a path, or None."""
        return self._value

    def text(self) -> str:
        """What is chosen, in a word: an offer's text without what is told of it, a path's name."""
        if isinstance(self._value, str) and self._combo.currentIndex() == 0:  # chosen before it is offered
            return self._value
        return str(self._combo.currentText().split(": ")[0])

    def set_value(self, value: object | None) -> None:
        """Choose an offer or a path; an unknown path is added."""
        if isinstance(value, Path) and value not in self._paths:
            self._paths.append(value)
        changed = value is not self._value and value != self._value
        self._value = value
        self._fill()
        if changed:
            self.changed.emit()

    def set_offers(self, offers: Sequence[tuple[str, object]]) -> None:
        """Replace what is offered; a chosen offer that is gone leaves nothing chosen."""
        gone = self._value is not None and not isinstance(self._value, Path)
        self._offers = list(offers)
        if gone and not any(value is self._value or value == self._value for _, value in self._offers):
            self._value = None
            self._fill()
            self.changed.emit()
        else:
            self._fill()

    def forget(self, path: Path) -> None:
        """Take a path that is of no use out of the list; nothing is chosen where it was."""
        self._paths = [known for known in self._paths if known != path]
        if self._value == path:
            self.set_value(None)
        self._fill()

    def paths(self) -> list[Path]:
        """What was browsed for."""
        return list(self._paths)

    def texts(self) -> list[str]:
        """What the list shows."""
        return [self._combo.itemText(index) for index in range(self._combo.count())]

    def _values(self) -> list[object | None]:
        return [None, *(value for _, value in self._offers), *self._paths]

    def _fill(self) -> None:
        self._combo.blockSignals(True)
        self._combo.clear()
        self._combo.addItem(self._nothing)
        self._combo.addItems([text for text, _ in self._offers])
        for path in self._paths:
            self._combo.addItem(path.name or str(path))
            self._combo.setItemData(self._combo.count() - 1, str(path), 3)  # 3: the tooltip's role
        for index, value in enumerate(self._values()):
            if value is self._value or (value is not None and value == self._value):
                self._combo.setCurrentIndex(index)
        self._combo.blockSignals(False)
        whole = str(self._value) if isinstance(self._value, Path) else self._combo.currentText()
        self._combo.setToolTip(self._tip if self._value is None else f"{whole}\n\n{self._tip}".strip())

    def _picked(self, index: int) -> None:
        self.set_value(self._values()[index])

    def _browse(self, ask: Callable[[QWidget], Path | None]) -> None:
        path = ask(self)
        if path is not None:
            self.set_value(path)


class _ElidingCombo(QComboBox):
    """Where there is too little room for the chosen text, dots say so; the tooltip has it whole."""

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        part = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, self).width() - 4
        option.currentText = self.fontMetrics().elidedText(option.currentText, Qt.TextElideMode.ElideRight, room)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
