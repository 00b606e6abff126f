"""Folders of cases: datasets with folders of images and labels, a folder per case, and CTs side by side."""

from __future__ import annotations

import re
from pathlib import Path

from ..case import cts_in
from ..case.folder import image_named, is_dicom_folder, is_image, names_labels, natural_order, stem, visible
from ..volume import parse_json
from .listed import ListedCase

_CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")
_CT_NAMES = ("ct", "image", "imaging", "dicom")
_LABEL_NAMES = ("labels", "label", "segmentation", "seg")


def image_folders(root: Path) -> list[ListedCase]:
    """nnU-Net raw and Medical Segmentation Decathlon: ``imagesTr`` beside ``labelsTr`` and ``dataset.json``.

    ``root`` is the dataset or one of its folders of images. nnU-Net's ``CASE_0000.nii.gz`` belongs to the labels
    ``CASE.nii.gz``; the Decathlon gives both one name.

    Raises
    ------
    ValueError
        A case has several channels and dataset.json does not say which one is the CT.
    """
    if root.name.startswith("images") and (root.parent / root.name.replace("images", "labels", 1)).is_dir():
        folders, root = [root], root.parent
    else:
        folders = [one for one in visible(root) if one.is_dir() and re.fullmatch("images(Tr|Ts|Val)?", one.name)]
    described = root / "dataset.json"
    cases = []
    for folder in folders:
        labels = folder.with_name(folder.name.replace("images", "labels", 1))
        for name, ct in _images_of(folder, described):
            reference = image_named(labels, name)
            names = described if reference is not None and described.is_file() else None
            cases.append(ListedCase(name=name, ct=ct, reference=reference, label_names=names))
    return cases


def case_folders(root: Path) -> list[ListedCase]:
    """A folder per case, and CT files or DICOM folders side by side.

    A case's folder holds ``ct.nii.gz`` (or ``image``, ``imaging``, any other suffix, or DICOM slices, in a folder of
    their own or not), ``labels.nii.gz`` (or ``segmentation``), and ``labels.json``, which may also lie in ``root`` for
    all cases.
    """
    cases = []
    if not is_dicom_folder(root):
        folders = [one for one in visible(root) if one.is_dir() and not names_labels(one)]
        cases = [case for one in folders if (case := _case_folder(one)) is not None]
    taken = {root / case.name for case in cases}
    for ct in cts_in([root]):
        if ct not in taken and (ct != root or is_dicom_folder(root)):
            cases.append(ListedCase(name=stem(ct), ct=ct))
    return sorted(cases, key=lambda case: natural_order(Path(case.name)))


def _case_folder(folder: Path) -> ListedCase | None:
    ct = _ct_of(folder)
    if ct is None:
        return None
    labels = [one for one in visible(folder) if is_image(one) and names_labels(one)]
    named = [one for one in labels if stem(one).lower() in _LABEL_NAMES]
    reference = named[0] if named else labels[0] if len(labels) == 1 else None
    names = next((path for where in (folder, folder.parent) if (path := where / "labels.json").is_file()), None)
    return ListedCase(
        name=folder.name, ct=ct, reference=reference, label_names=names if reference is not None else None
    )


def _ct_of(folder: Path) -> Path | None:
    """The CT of a case's folder: that named so, else the only one; None where there is none or nobody can tell."""
    found = [one for one in cts_in([folder]) if one != folder]
    named = [one for one in found if stem(one).lower() in _CT_NAMES]
    if named or found:
        return named[0] if named else found[0] if len(found) == 1 else None
    return folder if is_dicom_folder(folder) else None


def _images_of(folder: Path, described: Path) -> list[tuple[str, Path]]:
    """(name of the labels, CT) of a folder of images."""
    channels: dict[str, dict[str, Path]] = {}
    for path in visible(folder):
        if is_image(path) or is_dicom_folder(path):
            match = _CHANNEL.fullmatch(stem(path))
            case, channel = (match["case"], match["channel"]) if match else (stem(path), "")
            channels.setdefault(case, {})[channel] = path
    ct = _ct_channel(described) if any(len(found) > 1 for found in channels.values()) else None
    images = []
    for case, found in channels.items():
        if len(found) > 1 and ct not in found:
            raise ValueError(
                f"{case} in {folder} has {len(found)} channels and {described.name} does not say which one is the CT: "
                'name it "CT" in its channel_names, or list the CTs in a CSV'
            )
        images.append((case, next(iter(found.values())) if ct not in found else found[ct]))
    return images


def _ct_channel(described: Path) -> str | None:
    """The number of the channel that dataset.json calls a CT, as the files' names give it."""
    try:
        content = parse_json(described.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    channels = content.get("channel_names", content.get("modality")) if isinstance(content, dict) else None
    if not isinstance(channels, dict):
        return None
    named = [number for number, name in channels.items() if str(name).upper() == "CT"]
    return f"{named[0]:0>4}" if len(named) == 1 else None
