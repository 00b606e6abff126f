"""Two cells of napari's grid beside each other, and the user's grid and zoom given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .canvas_parts import camera_of, grid_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

_SETTINGS = ("stride", "shape", "spacing")
_GAP = 0.01  # of a cell
_NARROWER = 0.5  # a cell is half as wide: the same field of view needs half the zoom


def two_cells(layers: Sequence[Any], left: Sequence[Any], right: Sequence[Any]) -> tuple[list[Any], int]:
    """The order, bottom first, and the grid's stride that put ``left`` into the first cell and ``right`` into the next.

    napari fills a cell with as many layers of the list as its stride says, hidden ones included; so the hidden layers
    stand between the two groups.

    Raises
    ------
    ValueError
        The right group has more layers than all others together.
    """
    others = [layer for layer in layers if layer not in left and layer not in right]
    stride = max(1, len(layers) - len(right))
    if len(right) > stride:
        raise ValueError("the right cell cannot hold more layers than the left one with the hidden ones")
    return [*left, *others, *right], stride


class TwoCells:
    """The grid of a viewer, while it is split in two."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._before: dict[str, Any] = {}

    @property
    def on(self) -> bool:
        return bool(self._before)

    def split(self, stride: int) -> None:
        """May be called again with another stride."""
        grid, camera = grid_of(self._viewer), camera_of(self._viewer)
        if not self.on:
            self._before = {name: getattr(grid, name) for name in _SETTINGS} | {"enabled": grid.enabled}
            if not grid.enabled:
                camera.zoom *= _NARROWER
        grid.shape, grid.stride, grid.spacing = (1, 2), stride, _GAP
        grid.enabled = True

    def join(self) -> None:
        """The grid as the user had it."""
        if not self.on:
            return
        grid, camera = grid_of(self._viewer), camera_of(self._viewer)
        before, self._before = self._before, {}
        if not before["enabled"]:
            camera.zoom /= _NARROWER
        grid.enabled = before["enabled"]
        for name in _SETTINGS:
            setattr(grid, name, before[name])
