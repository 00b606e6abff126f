"""Each check of a verification alone, on arrays whose figures are known: what is let pass, and what is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from findings import finding_from_file

from napari_advseg.evidence import Check, verification, verify_bundle
from napari_advseg.evidence.bundle import _write_images, result_record
from napari_advseg.volume import Volume, volume_from_array
from napari_advseg.volume.reading import image_on

SIDE = 30


def cube(*, first: int, label: int = 1) -> np.ndarray:
    """Labels of the first so many voxels."""
    labels = np.zeros((SIDE, SIDE, SIDE), np.uint16)
    labels.flat[:first] = label
    return labels


def changed(labels: np.ndarray, *places: int, to: int) -> np.ndarray:
    made = labels.copy()
    made.flat[list(places)] = to
    return made


@pytest.mark.parametrize(
    ("labelled", "places", "to", "ok"),
    [
        (1000, (0, 1), 0, True),  # two of a thousand are lost
        (900, (0, 1), 0, False),
        (998, (2000, 2001), 1, True),  # two are gained
        (600, (2000, 2001), 1, False),
        (9000, (0, 1), 0, True),
        (9000, (0, 1, 2), 0, False),  # more than one in ten thousand of all
        (1000, (0, 1), 2, True),
        (900, (0, 1), 2, False),  # of another organ
        (0, (), 0, True),  # nothing is labelled
        (0, (0, 1), 1, False),
    ],
)
def test_how_much_of_the_reference_may_lie_elsewhere(labelled: int, places: tuple[int, ...], to: int, ok: bool) -> None:
    moved = cube(first=labelled)
    check = verification._check_moved({"moved_reference": changed(moved, *places, to=to)}, moved)
    assert check.ok is ok
    same = 100 * (1 - len(places) / SIDE**3)
    assert check.figure.startswith(f"{same:.3f} % of voxels agree")


def claims(**changed: Any) -> dict[str, Any]:
    """Of an organ of a hundred voxels, of which sixty are left: a Dice of 0.75."""
    organs = [{"id": 1, "name": "liver", "clean": 1.0, "attacked": 0.75, "voxels": 100}]
    return {
        "organs": organs, "target_drop": 0.25, "tolerance": 0.01, "achieved_drop": 0.25, "reached": True,
    } | changed  # fmt: skip


def drop_of(**changed: Any) -> Check:
    whole = cube(first=100)
    arrays = {"clean_segmentation": whole, "reference": whole, "attacked_segmentation": cube(first=60)}
    return verification._check_drop(arrays, whole, claims(**changed))


@pytest.mark.parametrize(
    ("changed", "ok"),
    [
        ({}, True),
        ({"target_drop": 0.24}, True),  # just within the tolerance
        ({"target_drop": 0.26}, True),
        ({"target_drop": 0.261}, False),
        ({"target_drop": 0.261, "reached": False}, True),
        ({"reached": False}, False),
        ({"achieved_drop": 0.2521}, False),
        ({"achieved_drop": 0.2479}, False),
        ({"repeats": {"drops": [0.249, 0.25, 0.251]}}, True),
        ({"repeats": {"drops": [0.2, 0.25, 0.3]}}, False),  # not known well enough to be reached
        ({"repeats": {"drops": [0.2, 0.25, 0.3]}, "reached": False}, True),
        ({"repeats": {"drops": [0.28, 0.281]}, "reached": False}, True),
        ({"repeats": {"drops": [0.249, 0.251]}, "target_drop": 0.3, "reached": True}, False),
        ({"repeats": None}, True),
    ],
)
def test_a_drop_is_what_the_labels_say_and_reached_where_repeats_agree(changed: dict[str, Any], ok: bool) -> None:
    check = drop_of(**changed)
    assert check.ok is ok
    assert check.figure.startswith("0.2500 recomputed, ")


def test_an_organ_is_judged_by_its_own_id() -> None:
    reference = cube(first=100) + changed(cube(first=0), *range(200, 300), to=2)
    attacked = changed(reference, *range(60, 100), to=0)
    arrays = {"clean_segmentation": reference, "reference": reference, "attacked_segmentation": attacked}
    liver = {"id": 1, "name": "liver", "clean": 1.0, "attacked": 0.75, "voxels": 100}
    spleen = {"id": 2, "name": "spleen", "clean": 1.0, "attacked": 1.0, "voxels": 100}
    whole = verification._check_organs(arrays, reference, {"organs": [liver, spleen]})
    assert whole.ok
    assert whole.figure == "all 2"
    swapped = {"organs": [liver | {"attacked": 1.0}, spleen | {"attacked": 0.75}]}
    found = verification._check_organs(arrays, reference, swapped)
    assert not found.ok
    assert found.figure == (
        "liver (id 1): 100 voxels, 1.000 to 0.750 recomputed, 100 voxels, 1.000 to 1.000 reported; "
        "spleen (id 2): 100 voxels, 1.000 to 1.000 recomputed, 100 voxels, 1.000 to 0.750 reported"
    )


def ct_of(hu: float, spacing: tuple[float, float, float] = (3.0, 2.0, 1.0)) -> Volume:
    return volume_from_array(np.full((6, 8, 10), hu, np.float32), spacing=spacing)


def budgeted(mm: np.ndarray, hu: float = 0.0, jacobian: tuple[float, float] = (0.2, 5.0)) -> list[Check]:
    arrays = {"displacement": mm.astype(np.float32), "appearance": np.full(mm.shape[:3], hu, np.float32)}
    budget = {"max_displacement_mm": 5.0, "max_hu": 15.0, "jacobian": list(jacobian)}
    return verification._check_budget(ct_of(0), arrays, {"budget": budget})


def stretched(slope: float) -> np.ndarray:
    """A field along x, mm: each voxel is ``1 + slope`` of what it was."""
    mm = np.zeros((6, 8, 10, 3))
    mm[..., 0] = slope * (np.arange(10) - 4.5)
    return mm


@pytest.mark.parametrize(
    ("slope", "jacobian", "ok"),
    [
        (0.5, (0.2, 5.0), True),
        (0.5, (0.2, 1.4), False),
        (0.5, (1.6, 5.0), False),
        (-0.5, (0.2, 5.0), True),
        (-1.5, (-2.0, 5.0), False),  # it folds, and no budget allows that
        (-1.5, (0.2, 5.0), False),
    ],
)
def test_nothing_may_fold_whatever_the_budget_says(slope: float, jacobian: tuple[float, float], ok: bool) -> None:
    check = budgeted(stretched(slope), jacobian=jacobian)[2]
    assert check.ok is ok
    assert check.figure == f"{1 + slope:.3f} to {1 + slope:.3f}"


@pytest.mark.parametrize(
    ("vector", "ok"), [((3.0, 4.0, 0.0), True), ((0.0, 3.0, 4.1), False), ((-5.1, 0.0, 0.0), False)]
)
def test_a_shift_is_as_long_as_all_of_its_components(vector: tuple[float, float, float], ok: bool) -> None:
    mm = np.zeros((6, 8, 10, 3))
    mm[2, 3, 4] = vector
    check = budgeted(mm)[0]
    assert check.ok is ok
    assert check.figure == f"{np.linalg.norm(vector):.2f} mm of 5"


@pytest.mark.parametrize(("hu", "ok"), [(15.0, True), (-15.0, True), (15.1, False), (-15.1, False)])
def test_an_intensity_change_counts_in_both_directions(hu: float, ok: bool) -> None:
    assert budgeted(stretched(0.0), hu)[1].ok is ok


@pytest.mark.parametrize(
    ("hu", "added", "saved", "ok"),
    [
        (40.0, 10.0, 50, True), (40.0, 10.0, 52, True), (40.0, 10.0, 47, False), (40.0, -10.0, 50, False),
        (32760.0, 20.0, 32767, True), (-32760.0, -20.0, -32768, True),  # as far as a file goes
    ],
)  # fmt: skip
def test_the_perturbed_ct_is_the_ct_with_what_was_added(hu: float, added: float, saved: int, ok: bool) -> None:
    ct = ct_of(hu)
    field = sitk.GetImageFromArray(np.zeros((6, 8, 10, 3)), isVector=True)
    field.CopyInformation(image_on(ct.hu, ct.grid))
    arrays = {
        "appearance": np.full(ct.hu.shape, added, np.float32), "perturbed": np.full(ct.hu.shape, saved, np.int16),
    }  # fmt: skip
    for interpolation in ("bspline", "linear"):
        record = {"interpolation": interpolation}
        check = verification._check_synthesis(ct, {"displacement": field}, arrays, record)
        assert check.ok is ok
    assert check.figure.endswith(f"mean {abs(np.clip(hu + added, -32768, 32767) - saved):.3f} HU")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle's images and record, which is all that a verification looks at."""
    folder = tmp_path_factory.mktemp("checks")
    finding, _ = finding_from_file(folder)
    assert finding.evidence is not None
    (folder / "bundle").mkdir()
    _write_images(finding.result, folder / "bundle")
    record = result_record(finding.result, finding.evidence, finding.case.network)
    (folder / "bundle" / "result.json").write_text(json.dumps(record))
    return folder / "bundle"


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "bundle")


