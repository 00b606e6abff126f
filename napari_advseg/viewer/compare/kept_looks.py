"""How layers looked before a tool changed it, to be given back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..layers import known

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_NAMES = ("visible", "opacity", "contour")


class KeptLooks:
    """Remembers the first look of each layer that it was shown; a layer that is replaced goes by its case and role."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._kept: dict[Any, dict[str, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, layers: Iterable[Layer]) -> None:
        for layer in layers:
            self._kept.setdefault(_who(layer), look_of(layer))

    def restore(self) -> None:
        """Give all looks back and forget them."""
        kept, self._kept = self._kept, {}
        for layer in self._viewer.layers:
            give_look(layer, kept.get(_who(layer), {}))


def look_of(layer: Layer) -> dict[str, Any]:
    return {name: getattr(layer, name) for name in _NAMES if hasattr(layer, name)}


def give_look(layer: Layer, look: dict[str, Any]) -> None:
    for name, value in look.items():
        if hasattr(layer, name) and getattr(layer, name) != value:
            setattr(layer, name, value)


def same_style(layer: Layer, other: Layer) -> None:
    """Draw one segmentation as another is drawn."""
    give_look(layer, {name: value for name, value in look_of(other).items() if name != "visible"})


def _who(layer: Layer) -> Any:
    noted = known(layer)
    return (noted["case"], noted["role"]) if "case" in noted and "role" in noted else layer.unique_id
