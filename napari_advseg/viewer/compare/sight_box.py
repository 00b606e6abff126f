"""How the two CTs are laid against each other: blinking, side by side, or with a wipe; one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from .blink import Blink
from .case_watch import CaseWatch
from .keys import tip
from .side_by_side import SideBySide
from .wipe import Wipe

if TYPE_CHECKING:
    from napari.components import ViewerModel

_STEPS = 1000  # finer than the voxels of a CT's row
_KEY_STEP = 50


class SightBox(QWidget):
    """Three buttons that stay down, and the wipe's slider. ``refused`` carries a line for the user."""

    refused = Signal(str)

    def __init__(self, viewer: ViewerModel, watch: CaseWatch) -> None:
        super().__init__()
        self._watch = watch
        self._blink, self._side = Blink(viewer, watch), SideBySide(viewer, watch)
        self._wipe = Wipe(viewer, watch, lambda place: self.slider.setValue(round(place * _STEPS)))
        self.blink, self.side, self.wipe = (_button(*named) for named in _BUTTONS)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setValue(_STEPS // 2)
        self.slider.setToolTip(
            "Perturbed CT left of the line, clean CT right of it; drag it here or in the image (keys , and .)"
        )
        self._ends = QWidget()
        row = QHBoxLayout()
        for button in (self.blink, self.side, self.wipe):
            row.addWidget(button)
        ends = QHBoxLayout(self._ends)
        ends.setContentsMargins(0, 0, 0, 0)
        ends.addWidget(QLabel("clean"))
        ends.addWidget(self.slider, 1)
        ends.addWidget(QLabel("perturbed"))
        self._ends.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self._ends)
        self.blink.toggled.connect(self._on_blink)
        self.side.toggled.connect(self._on_side)
        self.wipe.toggled.connect(self._on_wipe)
        self.slider.valueChanged.connect(lambda value: self._wipe.move(value / _STEPS))
        self.follow()

    def hold(self) -> None:
        """The blink key goes down; it does nothing in the other views."""
        if self.isEnabled() and not (self._side.on or self._wipe.on):
            self._blink.show_clean()

    def release(self) -> None:
        if not self.blink.isChecked():
            self._blink.show_as_before()

    def step(self, by: int) -> None:
        """Move the wipe's line by a step to the left (-1) or the right (1)."""
        self.slider.setValue(self.slider.value() + by * _KEY_STEP)

    def follow(self) -> None:
        """Layers came or went."""
        for button in (self.blink, self.side, self.wipe):
            button.setEnabled(self._watch.complete)
        if not self._watch.complete:
            self.leave()
            return
        if self._blink.on:
            self._blink.show_as_before()
            self._blink.show_clean()
        self._side.follow()
        self._wipe.follow()
        self.side.setChecked(self._side.on)
        self.wipe.setChecked(self._wipe.on)

    def renew(self) -> None:
        """Layers hold other content."""
        self._wipe.renew()

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """The looks are the user's own meanwhile; two cells and the wipe then come back over them."""
        self.blink.setChecked(False)
        self._blink.show_as_before()
        views = [view for view in (self._side, self._wipe) if view.on]
        for view in views:
            view.stop()
        try:
            yield
        finally:
            for view in views:
                view.start()

    def leave(self) -> None:
        """Everything as the user had it."""
        self._blink.show_as_before()
        for button in (self.blink, self.side, self.wipe):
            button.setChecked(False)

    def _on_blink(self, on: bool) -> None:
        if on:
            self._leave_but(self.blink)
        self._blink.switch(on)

    def _on_side(self, on: bool) -> None:
        if on:
            self._leave_but(self.side)
            self._side.start()
        else:
            self._side.stop()

    def _on_wipe(self, on: bool) -> None:
        if on:
            self._leave_but(self.wipe)
            try:
                self._wipe.start()
            except ValueError as fault:
                self.refused.emit(str(fault))
                self.wipe.setChecked(False)
        else:
            self._wipe.stop()
        self._ends.setVisible(self._wipe.on)

    def _leave_but(self, kept: QPushButton) -> None:
        for button in (self.blink, self.side, self.wipe):
            if button is not kept:
                button.setChecked(False)
        self._blink.show_as_before()


_BUTTONS = (("Clean CT", "blink lock"), ("Side by side", "side"), ("Wipe", "wipe"))


def _button(text: str, what: str) -> QPushButton:
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip(what) + ("; " + tip("blink").lower() if what == "blink lock" else ""))
    return button
