"""How far a claim of a bundle may be off: each is moved to just within what is allowed, and just beyond."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from findings import finding_from_file
from toy_networks import threshold_network

from napari_advseg.attacks import AttackResult
from napari_advseg.case import save_finding
from napari_advseg.evidence import Check, verify_bundle
from napari_advseg.evidence.bundle import _write_images
from napari_advseg.volume import read_ct

SOURCE, GRID = "the CT is the one that was attacked", "every image lies on the CT's grid"
WHOLE, SYNTHESIS = "the perturbed CT is whole HU", "field and appearance make the perturbed CT"
MOVED, DROP = "the reference moved with the anatomy", "the drop is as reported"
ORGANS, CONTROL = "every organ's Dice is as reported", "the random control was measured"
MM, HU = "the displacement is within budget", "the intensity change is within budget"
JACOBIAN, NETWORK = (
    "nothing folds, and the Jacobians are within budget",
    "the network, run on the saved CT, segments it as saved",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AttackResult, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("claims")
    finding, _ = finding_from_file(folder)
    bundle = save_finding(finding, folder / "bundle")
    return bundle, finding.result, json.loads((bundle / "result.json").read_text())


def verify(bundle: Path, **options: Any) -> dict[str, Check]:
    return {check.name: check for check in verify_bundle(bundle, **options)}


def claimed(whole: Any, to: Path, change: Callable[[dict[str, Any]], object]) -> dict[str, Check]:
    """The checks of the same bundle with another record."""
    bundle, _, record = whole
    copy = shutil.copytree(bundle, to / "copy")
    record = json.loads(json.dumps(record))
    change(record)
    (copy / "result.json").write_text(json.dumps(record))
    return verify(copy)


def changed(
    whole: Any, to: Path, name: str, change: Callable[[np.ndarray], np.ndarray], **options: Any
) -> dict[str, Check]:
    """The checks of the same bundle with another image."""
    copy = shutil.copytree(whole[0], to / "copy")
    path = str(copy / f"{name}.nii.gz")
    image = sitk.ReadImage(path)
    made = sitk.GetImageFromArray(
        change(sitk.GetArrayFromImage(image)), isVector=image.GetNumberOfComponentsPerPixel() > 1
    )
    made.CopyInformation(image)
    sitk.WriteImage(made, path)
    return verify(copy, **options)


def failed(checks: dict[str, Check]) -> set[str]:
    return {name for name, check in checks.items() if not check.ok}


def test_the_bundle_as_it_was_written_holds(whole) -> None:
    checks = verify(whole[0], network=threshold_network())
    assert failed(checks) == set()
    assert set(checks) == {SOURCE, GRID, WHOLE, SYNTHESIS, MOVED, DROP, ORGANS, CONTROL, MM, HU, JACOBIAN, NETWORK}
    assert "100.00 % within 2 HU" in checks[SYNTHESIS].figure
    assert checks[GRID].figure == "all 7"
    assert checks[NETWORK].figure == "100.0000 % of voxels agree"


@pytest.mark.parametrize(("off", "ok"), [(0.0019, True), (-0.0019, True), (0.0021, False), (-0.0021, False)])
def test_the_reported_drop(whole, tmp_path: Path, off: float, ok: bool) -> None:
    checks = claimed(whole, tmp_path, lambda r: r.update(achieved_drop=r["achieved_drop"] + off))
    assert (DROP in failed(checks)) is not ok


@pytest.mark.parametrize(("asked", "reached"), [(0.009, True), (-0.009, True), (0.011, False), (-0.011, False)])
def test_whether_it_is_reached(whole, tmp_path: Path, asked: float, reached: bool) -> None:
    drop = whole[1].achieved_drop
    for number, said in enumerate((reached, not reached)):
        checks = claimed(
            whole, tmp_path / str(number), lambda r, said=said: r.update(target_drop=drop + asked, reached=said)
        )
        assert (DROP in failed(checks)) is (said is not reached)


@pytest.mark.parametrize(
    ("key", "off", "ok"),
    [
        ("clean", -0.0019, True), ("clean", -0.0021, False),
        ("attacked", 0.019, True), ("attacked", -0.019, True), ("attacked", 0.021, False), ("attacked", -0.021, False),
        ("voxels", 1, False), ("voxels", -1, False),
    ],
)  # fmt: skip
def test_what_is_reported_of_an_organ(whole, tmp_path: Path, key: str, off: float, ok: bool) -> None:
    def change(record: dict[str, Any]) -> None:
        record["organs"][0][key] += off

    checks = claimed(whole, tmp_path, change)
    assert (ORGANS in failed(checks)) is not ok
    assert ok or "liver (id 1)" in checks[ORGANS].figure


@pytest.mark.parametrize(
    ("check", "key", "found"),
    [(MM, "max_displacement_mm", "max_displacement_mm"), (HU, "max_hu", "max_hu")],
)
def test_the_budget_of_shift_and_intensity(whole, tmp_path: Path, check: str, key: str, found: str) -> None:
    largest = whole[2]["change"][found]
    for number, (less, ok) in enumerate([(0.008, True), (0.013, False)]):
        checks = claimed(whole, tmp_path / str(number), lambda r, less=less: r["budget"].update({key: largest - less}))
        assert (check in failed(checks)) is not ok
        assert checks[check].figure.startswith(f"{largest:.2f}")


@pytest.mark.parametrize(("side", "key", "sign"), [(0, "min_jacobian", 1), (1, "max_jacobian", -1)])
def test_the_budget_of_the_jacobians(whole, tmp_path: Path, side: int, key: str, sign: int) -> None:
    found = whole[2]["change"][key]
    for number, (off, ok) in enumerate([(0.008, True), (0.013, False)]):

        def change(record: dict[str, Any], off: float = off) -> None:
            record["budget"]["jacobian"][side] = found + sign * off

        checks = claimed(whole, tmp_path / str(number), change)
        assert (JACOBIAN in failed(checks)) is not ok


@pytest.mark.parametrize(
    ("control", "ok"),
    [
        ({"drop": 0.02, "drops": [0.01, 0.02, 0.03]}, True),
        ({"drop": 0.02}, True),
        ({"drop": 0.02, "drops": [0.01, 0.02, 0.03001]}, False),
        ({"drop": 0.02, "drops": []}, False),
        ({"drop": 0.02, "drops": [0.02, "0.02"]}, False),
        ({"drop": True, "drops": [1.0]}, False),
    ],
)
def test_the_random_control(whole, tmp_path: Path, control: dict[str, Any], ok: bool) -> None:
    try:
        checks = claimed(whole, tmp_path, lambda r: r.update(control=control))
    except ValueError:
        assert not ok  # refused before anything is checked
        return
    assert (CONTROL in failed(checks)) is not ok


def some(array: np.ndarray, share: float) -> np.ndarray:
    """A mask of a share of the voxels, evenly."""
    mask = np.zeros(array.size, bool)
    mask[np.linspace(0, array.size - 1, round(share * array.size)).astype(int)] = True
    return mask.reshape(array.shape)


@pytest.mark.parametrize(
    ("hu", "share", "ok"), [(1, 1.0, True), (3, 1.0, False), (50, 0.004, True), (50, 0.006, False)]
)
def test_the_perturbed_ct_is_that_of_the_field(whole, tmp_path: Path, hu: int, share: float, ok: bool) -> None:
    checks = changed(whole, tmp_path, "perturbed", lambda a: (a + hu * some(a, share)).astype(np.int16))
    assert (SYNTHESIS in failed(checks)) is not ok


def test_a_perturbed_ct_of_fractions_is_noticed(whole, tmp_path: Path) -> None:
    checks = changed(whole, tmp_path, "perturbed", lambda a: a.astype(np.float32))
    assert failed(checks) == {WHOLE}


@pytest.mark.parametrize(("share", "ok"), [(0.0015, True), (0.0025, False)])
def test_the_moved_reference_is_that_of_the_field(whole, tmp_path: Path, share: float, ok: bool) -> None:
    """The labelled voxels count: in a large CT the others hide everything."""

    def lose(array: np.ndarray) -> np.ndarray:
        places = np.flatnonzero(array)
        lost = max(1, round(share * len(places)))
        array.flat[places[:lost]] = 0
        return array

    size = int((whole[1].moved_reference > 0).sum())
    voxels = whole[1].moved_reference.size
    checks = changed(whole, tmp_path, "moved_reference", lose)
    within = round(share * size) / size <= 0.002 and max(1, round(share * size)) / voxels < 1e-4
    assert (MOVED in failed(checks)) is not (ok and within)


def test_labels_that_the_network_does_not_give_are_noticed(whole, tmp_path: Path) -> None:
    def lose(array: np.ndarray) -> np.ndarray:
        array.flat[np.flatnonzero(array)[:3]] = 0
        return array

    checks = changed(whole, tmp_path, "attacked_segmentation", lose, network=threshold_network())
    assert NETWORK in failed(checks)


def test_an_image_that_lies_elsewhere_ends_the_checks(whole, tmp_path: Path) -> None:
    copy = shutil.copytree(whole[0], tmp_path / "copy")
    image = sitk.ReadImage(str(copy / "appearance.nii.gz"))
    image.SetOrigin((1.0, 2.0, 3.0))
    sitk.WriteImage(image, str(copy / "appearance.nii.gz"))
    checks = verify(copy)
    assert set(checks) == {SOURCE, GRID}
    assert failed(checks) == {GRID}
    assert checks[GRID].figure == "appearance"


def test_another_ct_is_noticed_and_one_in_memory_is_named_so(whole, tmp_path: Path) -> None:
    bundle, result, record = whole
    ct = read_ct(record["ct"]["path"])
    assert verify(bundle, ct=ct)[SOURCE].figure == "same SHA-256"
    other = replace(ct, source=replace(ct.source, sha256="0" * 64))
    found = verify(bundle, ct=other)
    assert failed(found) == {SOURCE}
    assert found[SOURCE].figure == "another SHA-256"
    assert SOURCE in failed(verify(bundle, ct=replace(ct, source=None)))
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "result.json").write_text(json.dumps(record | {"ct": {"path": None, "sha256": None}}))
    with pytest.raises(ValueError, match="made in memory"):
        verify(copy)
    assert verify(copy, ct=replace(ct, source=None))[SOURCE].figure == "made in memory"
    assert result.ct.grid.matches(ct.grid)


def test_the_record_is_that_of_the_result(whole) -> None:
    _, result, record = whole
    assert record["schema_version"] == 1
    assert record["dice"] == {"clean": result.clean_dice, "attacked": result.attacked_dice}
    assert [(organ["id"], organ["voxels"]) for organ in record["organs"]] == [(o.id, o.voxels) for o in result.organs]
    assert record["strength_path"] == [[point.strength, point.drop] for point in result.path]
    assert record["region"] == str(result.synthesis.region)
    assert record["cost"]["forward"] == result.cost.forward
    assert record["cost"]["backward"] == result.cost.backward
    assert record["control"]["drop"] == pytest.approx(np.mean(record["control"]["drops"]))
    assert set(record["versions"]) >= {"python", "napari-advseg", "torch", "numpy", "SimpleITK"}
    for package, said in record["versions"].items():
        assert said == (platform.python_version() if package == "python" else version(package))


def test_labels_are_stored_in_a_byte_where_they_fit(whole, tmp_path: Path) -> None:
    for id_, kind in ((255, sitk.sitkUInt8), (256, sitk.sitkUInt16)):
        labels = whole[1].reference.copy()
        labels.flat[0] = id_
        folder = tmp_path / str(id_)
        folder.mkdir()
        _write_images(replace(whole[1], reference=labels), folder)
        image = sitk.ReadImage(str(folder / "reference.nii.gz"))
        assert image.GetPixelID() == kind
        assert np.array_equal(sitk.GetArrayFromImage(image), labels)
