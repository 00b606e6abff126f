"""The viewer's camera and grid, where napari keeps them: they moved in 0.9."""

from __future__ import annotations

from typing import Any


def camera_of(viewer: Any) -> Any:
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def grid_of(viewer: Any) -> Any:
    return viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid
