"""What a file's header declares, held against the file before its voxels are read.

ITK fills what a NIfTI lacks with zeros, takes a voxel size of 0 or NaN for 1 mm, and allocates what a header asks for,
all without a word.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

_MOST_VOXELS = 2**31  # 8 GB of float32; a whole body at half a millimetre is less
_FRACTIONS = (sitk.sitkFloat32, sitk.sitkFloat64, sitk.sitkVectorFloat32, sitk.sitkVectorFloat64)
_GZIP = b"\x1f\x8b"


def check_declared_size(path: Path, files: list[Path]) -> None:
    """Raise a ValueError of one line where the header asks for more voxels than any CT has."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(files[0]))
    reader.ReadImageInformation()
    size = reader.GetSize()
    if math.prod(size) * len(files) > _MOST_VOXELS:
        raise ValueError(
            f"{path} declares {_times(size)} voxels{'' if len(files) == 1 else f' in each of {len(files)} files'}, more "
            f"than the {_MOST_VOXELS} that can be read: crop or resample it, or correct its header"
        )


def is_nifti(file: Path) -> bool:
    """Whether ITK reads a file as NIfTI or Analyze, whatever the case of its name's letters."""
    return bool(sitk.ImageFileReader.GetImageIOFromFileName(str(file)) == "NiftiImageIO")


def check_nifti(file: Path) -> None:
    """Raise a ValueError of one line where a NIfTI is cut off, or its voxel size is none or said in two ways."""
    image = _open_nifti(file)
    shape = image.shape
    held = image.file_map.get("header", image.file_map["image"])  # a pair of files, or one
    with held.get_prepare_fileobj("rb") as stream:  # as it is written: the one in image has been put right by nibabel
        header = type(image.header).from_fileobj(stream, check=False)
    mm = [float(value) for value in header["pixdim"][1 : 1 + min(3, len(shape))]]
    codes = [int(header[name]) if name in header else 0 for name in ("qform_code", "sform_code")]  # none in Analyze
    if not all(math.isfinite(value) and value for value in mm) or (min(mm) < 0 and not codes[1]):
        raise ValueError(
            f"{file} gives a voxel size of {_times(mm)} mm: expected positive numbers; correct pixdim in its header"
        )
    if codes[1] and not codes[0]:
        columns = np.linalg.norm(header.get_sform()[:3, : len(mm)], axis=0)
        if columns.all() and not np.allclose(columns, np.abs(mm), rtol=1e-2):
            raise ValueError(
                f"{file} gives a voxel size of {_times(mm)} mm in pixdim and {_times(columns)} mm in its sform: "
                "correct its header"
            )
    if not _whole(image):
        raise ValueError(
            f"{file} is cut off: its header declares {_times(shape)} voxels, and the file ends before: copy it anew"
        )


def is_whole_nifti(file: Path) -> bool:
    """Whether a NIfTI holds all voxels that its header declares; where it was packed, only its end is looked at."""
    try:
        return _whole(_open_nifti(file))
    except ValueError:
        return False


def _whole(image: Any) -> bool:
    needed = int(image.dataobj.offset) + math.prod(image.shape) * image.dataobj.dtype.itemsize
    return _holds(Path(image.file_map["image"].filename), needed)


def hidden_nan(file: Path, image: sitk.Image) -> int:
    """ITK's NIfTI reader turns NaN and infinite voxels into 0 without a word, so floating-point files are looked at."""
    if image.GetPixelID() not in _FRACTIONS or not is_nifti(file):
        return 0
    values = np.asanyarray(_open_nifti(file).dataobj)
    return int(values.size - np.isfinite(values).sum())


def _open_nifti(file: Path) -> Any:
    """The file by nibabel, its voxels not yet read; a ValueError of one line where it is none."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        return nibabel.load(file)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error) as fault:
        raise ValueError(f"{file} is no image that can be read: its header is no NIfTI's") from fault


def _holds(file: Path, needed: int) -> bool:
    """Whether a file holds so many bytes, unpacked where it is packed; no more than those are unpacked."""
    with file.open("rb") as stream:
        if stream.read(2) != _GZIP:
            return file.stat().st_size >= needed
        stream.seek(-4, 2)
        if int.from_bytes(stream.read(4), "little") == needed % 2**32:
            return True  # gzip's own count at the end, where nothing was cut off
    held = 0
    try:
        with gzip.open(file) as unpacked:
            while held < needed and (block := unpacked.read(2**20)):
                held += len(block)
    except (EOFError, OSError, zlib.error):
        return False
    return held >= needed


def _times(values: Any) -> str:
    return " x ".join(f"{value:.10g}" for value in values)
