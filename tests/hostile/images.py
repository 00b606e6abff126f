"""Image files: NIfTI from its bytes, MHA and NRRD from their headers, so that any field of them can be wrong."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from napari_advseg.volume import Volume, read_ct

from .registry import Opened, Shelf

Array = NDArray[Any]
SHAPE = (4, 5, 6)
_CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "u2": 512, "i8": 1024}


def read(path: Any) -> Opened:
    volume = read_ct(path)
    return Opened(volume, volume.warnings)


IMAGES = Shelf("images", "`read_ct`, which the shell and the viewer open a CT with", read)


def hu(dtype: str = "i2") -> Array:
    """A small CT: air, fat, tissue and bone."""
    return np.linspace(-1000, 1000, int(np.prod(SHAPE))).round().reshape(SHAPE).astype(dtype)


def noise() -> Array:
    """Voxels that hardly pack."""
    return np.random.default_rng(0).integers(-1000, 1000, (20, 30, 40)).astype("i2")


def is_hu(volume: Volume) -> bool:
    return bool(np.array_equal(volume.hu, hu("f4")))


def nifti_bytes(
    array: Array,
    *,
    order: Literal["<", ">"] = "<",
    dim: tuple[int, ...] | None = None,
    pixdim: tuple[float, ...] = (1.0, 1.0, 1.0),
    slope: float = 0.0,
    rows: tuple[float, ...] | None = None,
) -> bytes:
    """A NIfTI-1 file; ``rows`` is an affine for its sform, (x, y, z) in RAS."""
    dim = dim or array.shape[::-1]
    code = array.dtype.str[1:]
    head = bytearray(352)
    struct.pack_into(f"{order}i", head, 0, 348)
    struct.pack_into(f"{order}8h", head, 40, len(dim), *dim, *(1,) * (7 - len(dim)))
    struct.pack_into(f"{order}2h", head, 70, _CODES[code], 8 * array.dtype.itemsize)
    struct.pack_into(f"{order}8f", head, 76, 1.0, *pixdim, *(1.0,) * (7 - len(pixdim)))
    struct.pack_into(f"{order}3f", head, 108, 352.0, slope, 0.0)
    struct.pack_into(f"{order}2h", head, 252, 0 if rows else 1, 1 if rows else 0)
    if rows:
        struct.pack_into(f"{order}12f", head, 280, *rows)
    head[344:348] = b"n+1\0"
    return bytes(head) + array.astype(array.dtype.newbyteorder(order)).tobytes()


def nifti(name: str = "ct.nii", array: Array | None = None, **fields: Any) -> Callable[[Path], Path]:
    """A maker of a NIfTI file, packed where its name ends in .gz."""

    def make(folder: Path) -> Path:
        content = nifti_bytes(hu() if array is None else array, **fields)
        return write(folder / name, gzip.compress(content) if name.lower().endswith(".gz") else content)

    return make


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def cut(make: Callable[[Path], Path], to: float) -> Callable[[Path], Path]:
    """A maker of the first part of a file."""

    def made(folder: Path) -> Path:
        path = make(folder)
        content = path.read_bytes()
        return write(path, content[: int(to * len(content))])

    return made


def image(name: str, array: Array, vector: bool = False) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(folder / name))
        return folder / name

    return make


def mha(size: str = "6 5 4", spacing: str = "1 1 1", matrix: str = "1 0 0 0 1 0 0 0 1") -> Callable[[Path], Path]:
    lines = [
        "ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False",
        f"TransformMatrix = {matrix}", "Offset = 0 0 0", f"ElementSpacing = {spacing}", f"DimSize = {size}",
        "ElementType = MET_SHORT", "ElementDataFile = LOCAL",
    ]  # fmt: skip
    return lambda folder: write(folder / "ct.mha", "\n".join([*lines, ""]).encode() + hu().tobytes())


def nrrd(
    sizes: str = "6 5 4", directions: str = "(1,0,0) (0,1,0) (0,0,1)", data: bytes = b"", packed: bool = False
) -> Callable[[Path], Path]:
    lines = [
        "NRRD0004", "type: short", "dimension: 3", "space: left-posterior-superior", f"sizes: {sizes}",
        f"space directions: {directions}", "kinds: domain domain domain", "endian: little",
        f"encoding: {'gzip' if packed else 'raw'}", "space origin: (0,0,0)", "", "",
    ]  # fmt: skip
    return lambda folder: write(folder / "ct.nrrd", "\n".join(lines).encode() + (data or hu().tobytes()))


def packed_mha(folder: Path) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(hu()), str(folder / "ct.mha"), useCompression=True)
    return folder / "ct.mha"


def swelling(head: bytes, gigabytes: int) -> bytes:
    """Packed zeros after ``head``: a few megabytes that unpack to as many gigabytes."""
    member = gzip.compress(bytes(2**24))
    return gzip.compress(head) + member * (64 * gigabytes)


def deep_folder(folder: Path) -> Path:
    deep = folder.joinpath(*["d" * 200] * 5)
    deep.mkdir(parents=True)
    return nifti()(deep)


def linked(folder: Path) -> Path:
    (folder / "elsewhere").mkdir()
    (folder / "ct.nii").symlink_to(nifti()(folder / "elsewhere"))
    return folder / "ct.nii"


def circle(folder: Path) -> Path:
    (folder / "ct.nii").symlink_to(folder / "ct.nii")
    return folder / "ct.nii"


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "ct.nii")
    return folder / "ct.nii"


def read_only(folder: Path) -> Path:
    inside = folder / "locked"
    inside.mkdir()
    path = nifti()(inside)
    path.chmod(0o444)
    inside.chmod(0o555)
    return path


def with_value(value: float, dtype: str = "f4") -> Array:
    array = hu(dtype)
    array[0, 0, 0] = value
    return array


unreadable = "is no image that can be read"
cut_off = "is cut off"
right_angles = "its axes do not stand at right angles"
IMAGES.refused("nothing there", "there is no file or folder", lambda d: d / "ct.nii")
IMAGES.refused("an empty file", unreadable, lambda d: write(d / "ct.nii", b""))
IMAGES.refused("text called .nii.gz", unreadable, lambda d: write(d / "ct.nii.gz", b"no image"))
IMAGES.refused("a NIfTI cut in its header", unreadable, cut(nifti(), 0.4))
IMAGES.refused("a NIfTI cut in its voxels", cut_off, cut(nifti(), 0.9))
IMAGES.refused("a packed NIfTI cut in its header", unreadable, cut(nifti("ct.nii.gz"), 0.4))
IMAGES.refused("a packed NIfTI cut in its voxels", cut_off, cut(nifti("ct.nii.gz", noise()), 0.7))
IMAGES.refused("an MHA cut in its voxels", unreadable, cut(mha(), 0.9))
IMAGES.refused("an NRRD cut in its voxels", unreadable, cut(nrrd(), 0.9))
IMAGES.refused(
    "an MHD whose voxels are not there",
    unreadable,
    lambda d: write(d / "ct.mhd", b"NDims = 3\nDimSize = 6 5 4\nElementType = MET_SHORT\nElementDataFile = gone.raw\n"),
)
IMAGES.accepted("a big-endian NIfTI", nifti(order=">"), is_hu)
for kind in ("i4", "f4", "f8"):
    IMAGES.accepted(f"voxels of type {np.dtype(kind).name}", nifti(array=hu(kind)), is_hu)
IMAGES.warned("uint16, so without air", "was the rescale intercept lost?", nifti(array=(hu() + 1024).astype("u2")))
IMAGES.accepted("padding of -2000", nifti(array=with_value(-2000, "i2")), lambda v: bool(v.hu.min() == -2000))
IMAGES.accepted("voxels of 32767", nifti(array=with_value(32767, "i2")), lambda v: bool(v.hu.max() == 32767))
IMAGES.warned("values of 100000", "beyond what a CT stores", nifti(array=with_value(100000, "i4")))
IMAGES.refused("float64 of 1e300", "1 NaN or infinite voxels", nifti(array=with_value(1e300, "f8")))
for what, value in (("a NaN", np.nan), ("an infinite voxel", -np.inf)):
    IMAGES.refused(f"{what} in a NIfTI", "1 NaN or infinite voxels", nifti(array=with_value(value)))
IMAGES.refused("a NaN in a file named CT.NII.GZ", "1 NaN or infinite voxels", nifti("CT.NII.GZ", with_value(np.nan)))
IMAGES.refused("a NaN in an MHA", "1 NaN or infinite voxels", image("ct.mha", with_value(np.nan)))
IMAGES.accepted("a slope that is NaN counts as none", nifti(slope=np.nan), is_hu)
IMAGES.accepted("a slope of 0.5", nifti(array=(2 * hu("i4")).astype("i2"), slope=0.5), is_hu)
IMAGES.warned("one value everywhere", "every voxel is -1000", nifti(array=np.full(SHAPE, -1000, "i2")))
IMAGES.warned("values from 0 to 1", "looks like a normalised image", nifti(array=(hu("f4") + 1000) / 2000))
IMAGES.accepted("one slice, 3-D", nifti(array=hu()[:1]), lambda v: v.grid.shape == (1, 5, 6))
IMAGES.accepted("one slice, 2-D", image("ct.mha", hu()[0]), lambda v: v.grid.shape == (1, 5, 6))
IMAGES.accepted("one voxel across", nifti(array=hu()[:, :, :1]), lambda v: v.grid.shape == (4, 5, 1))
IMAGES.refused("4-D", "has 4 axes", nifti(array=np.stack([hu(), hu()])))
IMAGES.accepted("4-D with one volume", nifti(dim=(6, 5, 4, 1)), is_hu)
IMAGES.refused("RGB", "3 values per voxel", image("ct.mha", np.zeros((*SHAPE, 3), np.uint8), vector=True))
IMAGES.refused("a photograph", "3 values per voxel", image("ct.png", np.zeros((5, 6, 3), np.uint8), vector=True))
IMAGES.refused("no voxels along an axis", "is empty: its size is (6, 0, 4)", mha(size="6 0 4"))
IMAGES.refused("zero spacing, NIfTI", "a voxel size of 1 x 1 x 0 mm", nifti(pixdim=(1, 1, 0)))
IMAGES.refused("zero spacing, MHA", "its voxel size is 0 or no number", mha(spacing="1 1 0"))
IMAGES.refused("negative spacing, NIfTI", "a voxel size of 1 x 1 x -1 mm", nifti(pixdim=(1, 1, -1)))
IMAGES.accepted(
    "negative spacing in an MHA, a mirrored axis", mha(spacing="1 1 -1"), lambda v: v.grid.direction[8] == -1
)
IMAGES.refused("NaN spacing, NIfTI", "a voxel size of 1 x 1 x nan mm", nifti(pixdim=(1, 1, float("nan"))))
IMAGES.refused("NaN spacing, MHA", "its voxel size is 0 or no number", mha(spacing="1 1 nan"))
IMAGES.refused("NaN spacing, NRRD", right_angles, nrrd(directions="(1,0,0) (0,1,0) (0,0,nan)"))
IMAGES.refused("a singular direction, NIfTI", right_angles, nifti(rows=(1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0)))
IMAGES.refused("a singular direction, MHA", right_angles, mha(matrix="1 0 0 0 1 0 0 1 0"))
IMAGES.refused("a direction of zeros, NIfTI", right_angles, nifti(rows=(0,) * 12))
IMAGES.refused("a sheared NIfTI", right_angles, nifti(rows=(1, 0, 0, 0, 0, 1, 0.3, 0, 0, 0, 1, 0)))
IMAGES.refused(
    "an sform of 2 mm over a pixdim of 1 mm",
    "1 x 1 x 1 mm in pixdim and 2 x 2 x 2 mm in its sform",
    nifti(rows=(2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0)),
)
IMAGES.refused("a packed MHA cut off", unreadable, cut(packed_mha, 0.7))
IMAGES.refused("a packed NRRD cut off", unreadable, cut(nrrd(packed=True, data=gzip.compress(hu().tobytes())), 0.9))
IMAGES.refused(
    "a header of 32767³ voxels, NIfTI", "more than the 2147483648 that can be read", nifti(dim=(32767, 32767, 32767))
)
IMAGES.refused(
    "a header of 100000³ voxels, MHA", "more than the 2147483648 that can be read", mha(size="100000 100000 100000")
)
IMAGES.refused(
    "a header of 100000³ voxels, NRRD", "more than the 2147483648 that can be read", nrrd(sizes="100000 100000 100000")
)
IMAGES.refused("a header of 1000³ voxels over 240 bytes", cut_off, nifti(dim=(1000, 1000, 1000)))
IMAGES.refused(
    "a packed bomb of 32 GB",
    "voxels",
    lambda d: write(d / "ct.nii.gz", swelling(nifti_bytes(hu()[:0], dim=(4096, 4096, 1024)), 1)),
)
IMAGES.accepted(
    "a packed NIfTI with 4 GB after its voxels", lambda d: write(d / "ct.nii.gz", swelling(nifti_bytes(hu()), 4)), is_hu
)
IMAGES.accepted("a packed NRRD with 4 GB after its voxels", nrrd(packed=True, data=swelling(hu().tobytes(), 4)), is_hu)
IMAGES.accepted("a Unicode name", nifti("Bauch-CT Müller 腹部 🫀.nii.gz"), is_hu)
IMAGES.accepted("a path of 1000 characters", deep_folder, is_hu)
IMAGES.refused("a name of 300 characters", "there is no file or folder", lambda d: d / f"{'x' * 300}.nii")
IMAGES.refused("a null byte in the path", "there is no file or folder", lambda d: d / "ct\0.nii")
IMAGES.accepted("a read-only folder", read_only, is_hu)
IMAGES.accepted("a link to a file elsewhere", linked, is_hu)
IMAGES.refused("a link to itself", "there is no file or folder", circle)
IMAGES.refused("a named pipe", "there is no file or folder", pipe)
