"""The case whose layers are compared, found by what its layers know of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from ..handing_on import on_handed_on
from ..layers import known, layers_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_PAIR = ("ct", "perturbed")


def case_in_view(viewer: ViewerModel) -> dict[str, Layer]:
    """Layers by role of the case to compare: the selected layer's, else the last one that has a perturbed CT."""
    active = viewer.layers.selection.active
    ids = [known(layer).get("case") for layer in viewer.layers if known(layer).get("role") == "perturbed"]
    if active is not None and known(active).get("case") in ids:
        ids.append(known(active)["case"])
    for case_id in reversed(ids):
        roles = layers_of(viewer, case_id) if case_id is not None else {}
        if all(role in roles for role in _PAIR):
            return roles
    return {}


def ct_in_view(viewer: ViewerModel) -> Layer | None:
    """The CT whose place in the patient is known: the compared case's, else the last of this plugin's."""
    found = case_in_view(viewer).get("ct")
    if found is not None:
        return found
    placed = [layer for layer in viewer.layers if known(layer).get("role") == "ct" and "grid" in known(layer)]
    return placed[-1] if placed else None


class CaseWatch(QObject):
    """Follows the layer list until :meth:`let_go`; tells once per turn of the event loop.

    ``changed`` is sent when the compared case has other layers than before, ``renewed`` when they hold other content.
    """

    changed = Signal()
    renewed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.roles: dict[str, Layer] = {}
        self._case: Any = None
        self._look = self._timer(self._on_layers)
        self._tell = self._timer(self.renewed.emit)
        events = viewer.layers.events
        self._emitters = (events.inserted, events.removed, viewer.layers.selection.events.active)
        for emitter in self._emitters:
            emitter.connect(self._soon)
        self._end = on_handed_on(viewer, self._soon)
        self._on_layers()

    def layer(self, role: str) -> Any:
        """The case's layer of a role, None where there is none; layers are gone from the list before it is told."""
        found = self.roles.get(role)
        return found if found is not None and found in self._viewer.layers else None

    @property
    def complete(self) -> bool:
        return all(self.layer(role) is not None for role in _PAIR)

    def let_go(self) -> None:
        for emitter in self._emitters:
            emitter.disconnect(self._soon)
        self._end()
        self._connect({})
        self._look.stop()
        self._tell.stop()

    def _timer(self, then: Any) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(0)
        timer.timeout.connect(then)
        return timer

    def _soon(self, _event: Any = None) -> None:
        self._look.start()

    def _on_content(self, _event: Any = None) -> None:
        self._tell.start()

    def _on_layers(self) -> None:
        found = case_in_view(self._viewer)
        case = known(found["ct"]).get("case") if found else None
        if found != self.roles or case != self._case:  # another case's content may be in the same layers
            self._case = case
            self._connect(found)
            self.changed.emit()

    def _connect(self, roles: dict[str, Layer]) -> None:
        for layer in self.roles.values():
            layer.events.data.disconnect(self._on_content)
        self.roles = dict(roles)
        for layer in self.roles.values():
            layer.events.data.connect(self._on_content)
