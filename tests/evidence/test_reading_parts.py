"""Reading a bundle file by file: what is missing, of another kind, or elsewhere is named before anybody counts with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from findings import toy_finding

from napari_advseg.attacks import Organ, PathPoint
from napari_advseg.evidence import Evidence, read_bundle
from napari_advseg.evidence.bundle import _write_images, result_record
from napari_advseg.evidence.bundle_reading import read_record
from napari_advseg.evidence.stored_path import StoredPath
from napari_advseg.volume import Region

NEEDED: dict[str, Any] = {
    "ct": {"path": None}, "network": {}, "target_drop": 0.3, "tolerance": 0.01, "achieved_drop": 0.3, "reached": True,
    "dice": {}, "organs": [], "control": {}, "budget": {}, "change": {}, "cost": {}, "region": "", "strength": 0.8,
    "strength_path": [], "attacker": "search", "interpolation": "bspline", "seed": 0,
}  # fmt: skip


def put(folder: Path, record: Any) -> Path:
    (folder / "result.json").write_text(json.dumps(record))
    return folder


def refused(folder: Path, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        read_record(folder)
    assert len(str(caught.value).splitlines()) == 1
    assert "attack anew" in str(caught.value)


def test_a_record_with_all_that_is_needed_is_read(tmp_path: Path) -> None:
    assert read_record(put(tmp_path, NEEDED)) == NEEDED
    assert read_record(put(tmp_path, NEEDED | {"ct": {"path": "ct.nii.gz"}}))["ct"]["path"] == "ct.nii.gz"
    assert read_record(put(tmp_path, NEEDED | {"ct": {}}))["ct"] == {}
    assert read_record(put(tmp_path, NEEDED | {"target_drop": 1, "strength": 0}))["target_drop"] == 1


@pytest.mark.parametrize("key", NEEDED)
def test_each_key_is_needed_and_has_its_kind(tmp_path: Path, key: str) -> None:
    refused(
        put(tmp_path, {name: value for name, value in NEEDED.items() if name != key}), f"'{key}' as a .*; got nothing"
    )
    other: Any = "text" if not isinstance(NEEDED[key], str) else 7
    refused(put(tmp_path, NEEDED | {key: other}), f"'{key}' as a .*; got a {type(other).__name__}")
    refused(put(tmp_path, NEEDED | {key: None}), f"'{key}' as a .*; got a NoneType")


def test_yes_is_no_number_and_a_whole_number_no_fraction(tmp_path: Path) -> None:
    refused(put(tmp_path, NEEDED | {"target_drop": True}), "'target_drop' as a float; got a bool")
    refused(put(tmp_path, NEEDED | {"seed": 1.5}), "'seed' as a int; got a float")
    refused(put(tmp_path, NEEDED | {"reached": 1}), "'reached' as a bool; got a int")


def test_what_is_no_number_is_refused(tmp_path: Path) -> None:
    for value in ("NaN", "Infinity", "1e999"):
        text = json.dumps(NEEDED).replace('"achieved_drop": 0.3', f'"achieved_drop": {value}')
        (tmp_path / "result.json").write_text(text)
        refused(tmp_path, "result.json")
    refused(put(tmp_path, NEEDED | {"ct": {"path": 7}}), "the CT's path as text; got 7")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle without its picture."""
    finding = toy_finding()
    assert isinstance(finding.evidence, Evidence)
    _write_images(finding.result, tmp_path)
    StoredPath.of(finding.result).write(tmp_path)
    return put(tmp_path, result_record(finding.result, finding.evidence, finding.case.network))


def rewrite(folder: Path, name: str, change: Any) -> None:
    path = str(folder / f"{name}.nii.gz")
    image = sitk.ReadImage(path)
    array = change(sitk.GetArrayFromImage(image))
    made = sitk.GetImageFromArray(array, isVector=array.ndim > 3)
    made.SetSpacing(image.GetSpacing())
    made.SetOrigin(image.GetOrigin())
    made.SetDirection(image.GetDirection())
    sitk.WriteImage(made, path)


