"""A displacement field in the viewer's axes, turned only where it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .placement import Placement


@dataclass(frozen=True, eq=False)
class ShownField:
    """Views of the field's components along the shown (z, y, x), voxels, and the sense of each."""

    components: tuple[NDArray[np.float32], ...]
    signs: tuple[float, float, float]

    @classmethod
    def of(cls, placement: Placement, displacement: NDArray[np.float32]) -> ShownField:
        """``displacement`` is (3, z, y, x) in voxels along the CT's axes; it is not copied."""
        turned = placement.to_shown(displacement)
        signs = [-1.0 if axis in placement.change.flips else 1.0 for axis in range(3)]
        return cls(tuple(turned[axis] for axis in placement.change.order), (signs[0], signs[1], signs[2]))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.components[0].shape

    def slice(self, axis: int, index: int) -> NDArray[np.float32]:
        """(3, ...) of one slice across a shown axis, voxels along the shown axes."""
        key: list[Any] = [slice(None)] * 3
        key[axis] = index
        parts = [sign * part[tuple(key)] for part, sign in zip(self.components, self.signs, strict=True)]
        return np.stack(parts).astype(np.float32)
