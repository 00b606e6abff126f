from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from findings import finding_from_file, toy_finding
from safetensors.torch import load_file, save_file
from toy_networks import threshold_network

from napari_advseg.case import finish, open_case, result_from_bundle, save_finding, target_from_bundle
from napari_advseg.evidence import control_parameters, read_bundle, verify_bundle
from napari_advseg.volume import displacement_lps, read_ct

IMAGES = (
    "perturbed", "displacement", "appearance", "clean_segmentation", "attacked_segmentation", "reference",
    "moved_reference",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("saved")
    finding, ct = finding_from_file(folder)
    return save_finding(finding, folder / "bundle"), ct


@pytest.fixture
def saved(whole: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A bundle to spoil, and the CT."""
    return shutil.copytree(whole[0], tmp_path / "bundle"), whole[1]


def test_what_is_read_is_what_was_found(phantom) -> None:
    result, bundle = phantom.finding.result, read_bundle(phantom.bundle, phantom.finding.result.ct.grid)
    grid = result.ct.grid
    assert np.array_equal(bundle.perturbed, result.whole_perturbed)
    assert np.array_equal(bundle.displacement_mm, displacement_lps(result.whole_displacement, grid))
    assert np.array_equal(bundle.appearance, result.whole_appearance)
    for name in ("clean_labels", "attacked_labels", "reference", "moved_reference"):
        assert np.array_equal(getattr(bundle, name), getattr(result, name)), name
    assert (bundle.organs, bundle.points, bundle.region) == (result.organs, result.path, result.region)
    assert bundle.record == json.loads((phantom.bundle / "result.json").read_text())


def test_the_strength_can_be_set_anew_from_the_files(phantom) -> None:
    found = phantom.finding.result
    bundle = read_bundle(phantom.bundle)
    result = result_from_bundle(bundle, read_ct(phantom.ct))
    target = target_from_bundle(phantom.finding.case, result, bundle)
    assert result.synthesis is not found.synthesis
    for point in result.path:
        assert target.measure(result.parameters, point.strength).drop == pytest.approx(point.drop, abs=1e-9)
    again = target.measure(result.parameters, result.strength)
    assert np.array_equal(again.perturbed, result.perturbed)
    assert np.array_equal(target.placed.embed(again.attacked), result.attacked_labels)
    between = target.measure(result.parameters, 0.5 * result.strength).drop
    assert 0 <= between < result.achieved_drop


def test_the_result_is_the_one_that_was_saved(phantom) -> None:
    found, result = phantom.finding.result, result_from_bundle(read_bundle(phantom.bundle), read_ct(phantom.ct))
    assert np.abs(result.displacement - found.displacement).max() < 1e-5
    for name in ("achieved_drop", "reached", "strength", "seed", "attacker", "note", "cost", "stopped", "target_drop"):
        assert getattr(result, name) == getattr(found, name), name
    assert torch.equal(control_parameters(result, 1), control_parameters(found, 1))


def test_whether_the_search_was_thorough_is_kept(tmp_path: Path) -> None:
    finding = toy_finding(max_hu=2.0)
    for thorough in (False, True):
        result = replace(finding.result, thorough=thorough)
        bundle = read_bundle(save_finding(replace(finding, result=result), tmp_path / str(thorough)))
        assert result_from_bundle(bundle, result.ct).thorough is thorough


def test_a_mirrored_grid_comes_back_in_voxels(tmp_path: Path) -> None:
    finding = toy_finding(max_hu=2.0, direction=(-1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, -1.0, 0.0))
    bundle = read_bundle(save_finding(finding, tmp_path / "b"))
    result = result_from_bundle(bundle, finding.result.ct)
    assert np.abs(result.displacement - finding.result.displacement).max() < 1e-6
    assert np.abs(finding.result.displacement).max() > 0.01


@pytest.mark.parametrize("name", IMAGES)
def test_a_missing_image_is_named_in_one_line(saved, name: str) -> None:
    folder, _ = saved
    (folder / f"{name}.nii.gz").unlink()
    with pytest.raises(ValueError, match=f"no {name}.nii.gz") as caught:
        read_bundle(folder)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_on_another_grid_is_named_in_one_line(saved, name: str) -> None:
    folder, _ = saved
    path = str(folder / f"{name}.nii.gz")
    image = sitk.ReadImage(path)
    image.SetOrigin((0.0, 0.0, 99.0))
    sitk.WriteImage(image, path)
    with pytest.raises(ValueError, match="lies on another grid") as caught:
        read_bundle(folder)
    assert len(str(caught.value).splitlines()) == 1
    assert "99.0" in str(caught.value)


def test_another_ct_is_refused(saved) -> None:
    folder, path = saved
    bundle, ct = read_bundle(folder), read_ct(path)
    with pytest.raises(ValueError, match="lies on another grid .* than the CT"):
        read_bundle(folder, replace(ct.grid, spacing=(9.0, 1.0, 1.0)))
    with pytest.raises(ValueError, match="is not the bundle's"):
        result_from_bundle(bundle, replace(ct, grid=replace(ct.grid, origin=(1.0, 2.0, 3.0))))
    with pytest.raises(ValueError, match="the bundle was made from"):
        result_from_bundle(bundle, replace(ct, source=replace(ct.source, sha256="0" * 64)))


def test_a_ct_in_memory_is_held_against_what_was_not_changed(tmp_path: Path) -> None:
    finding = toy_finding()
    ct = finding.result.ct
    folder = save_finding(finding, tmp_path / "b")
    record = json.loads((folder / "result.json").read_text())
    whole = read_bundle(folder)
    inner = ",".join(f"1:{n - 1}" for n in ct.grid.shape)
    assert record["region"] != inner
    bundle = replace(whole, record=record | {"region": inner})
    moved = replace(ct, hu=ct.hu + 100)
    with pytest.raises(ValueError, match="differs from the bundle's where nothing was changed"):
        result_from_bundle(bundle, moved)
    assert result_from_bundle(whole, ct).ct is ct


def test_another_network_or_another_way_of_running_it_is_refused(phantom) -> None:
    bundle, case = read_bundle(phantom.bundle), phantom.finding.case
    result = result_from_bundle(bundle, read_ct(phantom.ct))
    other = replace(case, network=threshold_network())
    with pytest.raises(ValueError, match="open the network that was attacked"):
        target_from_bundle(other, result, bundle)
    mirrored = replace(bundle, record=bundle.record | {"network": bundle.record["network"] | {"mirror_axes": [2]}})
    with pytest.raises(ValueError, match="open it in the same way"):
        target_from_bundle(case, result, mirrored)


def test_a_bundle_without_its_path_is_read_but_its_strength_cannot_be_set(saved) -> None:
    folder, ct = saved
    (folder / "path.safetensors").unlink()
    bundle = read_bundle(folder)
    assert bundle.path is None
    with pytest.raises(ValueError, match="no path.safetensors"):
        result_from_bundle(bundle, read_ct(ct))
    assert all(check.ok for check in verify_bundle(folder))


def test_a_path_that_is_none_is_refused_in_one_line(saved) -> None:
    folder, ct = saved
    path = folder / "path.safetensors"
    whole = path.read_bytes()
    tensors = load_file(path)
    for spoil, words in (
        (lambda: path.write_bytes(b"no tensors"), "not the strength path"),
        (lambda: path.write_bytes(whole[:-8]), "not the strength path"),
        (lambda: save_file(tensors, path), "not the strength path"),  # without its metadata
    ):
        spoil()
        with pytest.raises(ValueError, match=words) as caught:
            read_bundle(folder)
        assert len(str(caught.value).splitlines()) == 1
    path.write_bytes(whole)
    bundle = read_bundle(folder)
    assert bundle.path is not None
    for parameters in (
        bundle.path.parameters[:-1],
        bundle.path.parameters * float("nan"),
        bundle.path.parameters.half(),
    ):
        replace(bundle.path, parameters=parameters).write(folder)
        with pytest.raises(ValueError, match="finite float32 parameters"):
            read_bundle(folder)
    kind = replace(bundle.path.kind, velocity_mm=5.0)
    replace(bundle.path, kind=kind).write(folder)
    with pytest.raises(ValueError, match="the parameters belong to control lattices"):
        result_from_bundle(read_bundle(folder), read_ct(ct))


def test_the_path_of_another_bundle_is_refused(saved) -> None:
    folder, _ = saved
    record = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(record | {"region": "0:2,0:2,0:2"}))
    with pytest.raises(ValueError, match="the files are of two bundles"):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "must hold a JSON object"),
        ("{", "is no JSON"),
        ("{}", "must hold 'ct' as a dict; got nothing"),
    ],
)
def test_a_record_that_is_none_is_refused_in_one_line(saved, content: str, words: str) -> None:
    folder, _ = saved
    (folder / "result.json").write_text(content)
    with pytest.raises(ValueError, match=words) as caught:
        read_bundle(folder)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no attack bundle"):
        read_bundle(tmp_path)


def test_a_case_opened_anew_takes_the_bundle(phantom, tmp_path: Path) -> None:
    from napari_advseg.attacks import CancelToken
    from napari_advseg.case import CaseRequest

    copy = shutil.copytree(phantom.bundle, tmp_path / "copy")
    case = finish(open_case(CaseRequest(ct=phantom.ct, network="phantom2d"), CancelToken()))
    bundle = read_bundle(copy)
    result = result_from_bundle(bundle, case.ct, case.network.device)
    measured = target_from_bundle(case, result, bundle).measure(result.parameters, result.strength)
    assert measured.drop == pytest.approx(result.achieved_drop, abs=1e-9)
