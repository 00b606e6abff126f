"""Which CTs a user means by files and folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

IMAGE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_LABEL_WORD = re.compile(r"d?seg|segmentations?|labels?|masks?|gt|groundtruth", re.IGNORECASE)
_LOOKED_AT = 5  # files of a folder: DICOM slices lie together, and one among a DICOMDIR and notes is enough


def cts_in(paths: Sequence[Path]) -> list[Path]:
    """The CTs that are named, and those in the folders that are named.

    A folder holds image files, or folders of DICOM slices, one CT each, or is itself a DICOM folder. Hidden files
    (AppleDouble's ``._*`` among them) are left out, and so are those whose names say that they hold labels, unless they
    are named themselves. A folder in which nothing is found stands for itself.
    """
    found: list[Path] = []
    for path in paths:
        inside = visible(path) if path.is_dir() else []
        cts = [one for one in inside if (is_image(one) or is_dicom_folder(one)) and not names_labels(one)]
        found += cts or [path]
    return found


def visible(folder: Path) -> list[Path]:
    """What a folder holds, hidden things left out, numbers in names in their order: ``ct2`` before ``ct10``."""
    return sorted((one for one in folder.iterdir() if not one.name.startswith(".")), key=natural_order)


def natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """A sorting key of a path's name in which 2 comes before 10."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts if part], path.name


def is_image(path: Path) -> bool:
    """Whether a file's name is that of a NIfTI, NRRD, MHA or MHD image."""
    return path.name.lower().endswith(IMAGE_SUFFIXES) and path.is_file()


def is_dicom_folder(path: Path) -> bool:
    """Whether a folder directly holds DICOM slices: by their suffix, or by the mark in their first bytes."""
    if not path.is_dir():
        return False
    files = [one for one in visible(path) if one.is_file() and not is_image(one)]
    return any(one.suffix.lower() in _DICOM_SUFFIXES for one in files) or any(map(_is_dicom, files[:_LOOKED_AT]))


def names_labels(path: Path) -> bool:
    """Whether the first or the last word of a file's name says that it holds labels, such as ``ct_seg.nii.gz``."""
    words = [word.rstrip("0123456789") for word in re.split(r"[-_. ]+", stem(path))]
    named = [word for word in words if word]
    return bool(named) and any(_LABEL_WORD.fullmatch(word) for word in (named[0], named[-1]))


def stem(path: Path) -> str:
    """A file's name without its image suffix, a folder's name as it is: ``ct.1.nii.gz`` is ``ct.1``."""
    name = path.name
    for suffix in sorted(IMAGE_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def reference_of(ct: Path, references: Path) -> Path:
    """The labels of a CT in a folder of them, under the CT's own name; a ValueError of one line where there is none."""
    found = image_named(references, stem(ct))
    if found is None:
        raise ValueError(
            f"{references} holds no labels named {stem(ct)}.nii.gz for {ct.name}: name them as the CTs are named"
        )
    return found


def image_named(folder: Path, name: str) -> Path | None:
    """The image file in a folder that bears a name, whatever its suffix; None where there is none."""
    return next((path for suffix in IMAGE_SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False
