"""What lies under the cursor, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..layers import known


@dataclass(frozen=True)
class ReadOut:
    """HU, mm and organ names at a place; None where there is no such layer or the place lies outside it."""

    before: float | None = None
    after: float | None = None
    shift: float | None = None
    clean: str | None = None
    attacked: str | None = None

    @property
    def lines(self) -> tuple[str, str, str]:
        """HU, displacement and labels, for the user."""
        hu = shift = labels = "–"
        if self.before is not None:
            hu = f"{self.before:.0f} HU"
            if self.after is not None:
                hu = f"{self.before:.0f} → {self.after:.0f} HU ({self.after - self.before:+.0f})"
        if self.shift is not None:
            shift = f"{self.shift:.1f} mm"
        if self.clean is not None:
            labels = self.clean
            if self.attacked is not None:
                labels = (
                    f"{self.clean} → {self.attacked}" if self.attacked != self.clean else f"{self.clean}, unchanged"
                )
        return hu, shift, labels


def value_at(layer: Any, world: Sequence[float]) -> float | None:
    """What a layer holds at a place of the world, of its nearest voxel; None outside."""
    if layer is None or len(world) != layer.ndim:
        return None
    index = np.rint(layer.world_to_data(world)).astype(int)
    if (index < 0).any() or (index >= np.array(layer.data.shape)).any():
        return None
    return float(layer.data[tuple(int(n) for n in index)])


def label_at(layer: Any, world: Sequence[float]) -> str | None:
    """The organ's name at a place."""
    value = value_at(layer, world)
    if value is None:
        return None
    if value == 0:
        return "background"
    return str(known(layer).get("names", {}).get(int(value), f"label {int(value)}")).replace("_", " ")


def read_out(roles: Mapping[str, Any], world: Sequence[float]) -> ReadOut:
    """Read the case's layers at a place; the shift is 0 beside the region that could move."""
    before = value_at(roles.get("ct"), world)
    shift = value_at(roles.get("shift"), world)
    if shift is None and before is not None and "shift" in roles:
        shift = 0.0
    return ReadOut(
        before=before,
        after=value_at(roles.get("perturbed"), world),
        shift=shift,
        clean=label_at(roles.get("clean"), world),
        attacked=label_at(roles.get("attacked"), world),
    )