def test_a_bundle_as_it_is_holds(bundle: Path) -> None:
    assert all(check.ok for check in verify_bundle(bundle))


def write(bundle: Path, name: str, array: np.ndarray) -> None:
    grid = sitk.ReadImage(str(bundle / "perturbed.nii.gz"))
    image = sitk.GetImageFromArray(array, isVector=array.ndim > 3)
    image.CopyInformation(grid)
    sitk.WriteImage(image, str(bundle / f"{name}.nii.gz"))


def refused(bundle: Path, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        verify_bundle(bundle)
    assert len(str(caught.value).splitlines()) == 1


def test_what_cannot_be_checked_is_refused_in_one_line(bundle: Path) -> None:
    shape = (12, 24, 24)
    write(bundle, "displacement", np.zeros((*shape, 2), np.float32))
    refused(bundle, "must hold three components per voxel")
    write(bundle, "displacement", np.zeros(shape, np.float32))
    refused(bundle, "must hold three components per voxel")
    holed = np.zeros(shape, np.float32)
    holed[3, 4, 5:7] = np.nan
    write(bundle, "appearance", holed)
    refused(bundle, r"appearance\.nii\.gz holds 2 NaN or infinite numbers")
    (bundle / "reference.nii.gz").unlink()
    (bundle / "appearance.nii.gz").unlink()
    refused(bundle, r"the bundle has no appearance\.nii\.gz")


@pytest.mark.parametrize("key", ["path", "sha256"])
def test_a_record_that_does_not_name_its_ct_is_refused(bundle: Path, key: str) -> None:
    record = json.loads((bundle / "result.json").read_text())
    record["ct"].pop(key)
    (bundle / "result.json").write_text(json.dumps(record))
    refused(bundle, f"its ct has no '{key}'")