def test_arrays_have_the_kinds_that_the_viewer_counts_with(bundle: Path) -> None:
    result = toy_finding().result
    for name in ("perturbed", "clean_segmentation", "reference"):
        rewrite(bundle, name, lambda array: array.astype(np.int32))
    rewrite(bundle, "appearance", lambda array: array.astype(np.float64))
    read = read_bundle(bundle)
    assert read.perturbed.dtype == np.int16
    assert read.appearance.dtype == read.displacement_mm.dtype == np.float32
    assert {
        array.dtype for array in (read.clean_labels, read.attacked_labels, read.reference, read.moved_reference)
    } == {np.dtype(np.uint16)}
    assert np.array_equal(read.perturbed, result.whole_perturbed)
    assert np.array_equal(read.clean_labels, result.clean_labels)
    assert read.grid.matches(result.ct.grid)
    assert read_bundle(bundle, result.ct.grid).grid is result.ct.grid
    assert read.region == result.region
    assert read.path is not None


def test_what_the_record_says_of_organs_and_path_is_what_is_read(bundle: Path) -> None:
    record = json.loads((bundle / "result.json").read_text())
    organs = [{"id": 7, "name": "left_lung", "voxels": 60, "clean": 0.95, "attacked": 0.5}]
    put(bundle, record | {"organs": organs, "strength_path": [[0, 0], [0.5, 0.2], [1, 0.4]]})
    read = read_bundle(bundle)
    assert read.organs == (Organ(7, "left_lung", 60, 0.95, 0.5),)
    assert read.points == (PathPoint(0.0, 0.0), PathPoint(0.5, 0.2), PathPoint(1.0, 0.4))
    assert read.record["network"] == record["network"]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("displacement", lambda a: a[..., 0], "must hold three components per voxel"),
        ("displacement", lambda a: a[..., :2], "must hold three components per voxel"),
        ("perturbed", lambda a: a.astype(np.float32), "perturbed.nii.gz must hold whole numbers; got float32"),
        ("moved_reference", lambda a: a.astype(np.float32), "moved_reference.nii.gz must hold whole numbers"),
        ("attacked_segmentation", lambda a: a[1:], "lies on another grid .* than the perturbed CT"),
    ],
)
def test_an_image_of_another_kind_is_named(bundle: Path, name: str, change: Any, words: str) -> None:
    rewrite(bundle, name, change)
    with pytest.raises(ValueError, match=words) as caught:
        read_bundle(bundle)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"no image", b"\x1f\x8b half a header"])
def test_an_image_that_cannot_be_read_is_named(bundle: Path, content: bytes) -> None:
    (bundle / "reference.nii.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"reference\.nii\.gz") as caught:
        read_bundle(bundle)
    assert len(str(caught.value).splitlines()) == 1


def test_the_ct_that_was_attacked_is_asked_for_where_another_is_given(bundle: Path) -> None:
    grid = replace(toy_finding().result.ct.grid, spacing=(4.0, 3.0, 2.0))
    with pytest.raises(ValueError, match="than the CT .*give the CT that was attacked") as caught:
        read_bundle(bundle, grid)
    said = str(caught.value)
    assert "12 x 24 x 24 voxels of 4 x 3 x 3 mm at 0.0, 0.0, 0.0" in said
    assert "12 x 24 x 24 voxels of 4 x 3 x 2 mm" in said


@pytest.mark.parametrize(
    "part",
    [
        {"organs": [{"id": 1}]},
        {"organs": [7]},
        {"strength_path": [[0.0]]},
        {"strength_path": [0.5]},
        {"organs": [{"id": 1e999, "name": "", "voxels": 1, "clean": 1, "attacked": 1}]},
        {"region": "everything"},
    ],
)
def test_parts_that_an_attack_does_not_write_are_named_in_one_line(bundle: Path, part: dict[str, Any]) -> None:
    record = json.loads((bundle / "result.json").read_text())
    put(bundle, record | part)
    with pytest.raises(ValueError, match=r"\S") as caught:
        read_bundle(bundle)
    assert len(str(caught.value).splitlines()) == 1


def test_a_path_of_another_region_is_noticed_and_none_is_needed(bundle: Path) -> None:
    stored = StoredPath.of(toy_finding().result)
    replace(stored, region=Region((0, 0, 0), (5, 5, 5))).write(bundle)
    with pytest.raises(ValueError, match="the files are of two bundles"):
        read_bundle(bundle)
    (bundle / "path.safetensors").unlink()
    assert read_bundle(bundle).path is None
