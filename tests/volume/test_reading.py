from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from strategies import volumes

from napari_advseg.volume import (
    SeveralSeriesError,
    Volume,
    displacement_lps,
    match_labels,
    organ_key,
    read_ct,
    read_label_names,
    read_labels,
    volume_from_array,
    write_displacement,
    write_image,
)
from napari_advseg.volume.reading import grid_of


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha", ".mhd"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(volume=volumes(smallest=2))
def test_what_is_written_reads_back_on_the_same_grid(tmp_path: Path, suffix: str, volume: Volume) -> None:
    path = write_image(tmp_path / f"ct{suffix}", volume.hu.astype(np.int16), volume.grid)
    back = read_ct(path)
    assert np.array_equal(back.hu, volume.hu)
    # NIfTI keeps origin and direction as float32
    assert back.grid.matches(volume.grid, 1e-4 if suffix == ".nii.gz" else 1e-6)
    again = write_image(tmp_path / f"again{suffix}", back.hu, back.grid)
    assert read_ct(again).grid.matches(back.grid, 1e-6)


def test_a_ct_remembers_its_file_and_its_hash(tmp_path: Path) -> None:
    path = write_image(
        tmp_path / "ct.nii.gz", np.full((2, 3, 4), -5, np.int16), volume_from_array(np.zeros((2, 3, 4))).grid
    )
    volume = read_ct(path)
    assert volume.source is not None
    assert volume.source.path == path
    assert len(volume.source.sha256) == 64


def _dicom_series(folder: Path, uid: str, slices: int = 4, first: int = 0) -> None:
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for index in range(slices):
        image = sitk.GetImageFromArray(np.full((1, 5, 6), 10 * index, np.int16))
        image.SetSpacing((0.8, 0.7, 2.5))
        image.SetOrigin((1.0, 2.0, 2.5 * index))
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
            "0008|0018": f"{uid}.{index + 1}",
            "0020|000e": uid,
            "0020|000d": "1.2.3",
            "0020|0032": f"1.0\\2.0\\{2.5 * index}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(index + 1),
            "0008|0060": "CT",
            "0010|0010": "SECRET^NAME",
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{first + slices - index}.dcm"))  # names against the slice order
        writer.Execute(image)


def test_a_dicom_folder_and_one_of_its_files_give_the_series_in_slice_order(tmp_path: Path) -> None:
    _dicom_series(tmp_path, "1.2.3.4")
    for path in (tmp_path, tmp_path / "2.dcm"):
        volume = read_ct(path)
        assert volume.grid.shape == (4, 5, 6)
        assert volume.grid.spacing == pytest.approx((2.5, 0.7, 0.8))
        assert volume.hu[:, 0, 0].tolist() == [0, 10, 20, 30]


def test_several_series_are_listed_and_one_can_be_picked(tmp_path: Path) -> None:
    _dicom_series(tmp_path, "1.2.3.4", 4)
    _dicom_series(tmp_path, "1.2.3.5", 6, first=10)
    with pytest.raises(SeveralSeriesError, match="2 DICOM series") as caught:
        read_ct(tmp_path)
    counts = dict(caught.value.series)
    assert sorted(counts.values()) == [4, 6]
    assert read_ct(tmp_path, series="1.2.3.5").grid.shape[0] == 6
    assert read_ct(tmp_path, series=0).grid.shape[0] == caught.value.series[0][1]
    assert read_ct(tmp_path / "12.dcm").grid.shape[0] == 6


def _write(path: Path, array: np.ndarray, vector: bool = False) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(path))
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda d: d / "none.nii.gz", "there is no file or folder"),
        (lambda d: _text(d / "bad.nii.gz"), "no image that can be read"),
        (lambda d: _text(d / "bad.txt"), "no image that can be read"),
        (lambda d: d, "without a DICOM series"),
        (lambda d: _write(d / "4d.nii.gz", np.zeros((2, 3, 4, 5), np.float32)), "4 axes"),
        (lambda d: _write(d / "rgb.mha", np.zeros((3, 4, 5, 3), np.uint8), vector=True), "3 values per voxel"),
        (lambda d: _write(d / "nan.nii.gz", np.full((3, 4, 5), np.nan, np.float32)), "60 NaN or infinite"),
        (lambda d: _write(d / "inf.nii.gz", np.full((3, 4, 5), np.inf, np.float32)), "60 NaN or infinite"),
    ],
)
def test_input_that_is_no_ct_gets_one_clear_line(tmp_path: Path, make, words: str, capfd) -> None:
    path = make(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=words) as caught:
        read_ct(path)
    assert "\n" not in str(caught.value)


