"""The small cases that the faults happen to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from toy_networks import graded_ct

from napari_advseg.case import AttackRequest
from napari_advseg.volume import write_image

QUICK = AttackRequest(drop=0.2, deformation=False)
DROPS = {"earlier": 0.1, "later": 0.2}  # of the bundle that stands there, and of the one that is to take its place
NOTE = "a note of the user's\n"


def write_case(folder: Path, shape: tuple[int, int, int] = (12, 24, 24), patient: int = 0) -> Path:
    """A folder with a CT and labels for the threshold network, as a list of cases has them."""
    ct, labels = graded_ct(shape)
    rng = np.random.default_rng(patient)
    ct.hu[labels == 0] += rng.normal(0, 40, ct.hu.shape).astype(np.float32)[labels == 0].clip(-90, 90)
    folder.mkdir(parents=True, exist_ok=True)
    write_image(folder / "ct.nii.gz", ct.hu.astype(np.int16), ct.grid)
    write_image(folder / "labels.nii.gz", labels.astype(np.uint8), ct.grid)
    return folder


def small_figure(*arguments: Any) -> Path:
    """In the place of the bundle's picture, which takes longer than all the rest."""
    path: Path = arguments[2]
    path.write_bytes(b"picture" * 100)
    return path
