"""HU windows as radiologists know them, applied to all CTs at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..layers import known

if TYPE_CHECKING:
    from napari.components import ViewerModel


@dataclass(frozen=True)
class Window:
    """Centre and width, HU."""

    name: str
    level: float
    width: float

    @property
    def limits(self) -> tuple[float, float]:
        return self.level - self.width / 2, self.level + self.width / 2


WINDOWS = (
    Window("abdomen", 40, 400),
    Window("liver", 60, 160),
    Window("lung", -600, 1500),
    Window("bone", 400, 1800),
    Window("brain", 40, 80),
)


def ct_layers(viewer: ViewerModel) -> list[Any]:
    """This plugin's CTs, clean and perturbed, the wiped one, and the user's layers that they were taken from."""
    taken = {known(layer).get("taken_from") for layer in viewer.layers} - {None}
    return [
        layer
        for layer in viewer.layers
        if known(layer).get("role") in ("ct", "perturbed", "compare wiped CT") or layer.unique_id in taken
    ]


def apply_window(viewer: ViewerModel, window: Window) -> int:
    """Show all CTs in a window; gives how many there are."""
    layers = ct_layers(viewer)
    for layer in layers:
        layer.contrast_limits = window.limits
    return len(layers)
