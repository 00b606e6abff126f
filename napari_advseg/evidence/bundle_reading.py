"""A bundle read back: all that a viewer or a report shows of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..attacks import Organ, PathPoint
from ..volume import Grid, Region, check_nifti, parse_json
from ..volume.reading import grid_of
from .record_schema import check_claims
from .stored_path import PATH_FILE, StoredPath

RECORD = "result.json"
FIGURE = "figure.png"
_LABELS = ("clean_segmentation", "attacked_segmentation", "reference", "moved_reference")
_NEEDED = {
    "ct": dict, "network": dict, "target_drop": float, "tolerance": float, "achieved_drop": float, "reached": bool,
    "dice": dict, "organs": list, "control": dict, "budget": dict, "change": dict, "cost": dict, "region": str,
    "strength": float, "strength_path": list, "attacker": str, "interpolation": str, "seed": int,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle in memory; every array is on ``grid``, the CT's own.

    Parameters
    ----------
    record
        The content of result.json.
    perturbed
        int16 (z, y, x), whole HU.
    displacement_mm
        float32 (z, y, x, 3), mm, LPS; pull-back: ``perturbed(p) = CT(p + u(p)) + a(p)``.
    appearance
        float32 (z, y, x), HU added.
    clean_labels, attacked_labels
        uint16 (z, y, x), the network's class ids on the CT and on the perturbed CT.
    reference, moved_reference
        uint16 (z, y, x), the reference in the network's ids, and moved with the anatomy.
    path
        What changes of other strengths are made from; None in a bundle that holds no path.safetensors.
    """

    folder: Path
    record: dict[str, Any]
    grid: Grid
    perturbed: NDArray[np.int16]
    displacement_mm: NDArray[np.float32]
    appearance: NDArray[np.float32]
    clean_labels: NDArray[np.uint16]
    attacked_labels: NDArray[np.uint16]
    reference: NDArray[np.uint16]
    moved_reference: NDArray[np.uint16]
    path: StoredPath | None

    @property
    def organs(self) -> tuple[Organ, ...]:
        """The scored organs with their Dice, as recorded."""
        return tuple(
            Organ(int(o["id"]), str(o["name"]), int(o["voxels"]), float(o["clean"]), float(o["attacked"]))
            for o in self.record["organs"]
        )

    @property
    def region(self) -> Region:
        """Where the CT may have changed."""
        return Region.parse(self.record["region"], self.grid)

    @property
    def points(self) -> tuple[PathPoint, ...]:
        """The measured points of the strength path, by strength."""
        return tuple(PathPoint(float(strength), float(drop)) for strength, drop in self.record["strength_path"])


def read_bundle(folder: str | Path, grid: Grid | None = None) -> Bundle:
    """Read a bundle.

    Parameters
    ----------
    grid
        The CT's grid, which the bundle must lie on; None to take the bundle's own.

    Raises
    ------
    FileNotFoundError
        The folder is no bundle.
    ValueError
        One line: a file is missing, cannot be read, holds something else, or lies on another grid.
    """
    folder = Path(folder)
    record = read_record(folder)
    perturbed, grid = _read(folder, "perturbed", grid, "the CT" if grid is not None else "")

    def read(name: str) -> NDArray[Any]:
        return _read(folder, name, grid, "the perturbed CT")[0]

    displacement, appearance = read("displacement"), read("appearance")
    if displacement.shape != (*grid.shape, 3):
        raise ValueError(
            f"{folder / 'displacement.nii.gz'} must hold three components per voxel (mm, LPS); "
            f"got an array of shape {displacement.shape}: attack anew"
        )
    labels = {name: read(name) for name in _LABELS}
    for name, array in ({"perturbed": perturbed} | labels).items():
        if not np.issubdtype(array.dtype, np.integer):
            raise ValueError(f"{folder / name}.nii.gz must hold whole numbers; got {array.dtype}: attack anew")
    labels = {name: np.asarray(array, np.uint16) for name, array in labels.items()}
    stored = folder / PATH_FILE
    bundle = Bundle(
        folder=folder,
        record=record,
        grid=grid,
        perturbed=np.asarray(perturbed, np.int16),
        displacement_mm=np.asarray(displacement, np.float32),
        appearance=np.asarray(appearance, np.float32),
        clean_labels=labels["clean_segmentation"],
        attacked_labels=labels["attacked_segmentation"],
        reference=labels["reference"],
        moved_reference=labels["moved_reference"],
        path=StoredPath.read(stored) if stored.is_file() else None,
    )
    try:
        _ = bundle.region, bundle.organs, bundle.points  # what is wrong in them is said now
    except (KeyError, TypeError, OverflowError) as fault:
        raise ValueError(
            f"{folder / RECORD} holds organs or a strength path that an attack does not write ({fault!r}): attack anew"
        ) from fault
    check_claims(record, folder / RECORD)
    if bundle.path is not None and bundle.path.region != bundle.region:
        raise ValueError(
            f"{stored} belongs to the region {bundle.path.region}, {RECORD} names {bundle.region}: "
            "the files are of two bundles; attack anew"
        )
    return bundle


