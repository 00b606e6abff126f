"""Which map lies over the CT: differences of the segmentations, and the deformation; each with its legend."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ..later import later
from .case_watch import CaseWatch
from .deformation_view import WAYS, DeformationView
from .error_layer import ErrorLayer
from .error_maps import KINDS
from .keys import KEYS
from .legend import ColourScale, SwatchLegend

if TYPE_CHECKING:
    from napari.components import ViewerModel

_COLOURS = {"arrows": "turbo", "warped grid": "viridis", "shift": "magma"}
_NOTES = {
    "arrows": "mm; the tip is where the perturbed CT was taken from",
    "warped grid": "mm; a straight grid on the clean CT, moved with the anatomy",
    "shift": "mm, how far the anatomy was moved",
}


class MapBox(QWidget):
    """Two lists. ``refused`` carries a line for the user.

    Parameters
    ----------
    lifted
        Gives the layers the user's own looks while a map comes or goes, whatever way of looking is on.
    """

    refused = Signal(str)

    def __init__(
        self, viewer: ViewerModel, watch: CaseWatch, lifted: Callable[[], AbstractContextManager[None]]
    ) -> None:
        super().__init__()
        self._viewer, self._watch, self._lifted = viewer, watch, lifted
        self._errors = ErrorLayer(viewer, watch)
        self._deformation = DeformationView(viewer, watch)
        self.errors = _list({"": "none"} | {name: kind.text for name, kind in KINDS.items()})
        self.errors.setToolTip("\n".join(f"{KEYS[f'errors {kind}'][0]}: {KEYS[f'errors {kind}'][1]}" for kind in KINDS))
        self.legend = SwatchLegend()
        self.deformation = _list(WAYS)
        self.deformation.setToolTip(f"{KEYS['deformation'][0]}: {KEYS['deformation'][1]}")
        self.times = QDoubleSpinBox()
        self.times.setRange(1, 20)
        self.times.setDecimals(0)
        self.times.setPrefix("× ")
        self.times.setToolTip("How many times as large as it is the grid's shift is drawn")
        self.scale = ColourScale()
        self._lay_out()
        self.errors.currentIndexChanged.connect(self._on_errors)
        self.deformation.currentIndexChanged.connect(self._on_deformation)
        self.times.valueChanged.connect(self._on_times)
        viewer.layers.events.removed.connect(self._on_removed)
        self.follow()

    def toggle_errors(self, kind: str) -> None:
        """A kind of map, or none where it is shown already; nothing while the box rests."""
        if not self.isEnabled():
            return
        _choose(self.errors, "" if self.errors.currentData() == kind else kind)

    def next_way(self) -> None:
        """The next way to show the deformation; nothing while the box rests."""
        if not self.isEnabled():
            return
        ways = [way for way in WAYS if self._deformation.can_show(way)]
        now = self.deformation.currentData()
        _choose(self.deformation, ways[(ways.index(now) + 1) % len(ways)] if now in ways else "")

    def follow(self) -> None:
        """Layers came or went: the lists say what is seen now."""
        self._errors.follow()
        self._deformation.follow()
        _enable(self.errors, {kind: self._errors.can_show(kind) for kind in KINDS})
        _enable(self.deformation, {way: self._deformation.can_show(way) for way in WAYS})
        _choose(self.errors, self._errors.kind, quietly=True)
        _choose(self.deformation, self._deformation.way, quietly=True)
        self._tell()

    def renew(self) -> None:
        """Layers hold other content."""
        self._errors.renew()
        self._deformation.follow()
        self._tell()

    def leave(self) -> None:
        """Take the added layers away and let go of the viewer."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._errors.show("")
        self._deformation.let_go()

    def _on_errors(self, _index: int) -> None:
        with self._lifted():
            try:
                self._errors.show(self.errors.currentData())
            except ValueError as fault:
                self._errors.show("")
                _choose(self.errors, "", quietly=True)
                self.refused.emit(str(fault))
        self._tell()

    def _on_removed(self, _event: Any) -> None:
        if self._errors.lost:
            later(self, self._on_lost)  # it may only have been replaced

    def _on_lost(self) -> None:
        if self._errors.lost:
            _choose(self.errors, "")

    def _on_deformation(self, _index: int) -> None:
        self._deformation.show(self.deformation.currentData())
        self._tell()

    def _on_times(self, times: float) -> None:
        self._deformation.set_times(times)

    def _tell(self) -> None:
        kind = KINDS.get(self.errors.currentData())
        self.legend.set_entries(kind.colours if kind else (), kind.meanings if kind else (), kind.note if kind else "")
        way = self.deformation.currentData()
        self.times.setVisible(way == "warped grid")
        self.scale.setVisible(bool(way))
        if way:
            self.scale.set_scale(_COLOURS[way], f"{self._deformation.largest(way):.1f}", _NOTES[way])

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.deformation, 1)
        row.addWidget(self.times)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        rows = (("Differences", self.errors, self.legend), ("Deformation", row, self.scale))
        width = max(QLabel(text).sizeHint().width() for text, _, _ in rows)
        for text, field, legend in rows:
            form = QFormLayout()
            form.setContentsMargins(0, 0, 0, 0)
            label = QLabel(text)
            label.setMinimumWidth(width)
            form.addRow(label, field)
            column.addLayout(form)
            column.addWidget(legend)


def _list(entries: dict[str, str]) -> QComboBox:
    box = QComboBox()
    for key, text in entries.items():
        box.addItem(text, key)
    return box


def _choose(box: QComboBox, key: str, quietly: bool = False) -> None:
    index = box.findData(key)
    item: Any = box.model().item(max(0, index))
    if not item.isEnabled():
        return
    box.blockSignals(quietly)
    box.setCurrentIndex(max(0, index))
    box.blockSignals(False)


def _enable(box: QComboBox, possible: dict[str, bool]) -> None:
    model: Any = box.model()
    for index in range(box.count()):
        model.item(index).setEnabled(possible.get(box.itemData(index), True))
