"""The organs in 3-D, before and after beside each other: two surface layers, and the way there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from ..layers import known
from .background import Background
from .canvas_parts import camera_of
from .case_watch import CaseWatch
from .kept_looks import KeptLooks
from .own_layers import add_own, own_layer, place_of, remove_own
from .surfaces import Mesh, brightness, organ_mesh
from .two_cells import TwoCells

if TYPE_CHECKING:
    from napari.components import ViewerModel

_WHEN = (("before", "clean", "Organs in the CT"), ("after", "attacked", "Organs in the perturbed CT"))
_NOT_MIRRORED = ("away", "down", "right")  # napari's own senses would mirror a patient
_CLOSER = 1.25  # than the whole CT needs
_FROM_THE_FRONT = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0))  # looking to posterior, the head up; (z, y, x)

Lit = tuple[Mesh, NDArray[np.float32]]


class OrganSurfaces(QObject):
    """``changed`` tells that it is on, off, or being computed."""

    changed = Signal()
    failed = Signal(str)

    def __init__(self, viewer: ViewerModel, watch: CaseWatch) -> None:
        super().__init__()
        self._viewer, self._watch = viewer, watch
        self._kept = KeptLooks(viewer)
        self._work = Background()
        self._work.done.connect(self._on_done)
        self._work.failed.connect(self._on_fault)
        self._cells = TwoCells(viewer)
        self._orientation: Any = None
        self.on = False

    @property
    def busy(self) -> bool:
        return self._work.busy

    def start(self) -> None:
        """Compute the surfaces, then show them."""
        pair = [self._watch.layer(role) for _, role, _ in _WHEN]
        if self.on or self.busy or None in pair:
            return
        arrays = [np.asarray(layer.data) for layer in pair]
        organs = sorted(known(pair[0]).get("names", {})) or list(range(1, int(arrays[0].max(initial=0)) + 1))
        z, y, x = (float(mm) for mm in pair[0].scale)

        def compute() -> list[Lit]:
            meshes = [organ_mesh(array, organs) for array in arrays]
            return [(mesh, brightness(mesh, (z, y, x))) for mesh in meshes]

        self._work.start(compute)
        self.changed.emit()

    def stop(self) -> None:
        """Back to slices; a computation is given up."""
        self._work.drop()
        if self.on:
            self.on = False
            for when, _, _ in _WHEN:
                remove_own(self._viewer, f"surfaces {when}")
            self._cells.join()
            camera_of(self._viewer).orientation = self._orientation
            self._viewer.dims.ndisplay = 2
            self._kept.restore()
        self.changed.emit()

    def follow(self) -> None:
        """Layers came or went, or hold other content: what is shown would be of the last result."""
        gone = any(own_layer(self._viewer, f"surfaces {when}") is None for when, _, _ in _WHEN)
        if self.busy or (self.on and (gone or not self._watch.complete)):
            self.stop()
        elif self.on:
            self._beside()

    def renew(self) -> None:
        if self.on or self.busy:
            self.stop()

    def let_go(self) -> None:
        self._work.drop()

    def _on_done(self, meshes: list[Lit]) -> None:
        base = self._watch.layer("clean")
        if base is None or not all(len(mesh.faces) for mesh, _ in meshes):
            self.changed.emit()
            self.failed.emit("There is no organ to be shown in 3-D.")
            return
        self._kept.keep(self._viewer.layers)
        for layer in self._viewer.layers:
            layer.visible = False
        for (when, _, name), (mesh, light) in zip(_WHEN, meshes, strict=True):
            self._add(when, name, mesh, light, base)
        self.on = True
        camera = camera_of(self._viewer)
        self._orientation = camera.orientation
        self._viewer.dims.ndisplay = 3
        camera.orientation = _NOT_MIRRORED
        self._beside()
        self._viewer.reset_view()
        camera.set_view_direction(*_FROM_THE_FRONT)
        camera.zoom *= _CLOSER
        self.changed.emit()

    def _on_fault(self, fault: BaseException) -> None:
        self.changed.emit()
        self.failed.emit(f"The surfaces could not be made: {fault}")

    def _beside(self) -> None:
        """The layer of the organs after the attack begins the right cell."""
        self._cells.split(max(1, self._viewer.layers.index(own_layer(self._viewer, "surfaces after"))))

    def _add(self, when: str, name: str, mesh: Mesh, light: Any, base: Any) -> None:
        from napari.layers import Surface
        from napari.utils.colormaps.standardize_color import transform_color

        from ...evidence import organ_colour

        ids = np.unique(mesh.organ)
        table = np.zeros((int(ids.max()) + 1, 4), np.float32)
        table[ids] = transform_color([organ_colour(int(index)) for index in ids])
        colours = table[mesh.organ]
        colours[:, :3] *= light[:, None]
        layer = Surface(
            (mesh.vertices, mesh.faces),
            vertex_colors=colours,
            name=name,
            shading="none",
            **place_of(base),
        )
        add_own(self._viewer, f"surfaces {when}", layer)