def read_record(folder: Path) -> dict[str, Any]:
    """The content of a bundle's result.json, its keys and their types checked; see :func:`read_bundle` for errors."""
    path = folder / RECORD
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no attack bundle: it has no {RECORD}")
    try:
        record = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise ValueError(f"{path} is no JSON ({' '.join(str(fault).split())}): attack anew") from fault
    if not isinstance(record, dict):
        raise ValueError(f"{path} must hold a JSON object; got {type(record).__name__}: attack anew")
    for key, kind in _NEEDED.items():
        value = record.get(key)
        if not (isinstance(value, kind) or (kind is float and type(value) is int)):
            got = f"a {type(value).__name__}" if key in record else "nothing"
            raise ValueError(f"{path} must hold {key!r} as a {kind.__name__}; got {got}: attack anew")
        if kind is float and not math.isfinite(cast("float", value)):
            raise ValueError(f"{path} must hold {key!r} as a finite number; got {value}: attack anew")
    if not isinstance(record["ct"].get("path"), str | None):
        raise ValueError(f"{path} must hold the CT's path as text; got {record['ct']['path']!r}: attack anew")
    return cast("dict[str, Any]", record)


def _read(folder: Path, name: str, grid: Grid | None, whose: str) -> tuple[NDArray[Any], Grid]:
    """The image ``name`` and its grid, which is that of ``whose`` where one is given."""
    image = read_stored(folder, name)
    own = grid_of(image)
    if grid is not None and not own.matches(grid):
        raise ValueError(
            f"{folder / name}.nii.gz lies on another grid ({_said(own)}) than {whose} ({_said(grid)}): "
            f"{'give the CT that was attacked' if whose == 'the CT' else 'copy the bundle anew, or attack anew'}"
        )
    return np.asarray(sitk.GetArrayFromImage(image)), own if grid is None else grid


def read_stored(folder: Path, name: str) -> sitk.Image:
    """A bundle's image ``name``; a ValueError of one line where it is missing or cannot be read."""
    path = folder / f"{name}.nii.gz"
    if not path.is_file():
        raise ValueError(f"the bundle has no {path.name} in {folder}: copy it whole, or attack anew")
    try:
        check_nifti(path)  # what is cut off, ITK fills with zeros
        return sitk.ReadImage(str(path))
    except RuntimeError as fault:
        raise ValueError(f"{path} cannot be read as an image: copy the bundle anew, or attack anew") from fault


def _said(grid: Grid) -> str:
    """Shape and spacing along (z, y, x), and the origin: what tells two grids apart at a glance."""
    shape = " x ".join(str(n) for n in grid.shape)
    spacing = " x ".join(f"{mm:.4g}" for mm in grid.spacing)
    return f"{shape} voxels of {spacing} mm at {', '.join(f'{mm:.1f}' for mm in grid.origin)}"
