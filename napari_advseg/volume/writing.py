"""Images on a CT's own grid, written aside and then renamed, so that no half-written file passes as whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .grid import Grid
from .header import is_nifti, is_whole_nifti
from .reading import image_on


def write_image(path: str | Path, array: NDArray[np.generic], grid: Grid) -> Path:
    """Write ``array`` (z, y, x) on ``grid``, in the array's own number type; returns the path."""
    if array.shape[:3] != grid.shape:
        raise ValueError(f"the array's shape {array.shape[:3]} is not the grid's {grid.shape}")
    path = Path(path)
    aside = path.with_name(f".writing-{path.name}")
    try:
        sitk.WriteImage(
            image_on(np.ascontiguousarray(array), grid), str(aside), useCompression=True, compressionLevel=1
        )
        if is_nifti(aside) and not is_whole_nifti(aside):  # ITK does not say that a packed file could not be written
            raise OSError(f"could not write {path}: only its beginning was taken; is the disk full?")
        aside.replace(path)
    except RuntimeError as fault:
        raise OSError(f"could not write {path}: is the disk full or the folder read-only?") from fault
    finally:
        aside.unlink(missing_ok=True)
    return path


def write_displacement(path: str | Path, displacement: NDArray[np.generic], grid: Grid) -> Path:
    """Write a displacement field as ITK's DisplacementFieldTransform reads it.

    Parameters
    ----------
    displacement
        (3, z, y, x), in voxels, components along the array axes (z, y, x): ``perturbed[p] = ct[p + u(p)]``.
    """
    return write_image(path, displacement_lps(displacement, grid), grid)


def displacement_lps(displacement: NDArray[np.generic], grid: Grid) -> NDArray[np.float32]:
    """(3, z, y, x) in voxels of the array axes -> (z, y, x, 3) in mm, LPS; float32."""
    steps = displacement.astype(np.float64)
    return np.asarray(np.einsum("wa,azyx->zyxw", grid.array_to_lps, steps), dtype=np.float32)
