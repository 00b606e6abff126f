"""A few slices of the phantom, attacked with the shipped attacker and saved: made once."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from napari_advseg.attacks import CancelToken
from napari_advseg.case import AttackRequest, CaseRequest, Finding, finish, run, save_finding
from napari_advseg.samples import load_sample
from napari_advseg.volume import Grid, Volume, write_image

_FIRST, _LAST = 10, 13


@dataclass(frozen=True)
class Saved:
    """The case's files, what was found, and its bundle."""

    ct: Path
    labels: Path
    names: Path
    finding: Finding
    bundle: Path


def write_slices(folder: Path, first: int = _FIRST, last: int = _LAST) -> tuple[Path, Path, Path]:
    """A CT of a few slices, its labels, and their names, as files."""
    sample = load_sample("phantom")
    grid = sample.ct.grid
    x, y, z = grid.origin
    cut = Grid((last - first, *grid.shape[1:]), grid.spacing, (x, y, z + first * grid.spacing[0]), grid.direction)
    ct: Volume = replace(sample.ct, hu=sample.ct.hu[first:last], grid=cut, source=None)
    folder.mkdir(parents=True, exist_ok=True)
    names = folder / "names.json"
    names.write_text(json.dumps({name: index for index, name in sample.names.items()}))
    return (
        write_image(folder / "ct.nii.gz", ct.hu.astype("int16"), cut),
        write_image(folder / "labels.nii.gz", sample.labels[first:last], cut),
        names,
    )


@cache
def saved_phantom() -> Saved:
    folder = Path(tempfile.mkdtemp(prefix="phantom-"))
    ct, labels, names = write_slices(folder)
    request = CaseRequest(ct=ct, network="phantom2d", reference=labels, label_names=names)
    wanted = AttackRequest(drop=0.3, tolerance=0.05, attacker="phantom2d", generated="strength")
    finding = finish(run(request, wanted, CancelToken()))
    return Saved(ct, labels, names, finding, save_finding(finding, folder / "bundle"))
