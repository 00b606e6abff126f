"""Findings on toy networks, made once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from toy_networks import graded_ct, threshold_network

from napari_advseg.case import Finding
from napari_advseg.case.python import attack
from napari_advseg.volume import read_ct, write_image


@cache
def toy_finding(drop: float = 0.2, max_hu: float = 15.0, direction: tuple[float, ...] | None = None) -> Finding:
    """An attack on the threshold network; both kinds of change."""
    ct, labels = graded_ct()
    if direction is not None:
        from dataclasses import replace

        ct = replace(ct, grid=replace(ct.grid, direction=direction, origin=(5.0, -7.0, 11.0)))
    return attack(ct, threshold_network(), drop, reference=labels, max_hu=max_hu)


def finding_from_file(folder: Path, drop: float = 0.2) -> tuple[Finding, Path]:
    """The same on a CT that was read from a file."""
    ct, labels = graded_ct()
    texture = np.random.default_rng(0).normal(0, 50, ct.hu.shape).astype(np.float32)
    ct.hu[labels == 0] += texture[labels == 0].clip(-100, 100)  # still far below the network's threshold
    path = write_image(folder / "ct.nii.gz", ct.hu.astype("int16"), ct.grid)
    return attack(read_ct(path), threshold_network(), drop, reference=labels), path
