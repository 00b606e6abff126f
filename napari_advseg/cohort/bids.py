"""BIDS: CTs under ``sub-*``, their segmentations under ``derivatives``."""

from __future__ import annotations

import csv
from pathlib import Path

from ..case.folder import is_image, natural_order, stem
from .listed import ListedCase

_FOLDERS = ("ct", "anat")
_OF_THE_RESULT = {"desc", "space", "res", "den", "label", "atlas", "seg", "hemi"}  # entities that a CT does not have


def bids(root: Path) -> list[ListedCase]:
    """CTs of a BIDS dataset: ``sub-*/[ses-*/]ct/*_ct.nii.gz``, or in ``anat``.

    A CT's reference is the ``*_dseg.nii.gz`` under ``derivatives/*/`` of the same subject and session whose other
    entities (``acq-``, ``run-``) do not contradict; its names are those of the ``.tsv`` beside it or of a ``*dseg.tsv``
    in a folder above it.

    Raises
    ------
    ValueError
        Several segmentations fit a CT, or a ``.tsv`` without the columns ``index`` and ``name``.
    """
    cts = [
        path
        for folder in _FOLDERS
        for between in ("", "ses-*/")
        for path in root.glob(f"sub-*/{between}{folder}/*")
        if _is_visible_image(path) and stem(path).lower().endswith("_ct")
    ]
    segmentations = [path for path in root.glob("derivatives/*/sub-*/**/*_dseg.*") if _is_visible_image(path)]
    cases = []
    for ct in sorted(cts, key=natural_order):
        reference = _reference(ct, segmentations)
        names = None if reference is None else _label_names(reference, root)
        cases.append(ListedCase(name=stem(ct)[: -len("_ct")], ct=ct, reference=reference, label_names=names))
    return cases


def _is_visible_image(path: Path) -> bool:
    return not path.name.startswith(".") and is_image(path)


def _entities(name: str) -> dict[str, str]:
    """``sub-01_acq-thin_ct`` -> {"sub": "01", "acq": "thin"}."""
    pairs = (part.partition("-") for part in name.split("_")[:-1])
    return {key: value for key, dash, value in pairs if dash}


def _reference(ct: Path, segmentations: list[Path]) -> Path | None:
    own = _entities(stem(ct))
    agreeing: dict[int, list[Path]] = {}
    for path in segmentations:
        other = {key: value for key, value in _entities(stem(path)).items() if key not in _OF_THE_RESULT}
        same_person = all(own.get(key) == other.get(key) for key in ("sub", "ses"))
        if same_person and all(own.get(key) == value for key, value in other.items()):
            agreeing.setdefault(len(other), []).append(path)
    if not agreeing:
        return None
    best = agreeing[max(agreeing)]
    if len(best) > 1:
        raise ValueError(
            f"{len(best)} segmentations fit {ct.name} ({best[0].name}, {best[1].name}): list the CTs and the wanted "
            "segmentations in a CSV"
        )
    return best[0]


def _label_names(reference: Path, root: Path) -> dict[int, str] | None:
    beside = reference.with_name(f"{stem(reference)}.tsv")
    if beside.is_file():
        return _read_names(beside)
    own = _entities(stem(reference)).items()
    for folder in reference.parents:
        if folder in (root, root / "derivatives"):
            break
        for path in sorted(folder.glob("*dseg.tsv"), reverse=True):
            if not path.name.startswith(".") and _entities(path.stem).items() <= own:
                return _read_names(path)
    return None


def _read_names(path: Path) -> dict[int, str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return {int(row["index"]): row["name"] for row in csv.DictReader(stream, delimiter="\t")}
    except (ValueError, KeyError, TypeError) as fault:
        raise ValueError(
            f"{path} does not name labels: expected the columns index (a whole number) and name"
        ) from fault
