"""DICOM slices written tag by tag, so that any of them can be wrong, missing or in another byte order."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from napari_advseg.volume import Volume

from .images import Array, read, write
from .registry import Shelf

DICOM = Shelf("DICOM", "`read_ct` of a folder of slices, or of one of them", read)
LITTLE, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
_UID = "1.2.826.0.1.3680043.8.498"
_LONG = ("OB", "OW", "SQ", "UN", "UT")
Tags = Mapping[tuple[int, int], tuple[str, Any]]


def hu(z: int) -> Array:
    """A slice that is known by its number."""
    plane = np.linspace(-1000, 1000, 30).round().reshape(5, 6).astype("i2")
    plane[0, 0] = -900 + 10 * z
    return plane


def noise(size: int) -> Array:
    return np.random.default_rng(0).integers(-1000, 1000, (1, size, size)).astype("i2")


def is_ordered(slices: int = 6) -> Callable[[Volume], bool]:
    return lambda volume: bool(np.array_equal(volume.hu, np.stack([hu(z) for z in range(slices)])))


def element(tag: tuple[int, int], kind: str, value: Any, order: str = "<") -> bytes:
    if isinstance(value, bytes):
        content = value
    elif kind == "US":
        content = struct.pack(f"{order}H", value)
    else:
        content = str(value).encode()
    content += (b"\0" if kind in ("UI", "OB", "OW") else b" ") * (len(content) % 2)
    size = b"\0\0" + struct.pack(f"{order}I", len(content)) if kind in _LONG else struct.pack(f"{order}H", len(content))
    return struct.pack(f"{order}2H", *tag) + kind.encode() + size + content


def dicom_bytes(z: int, *, syntax: str = LITTLE, series: str = "1", more: Tags | None = None, place: str = "") -> bytes:
    """One CT slice; ``more`` replaces tags, or leaves those out that are given as None."""
    order = ">" if syntax == BIG else "<"
    instance = f"{_UID}.{series}.{z + 1}"
    meta = b"".join([
        element((2, 1), "OB", b"\0\1"), element((2, 2), "UI", "1.2.840.10008.5.1.4.1.1.2"),
        element((2, 3), "UI", instance), element((2, 16), "UI", syntax),
    ])  # fmt: skip
    tags: dict[tuple[int, int], tuple[str, Any]] = {
        (0x08, 0x16): ("UI", "1.2.840.10008.5.1.4.1.1.2"), (0x08, 0x18): ("UI", instance), (0x08, 0x60): ("CS", "CT"),
        (0x10, 0x10): ("PN", "SECRET^NAME"), (0x18, 0x50): ("DS", "2.5"),
        (0x20, 0x0D): ("UI", f"{_UID}.9"), (0x20, 0x0E): ("UI", f"{_UID}.{series}"), (0x20, 0x13): ("IS", z + 1),
        (0x20, 0x32): ("DS", place or f"0\\0\\{2.5 * z}"), (0x20, 0x37): ("DS", "1\\0\\0\\0\\1\\0"),
        (0x28, 0x02): ("US", 1), (0x28, 0x04): ("CS", "MONOCHROME2"), (0x28, 0x10): ("US", 5), (0x28, 0x11): ("US", 6),
        (0x28, 0x30): ("DS", "0.7\\0.8"), (0x28, 0x100): ("US", 16), (0x28, 0x101): ("US", 16),
        (0x28, 0x102): ("US", 15), (0x28, 0x103): ("US", 1), (0x28, 0x1052): ("DS", "0"), (0x28, 0x1053): ("DS", "1"),
        (0x7FE0, 0x10): ("OW", hu(z).astype(f"{order}i2").tobytes()),
    }  # fmt: skip
    tags |= more or {}
    body = b"".join(
        element(tag, kind, value, order) for tag, (kind, value) in sorted(tags.items()) if value is not None
    )
    return bytes(128) + b"DICM" + element((2, 0), "UL", struct.pack("<I", len(meta))) + meta + body


def series(count: int = 6, leave: tuple[int, ...] = (), **fields: Any) -> Callable[[Path], Path]:
    """A maker of a folder of slices, whose names run against their order."""

    def make(folder: Path) -> Path:
        scan = folder / "scan"
        scan.mkdir(exist_ok=True)
        for z in range(count):
            if z not in leave:
                write(scan / f"{fields.get('series', '1')}_{count - z:03}.dcm", dicom_bytes(z, **fields))
        return scan

    return make


def at(places: list[str]) -> Callable[[Path], Path]:
    """A maker of slices at these positions, in the order of their numbers."""

    def make(folder: Path) -> Path:
        for z, place in enumerate(places):
            write(folder / f"{z:03}.dcm", dicom_bytes(z, place=place))
        return folder

    return make


def tagged(**fields: Any) -> Callable[[Path], Path]:
    return series(more={tuple(int(n, 16) for n in name[1:].split("_")): value for name, value in fields.items()})


def mixed(folder: Path) -> Path:
    series(4)(folder)
    return series(3, series="2")(folder)


def one_of_mixed(folder: Path) -> Path:
    return mixed(folder) / "1_001.dcm"


def with_others(folder: Path) -> Path:
    scan = series()(folder)
    write(scan / "DICOMDIR", b"no slice")
    write(scan / "notes.txt", "Müller".encode())
    write(scan / "empty.dcm", b"")
    return scan


def last_cut(folder: Path) -> Path:
    scan = series()(folder)
    write(scan / "1_001.dcm", dicom_bytes(5)[:-20])
    return scan


def one_cut(folder: Path) -> Path:
    scan = series()(folder)
    write(scan / "1_003.dcm", dicom_bytes(3)[:-20])
    return scan


def linked(folder: Path) -> Path:
    (folder / "scan").symlink_to(series()(folder).rename(folder / "elsewhere"))
    return folder / "scan"


def packed(folder: Path) -> Path:
    """JPEG 2000, which wants slices larger than those above."""
    slice_ = sitk.GetImageFromArray(noise(64))
    slice_.SetMetaData("0008|0016", "1.2.840.10008.5.1.4.1.1.2")
    slice_.SetMetaData("0008|0060", "CT")
    writer = sitk.ImageFileWriter()
    writer.SetCompressor("JPEG2000")
    writer.UseCompressionOn()
    writer.SetFileName(str(folder / "ct.dcm"))
    writer.Execute(slice_)
    return folder


def with_localizer(folder: Path) -> Path:
    scan = series()(folder)
    write(scan / "0_localizer.dcm", dicom_bytes(9, more={(0x20, 0x37): ("DS", "1\\0\\0\\0\\0\\-1")}))
    return scan


def other_size(folder: Path) -> Path:
    scan = series()(folder)
    more: Tags = {(0x28, 0x10): ("US", 3), (0x7FE0, 0x10): ("OW", hu(3)[:3].tobytes())}
    write(scan / "1_003.dcm", dicom_bytes(3, more=more))
    return scan


unreadable = "is no image that can be read"
DICOM.accepted("slices whose names run against their order", series(), is_ordered())
DICOM.accepted("one file of a series stands for all", lambda d: series()(d) / "1_003.dcm", is_ordered())
DICOM.accepted("big-endian", series(syntax=BIG), is_ordered())
DICOM.accepted("packed as JPEG 2000", packed, lambda v: bool(np.array_equal(v.hu, noise(64))))
DICOM.accepted("a DICOMDIR, notes and an empty file beside the slices", with_others, is_ordered())
DICOM.accepted("a link to the folder", linked, is_ordered())
DICOM.accepted(
    "slope 0.5, intercept -10", tagged(x28_1053=("DS", "0.5"), x28_1052=("DS", "-10")),
    lambda v: bool(np.allclose(v.hu[2], hu(2) * 0.5 - 10)),
)  # fmt: skip
DICOM.accepted("a single slice", series(1), lambda v: v.grid.shape == (1, 5, 6))
DICOM.refused("an empty folder", "without a DICOM series", lambda d: d)
DICOM.refused("two series in a folder", "holds 2 DICOM series (0: ", mixed)
DICOM.accepted("one file of two series", one_of_mixed, is_ordered(4))
DICOM.warned("a slice cut off is left out", "a missing slice?", one_cut)
DICOM.accepted("the last slice cut off is left out without a word", last_cut, is_ordered(5))
DICOM.refused("a slice of another size", "its slices are of several sizes", other_size)
DICOM.refused("slices without voxels", "without a DICOM series", tagged(x7fe0_10=("OW", None)))
DICOM.warned("a missing slice", "the slices lie 2.5 to 5 mm apart (a missing slice?)", series(leave=(3,)))
DICOM.refused("a slice twice", "slices at the same place in one series", at([f"0\\0\\{z}" for z in (0, 1, 2, 2, 3)]))
DICOM.refused(
    "two acquisitions in one series",
    "slices at the same place in one series",
    at([f"0\\0\\{z}" for z in (0, 1, 2, 0, 1, 2)]),
)
DICOM.refused("a localizer in the same series", "slices of several orientations", with_localizer)
DICOM.refused("slices without positions", "slices without a position in the patient", tagged(x20_32=("DS", None)))
DICOM.warned(
    "gantry tilt of 15°",
    "a gantry tilt of 15.0°",
    at([f"0\\{-2.5 * z * np.tan(np.radians(15)):.4f}\\{2.5 * z}" for z in range(6)]),
)
DICOM.accepted("positions that are rounded", at([f"0\\0\\{z:.2f}" for z in (0, 0.63, 1.25, 1.88, 2.5, 3.13)]))
DICOM.refused("zero pixel spacing", "a pixel spacing of", tagged(x28_30=("DS", "0\\0")))
DICOM.refused("pixel spacing that is no number", "a pixel spacing of", tagged(x28_30=("DS", "a\\b")))
DICOM.refused(
    "a header of 65535 x 65535 pixels",
    "more than the 2147483648 that can be read",
    tagged(x28_10=("US", 65535), x28_11=("US", 65535)),
)
