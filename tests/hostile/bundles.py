"""Bundles of an attack with something missing, cut off or edited."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from napari_advseg.case import save_finding
from napari_advseg.case.python import attack
from napari_advseg.cohort.ct_of_bundle import find_ct
from napari_advseg.evidence import read_bundle, verify_bundle, write_report
from napari_advseg.volume import read_ct, write_image

from .images import write
from .registry import Opened, Shelf
from .toys import threshold_network, toy_ct


def read(path: Any) -> Opened:
    return Opened(read_bundle(path))


def verify(path: Any) -> Opened:
    """The checks that fail are what is said."""
    checks = verify_bundle(path)
    return Opened(checks, [f"{check.name}: {check.figure}" for check in checks if not check.ok])


def report(path: Any) -> Opened:
    return Opened(write_report([path], path.parent / "report.html").read_text(encoding="utf-8"))


def look_for_ct(path: Any) -> Opened:
    return Opened(find_ct(read_bundle(path)))


BUNDLES = Shelf("bundles", "`read_bundle` (*verify:* `verify_bundle`, which recomputes what is claimed)", read)


@cache
def _whole() -> Path:
    """A bundle of the toy network and its CT, made once for all."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    ct = toy_ct()
    path = write_image(folder / "ct.nii.gz", ct.hu.astype("i2"), ct.grid)
    return save_finding(attack(read_ct(path), threshold_network(), 0.2), folder / "bundle")


def forget() -> None:
    """Remove the bundle that all were made from."""
    if _whole.cache_info().currsize:
        shutil.rmtree(_whole().parent)
        _whole.cache_clear()


