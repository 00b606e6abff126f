"""A wipe: the perturbed CT on one side of a line, the clean one on the other, segmentations with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .case_watch import CaseWatch
from .composed import Wiped
from .kept_looks import KeptLooks, same_style
from .own_layers import add_own, own_layer, place_of, remove_own
from .wipe_drag import WipeDrag

if TYPE_CHECKING:
    from napari.components import ViewerModel

_PAIRS = (("wiped CT", "perturbed", "ct"), ("wiped segmentation", "attacked", "clean"))
_OF_ONE_SIDE = ("reference", "moved_reference")
_WHITE = 10_000.0  # HU, above every window: the line


class Wipe:
    """While it is on, a composed CT stands in place of both; it is read slice by slice, so nothing is copied.

    ``dragged`` is given the place to which the line is dragged in the canvas, and is to move it there.
    """

    def __init__(self, viewer: ViewerModel, watch: CaseWatch, dragged: Callable[[float], object]) -> None:
        self._viewer, self._watch = viewer, watch
        self._drag = WipeDrag(viewer, dragged)
        self._kept = KeptLooks(viewer)
        self._arrays: dict[str, Wiped] = {}
        self._place = 0.5

    @property
    def on(self) -> bool:
        return bool(self._arrays)

    def start(self) -> None:
        """Raises ValueError where the layers are not of one shape."""
        watch = self._watch
        if self.on or not watch.complete:
            return
        made = {
            tool: self._compose(changed, clean, _WHITE if tool == "wiped CT" else None)
            for tool, changed, clean in _PAIRS
            if watch.layer(changed) is not None and watch.layer(clean) is not None
        }
        self._kept.keep(watch.roles.values())
        seen = {role: layer.visible for role, layer in watch.roles.items()}
        self._arrays = made
        self.move(self._place)
        for tool, changed, clean in _PAIRS:
            if tool in made and (tool == "wiped CT" or seen[changed] or seen[clean]):
                self._show(tool, watch.layer(changed), watch.layer(clean))
        for role in ("ct", "perturbed", "clean", "attacked", *_OF_ONE_SIDE):
            if (layer := watch.layer(role)) is not None:
                layer.visible = False
        self._drag.start(made["wiped CT"])
        self._viewer.dims.events.order.connect(self._on_order)
        self._viewer.dims.events.ndisplay.connect(self._on_order)

    def stop(self) -> None:
        if not self.on:
            return
        self._drag.stop()
        self._viewer.dims.events.order.disconnect(self._on_order)
        self._viewer.dims.events.ndisplay.disconnect(self._on_order)
        self._arrays = {}
        for tool, _, _ in _PAIRS:
            remove_own(self._viewer, tool)
        self._kept.restore()

    def follow(self) -> None:
        """Layers came or went."""
        if self.on and (not self._watch.complete or own_layer(self._viewer, "wiped CT") is None):
            self.stop()

    def renew(self) -> None:
        """The composed layers' sources hold other content, or the line has moved."""
        for tool in self._arrays:
            if (layer := own_layer(self._viewer, tool)) is not None:
                layer.refresh()

    def move(self, place: float) -> None:
        """Put the line at a place from 0 (left: all clean) to 1 (right: all perturbed)."""
        self._place = place
        axis = self._viewer.dims.order[-1] if self._viewer.dims.ndim == 3 else 2
        for array in self._arrays.values():
            array.axis = axis
            array.edge = round(place * array.shape[axis])
        self.renew()

    def _on_order(self, _event: Any = None) -> None:
        self.move(self._place)

    def _compose(self, changed: str, clean: str, line: float | None) -> Wiped:
        watch = self._watch
        left, right = watch.layer(changed), watch.layer(clean)
        kind = "float32" if line is not None else max(left.data.dtype, right.data.dtype)
        return Wiped(lambda: left.data, lambda: right.data, kind, line)

    def _show(self, tool: str, changed: Any, clean: Any) -> None:
        from napari.layers import Image, Labels

        layer: Any
        if tool == "wiped CT":
            options = {"contrast_limits": clean.contrast_limits, "gamma": clean.gamma, "colormap": clean.colormap}
            layer = Image(self._arrays[tool], name="Wipe: perturbed | clean", **options, **place_of(clean))
            add_own(self._viewer, tool, layer, above=self._higher(changed, clean))
            self._viewer.layers.link_layers([clean, changed, layer], ("contrast_limits", "gamma"))
        else:
            options = {"colormap": clean.colormap, "features": clean.features}
            layer = Labels(self._arrays[tool], name="Wipe: segmentations", **options, **place_of(clean))
            layer.editable = False
            same_style(layer, clean)
            add_own(self._viewer, tool, layer, above=self._higher(changed, clean))

    def _higher(self, one: Any, other: Any) -> Any:
        layers = self._viewer.layers
        return max(one, other, key=layers.index)
