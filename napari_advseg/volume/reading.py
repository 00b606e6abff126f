"""CT volumes and label maps from files: NIfTI, NRRD, MHA/MHD and DICOM, through SimpleITK."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .grid import Grid
from .header import check_declared_size, check_nifti, hidden_nan, is_nifti
from .plain_json import parse_json
from .slices import check_pixels, check_slices
from .volume import Source, Volume, nan_line, volume_from_array

_SERIES_UID = "0020|000e"
_LARGEST_ID = 2**31 - 1
_REASONS = (  # in what ITK says, and what it means
    ("spacing", "its voxel size is 0 or no number"),
    ("requested region", "its slices are of several sizes"),
    ("direction", "its axes do not stand at right angles (a sheared or singular direction), or are no numbers"),
)


class SeveralSeriesError(ValueError):
    """A DICOM folder holds more than one series; ``series`` lists (UID, number of files)."""

    def __init__(self, folder: Path, series: list[tuple[str, int]]) -> None:
        self.folder = folder
        self.series = series
        listed = "; ".join(f"{index}: {count} slices, ...{uid[-12:]}" for index, (uid, count) in enumerate(series))
        super().__init__(
            f"{folder} holds {len(series)} DICOM series ({listed}): pick one by its number (--series in the shell), "
            "or give one file of the wanted series"
        )


def read_ct(path: str | Path, *, series: str | int | None = None) -> Volume:
    """Read a CT.

    Parameters
    ----------
    path
        A NIfTI, NRRD, MHA or MHD file, a folder with DICOM slices, or one DICOM file of a series.
    series
        Which DICOM series of a folder: its UID, or its number in the list that SeveralSeriesError gives.

    Returns
    -------
    Volume
        float32 HU, (z, y, x), with spacing, origin and the full direction matrix of the file.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    SeveralSeriesError
        The folder holds several series and none was picked.
    ValueError
        The file is no readable image, is cut off, is 4-D or RGB, is empty, holds NaN or infinite voxels or more of
        them than any CT has; the slices of a series have no places, or share one.
    """
    path = Path(path)
    image, files, noticed = _read_image(path, series)
    if bad := hidden_nan(files[0], image):
        raise ValueError(nan_line(bad))
    array = sitk.GetArrayFromImage(image)
    grid = grid_of(image)
    volume = volume_from_array(
        array,
        spacing=grid.spacing,
        origin=grid.origin,
        direction=grid.direction,
        source=Source(path, file_sha256(files)),
    )
    return replace(volume, warnings=(*volume.warnings, *noticed))


def read_labels(path: str | Path, onto: Grid) -> NDArray[np.int32]:
    """Read a label map and bring it to the grid ``onto`` by patient position (nearest neighbour).

    Returns
    -------
    int32 array (z, y, x) on ``onto``; 0 where the label file says nothing.

    Raises
    ------
    FileNotFoundError, ValueError
        As for :func:`read_ct`, and where the values are not whole numbers or the labels lie beside the CT.
    """
    path = Path(path)
    image, files, _ = _read_image(path, None)
    array = sitk.GetArrayFromImage(image)
    bad = hidden_nan(files[0], image) or (int((~np.isfinite(array)).sum()) if array.dtype.kind == "f" else 0)
    if bad:
        raise ValueError(f"{path} holds {bad} NaN or infinite voxels, so it is no label map: ids are whole numbers")
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise ValueError(f"{path} holds fractions, so it is no label map: give a file with one whole number per organ")
    if array.min() < 0:
        raise ValueError(f"{path} holds negative values, so it is no label map: ids start at 0 (background)")
    if not array.any():
        raise ValueError(f"{path} holds no label: every voxel is 0")
    if array.max() > _LARGEST_ID:
        raise ValueError(
            f"{path} holds the value {array.max():.10g}, so it is no label map: ids are at most {_LARGEST_ID}"
        )
    if grid_of(image).matches(onto):
        return np.asarray(array, dtype=np.int32)
    moved = sitk.Resample(
        image_on(array.astype(np.int32), grid_of(image)),
        image_on(np.zeros(onto.shape, np.uint8), onto),
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
        0,
    )
    resampled = np.asarray(sitk.GetArrayFromImage(moved), dtype=np.int32)
    if not resampled.any():
        raise ValueError(f"the labels in {path} lie beside the CT in patient space: are they of another scan?")
    return resampled


def read_label_names(path: str | Path) -> dict[int, str]:
    """Read a JSON file that names label ids, either {"liver": 5} or {"5": "liver"}; returns {id: name}."""
    path = Path(path)
    try:
        content = parse_json(path.read_text(encoding="utf-8-sig"))
        if isinstance(content, dict) and isinstance(content.get("labels"), dict):  # nnU-Net's dataset.json
            content = content["labels"]
        if not isinstance(content, dict) or not content:
            raise ValueError("no object")
        named_first = all(isinstance(value, int) for value in content.values())
        pairs = [(int(v), str(k)) if named_first else (int(k), str(v)) for k, v in content.items()]
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except (ValueError, TypeError, OSError) as fault:
        raise ValueError(f'{path} does not name labels: expected JSON such as {{"liver": 5, "spleen": 1}}') from fault
    names = dict(pairs)
    if len(names) < len(pairs):
        twice = next(index for index in names if sum(index == other for other, _ in pairs) > 1)
        raise ValueError(f"{path} names the id {twice} twice: give each organ an id of its own")
    return names


def grid_of(image: sitk.Image) -> Grid:
    """The grid of a three-dimensional SimpleITK image."""
    if image.GetDimension() != 3:
        raise ValueError(f"an image has {image.GetDimension()} axes (size {image.GetSize()}): expected three")
    x, y, z = image.GetSize()
    sx, sy, sz = image.GetSpacing()
    return Grid((z, y, x), (sz, sy, sx), tuple(image.GetOrigin()), tuple(image.GetDirection()))


def image_on(array: NDArray[np.generic], grid: Grid) -> sitk.Image:
    """A SimpleITK image of ``array`` (z, y, x), or (z, y, x, component), on ``grid``."""
    image = sitk.GetImageFromArray(array, isVector=array.ndim == 4)
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return image


def file_sha256(files: list[Path]) -> str:
    """SHA-256 of one file's bytes, or of the sorted list of hashes where there are several."""
    hashes = []
    for file in files:
        digest = hashlib.sha256()
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        hashes.append(digest.hexdigest())
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def _read_image(path: Path, series: str | int | None) -> tuple[sitk.Image, list[Path], tuple[str, ...]]:
    """The image, three-dimensional with one value per voxel, the files it was read from, and what was noticed."""
    if not _is_there(path):
        raise FileNotFoundError(f"there is no file or folder {path}")
    try:
        files = _series_files(path, series)
        check_declared_size(path, files)
        if len(files) == 1 and is_nifti(files[0]):
            check_nifti(files[0])
        image, noticed = _execute(path, files)
    except RuntimeError as fault:
        said = str(fault).replace(str(path), "")
        reason = next((f": {meaning}" for word, meaning in _REASONS if word in said), "")
        raise ValueError(f"{path} is no image that can be read (NIfTI, NRRD, MHA, MHD or DICOM){reason}") from fault
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise ValueError(
            f"{path} has {image.GetNumberOfComponentsPerPixel()} values per voxel (colour or vector): a CT has one"
        )
    if 0 in image.GetSize():
        raise ValueError(f"{path} is empty: its size is {image.GetSize()}")
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    if image.GetDimension() != 3:
        raise ValueError(
            f"{path} has {image.GetDimension()} axes (size {image.GetSize()}): give one three-dimensional volume of it"
        )
    return image, files, noticed


