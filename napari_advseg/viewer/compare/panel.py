"""The Compare dock: small tools over the layers of the case in view."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ..column import scrolling_column
from ..dock_widget import DockWidget
from ..message_line import MessageLine
from .case_watch import CaseWatch
from .edge_letters import EdgeLetters, canvas_beside
from .key_list import keys_dialog
from .keys import KeyBindings, tip
from .map_box import MapBox
from .organ_surfaces import OrganSurfaces
from .readout_box import ReadOutBox
from .sight_box import SightBox
from .window_row import WindowRow
from .windows import WINDOWS, apply_window

if TYPE_CHECKING:
    import napari

_NOTHING = "Run an attack, or open a saved result: clean and perturbed CT can then be compared here."


class CompareDock(DockWidget):
    """See what an attack changed.

    Parameters
    ----------
    napari_viewer
        The viewer that the dock belongs to.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.undocked.connect(self.shut_down)
        self._viewer = napari_viewer
        self._closed = False
        self.watch = CaseWatch(napari_viewer)
        self.hint = QLabel(_NOTHING)
        self.hint.setWordWrap(True)
        self.message = MessageLine()
        self.sight = SightBox(napari_viewer, self.watch)
        self.windows = WindowRow(napari_viewer)
        self.maps = MapBox(napari_viewer, self.watch, self.sight.lifted)
        self.surfaces = OrganSurfaces(napari_viewer, self.watch)
        self.solid = QPushButton("Organs in 3-D")
        self.solid.setCheckable(True)
        self.solid.setToolTip(tip("surfaces"))
        self.letters = EdgeLetters(napari_viewer)
        self.lettered = QCheckBox("Patient's sides")
        self.lettered.setToolTip(tip("letters"))
        self.read_out = ReadOutBox(napari_viewer, self.watch)
        self.keys_button = QPushButton("Keys")
        self.keys_button.setToolTip(tip("keys"))
        self._keys = KeyBindings(napari_viewer)
        self._lay_out()
        self._connect()
        self._bind_keys()
        self.lettered.setChecked(True)
        self._follow()

    def shut_down(self) -> None:
        """Everything as it was before the dock was opened; may be called again."""
        if self._closed:
            return
        self._closed = True
        self._keys.unbind()
        self.surfaces.stop()
        self.sight.leave()
        self.maps.leave()
        self.read_out.let_go()
        self.letters.let_go()
        self.watch.let_go()

    def show_keys(self) -> None:
        """The list of keys, once."""
        if self.findChild(QWidget, "compare keys") is None:
            keys_dialog(self, self._keys.taken).show()

    def _follow(self) -> None:
        self.surfaces.follow()
        self.sight.follow()
        self.maps.follow()
        self.hint.setVisible(not self.watch.complete)
        self._on_surfaces()
        self.letters.update()
        self.read_out.update_now()

    def _renew(self) -> None:
        self.surfaces.renew()
        self.sight.renew()
        self.maps.renew()
        self.read_out.update_now()

    def _on_solid(self, on: bool) -> None:
        if on and not self.surfaces.on:
            self.sight.leave()
            self.surfaces.start()
        elif not on:
            self.surfaces.stop()

    def _on_surfaces(self) -> None:
        busy, on = self.surfaces.busy, self.surfaces.on
        self.solid.setText("Making surfaces…" if busy else "Organs in 3-D")
        self.solid.setChecked(busy or on)
        self.solid.setEnabled(self.watch.complete)
        self.sight.setEnabled(not on)
        self.maps.setEnabled(self.watch.complete and not on)

    def _bind_keys(self) -> None:
        sight, maps = self.sight, self.maps
        actions = {
            "blink lock": sight.blink.click,
            "side": sight.side.click,
            "wipe": sight.wipe.click,
            "wipe left": partial(sight.step, -1),
            "wipe right": partial(sight.step, 1),
            **{f"errors {kind}": partial(maps.toggle_errors, kind) for kind in ("all", "new", "mind")},
            "deformation": maps.next_way,
            "surfaces": self.solid.click,
            "letters": self.lettered.click,
            **{f"window {window.name}": partial(apply_window, self._viewer, window) for window in WINDOWS},
            "keys": self.show_keys,
        }
        self._keys.bind(actions, {"blink": (sight.hold, sight.release)})

    def _connect(self) -> None:
        self.watch.changed.connect(self._follow)
        self.watch.renewed.connect(self._renew)
        self.solid.toggled.connect(self._on_solid)
        self.surfaces.changed.connect(self._on_surfaces)
        self.surfaces.failed.connect(lambda line: self.message.say(line, False))
        for box in (self.sight, self.maps):
            box.refused.connect(lambda line: self.message.say(line, True))
        self.lettered.toggled.connect(self.letters.show)
        self.keys_button.clicked.connect(self.show_keys)
        self.destroyed.connect(self.shut_down)

    def _lay_out(self) -> None:
        last = QWidget()
        row = QHBoxLayout(last)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.solid, self.lettered, self.keys_button):
            row.addWidget(widget)
        groups: list[list[QWidget]] = [
            [self.hint, self.sight, self.read_out],
            [self.windows, self.maps],
            [last, self.message],
        ]
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolling_column(groups, "Research use only."))
        self.setMinimumWidth(330)

    def showEvent(self, event: QShowEvent | None) -> None:
        self.letters.attach(None if self._closed else canvas_beside(self))
        super().showEvent(event)
