"""The organs in 3-D, before and after: two surface layers, and the way there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from ..layers import known
from .background import Background
from .case_watch import CaseWatch
from .kept_looks import KeptLooks
from .own_layers import add_own, own_layer, place_of, remove_own
from .surfaces import Mesh, organ_mesh

if TYPE_CHECKING:
    from napari.components import ViewerModel

_WHEN = (("before", "clean", "Organs in the CT", 0.35), ("after", "attacked", "Organs in the perturbed CT", 1.0))
_FROM_THE_FRONT = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0))  # looking to posterior, the head up; (z, y, x)


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
        self.on = False

    @property
    def busy(self) -> bool:
        return self._work.busy

    def start(self) -> None:
        """Compute the surfaces, then show them."""
        pair = [self._watch.layer(role) for _, role, _, _ in _WHEN]
        if self.on or self.busy or None in pair:
            return
        arrays = [np.asarray(layer.data) for layer in pair]
        organs = sorted(known(pair[0]).get("names", {})) or list(range(1, int(arrays[0].max(initial=0)) + 1))
        self._work.start(lambda: [organ_mesh(array, organs) for array in arrays])
        self.changed.emit()

    def stop(self) -> None:
        """Back to slices; a computation is given up."""
        self._work.drop()
        if self.on:
            self.on = False
            for when, _, _, _ in _WHEN:
                remove_own(self._viewer, f"surfaces {when}")
            self._viewer.dims.ndisplay = 2
            self._kept.restore()
        self.changed.emit()

    def follow(self) -> None:
        """Layers came or went, or hold other content: what is shown would be of the last result."""
        gone = any(own_layer(self._viewer, f"surfaces {when}") is None for when, _, _, _ in _WHEN)
        if self.busy or (self.on and (gone or not self._watch.complete)):
            self.stop()

    def renew(self) -> None:
        if self.on or self.busy:
            self.stop()

    def let_go(self) -> None:
        self._work.drop()

    def _on_done(self, meshes: list[Mesh]) -> None:
        base = self._watch.layer("clean")
        if base is None or not all(len(mesh.faces) for mesh in meshes):
            self.changed.emit()
            self.failed.emit("There is no organ to be shown in 3-D.")
            return
        self._kept.keep(self._viewer.layers)
        for layer in self._viewer.layers:
            layer.visible = False
        for (when, _, name, opacity), mesh in zip(_WHEN, meshes, strict=True):
            self._add(when, name, opacity, mesh, base)
        self.on = True
        self._viewer.dims.ndisplay = 3
        self._viewer.reset_view()
        self._viewer.scene.camera.set_view_direction(*_FROM_THE_FRONT)
        self.changed.emit()

    def _on_fault(self, fault: BaseException) -> None:
        self.changed.emit()
        self.failed.emit(f"The surfaces could not be made: {fault}")

    def _add(self, when: str, name: str, opacity: float, mesh: Mesh, base: Any) -> None:
        from napari.layers import Surface
        from napari.utils.colormaps.standardize_color import transform_color

        from ...evidence import organ_colour

        ids = np.unique(mesh.organ)
        table = np.zeros((int(ids.max()) + 1, 4), np.float32)
        table[ids] = transform_color([organ_colour(int(index)) for index in ids])
        layer = Surface(
            (mesh.vertices, mesh.faces),
            vertex_colors=table[mesh.organ],
            name=name,
            opacity=opacity,
            shading="smooth",
            blending="translucent" if opacity < 1 else "opaque",
            **place_of(base),
        )
        add_own(self._viewer, f"surfaces {when}", layer)