def spoilt(spoil: Callable[[Path], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        bundle = Path(shutil.copytree(_whole(), folder / "bundle"))
        spoil(bundle)
        return bundle

    return make


def record(**fields: Any) -> Callable[[Path], Path]:
    """A maker of a bundle whose result.json has other fields, or lacks those that are None."""

    def spoil(bundle: Path) -> None:
        content = json.loads((bundle / "result.json").read_text()) | fields
        kept = {key: value for key, value in content.items() if value is not None}
        (bundle / "result.json").write_text(json.dumps(kept))

    return spoilt(spoil)


def ct_at(path: Any) -> Callable[[Path], Path]:
    return record(ct={"path": path, "sha256": "0" * 64})


def raw(content: bytes) -> Callable[[Path], Path]:
    return spoilt(lambda bundle: write(bundle / "result.json", content))


def without(name: str) -> Callable[[Path], Path]:
    return spoilt(lambda bundle: (bundle / name).unlink())


def cut(name: str, to: float) -> Callable[[Path], Path]:
    def spoil(bundle: Path) -> None:
        content = (bundle / name).read_bytes()
        write(bundle / name, content[: int(to * len(content))])

    return spoilt(spoil)


def edited(name: str, change: Callable[[Any], Any], vector: bool = False) -> Callable[[Path], Path]:
    def spoil(bundle: Path) -> None:
        path = str(bundle / name)
        image = sitk.ReadImage(path)
        array = np.asarray(change(sitk.GetArrayFromImage(image)))
        other = sitk.GetImageFromArray(array, isVector=vector)
        if other.GetDimension() == 3:
            other.CopyInformation(image)
        sitk.WriteImage(other, path)

    return spoilt(spoil)


def linked(bundle: Path) -> None:
    outside = bundle.parent / "outside.nii.gz"
    (bundle / "perturbed.nii.gz").replace(outside)
    (bundle / "perturbed.nii.gz").symlink_to(outside)


organ = {"id": 1, "name": "<script>alert(1)</script>", "clean": 1.0, "attacked": 0.8, "voxels": 100}
BUNDLES.accepted("a whole bundle", spoilt(lambda bundle: None))
BUNDLES.accepted("*verify:* a whole bundle", spoilt(lambda bundle: None), open=verify)
BUNDLES.accepted("a link to an image elsewhere", spoilt(linked))
BUNDLES.accepted("files that do not belong to it", spoilt(lambda bundle: write(bundle / "notes.txt", b"")))
BUNDLES.refused("an empty folder", "is no attack bundle: it has no result.json", lambda folder: folder)
BUNDLES.refused("a record cut off", "is no JSON", cut("result.json", 0.5))
BUNDLES.refused("an empty record", "is no JSON", raw(b""))
BUNDLES.refused("a record nested 100000 deep", "nested too deep", raw(b"[" * 100000))
BUNDLES.refused("a record that is a list", "must hold a JSON object; got list", raw(b"[]"))
BUNDLES.refused("a record in Latin-1", "is no JSON", raw('{"name": "Müller"}'.encode("latin-1")))
BUNDLES.refused("a drop that is text", "must hold 'achieved_drop' as a float; got a str", record(achieved_drop="0.3"))
BUNDLES.refused(
    "a drop that is NaN", "must hold 'achieved_drop' as a finite number", record(achieved_drop=float("nan"))
)
BUNDLES.refused("a strength that is infinite", "must hold 'strength' as a finite number", record(strength=float("inf")))
BUNDLES.refused(
    "no organs' ids", "organs or a strength path that an attack does not write", record(organs=[{"name": "liver"}])
)
BUNDLES.refused(
    "organs that are numbers", "organs or a strength path that an attack does not write", record(organs=[1])
)
BUNDLES.refused(
    "a strength path of single numbers",
    "organs or a strength path that an attack does not write",
    record(strength_path=[1]),
)
BUNDLES.refused("a region outside of the CT", "leaves the volume", record(region="0:99,0:9,0:9"))
BUNDLES.refused("a region of another bundle", "the files are of two bundles", record(region="0:2,0:2,0:2"))
BUNDLES.refused("a path of the CT that is a number", "must hold the CT's path as text", ct_at(5))
for name in ("perturbed", "displacement", "moved_reference"):
    BUNDLES.refused(f"no {name}.nii.gz", f"the bundle has no {name}.nii.gz", without(f"{name}.nii.gz"))
BUNDLES.refused("perturbed.nii.gz cut off", "is cut off", cut("perturbed.nii.gz", 0.8))
BUNDLES.refused(
    "an empty appearance.nii.gz", "appearance.nii.gz", spoilt(lambda bundle: write(bundle / "appearance.nii.gz", b""))
)
BUNDLES.refused(
    "a displacement of one component",
    "must hold three components per voxel",
    edited("displacement.nii.gz", lambda mm: mm[..., 0]),
)
BUNDLES.refused(
    "a reference with fractions", "must hold whole numbers", edited("reference.nii.gz", lambda ids: ids + 0.5)
)
BUNDLES.refused(
    "a reference of one slice",
    "an image has 2 axes",
    spoilt(
        lambda bundle: sitk.WriteImage(
            sitk.GetImageFromArray(np.zeros((4, 4), np.uint8)), str(bundle / "reference.nii.gz")
        )
    ),
)
BUNDLES.refused(
    "a reference of four axes", "an image has 4 axes", edited("reference.nii.gz", lambda ids: np.stack([ids, ids]))
)
BUNDLES.accepted(
    "NaN in the displacement counts as 0", edited("displacement.nii.gz", lambda mm: mm * np.nan, vector=True)
)
BUNDLES.refused(
    "a strength path cut off", "is not the strength path that an attack writes", cut("path.safetensors", 0.9)
)
BUNDLES.warned("*verify:* a drop that was edited", "the drop is as reported", record(achieved_drop=0.9), open=verify)
BUNDLES.warned(
    "*verify:* a perturbed CT that was edited",
    "field and appearance make the perturbed CT",
    edited("perturbed.nii.gz", lambda hu: hu + np.int16(50)),
    open=verify,
)
BUNDLES.warned(
    "*verify:* an appearance beyond the budget",
    "the intensity change is within budget",
    edited("appearance.nii.gz", lambda hu: hu + np.float32(50)),
    open=verify,
)
BUNDLES.refused(
    "*verify:* NaN in the displacement",
    "NaN or infinite numbers",
    edited("displacement.nii.gz", lambda mm: mm * np.nan, vector=True),
    open=verify,
)
BUNDLES.refused(
    "*verify:* no SHA-256 of the CT", "is not what an attack writes", record(ct={"path": None}), open=verify
)
BUNDLES.refused(
    "*verify:* an unknown interpolation", "is not what an attack writes", record(interpolation="sinc"), open=verify
)
BUNDLES.refused("*verify:* an empty budget", "is not what an attack writes", record(budget={}), open=verify)
BUNDLES.refused(
    "*verify:* a scalar displacement",
    "must hold three components per voxel",
    edited("displacement.nii.gz", lambda mm: mm[..., 0]),
    open=verify,
)
BUNDLES.refused(
    "*verify:* a CT path that leads to /etc/passwd",
    "is no image that can be read",
    ct_at("../../../../../../../../../../../etc/passwd"),
    open=verify,
)
BUNDLES.refused(
    "*verify:* a CT path that is not there", "there is no file or folder", ct_at("/no/such/ct.nii.gz"), open=verify
)
BUNDLES.refused("*verify:* a CT path of 5000 characters", "there is no file or folder", ct_at("x" * 5000), open=verify)
BUNDLES.accepted(
    "a CT path of 5000 characters: the CT counts as lost", ct_at("x" * 5000), lambda ct: ct is None, open=look_for_ct
)
BUNDLES.accepted(
    "a CT path with a null byte: the CT counts as lost", ct_at("ct\0.nii"), lambda ct: ct is None, open=look_for_ct
)
BUNDLES.accepted(
    "an organ's name that is a script, in the report: shown as text",
    record(organs=[organ]),
    lambda page: "<script>alert" not in page,
    open=report,
)
