"""Organs as surfaces, by marching cubes; arrays alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_LIGHT = (0.45, -0.8, 0.4)  # comes from above, in front and the left; (z, y, x) towards S, P, L
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


def brightness(mesh: Mesh, spacing: tuple[float, float, float]) -> NDArray[np.float32]:
    """How bright each vertex is, 0.3 to 1, in a light that stands still beside the patient.

    ``spacing`` is in mm along (z, y, x); napari's own light does not follow a camera whose axes are turned.
    """
    corners = (mesh.vertices * np.array(spacing, np.float32))[mesh.faces]
    facing = np.cross(corners[:, 2] - corners[:, 0], corners[:, 1] - corners[:, 0])  # outwards
    normals = np.zeros_like(mesh.vertices)
    for corner in range(3):
        np.add.at(normals, mesh.faces[:, corner], facing)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    lit = normals @ (np.array(_LIGHT, np.float32) / np.linalg.norm(_LIGHT))
    return np.asarray((0.3 + 0.35 * (1 + lit)).clip(0, 1), np.float32)