def _is_there(path: Path) -> bool:
    """Whether a path is that of a file or folder: a name that the system does not take, or a pipe, is not."""
    try:
        return path.is_file() or path.is_dir()
    except (OSError, ValueError):
        return False


def _execute(path: Path, files: list[Path]) -> tuple[sitk.Image, tuple[str, ...]]:
    if len(files) == 1:
        image = sitk.ReadImage(str(files[0]))
        check_pixels(path, image)
        return image, ()
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in files])
    reader.MetaDataDictionaryArrayUpdateOn()
    image = reader.Execute()
    return image, check_slices(path, reader, len(files))


def _series_files(path: Path, series: str | int | None) -> list[Path]:
    """The files of the wanted series in slice order; the file itself where it is no DICOM."""
    if path.is_dir():
        found = list(sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(path)))
        if not found:
            raise ValueError(f"{path} is a folder without a DICOM series: give a file, or a folder with DICOM slices")
        listed = [(uid, _slices(path, uid)) for uid in found]
        if isinstance(series, int) and 0 <= series < len(listed):
            return listed[series][1]
        if isinstance(series, str):
            for uid, files in listed:
                if uid == series:
                    return files
        if series is None and len(listed) == 1:
            return listed[0][1]
        raise SeveralSeriesError(path, [(uid, len(files)) for uid, files in listed])
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    if reader.HasMetaDataKey(_SERIES_UID):
        uid = reader.GetMetaData(_SERIES_UID).strip().strip("\0")
        files = _slices(path.parent, uid)
        if any(file.samefile(path) for file in files):
            return files
    return [path]


def _slices(folder: Path, uid: str) -> list[Path]:
    return [Path(name) for name in sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)]
