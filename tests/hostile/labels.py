"""Label maps and the names of their ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_advseg.attacks import CancelToken
from napari_advseg.case import AttackRequest, CaseRequest, finish, open_case
from napari_advseg.case.run import make_target
from napari_advseg.volume import Grid, read_label_names, read_labels, write_image

from .images import SHAPE, Array, cut, image, nifti, write
from .registry import Opened, Shelf
from .toys import threshold_network, toy_ct

GRID = Grid(SHAPE, (1.0, 1.0, 1.0), direction=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))  # as `nifti` writes it
TOY = toy_ct().grid.shape


def read(path: Any) -> Opened:
    return Opened(read_labels(path, GRID))


def read_names(path: Any) -> Opened:
    return Opened(read_label_names(path))


def use(given: Any) -> Opened:
    """Labels, and the names of their ids, as the reference of a case on a toy network, and the organs scored on them."""
    labels, names, organs = given
    request = CaseRequest(ct=toy_ct(), network=threshold_network(), reference=labels, label_names=names)
    case = finish(open_case(request, CancelToken()))
    make_target(case, AttackRequest(organs=organs))
    return Opened(case, case.warnings)


LABELS = Shelf("labels", "`read_labels` and `read_label_names`, and the case that they are the reference of", read)


def labels(dtype: str = "u1", value: float = 1) -> Array:
    array = np.zeros(SHAPE, dtype)
    array[1:3, 1:4, 1:4] = value
    return array


def is_labels(found: Array) -> bool:
    return bool(np.array_equal(found, labels()))


def toy(
    value: int = 1, names: Any = None, organs: tuple[str, ...] = (), box: tuple[slice, ...] = (slice(3, 9),) * 3
) -> Callable[[Path], tuple[Path, Any, tuple[str, ...]]]:
    """A maker of labels on the toy CT, with what else the case is given."""

    def make(folder: Path) -> tuple[Path, Any, tuple[str, ...]]:
        array = np.zeros(TOY, "u2")
        array[box] = value
        return write_image(folder / "labels.nrrd", array, toy_ct().grid), names, organs

    return make


def text(content: str) -> Callable[[Path], Path]:
    return lambda folder: write(folder / "names.json", content.encode())


no_labels = "so it is no label map"
LABELS.accepted("labels of type float32 that are whole", nifti("l.nii", labels("f4")), is_labels)
LABELS.accepted("labels of type float64, packed", nifti("l.nii.gz", labels("f8")), is_labels)
LABELS.accepted("labels of type int64", lambda folder: write_image(folder / "l.mha", labels("i8"), GRID), is_labels)
LABELS.refused("labels with fractions", "holds fractions, " + no_labels, nifti("l.nii", labels("f4", 0.5)))
LABELS.refused("labels below 0", "holds negative values, " + no_labels, nifti("l.nii", labels("i2", -1)))
LABELS.refused("NaN among the labels", "NaN or infinite voxels, " + no_labels, nifti("l.nii", labels("f4", np.nan)))
LABELS.refused("infinite labels, MHA", "NaN or infinite voxels, " + no_labels, image("l.mha", labels("f4", np.inf)))
LABELS.refused(
    "an id of 4294967297", "holds the value 4294967297, " + no_labels, image("l.nrrd", labels("i8", 2**32 + 1))
)
LABELS.refused("an id of 1e30", no_labels, nifti("l.nii", labels("f4", 1e30)))
LABELS.refused("no label at all", "every voxel is 0", nifti("l.nii", labels(value=0)))
LABELS.refused("labels cut off", "is cut off", cut(nifti("l.nii", labels()), 0.9))
LABELS.refused("a 4-D stack of labels", "has 4 axes", nifti("l.nii", np.stack([labels()] * 2)))
LABELS.refused("labels in colour", "3 values per voxel", image("l.mha", np.zeros((*SHAPE, 3), np.uint8), vector=True))
LABELS.refused(
    "labels of another place",
    "lie beside the CT",
    nifti("l.nii", labels(), rows=(1, 0, 0, 900, 0, 1, 0, 0, 0, 0, 1, 0)),
)
LABELS.accepted("labels on a coarser grid", nifti("l.nii", labels()[:, :, ::2], pixdim=(2, 1, 1)))
LABELS.refused("no id of the network", "no label of the reference has an id of the network ([1])", toy(7), open=use)
LABELS.refused("no name of the network's", "is an organ of the network", toy(names={1: "brain"}), open=use)
LABELS.accepted("an unknown id beside known ones", toy(5, {5: "Liver", 77: "brain"}), open=use)
LABELS.refused("labels of an organ that is not in them", "no organ can be scored", toy(5, {6: "liver"}), open=use)
LABELS.refused(
    "an organ of 8 voxels",
    "no organ can be scored: each needs at least 50 voxels",
    toy(box=(slice(3, 5),) * 3),
    open=use,
)
LABELS.refused(
    "an organ that was asked for is absent",
    "'spleen' is not an organ of the network",
    toy(organs=("spleen",)),
    open=use,
)
LABELS.accepted(
    "an organ on the CT's edge", toy(box=(slice(0, 4),) * 3), lambda case: case.organs[0].voxels == 64, open=use
)
LABELS.accepted("an organ that is the whole CT", toy(box=(slice(None),) * 3), open=use)
named = "does not name labels"
LABELS.accepted(
    "names after a byte order mark", text('\ufeff{"liver": 5}'), lambda names: names == {5: "liver"}, open=read_names
)
LABELS.accepted(
    "names in Chinese", text('{"肝": 5, "脾": 1}'), lambda names: names == {5: "肝", 1: "脾"}, open=read_names
)
LABELS.refused("names cut off", named, text('{"liver": 5'), open=read_names)
LABELS.refused("ids that are no numbers", named, text('{"liver": "five"}'), open=read_names)
LABELS.refused("two names for one id", "names the id 5 twice", text('{"liver": 5, "spleen": 5}'), open=read_names)
LABELS.refused(
    "one id written in two ways", "names the id 1 twice", text('{"1": "liver", "01": "liver"}'), open=read_names
)
LABELS.refused("names nested 100000 deep", named, text('{"a":' * 100000), open=read_names)
LABELS.refused("an image instead of names", named, nifti("l.nii.gz", labels()), open=read_names)
LABELS.refused("a folder instead of names", named, lambda folder: folder, open=read_names)