def _text(path: Path) -> Path:
    path.write_text("no image")
    return path


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((0.0, 1.0), "normalised"),
        ((0.0, 3000.0), "intercept"),
        ((-1000.0, 90000.0), "beyond"),
        ((-1000.0, 1500.0), None),
    ],
)
def test_values_that_are_evidently_not_hu_are_warned_of(values: tuple[float, float], word: str | None) -> None:
    warnings = volume_from_array(np.linspace(*values, 24).reshape(2, 3, 4)).warnings
    assert (word is None and not warnings) or word in warnings[0]


def test_empty_and_flat_arrays_are_refused() -> None:
    for array, word in ((np.zeros((0, 3, 4)), "empty"), (np.zeros((3, 4)), "three axes")):
        with pytest.raises(ValueError, match=word):
            volume_from_array(array)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(volume=volumes(smallest=3))
def test_labels_on_a_mirrored_grid_land_on_the_same_patient_position(tmp_path: Path, volume: Volume) -> None:
    labels = (np.abs(volume.hu) % 3).astype(np.uint8)
    labels.flat[0] = 1
    from napari_advseg.volume import reorient, reorient_grid, reorientation

    change = reorientation(volume.grid, "LAI")
    path = write_image(
        tmp_path / "l.nrrd", np.ascontiguousarray(reorient(labels, change)), reorient_grid(volume.grid, change)
    )
    assert np.array_equal(read_labels(path, volume.grid), labels)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((3, 4, 5), 0.5, np.float32), "fractions"),
        (np.full((3, 4, 5), -1, np.int16), "negative"),
        (np.zeros((3, 4, 5), np.uint8), "no label"),
    ],
)
def test_label_files_that_are_none_are_refused(tmp_path: Path, array: np.ndarray, words: str) -> None:
    grid = volume_from_array(np.zeros((3, 4, 5))).grid
    with pytest.raises(ValueError, match=words):
        read_labels(_write(tmp_path / "l.nii.gz", array), grid)


def test_labels_of_another_place_are_refused(tmp_path: Path) -> None:
    far = volume_from_array(np.zeros((3, 4, 5)), origin=(900.0, 0.0, 0.0)).grid
    path = write_image(tmp_path / "l.nii.gz", np.ones((3, 4, 5), np.uint8), far)
    with pytest.raises(ValueError, match="beside the CT"):
        read_labels(path, volume_from_array(np.zeros((3, 4, 5))).grid)


def test_label_names_are_read_either_way_round(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    for content in ({"liver": 5, "spleen": 1}, {"5": "liver", "1": "spleen"}, {"labels": {"liver": 5, "spleen": 1}}):
        path.write_text(json.dumps(content))
        assert read_label_names(path) == {5: "liver", 1: "spleen"}
    path.write_text("[1, 2]")
    with pytest.raises(ValueError, match="does not name labels"):
        read_label_names(path)
    with pytest.raises(FileNotFoundError):
        read_label_names(tmp_path / "none.json")


def test_one_organ_under_many_names_is_one_organ() -> None:
    for one, other in (
        ("left kidney", "kidney_left"),
        ("Kidney-Left", "kidneyLeft"),
        ("oesophagus", "esophagus"),
        ("adrenal gland right", "right_adrenal"),
        ("gall bladder", "gallbladder"),
    ):
        assert organ_key(one) == organ_key(other)
    assert organ_key("kidney_left") != organ_key("kidney_right")
    assert organ_key("urinary_bladder") != organ_key("gallbladder")
    assert match_labels({1: "Liver", 2: "bone"}, {0: "background", 7: "liver"}) == {1: 7}


def test_a_displacement_file_moves_points_as_itk_reads_it(tmp_path: Path) -> None:
    rotation = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    grid = volume_from_array(np.zeros((4, 5, 6)), spacing=(3.0, 2.0, 1.0), direction=rotation).grid
    voxels = np.zeros((3, 4, 5, 6), np.float32)
    voxels[1] = 1.0  # one voxel along y
    path = write_displacement(tmp_path / "u.nii.gz", voxels, grid)
    field = sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
    assert grid_of(sitk.VectorIndexSelectionCast(field, 0)).matches(grid)
    transform = sitk.DisplacementFieldTransform(field)
    here = np.array(grid.origin) + grid.array_to_lps @ [1, 2, 3]
    there = np.array(grid.origin) + grid.array_to_lps @ [1, 3, 3]
    np.testing.assert_allclose(transform.TransformPoint(here), there, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(displacement_lps(voxels, grid), axis=-1), 2.0, atol=1e-5)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="could not write"):
        write_image(tmp_path / "ct.unknown", np.zeros((2, 2, 2), np.int16), volume_from_array(np.zeros((2, 2, 2))).grid)
    assert not list(tmp_path.iterdir())
