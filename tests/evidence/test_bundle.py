from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from findings import finding_from_file, toy_finding
from toy_networks import threshold_network

from napari_advseg.case import save_finding
from napari_advseg.evidence import verify_bundle
from napari_advseg.volume import read_ct

FILES = {
    "perturbed.nii.gz", "displacement.nii.gz", "appearance.nii.gz", "clean_segmentation.nii.gz",
    "attacked_segmentation.nii.gz", "reference.nii.gz", "moved_reference.nii.gz", "result.json", "figure.png",
    "path.safetensors",
}  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("original")
    finding, ct = finding_from_file(folder)
    return save_finding(finding, folder / "out" / "bundle"), ct


@pytest.fixture
def bundle(original: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A bundle and its CT, both to spoil."""
    folder = shutil.copytree(original[0], tmp_path / "out" / "bundle")
    ct = shutil.copy(original[1], tmp_path / "ct.nii.gz")
    record = json.loads((folder / "result.json").read_text())
    record["ct"]["path"] = str(ct)
    (folder / "result.json").write_text(json.dumps(record))
    return folder, ct


def test_a_bundle_holds_every_file_and_nothing_is_left_aside(bundle) -> None:
    folder, _ = bundle
    assert {file.name for file in folder.iterdir()} == FILES
    assert [entry.name for entry in folder.parent.iterdir()] == ["bundle"]
    record = json.loads((folder / "result.json").read_text())
    for key in (
        "schema_version", "ct", "network", "target_drop", "tolerance", "achieved_drop", "reached", "dice", "organs",
        "control", "budget", "change", "cost", "attacker", "interpolation", "seed", "device", "versions",
    ):  # fmt: skip
        assert key in record
    assert record["reached"] is True
    assert (folder / "figure.png").stat().st_size > 20_000


def test_the_bundle_verifies_by_our_own_reader_and_the_network_run_anew(bundle) -> None:
    folder, ct = bundle
    checks = verify_bundle(folder, network=threshold_network())
    assert [check for check in checks if not check.ok] == []
    assert len(checks) == 12
    assert verify_bundle(folder, read_ct(ct))[0].figure == "same SHA-256"


def test_the_independent_reader_accepts_it(bundle) -> None:
    folder, ct = bundle
    reader = Path(__file__).parents[3] / "shared" / "verify_bundle.py"
    if not reader.exists():
        pytest.skip(f"the independent reader is not at {reader}")
    done = subprocess.run([sys.executable, reader, folder, ct], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _edit(path: Path, change) -> None:
    image = sitk.ReadImage(str(path))
    edited = sitk.GetImageFromArray(
        change(sitk.GetArrayFromImage(image)), isVector=image.GetNumberOfComponentsPerPixel() > 1
    )
    edited.CopyInformation(image)
    sitk.WriteImage(edited, str(path))


@pytest.mark.parametrize(
    ("name", "change", "caught_by"),
    [
        ("perturbed", lambda a: a + np.int16(9), "field and appearance"),
        ("displacement", lambda a: a + np.float32([4, 0, 0]), "field and appearance"),
        ("moved_reference", lambda a: np.roll(a, 2, 2), "the reference moved"),
        ("attacked_segmentation", lambda a: np.zeros_like(a), "the drop is"),
        ("clean_segmentation", lambda a: np.zeros_like(a), "the drop is"),
        ("displacement", lambda a: a + np.float32([9, 0, 0]), "displacement is within budget"),
        ("appearance", lambda a: a * 9.0, "intensity change"),
        (
            "displacement",
            lambda a: np.where(np.indices(a.shape)[2] % 2, a + 4.9, a).astype(np.float32),
            "nothing folds",
        ),
    ],
)
def test_a_file_that_was_tampered_with_is_caught(bundle, name: str, change, caught_by: str) -> None:
    folder, _ = bundle
    _edit(folder / f"{name}.nii.gz", change)
    failed = [check.name for check in verify_bundle(folder) if not check.ok]
    assert any(caught_by in failure for failure in failed), failed


@pytest.mark.parametrize(
    ("key", "value", "caught_by"),
    [
        ("achieved_drop", 0.25, "the drop is"),
        ("reached", False, "the drop is"),
    ],
)
def test_a_claim_that_was_tampered_with_is_caught(bundle, key: str, value: object, caught_by: str) -> None:
    folder, _ = bundle
    record = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(record | {key: value}))
    failed = [check.name for check in verify_bundle(folder) if not check.ok]
    assert any(caught_by in failure for failure in failed), failed


def test_linear_sampling_passed_off_as_cubic_is_caught(bundle) -> None:
    folder, ct_path = bundle
    ct = sitk.ReadImage(str(ct_path), sitk.sitkFloat32)
    _edit(folder / "displacement.nii.gz", lambda a: np.zeros_like(a) + np.float32([1.5, 0, 0]))  # half a voxel
    field = sitk.ReadImage(str(folder / "displacement.nii.gz"), sitk.sitkVectorFloat64)
    blurred = sitk.Resample(ct, ct, sitk.DisplacementFieldTransform(field), sitk.sitkLinear, -100.0)
    added = sitk.ReadImage(str(folder / "appearance.nii.gz"))
    saved = np.rint(sitk.GetArrayFromImage(blurred + added)).astype(np.int16)
    _edit(folder / "perturbed.nii.gz", lambda _: saved)
    name = "field and appearance make the perturbed CT"
    assert not next(check for check in verify_bundle(folder) if check.name == name).ok
    record = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(record | {"interpolation": "linear"}))
    assert next(check for check in verify_bundle(folder) if check.name == name).ok  # the honest claim holds


def test_another_ct_is_caught(bundle, tmp_path: Path) -> None:
    folder, ct = bundle
    _edit(ct, lambda a: a + np.int16(3))
    assert not verify_bundle(folder)[0].ok


def test_what_is_no_bundle_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no attack bundle"):
        verify_bundle(tmp_path)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(ValueError, match="must hold 'ct' as a dict; got nothing"):
        verify_bundle(tmp_path)


def test_a_bundle_is_replaced_but_anything_else_is_refused(bundle, tmp_path: Path) -> None:
    folder, _ = bundle
    before = (folder / "result.json").stat().st_ino
    save_finding(toy_finding(), folder)
    assert (folder / "result.json").stat().st_ino != before
    assert {file.name for file in folder.iterdir()} == FILES
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="no attack bundle"):
        save_finding(toy_finding(), other)
    assert (other / "thesis.tex").exists()


def test_a_save_that_fails_keeps_the_old_bundle_whole(bundle, monkeypatch) -> None:
    import napari_advseg.evidence.bundle as module

    folder, _ = bundle
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(module, "draw_figure", full)
    with pytest.raises(OSError, match="No space"):
        save_finding(toy_finding(), folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [entry.name for entry in folder.parent.iterdir()] == ["bundle"]


def test_every_image_keeps_the_ct_s_exact_place(tmp_path: Path) -> None:
    mirrored = (-1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, -1.0, 0.0)
    finding = toy_finding(direction=mirrored)
    folder = save_finding(finding, tmp_path / "b")
    for file in folder.glob("*.nii.gz"):
        image = sitk.ReadImage(str(file))
        assert image.GetDirection() == pytest.approx(mirrored, abs=1e-6)
        assert image.GetOrigin() == pytest.approx((5.0, -7.0, 11.0), abs=1e-5)
    failed = [check.name for check in verify_bundle(folder, finding.result.ct) if not check.ok]
    assert failed == []
