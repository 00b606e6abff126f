"""Words for a log or a file that name no patient: what came from the paths of a case is taken out."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..case.folder import stem
from .listed import ListedCase

_PSEUDONYM = re.compile(r"Case \d+")
_LEAST = 3  # letters; shorter pieces of a path are words of any text
_PLAIN = {
    "ct",
    "image",
    "images",
    "imaging",
    "dicom",
    "label",
    "labels",
    "mask",
    "seg",
    "segmentation",
    "anat",
    "data",
    "case",
}
_TELLING = 8  # letters; a piece this long is taken out of longer words too


def without_identity(text: str, case: ListedCase, root: Path) -> str:
    """The text on one line, with whatever it says of the case's own paths replaced.

    Parameters
    ----------
    root
        Folder of the list: the pieces of a path below it name the case, those above it do not.
    """
    text = " ".join(text.split())
    paths = {"the CT": case.ct, "the labels": case.reference, "the file of label names": case.label_names}
    pieces: dict[str, str] = {}
    for what, path in paths.items():
        if not isinstance(path, Path):
            continue
        pieces[str(path)] = what
        below = [part for part in Path(_relative(path, root)).parts if part not in ("..", os.sep)]
        for part in (*below, *_names_in(path)):
            pieces.setdefault(part, "...")
            pieces.setdefault(stem(Path(part)), "...")
            pieces.setdefault(part.split(".")[0], "...")
    if not _PSEUDONYM.fullmatch(case.name):
        pieces.setdefault(case.name, "...")
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= _LEAST and piece.lower() not in _PLAIN:
            pattern = re.escape(" ".join(piece.split()))
            alone = pattern if len(piece) >= _TELLING else rf"(?<!\w){pattern}(?!\w)"
            text = re.sub(alone, pieces[piece], text)
    return text


def _names_in(path: Path) -> list[str]:
    try:
        return [one.name for one in path.iterdir()]
    except OSError:  # no folder, or none that may be read
        return []


def _relative(path: Path, root: Path) -> str:
    try:
        return os.path.relpath(path, root)
    except ValueError:  # another drive
        return str(path.relative_to(path.anchor))
