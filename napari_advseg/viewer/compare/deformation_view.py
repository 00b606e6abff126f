"""The deformation as arrows, as a warped grid of the shown slice, or as its size in mm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer

from ..layers import known
from ..shown_field import ShownField
from .case_watch import CaseWatch
from .own_layers import add_own, own_layer, place_of, remove_own
from .warped_grid import lines_apart, warped_grid

if TYPE_CHECKING:
    from napari.components import ViewerModel

WAYS = {"": "none", "arrows": "arrows", "warped grid": "warped grid", "shift": "size in mm"}
_TOOL = "warped grid"


class DeformationView(QObject):
    """Shows one way at a time; the grid follows the shown slice."""

    def __init__(self, viewer: ViewerModel, watch: CaseWatch) -> None:
        super().__init__()
        self._viewer, self._watch = viewer, watch
        self.times = 1.0
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._draw_grid)
        self._emitters = [getattr(viewer.dims.events, name) for name in ("point", "order", "ndisplay")]
        for emitter in self._emitters:
            emitter.connect(self._on_dims)

    @property
    def way(self) -> str:
        """The key of ``WAYS`` that is seen now."""
        if own_layer(self._viewer, _TOOL) is not None:
            return _TOOL
        seen = [role for role in ("shift", "arrows") if (one := self._watch.layer(role)) is not None and one.visible]
        return seen[0] if seen else ""

    def can_show(self, way: str) -> bool:
        return not way or (self._field() if way == _TOOL else self._watch.layer(way)) is not None

    def show(self, way: str) -> None:
        for role in ("arrows", "shift"):
            if (layer := self._watch.layer(role)) is not None:
                layer.visible = role == way
        if way == _TOOL and self.can_show(way):
            self._draw_grid(anew=True)
        else:
            remove_own(self._viewer, _TOOL)

    def set_times(self, times: float) -> None:
        """How many times as large the grid is drawn."""
        self.times = times
        self._soon.start()

    def follow(self) -> None:
        """Layers came or went, or hold other content."""
        if own_layer(self._viewer, _TOOL) is not None:
            if self.can_show(_TOOL):
                self._soon.start()
            else:
                remove_own(self._viewer, _TOOL)

    def let_go(self) -> None:
        """Take the grid away and let go of the viewer; layers of the case stay as they are seen."""
        remove_own(self._viewer, _TOOL)
        self._soon.stop()
        for emitter in self._emitters:
            emitter.disconnect(self._on_dims)

    def largest(self, way: str) -> float:
        """The end of a way's colour scale, mm."""
        layer = self._watch.layer("arrows" if way == "arrows" else "shift")
        if layer is None:
            return 0.0
        limits = layer.edge_contrast_limits if way == "arrows" else layer.contrast_limits
        return float(limits[1]) if limits is not None else 0.0

    def _field(self) -> ShownField | None:
        layer = self._watch.layer("shift")
        field = known(layer).get("field") if layer is not None else None
        return field if isinstance(field, ShownField) else None

    def _on_dims(self, _event: Any = None) -> None:
        if own_layer(self._viewer, _TOOL) is not None:
            self._soon.start()

    def _draw_grid(self, anew: bool = False) -> None:
        field, base = self._field(), self._watch.layer("shift")
        old = own_layer(self._viewer, _TOOL)
        if field is None or (old is None and not anew):
            return
        vectors, shift = self._grid(field, base)
        limits = (0.0, max(0.1, self.largest(_TOOL)))
        if old is not None and len(vectors) and len(old.data) == len(vectors):
            old.data, old.features = vectors, {"mm": shift}
            old.refresh_colors()
            return
        from napari.layers import Vectors

        options: dict[str, Any] = {"ndim": 3} if not len(vectors) else {}
        if len(vectors):
            options = {"features": {"mm": shift}, "edge_color": "mm", "edge_colormap": "viridis"}
            options["edge_contrast_limits"] = limits
        layer = Vectors(
            vectors,
            name="Warped grid",
            vector_style="line",
            edge_width=0.5,
            opacity=0.8,
            visible=old.visible if old is not None else True,
            projection_mode="none",
            **options,
            **place_of(base),
        )
        add_own(self._viewer, _TOOL, layer)

    def _grid(self, field: ShownField, base: Any) -> tuple[Any, Any]:
        """Segments (n, 2, 3) in the shift layer's voxels on the shown slice, and mm of each; none beside the region."""
        dims = self._viewer.dims
        order = list(dims.order) if dims.ndim == 3 else [0, 1, 2]
        through, rows, columns = order
        index = round(float(base.world_to_data(dims.point)[through]))
        if not 0 <= index < field.shape[through]:
            return np.zeros((0, 2, 3), np.float32), np.zeros(0)
        flat = field.slice(through, index)
        if rows > columns:
            flat = flat.transpose(0, 2, 1)
        in_plane = flat[[rows, columns]]
        spacing = (float(base.scale[rows]), float(base.scale[columns]))
        segments, shift = warped_grid(in_plane, spacing, lines_apart(in_plane.shape[1:], spacing), self.times)
        vectors = np.zeros((len(segments), 2, 3), np.float32)
        vectors[:, 0, through] = index
        vectors[:, :, rows], vectors[:, :, columns] = segments[..., 0], segments[..., 1]
        return vectors, shift
