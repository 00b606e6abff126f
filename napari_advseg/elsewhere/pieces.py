"""What is large, as bytes that are known by their SHA-256: volumes, checkpoints, learned attackers."""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

HuType = Literal["<i2", "<f4"]
_NAME = re.compile(r"[0-9a-f]{64}(\.[a-z0-9]{1,11})?")
_LEVEL = 1  # labels are long runs of the same number


def name_of(content: bytes, suffix: str = "") -> str:
    """What a piece is called wherever it is kept: the SHA-256 of its content, and a suffix that readers go by."""
    return checked(hashlib.sha256(content).hexdigest() + suffix)


def checked(name: str) -> str:
    """The name; ValueError where it is none of a piece, and could lead elsewhere as a file's."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"a piece is named by its SHA-256 and a suffix; got {name!r}")
    return name


def packed_hu(hu: NDArray[np.float32]) -> tuple[HuType, bytes]:
    """HU (z, y, x) exactly: as int16 where all are whole and fit, in half the bytes, else as float32."""
    with np.errstate(invalid="ignore"):
        whole = hu.astype("<i2")
    if np.array_equal(whole, hu):
        return "<i2", whole.tobytes()
    return "<f4", hu.astype("<f4").tobytes()


def unpacked_hu(kind: HuType, content: bytes, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """What :func:`packed_hu` has packed; float32, writable."""
    return np.frombuffer(content, kind).reshape(shape).astype(np.float32)


def packed_labels(labels: NDArray[np.uint16]) -> bytes:
    """uint16 class ids of any shape."""
    return zlib.compress(np.ascontiguousarray(labels, "<u2"), _LEVEL)


def unpacked_labels(content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint16]:
    """What :func:`packed_labels` has packed; writable."""
    return np.frombuffer(zlib.decompress(content), "<u2").reshape(shape).astype(np.uint16)
