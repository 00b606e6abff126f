"""Names and identifiers that are put wherever an identity can sit, each another one, and the search for them."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

# Where it is planted: the word. None of them is a word of this project, or of a library.
OF_THE_FILES = {  # what stands inside a CT or its labels, which nothing at all may tell
    "family name": "Quillfeather",
    "given name": "Euphrosyne",
    "patient number": "PID7730912",
    "birth date": "19410317",
    "accession number": "ACC558812X",
    "institution": "Saltmarshe",
    "physician": "Drumlanrig",
    "station": "Gantrywick",
    "comment": "Umberleigh",
    "private tag": "Wexcombe",
    "study UID": "771203341",
    "series UID": "886514272",
    "slice UID": "995236188",
    "NIfTI description": "Pennyroyal",
    "NIfTI second file": "Brackenhurst",
    "NIfTI database": "Vantongeren",
    "unknown label": "Zephyrine",
}
OF_THE_PATHS = {  # what stands in the paths that the user gives
    "user": "Ickleford",
    "folder": "Larkhollow",
    "CT file": "Ottersby",
    "slice file": "Quorndon",
    "labels file": "Fennimore",
    "names file": "Tamblyn",
    "checkpoint": "Ravensworth",
    "list": "Wrexcombe",
    "case": "Hollowmere",
}
PLANTED = OF_THE_FILES | OF_THE_PATHS
_NEEDLES = {
    where: [word.lower().encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]
    for where, word in PLANTED.items()
}
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")
_DEEPEST = 6  # packed within packed


def found_in(content: bytes | str | Path) -> set[str]:
    """Which of the planted words are in bytes, a text, a file or all of a folder, names of files included."""
    found: set[str] = set()
    for part in _parts(content):
        lowered = part.lower()
        found |= {where for where, needles in _NEEDLES.items() if any(needle in lowered for needle in needles)}
    return found


def _parts(content: bytes | str | Path) -> Iterator[bytes]:
    if isinstance(content, Path):
        for path in sorted([content, *content.rglob("*")] if content.is_dir() else [content]):
            if path != content:
                yield str(path.relative_to(content)).encode()
            if path.is_file():
                yield from unpacked(path.read_bytes())
    else:
        yield from unpacked(content.encode() if isinstance(content, str) else content)


def unpacked(content: bytes, depth: int = 0) -> Iterator[bytes]:
    """The bytes themselves, and those that they hold packed or encoded: gzip, zip, pictures' notes, base64."""
    yield content
    if depth == _DEEPEST:
        return
    inside: list[bytes] = []
    if content[:2] == b"\x1f\x8b":
        inside.append(gzip.decompress(content))
    if content[:2] == b"PK" and zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inside += [
                archive.comment,
                *(one.filename.encode() + one.comment + one.extra for one in archive.infolist()),
            ]
            inside += [archive.read(one) for one in archive.infolist()]
    if content[:4] in (b"\x89PNG", b"GIF8", b"RIFF"):
        inside += _notes(content)
    for text in _BASE64.findall(content) if depth < 2 else ():
        try:
            inside.append(base64.b64decode(text[: len(text) // 4 * 4]))
        except binascii.Error:
            continue
    for part in inside:
        yield from unpacked(part, depth + 1)


def _notes(picture: bytes) -> list[bytes]:
    """What a picture's file holds beside its pixels."""
    try:
        with Image.open(io.BytesIO(picture)) as image:
            notes = [str(key).encode() + b" " + _bytes(value) for key, value in image.info.items()]
            notes += [_bytes(value) for value in getattr(image, "text", {}).values()]
            return [*notes, *(_bytes(value) for value in image.getexif().values())]
    except (UnidentifiedImageError, OSError, zlib.error):
        return []


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
