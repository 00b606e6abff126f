"""Clean and perturbed beside each other in napari's grid: one camera, one slice, one contrast for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .case_watch import CaseWatch
from .kept_looks import KeptLooks, same_style
from .own_layers import own_layer
from .two_cells import TwoCells, two_cells

if TYPE_CHECKING:
    from napari.components import ViewerModel

_LEFT = ("ct", "reference", "clean")
_RIGHT = ("perturbed", "shift", "intensity", "moved_reference", "attacked", "arrows")
_RIGHT_TOOLS = ("errors", "warped grid")


class SideBySide:
    """Two cells while it is on; then the grid, the order and the looks are as the user had left them."""

    def __init__(self, viewer: ViewerModel, watch: CaseWatch) -> None:
        self._viewer, self._watch = viewer, watch
        self._kept = KeptLooks(viewer)
        self._order: list[Any] = []
        self._cells = TwoCells(viewer)

    @property
    def on(self) -> bool:
        return self._cells.on

    def start(self) -> None:
        if self.on or not self._watch.complete:
            return
        self._order = list(self._viewer.layers)
        self._arrange()

    def follow(self) -> None:
        """Layers came or went."""
        if self.on and not self._watch.complete:
            self.stop()
        elif self.on:
            self._order += [layer for layer in self._viewer.layers if layer not in self._order]
            self._arrange()

    def stop(self) -> None:
        if not self.on:
            return
        self._cells.join()
        self._reorder([layer for layer in self._order if layer in self._viewer.layers])
        self._kept.restore()

    def _arrange(self) -> None:
        layers, watch = self._viewer.layers, self._watch
        self._kept.keep(layers)
        pair = watch.layer("clean"), watch.layer("attacked")
        if None not in pair and (pair[0].visible or pair[1].visible):
            same_style(pair[1], pair[0])
            pair[0].visible = pair[1].visible = True
        left = [layer for role in _LEFT if (layer := watch.layer(role)) is not None]
        right = [layer for role in _RIGHT if (layer := watch.layer(role)) is not None and layer.visible]
        tools = [own_layer(self._viewer, tool) for tool in _RIGHT_TOOLS]
        right += [layer for layer in tools if layer is not None and layer.visible]
        perturbed = watch.layer("perturbed")
        right = [perturbed, *(layer for layer in right if layer is not perturbed)]
        for layer in layers:
            if layer not in left and layer not in right:
                layer.visible = False
        left[0].visible = perturbed.visible = True
        # The right cell is counted from the end, so it must not be the fuller one.
        while len(right) > len(layers) - len(right):
            right.pop().visible = False
        order, stride = two_cells(list(layers), left, right)
        self._reorder(order)
        self._cells.split(stride)

    def _reorder(self, order: list[Any]) -> None:
        """Bring the listed layers into an order; others stay above them."""
        layers = self._viewer.layers
        rest = [layer for layer in layers if layer not in order]
        for place, layer in enumerate([*order, *rest]):
            if layers.index(layer) != place:
                layers.move(layers.index(layer), place)
