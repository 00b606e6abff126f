"""Whether the slices of a DICOM series make one evenly spaced volume, which ITK takes for granted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

_POSITION, _ORIENTATION, _PIXEL = "0020|0032", "0020|0037", "0028|0030"
_SAME_MM = 1e-3
_UNEVEN = 0.1  # of the distance between two slices: positions are often rounded
_TILT = 0.5  # degrees


def check_pixels(path: Path, image: sitk.Image | sitk.ImageSeriesReader, *index: int) -> None:
    """Raise a ValueError of one line where the pixel spacing is wrong, which ITK takes for 1 mm.

    Parameters
    ----------
    image
        With the tags of a slice; a reader with those of the slice ``index``.
    """
    if image.HasMetaDataKey(*index, _PIXEL):
        said = image.GetMetaData(*index, _PIXEL).strip(" \0")
        mm = _numbers(said)
        if mm.size != 2 or not (np.isfinite(mm).all() and mm.min() > 0):
            raise ValueError(
                f"{path} gives a pixel spacing of {said!r} ({_PIXEL}): expected two positive numbers, in mm"
            )


def check_slices(path: Path, reader: sitk.ImageSeriesReader, count: int) -> tuple[str, ...]:
    """What a user should know of the slices' positions, one line each.

    Parameters
    ----------
    reader
        After it has read ``count`` slices, with their tags.

    Raises
    ------
    ValueError
        One line: slices without a position, of several orientations, or several at one place.
    """
    check_pixels(path, reader, 0)
    found = [
        [_numbers(reader.GetMetaData(index, tag)) if reader.HasMetaDataKey(index, tag) else np.array([])
         for tag in (_POSITION, _ORIENTATION)]
        for index in range(count)
    ]  # fmt: skip
    if any(position.size != 3 or turned.size != 6 for position, turned in found):
        raise ValueError(
            f"{path} holds slices without a position in the patient ({_POSITION}, {_ORIENTATION}): give an image file "
            "with the volume instead"
        )
    places, turned = np.array([position for position, _ in found]), np.array([turn for _, turn in found])
    if np.abs(turned - turned[0]).max() > 1e-3:
        raise ValueError(f"{path} holds slices of several orientations in one series: move the localizer elsewhere")
    normal = np.cross(turned[0, :3], turned[0, 3:])
    depths = np.sort(places @ normal)
    again = int((np.diff(depths) < _SAME_MM).sum())
    if again:
        raise ValueError(
            f"{path} holds {again + 1} or more slices at the same place in one series (a copy, or several acquisitions): "
            "keep those of one volume in a folder of their own"
        )
    steps = np.diff(places, axis=0)
    along = np.abs(steps @ normal)
    lines = []
    if np.abs(along - np.median(along)).max() > _UNEVEN * np.median(along):
        lines.append(
            f"the slices lie {along.min():.4g} to {along.max():.4g} mm apart (a missing slice?), but count as evenly "
            "spaced: places and sizes in mm are wrong"
        )
    tilt = float(np.degrees(np.arctan2(np.linalg.norm(np.cross(steps, normal), axis=1), along).max()))
    if tilt > _TILT:
        lines.append(
            f"the slices are shifted against each other (a gantry tilt of {tilt:.1f}°), but count as stacked straight: "
            "straighten the CT first where places across slices matter"
        )
    return tuple(lines)


def _numbers(text: str) -> NDArray[np.float64]:
    """The numbers of a tag; none where one of them is none."""
    try:
        return np.array([float(part) for part in text.strip(" \0").split("\\")])
    except ValueError:
        return np.array([])
