"""Which CTs a user means by files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_IMAGES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")


def cts_in(paths: Sequence[Path]) -> list[Path]:
    """The CTs that are named, and those in the folders that are named.

    A folder holds image files, or folders of DICOM slices, one CT each, or is itself a DICOM folder.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else []
        images = [one for one in inside if one.name.endswith(_IMAGES)]
        folders = [one for one in inside if one.is_dir() and not one.name.startswith(".")]
        found += images or (folders if len(folders) == len(inside) and folders else [path])
    return found


def reference_of(ct: Path, references: Path) -> Path:
    """The labels of a CT in a folder of them, under the CT's own name; a ValueError of one line where there is none."""
    stem = ct.name.split(".")[0] if ct.is_file() else ct.name
    for ending in _IMAGES:
        if (path := references / f"{stem}{ending}").exists():
            return path
    raise ValueError(f"{references} holds no labels named {stem}.nii.gz for {ct.name}: name them as the CTs are named")
