"""Clean and perturbed beside each other in napari's grid: one camera, one slice, one contrast for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .case_watch import CaseWatch
from .kept_looks import KeptLooks, same_style
from .own_layers import own_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

_LEFT = ("ct", "reference", "clean")
_RIGHT = ("perturbed", "shift", "intensity", "moved_reference", "attacked", "arrows")
_RIGHT_TOOLS = ("errors", "warped grid")
_SETTINGS = ("enabled", "stride", "shape", "spacing")


def two_cells(layers: Sequence[Any], left: Sequence[Any], right: Sequence[Any]) -> tuple[list[Any], int]:
    """The order, bottom first, and the grid's stride that put ``left`` into the first cell and ``right`` into the next.

    napari fills a cell with as many layers of the list as its stride says, hidden ones included; so hidden layers
    stand between the two groups. As many as the right group has are wanted in the first cell, at least.
    """
    others = [layer for layer in layers if layer not in left and layer not in right]
    stride = max(1, len(layers) - len(right))
    if len(right) > stride:
        raise ValueError("the right cell cannot hold more layers than the left one with the hidden ones")
    return [*left, *others, *right], stride


class SideBySide:
    """Two cells while it is on; then the grid, the order and the looks are as the user had left them."""

    def __init__(self, viewer: ViewerModel, watch: CaseWatch) -> None:
        self._viewer, self._watch = viewer, watch
        self._kept = KeptLooks(viewer)
        self._order: list[Any] = []
        self._grid: dict[str, Any] = {}

    @property
    def on(self) -> bool:
        return bool(self._grid)

    def start(self) -> None:
        if self.on or not self._watch.complete:
            return
        grid = self._viewer.canvas.grid
        self._grid = {name: getattr(grid, name) for name in _SETTINGS}
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
        grid, before = self._viewer.canvas.grid, self._grid
        self._grid = {}
        grid.enabled = before.pop("enabled")
        for name, value in before.items():
            setattr(grid, name, value)
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
        grid = self._viewer.canvas.grid
        grid.shape, grid.stride, grid.spacing = (1, 2), stride, 0.01
        grid.enabled = True

    def _reorder(self, order: list[Any]) -> None:
        """Bring the listed layers into an order; others stay above them."""
        layers = self._viewer.layers
        rest = [layer for layer in layers if layer not in order]
        for place, layer in enumerate([*order, *rest]):
            if layers.index(layer) != place:
                layers.move(layers.index(layer), place)
