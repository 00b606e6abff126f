"""The phantom cut down to two slices, as files that name a patient wherever they can."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from hostile.dicom import dicom_bytes

from napari_advseg.networks.registry import SHIPPED
from napari_advseg.samples import load_sample
from napari_advseg.volume import volume_from_array, write_image

from .planted import PLANTED

_SLICES = slice(9, 11)


def word(where: str) -> str:
    return PLANTED[where]


@dataclass(frozen=True)
class Inputs:
    """What the user has, in a home folder of the user's name."""

    home: Path
    nifti: Path
    dicom: Path
    two_series: Path
    reference: Path
    label_names: Path
    network: Path
    cts: Path
    table: Path


def write_inputs(root: Path) -> Inputs:
    home = root / "home" / word("user")
    folder = home / word("folder")
    folder.mkdir(parents=True)
    given = Inputs(
        home=home,
        nifti=folder / f"{word('CT file')}.nii.gz",
        dicom=folder / f"scan_{word('CT file')}",
        two_series=folder / "two",
        reference=folder / f"{word('labels file')}.nii.gz",
        label_names=folder / f"{word('names file')}.json",
        network=home / f"{word('checkpoint')}.safetensors",
        cts=folder / "cts",
        table=home / f"{word('list')}.csv",
    )
    sample = load_sample("phantom")
    hu = sample.ct.hu[_SLICES].astype(np.int16)
    grid = volume_from_array(hu, spacing=sample.ct.grid.spacing).grid
    write_image(given.nifti, hu, grid)
    write_image(given.reference, sample.labels[_SLICES].astype(np.uint8), grid)
    for path in (given.nifti, given.reference):
        name_patient(path)
    names = {name: index for index, name in sample.names.items()}
    given.label_names.write_text(json.dumps(names | {word("unknown label"): 77}))
    shutil.copy(SHIPPED["phantom2d"][0], given.network)
    shutil.copy(SHIPPED["phantom2d"][0].with_suffix(".yaml"), given.network.with_suffix(".yaml"))
    write_series(given.dicom, hu, grid.spacing)
    for number in (1, 2):
        write_series(given.two_series, hu, grid.spacing, number)
    given.cts.mkdir()
    for number in (1, 2):
        write_image(given.cts / f"{word('CT file')}{number}.nii.gz", hu - np.int16(number), grid)
        name_patient(given.cts / f"{word('CT file')}{number}.nii.gz")
    write_table(given)
    return given


def write_table(given: Inputs) -> None:
    """A list of a case that can be attacked, one that is broken and one of several series."""
    broken = given.nifti.with_name(f"broken_{given.nifti.name}")
    broken.write_bytes(gzip.compress(word("family name").encode()))
    case = word("case")
    rows = [(case, given.nifti, given.reference), (f"{case}2", broken, ""), (f"{case}3", given.two_series, "")]
    cells = [f"{name},{ct},{labels},{given.label_names if labels else ''}" for name, ct, labels in rows]
    given.table.write_text("\n".join(["case,ct,reference,label_names", *cells]) + "\n")


def name_patient(path: Path) -> None:
    """Fill the fields of a NIfTI's header that hold text."""
    image = nibabel.load(path)
    content = bytearray(gzip.decompress(path.read_bytes()))
    for at, size, where in (
        (14, 18, "NIfTI database"), (148, 80, "NIfTI description"), (228, 24, "NIfTI second file"),
        (4, 10, "patient number"),
    ):  # fmt: skip
        content[at : at + size] = word(where).encode().ljust(size, b"\0")[:size]
    content[348:352] = b"\1\0\0\0"  # extensions follow: a comment
    offset = int(image.dataobj.offset)
    comment = f"{word('family name')} {word('comment')}".encode().ljust(56, b"\0")
    extension = (8 + len(comment)).to_bytes(4, "little") + (6).to_bytes(4, "little") + comment
    content[108:112] = np.float32(offset + len(extension)).tobytes()
    path.write_bytes(gzip.compress(bytes(content[:352]) + extension + bytes(content[offset:])))


def write_series(folder: Path, hu: np.ndarray, spacing: tuple[float, ...], number: int = 1) -> None:
    """A DICOM series whose every tag for a name has one."""
    folder.mkdir(exist_ok=True)
    root = "1.2.826.0.1.3680043.8.498"
    name = f"{word('family name')}^{word('given name')}"
    for z, plane in enumerate(hu):
        rows, columns = plane.shape
        uid = f"{root}.{word('slice UID')}.{number}.{z}"
        more: Mapping[tuple[int, int], tuple[str, Any]] = {
            (0x08, 0x18): ("UI", uid), (0x08, 0x20): ("DA", word("birth date")),
            (0x08, 0x50): ("SH", word("accession number")), (0x08, 0x80): ("LO", word("institution")),
            (0x08, 0x90): ("PN", word("physician")), (0x08, 0x1010): ("SH", word("station")),
            (0x08, 0x1030): ("LO", word("comment")), (0x08, 0x103E): ("LO", word("comment")),
            (0x09, 0x10): ("LO", word("private tag")), (0x09, 0x1001): ("LO", word("private tag")),
            (0x10, 0x10): ("PN", name), (0x10, 0x20): ("LO", word("patient number")),
            (0x10, 0x30): ("DA", word("birth date")), (0x10, 0x1040): ("LO", word("comment")),
            (0x10, 0x4000): ("LT", word("comment")),
            (0x20, 0x0D): ("UI", f"{root}.{word('study UID')}"),
            (0x20, 0x0E): ("UI", f"{root}.{word('series UID')}.{number}"),
            (0x20, 0x10): ("SH", word("patient number")), (0x20, 0x32): ("DS", f"0\\0\\{spacing[0] * z}"),
            (0x28, 0x10): ("US", rows), (0x28, 0x11): ("US", columns),
            (0x28, 0x30): ("DS", f"{spacing[1]}\\{spacing[2]}"),
            (0x7FE0, 0x10): ("OW", plane.astype("<i2").tobytes()),
        }  # fmt: skip
        path = folder / f"{word('slice file')}_{number}_{z}.dcm"
        path.write_bytes(dicom_bytes(z, series=str(number), more=more))
