"""A regular grid on the clean CT, as the deformation bends it: lines of one slice, without a viewer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
_ROUNDS = 12  # of the fixed point; a field that does not fold at least halves the miss in each
_FINEST_MM = 4.0
_LINES = 28  # on the longer side


def where_it_goes(displacement: NDArray[np.float32], points: Floats) -> Floats:
    """Where what lies at ``points`` in the clean slice is found in the perturbed one.

    The field pulls back, ``perturbed(q) = clean(q + u(q))``, so this is the ``q`` with ``q + u(q) = p``.

    Parameters
    ----------
    displacement
        (2, rows, columns), voxels.
    points
        (2, n), voxels.
    """
    found = points.copy()
    for _ in range(_ROUNDS):
        moved = [ndimage.map_coordinates(part, found, order=1, mode="nearest") for part in displacement]
        found = points - np.stack(moved)
    return np.asarray(found, dtype=np.float64)


def lines_apart(shape: tuple[int, int], spacing: tuple[float, float]) -> float:
    """mm between the lines: few enough to see the anatomy between them."""
    longest = max(n * mm for n, mm in zip(shape, spacing, strict=True))
    return max(_FINEST_MM, float(round(longest / _LINES)))


def warped_grid(
    displacement: NDArray[np.float32], spacing: tuple[float, float], apart_mm: float, times: float = 1.0
) -> tuple[Floats, Floats]:
    """Short segments along the bent lines.

    Parameters
    ----------
    displacement
        (2, rows, columns) in voxels, the components in the slice.
    spacing
        mm along rows and columns.
    apart_mm
        Between the lines before they are bent.
    times
        How many times as large the shift is drawn.

    Returns
    -------
    segments
        (n, 2, 2), voxels: where each starts, and its components.
    shift
        (n,), mm at the start of each, as it is and not as it is drawn.
    """
    segments, shifts = [], []
    shape = displacement.shape[1:]
    for along in (0, 1):
        across = 1 - along
        places = np.arange(0.0, shape[across], apart_mm / spacing[across])
        steps = np.linspace(0.0, shape[along] - 1.0, max(2, shape[along] // 2 + 1))
        points = np.empty((2, len(places), len(steps)))
        points[across], points[along] = places[:, None], steps[None, :]
        flat = points.reshape(2, -1)
        shift = (where_it_goes(displacement, flat) - flat).reshape(points.shape)
        drawn = points + times * shift
        starts, components = drawn[..., :-1], np.diff(drawn, axis=-1)
        segments.append(np.stack([starts.reshape(2, -1).T, components.reshape(2, -1).T], axis=1))
        length = np.sqrt(np.square(shift * np.array(spacing).reshape(2, 1, 1)).sum(0))
        shifts.append(length[..., :-1].reshape(-1))
    return np.concatenate(segments), np.concatenate(shifts)
