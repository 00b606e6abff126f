"""The wipe's line under the mouse: it is taken where the cursor is near it, and the camera stands still meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from .canvas_parts import camera_of
from .own_layers import own_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from .composed import Wiped

_GRIP = 8  # pixels from the line


class WipeDrag:
    """``moved`` is given the place that the line is dragged to, from 0 to 1."""

    def __init__(self, viewer: ViewerModel, moved: Callable[[float], object]) -> None:
        self._viewer, self._moved = viewer, moved
        self._array: Wiped | None = None
        self._pointing = False

    def start(self, array: Wiped) -> None:
        """Watch the mouse; ``array`` knows where the line is."""
        self._array = array
        self._viewer.mouse_drag_callbacks.append(self._on_drag)
        self._viewer.mouse_move_callbacks.append(self._on_move)

    def stop(self) -> None:
        if self._array is not None:
            self._array = None
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)
            self._viewer.mouse_move_callbacks.remove(self._on_move)
            self._point(False)

    def _on_drag(self, _viewer: Any, event: Any) -> Generator[None, None, None]:
        if event.button not in (None, 1) or not self._near(event.position):
            return
        camera = camera_of(self._viewer)
        before = camera.mouse_pan
        camera.mouse_pan = False
        try:
            yield
            while event.type == "mouse_move":
                self._follow(event.position)
                yield
        finally:
            camera.mouse_pan = before

    def _on_move(self, _viewer: Any, event: Any) -> None:
        self._point(self._near(event.position))

    def _follow(self, position: Any) -> None:
        array, voxel = self._array, self._voxel(position)
        if array is not None and voxel is not None:
            self._moved(min(1.0, max(0.0, voxel / array.shape[array.axis])))

    def _near(self, position: Any) -> bool:
        """Whether the line is there; a tool that paints or picks keeps its mouse."""
        array, voxel, viewer = self._array, self._voxel(position), self._viewer
        active = viewer.layers.selection.active
        if array is None or voxel is None or (active is not None and str(active.mode) != "pan_zoom"):
            return False
        mm = float(own_layer(viewer, "wiped CT").scale[array.axis])
        beside = max(0.0, abs(voxel - array.edge) - 0.5) * mm  # the line is a voxel wide
        return bool(beside * camera_of(viewer).zoom <= _GRIP)

    def _voxel(self, position: Any) -> float | None:
        """The place on the wiped axis; None where it is not seen in 2-D."""
        layer = own_layer(self._viewer, "wiped CT")
        if layer is None or self._array is None or self._viewer.dims.ndisplay != 2:
            return None
        return float(layer.world_to_data(position)[self._array.axis])

    def _point(self, pointing: bool) -> None:
        if pointing != self._pointing:
            self._pointing = pointing
            self._viewer.cursor.style = "pointing" if pointing else "standard"
