"""From what the user has, a folder or a CSV, to a list of cases."""

from __future__ import annotations

import os
from pathlib import Path

from .bids import bids
from .case_table import read_table
from .layouts import case_folders, image_folders
from .listed import ListedCase, Names, under_pseudonyms

_LAYOUTS = (image_folders, bids, case_folders)
_EXPECTED = (
    "CT files or DICOM folders, a folder per case with a CT and labels, an nnU-Net or Medical Segmentation Decathlon "
    "dataset (imagesTr, labelsTr), or BIDS (sub-*/ct/*_ct.nii.gz)"
)


def read_cases(source: str | Path, *, names: Names = "pseudonym") -> tuple[ListedCase, ...]:
    """List the cases of a folder or a CSV.

    Parameters
    ----------
    source
        A folder in one of these layouts, tried in this order: ``imagesTr`` and ``labelsTr`` (nnU-Net raw, Medical
        Segmentation Decathlon; ``imagesTs`` too), BIDS, a folder per case and CT files or DICOM folders side by side.
        Or a CSV with the columns ``case``, ``ct`` and, where wanted, ``reference``, ``label_names`` and ``series``.
    names
        "pseudonym": "Case 1", "Case 2" and so on, in the order of the files' names (2 before 10) or of the CSV's rows.
        "file": as the files, the case's folder or the CSV's column ``case`` say, which may be the patient's name.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    ValueError
        One line: no case in it, or a CSV with a row that is wrong.
    """
    source = Path(source).absolute()
    try:
        exists = source.exists()
    except OSError:  # a name that is too long
        exists = False
    if not exists:
        raise FileNotFoundError(f"there is no folder or CSV file {source}")
    if source.is_dir():
        cases = next((found for layout in _LAYOUTS if (found := layout(source))), [])
    else:
        cases = read_table(source)
    if not cases:
        raise ValueError(
            f"{source} holds no case: expected {_EXPECTED}; choose such a folder, or name the CTs in a CSV"
        )
    return tuple(_distinct(cases, source) if names == "file" else under_pseudonyms(cases))


def _distinct(cases: list[ListedCase], source: Path) -> list[ListedCase]:
    """Cases that share a name (``a.nii`` and ``a.nrrd``) under their paths instead."""
    names = [case.name for case in cases]
    return [
        case
        if names.count(case.name) == 1
        else case.model_copy(update={"name": Path(os.path.relpath(case.ct, source)).as_posix()})
        for case in cases
    ]
