"""Which way the patient's left, back and head lie on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = Sequence[float] | NDArray[np.float64]
_LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))  # towards and away from LPS x, y, z
_SEEN = 0.26  # of a unit step: what an axis is turned by 15 degrees


@dataclass(frozen=True)
class Edges:
    """Letters at the four edges of the canvas."""

    left: str
    right: str
    top: str
    bottom: str


def towards(lps: Vector) -> str:
    """Where a vector in LPS points to, the largest part first: "L", or "LP" where it is oblique."""
    vector = np.asarray(lps, dtype=np.float64)
    unit = vector / max(float(np.linalg.norm(vector)), 1e-12)
    order = sorted(range(3), key=lambda axis: -abs(unit[axis]))
    return "".join(_LETTERS[axis][0 if unit[axis] > 0 else 1] for axis in order if abs(unit[axis]) >= _SEEN)


def edges(right: Vector, up: Vector, axes: NDArray[np.float64]) -> Edges:
    """The letters for a view.

    Parameters
    ----------
    right, up
        Vectors along the world's axes (z, y, x) that point right and up on the screen.
    axes
        3x3; column j is the LPS unit vector of the world's axis j.
    """
    across, along = axes @ np.asarray(right, float), axes @ np.asarray(up, float)
    return Edges(left=towards(-across), right=towards(across), top=towards(along), bottom=towards(-along))


def plane_vectors(
    order: Sequence[int], vertical: str = "down", horizontal: str = "right"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``right`` and ``up`` of a 2-D view whose axes have an order, the last two shown, and run down and right."""
    right, up = np.zeros(3), np.zeros(3)
    right[order[-1]] = 1.0 if horizontal == "right" else -1.0
    up[order[-2]] = -1.0 if vertical == "down" else 1.0
    return right, up


def camera_vectors(
    order: Sequence[int], view: Vector, up: Vector, right_handed: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same of a 3-D view, from the camera's directions along the shown axes."""
    across = np.cross(np.asarray(view, float), np.asarray(up, float)) * (1.0 if right_handed else -1.0)
    right, upwards = np.zeros(3), np.zeros(3)
    right[list(order)], upwards[list(order)] = across, np.asarray(up, float)
    return right, upwards
