"""Organs as surfaces, by marching cubes; arrays alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_MOST_VOXELS = 3_000_000  # of an organ's box that are marched at full size


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of several organs together.

    Parameters
    ----------
    vertices
        (n, 3), voxels (z, y, x).
    faces
        (m, 3), indices of vertices.
    organ
        (n,), the organ of each vertex.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]
    organ: NDArray[np.int64]


def organ_mesh(labels: NDArray[np.integer], organs: Collection[int]) -> Mesh:
    """The surfaces of the given ids in an array (z, y, x); large organs are marched in greater steps."""
    from skimage import measure

    marching_cubes: Any = measure.marching_cubes

    vertices, faces, organ, count = [], [], [], 0
    boxes = ndimage.find_objects(labels)
    for index in sorted(organs):
        box = boxes[index - 1] if 0 < index <= len(boxes) else None
        if box is None:
            continue
        inside = np.pad(labels[box] == index, 1)  # so that the surface is closed at the array's edge
        step = max(1, int(np.ceil((inside.size / _MOST_VOXELS) ** (1 / 3))))
        inside = np.pad(inside, [(0, step)] * 3)
        try:
            points, triangles, _, _ = marching_cubes(inside.astype(np.float32), 0.5, step_size=step)
        except (ValueError, RuntimeError):  # smaller than a step
            continue
        vertices.append(points + np.array([one.start - 1 for one in box]))
        faces.append(triangles.astype(np.int64) + count)
        organ.append(np.full(len(points), index))
        count += len(points)
    if not vertices:
        return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int64), np.zeros(0, np.int64))
    return Mesh(np.concatenate(vertices).astype(np.float32), np.concatenate(faces), np.concatenate(organ))
