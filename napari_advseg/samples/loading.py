"""Sample cases: the offline phantom, and a real CT by download."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..networks import fetch
from ..volume import Volume, folder_aside, read_ct, read_labels, volume_from_array, write_image
from .phantom import PHANTOM_LABELS, make_phantom

_BASE = (
    "https://raw.githubusercontent.com/wasserth/TotalSegmentator/"
    "853cd2fea2e8870e473dba2f911b989a54b6e274/tests/reference_files/"
)
# TotalSegmentator's repository, Apache-2.0; names in the cache say whose they are.
_ABDOMEN_CT = (
    "totalsegmentator_example_ct.nii.gz",
    _BASE + "example_ct.nii.gz",
    "dbd3ae6d614d1d7ef3a46925c30c70038ed52da6b37fdd6afdc7b9b71387e3e1",
)
_ABDOMEN_LABELS = (
    "totalsegmentator_example_seg_fast_force_split.nii.gz",
    _BASE + "example_seg_fast_force_split.nii.gz",
    "e8097758e56e73099075b6caaebce23ef11bc6fad66a4ec3753b9406846558c7",
)
# TotalSegmentator v2's ids of the organs that abdominal networks know.
_ABDOMEN_NAMES = {
    1: "spleen",
    2: "kidney_right",
    3: "kidney_left",
    4: "gallbladder",
    5: "liver",
    6: "stomach",
    7: "pancreas",
    8: "adrenal_gland_right",
    9: "adrenal_gland_left",
    15: "esophagus",
    19: "duodenum",
}
NETWORK_OF = {"phantom": "phantom2d", "abdomen": "abdomen8"}


@dataclass(frozen=True, eq=False)
class Sample:
    """A case to try: the CT, labels uint16 (z, y, x) on its grid, and their names by id."""

    name: str
    ct: Volume
    labels: NDArray[np.uint16]
    names: dict[int, str]

    @property
    def label_volume(self) -> Volume:
        """The labels with their place in space."""
        grid = self.ct.grid
        return volume_from_array(self.labels, spacing=grid.spacing, origin=grid.origin, direction=grid.direction)


def load_sample(name: str, seed: int = 0) -> Sample:
    """A sample case.

    Parameters
    ----------
    name
        "phantom", made from ``seed`` without a network, or "abdomen", a real CT downloaded on first use.

    Raises
    ------
    ValueError
        There is no such sample.
    OSError
        The download failed.
    """
    if name == "phantom":
        phantom = make_phantom(seed)
        ct = volume_from_array(phantom.hu, spacing=phantom.spacing)
        names = {index: organ for organ, index in PHANTOM_LABELS.items() if index}
        return Sample(name, ct, phantom.labels.astype(np.uint16), names)
    if name == "abdomen":
        ct = read_ct(fetch(*_ABDOMEN_CT))
        labels = read_labels(fetch(*_ABDOMEN_LABELS), ct.grid)
        return Sample(name, ct, labels.astype(np.uint16), dict(_ABDOMEN_NAMES))
    raise ValueError(f"the samples are {', '.join(NETWORK_OF)}; got {name!r}")


def write_sample(name: str, folder: str | Path, seed: int = 0) -> Path:
    """Write ct.nii.gz, labels.nii.gz and labels.json; returns the folder, which must be new or empty."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not empty: choose another folder")
    sample = load_sample(name, seed)
    with folder_aside(folder) as aside:
        write_image(aside / "ct.nii.gz", sample.ct.hu.astype(np.int16), sample.ct.grid)
        write_image(aside / "labels.nii.gz", sample.labels, sample.ct.grid)
        content = {organ: index for index, organ in sample.names.items()}
        (aside / "labels.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        aside.rename(folder)
    return folder
