"""How much a CT may change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Bounds that are never exceeded.

    Parameters
    ----------
    max_displacement_mm
        Greatest displacement, mm.
    max_hu
        Greatest added intensity, HU.
    jacobian
        Range of the one-sided Jacobian determinants.
    """

    max_displacement_mm: float = 5.0
    max_hu: float = 15.0
    jacobian: tuple[float, float] = (0.5, 2.0)

    def __post_init__(self) -> None:
        if not 0 <= self.max_displacement_mm <= 100:
            raise ValueError(f"the greatest displacement must be 0 to 100 mm; got {self.max_displacement_mm}")
        if not 0 <= self.max_hu <= 1000:
            raise ValueError(f"the greatest intensity change must be 0 to 1000 HU; got {self.max_hu}")
        low, high = self.jacobian
        if not 0 < low < 1 < high:
            raise ValueError(f"the Jacobian range needs 0 < low < 1 < high; got {self.jacobian}")
