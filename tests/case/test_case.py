from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_networks import CARD, Threshold, graded_ct, threshold_network

from napari_advseg.attacks import CancelToken, Progress
from napari_advseg.case import (
    AttackRequest,
    CaseRequest,
    RegionNeededError,
    attack_case,
    finish,
    make_target,
    open_case,
    run,
)
from napari_advseg.case.python import attack, save_bundle
from napari_advseg.evidence import verify_bundle
from napari_advseg.networks import network_from_module, open_network
from napari_advseg.samples import load_sample
from napari_advseg.volume import Grid, Region, write_image


def files(folder: Path) -> dict[str, Path]:
    ct, labels = graded_ct()
    (folder / "names.json").write_text(json.dumps({"Liver": 7, "bone": 3}))
    return {
        "ct": write_image(folder / "ct.nii.gz", ct.hu.astype(np.int16), ct.grid),
        "reference": write_image(folder / "labels.nii.gz", (labels * 7).astype(np.uint8), ct.grid),
        "label_names": folder / "names.json",
    }


def opened(request: CaseRequest):
    return finish(open_case(request, CancelToken()))


def test_labels_are_matched_by_name(tmp_path: Path) -> None:
    case = opened(CaseRequest(network=threshold_network(), **files(tmp_path)))
    assert case.reference_given
    assert [organ.name for organ in case.organs] == ["liver"]
    assert case.organs[0].clean == 1.0
    assert np.unique(case.reference).tolist() == [0, 1]


def test_without_labels_the_network_is_its_own_reference(tmp_path: Path) -> None:
    case = opened(CaseRequest(network=threshold_network(), ct=files(tmp_path)["ct"]))
    assert not case.reference_given
    assert np.array_equal(case.reference, case.clean_labels)


def test_labels_that_name_no_organ_of_the_network_are_refused(tmp_path: Path) -> None:
    given = files(tmp_path)
    (tmp_path / "names.json").write_text(json.dumps({"bone": 7}))
    with pytest.raises(ValueError, match="no label name of the reference.*liver"):
        opened(CaseRequest(network=threshold_network(), **given))
    with pytest.raises(ValueError, match="--label-names"):
        opened(CaseRequest(network=threshold_network(), ct=given["ct"], reference=given["reference"]))


def test_a_fixed_size_network_needs_labels_or_a_region(tmp_path: Path) -> None:
    given = files(tmp_path)
    card = CARD.model_copy(update={"input_size": (12, 24, 24), "region_margin_mm": (4.0, 6.0, 6.0)})
    network = network_from_module(Threshold(), card, device="cpu")
    with pytest.raises(RegionNeededError, match="give the region"):
        opened(CaseRequest(network=network, ct=given["ct"]))
    assert opened(CaseRequest(network=network, **given)).region == Region((2, 4, 4), (10, 20, 20))
    assert opened(CaseRequest(network=network, ct=given["ct"], region="0:12,0:24,0:12")).placed.view.shape == (
        12,
        24,
        12,
    )


def test_a_network_of_patches_is_attacked_around_the_organs_and_shown_everything(tmp_path: Path) -> None:
    ct, labels = graded_ct()
    far = np.full((12, 24, 120), -1000, np.int16)
    far[:, :, :24] = ct.hu
    truth = np.zeros(far.shape, np.uint8)
    truth[:, :, :24] = labels
    given = {
        "ct": write_image(tmp_path / "far.nii.gz", far, Grid(far.shape, ct.grid.spacing)),
        "reference": write_image(tmp_path / "truth.nii.gz", truth, Grid(far.shape, ct.grid.spacing)),
    }
    network = network_from_module(Threshold(), CARD.model_copy(update={"patch": (8, 16, 16)}), device="cpu")
    finding = finish(run(CaseRequest(network=network, **given), AttackRequest(drop=0.2), CancelToken()))
    assert finding.result.reached
    assert finding.result.region == Region.around(truth > 0, finding.case.ct.grid, (40, 40, 40))
    assert finding.result.region.shape[2] < 120
    assert finding.result.attacked_labels.shape == far.shape
    whole = "0:12,0:24,0:120"
    finding = finish(run(CaseRequest(network=network, region=whole, **given), AttackRequest(drop=0.2), CancelToken()))
    assert str(finding.result.region) == whole


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"organs": ("spleen",)}, "'spleen' is not an organ of the network"),
        ({"drop": 1.0, "organs": ("liver",), "deformation": False, "appearance": False}, "nothing may change"),
    ],
)
def test_wishes_that_cannot_be_met_get_one_line(tmp_path: Path, wishes: dict, words: str) -> None:
    case = opened(CaseRequest(network=threshold_network(), **files(tmp_path)))
    with pytest.raises(ValueError, match=words):
        finish(attack_case(case, AttackRequest(**wishes), CancelToken()))


@pytest.mark.parametrize(
    "wish", [{"drop": 0}, {"drop": 1.2}, {"tolerance": 0}, {"interpolation": "cubic"}, {"unknown": 1}]
)
def test_requests_are_checked_before_anything_runs(wish: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wish))):
        AttackRequest(**wish)


def test_the_whole_job_reports_progress_that_only_grows(tmp_path: Path) -> None:
    steps: list[Progress] = []
    request = CaseRequest(network=threshold_network(), **files(tmp_path))
    finding = finish(run(request, AttackRequest(drop=0.2), CancelToken()), steps.append)
    assert finding.result.reached
    assert finding.evidence is not None
    assert abs(finding.evidence.control_drop) < finding.result.achieved_drop / 5
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert 0.9 < fractions[-1] <= 1
    assert all(step.text for step in steps)


def test_cancelling_from_the_callback_returns_the_best_so_far_which_can_be_saved(tmp_path: Path) -> None:
    cancel = CancelToken()
    count = 0

    def stop_after_some(step: Progress) -> None:
        nonlocal count
        count += 1
        if count == 8:
            cancel.cancel()

    ct, labels = graded_ct()
    finding = attack(ct, threshold_network(), 0.3, reference=labels, progress=stop_after_some, cancel=cancel)
    assert finding.result.stopped == "cancelled"
    assert finding.evidence is None
    record = json.loads((save_bundle(finding, tmp_path / "b") / "result.json").read_text())
    assert record["stopped"] == "cancelled"
    assert isinstance(record["control"]["drop"], float)


def test_arrays_that_do_not_fit_the_ct_are_refused() -> None:
    ct, labels = graded_ct()
    with pytest.raises(ValueError, match="the labels' shape"):
        attack(ct, threshold_network(), 0.2, reference=labels[1:])
    with pytest.raises(ValueError, match="need the CT as a Volume"):
        attack("ct.nii.gz", threshold_network(), 0.2, reference=labels)


@pytest.mark.thorough
def test_memory_can_be_saved_from_the_start_and_the_bundle_says_how(tmp_path: Path) -> None:
    sample = load_sample("phantom")
    network = open_network("phantom2d", device="cpu")
    hu = torch.from_numpy(sample.ct.hu)
    plain = network.on(sample.ct.grid).scores(hu)
    network.execution.ask_for(checkpointing=True, half=True)
    half = network.on(sample.ct.grid).scores(hu.clone().requires_grad_())
    assert 1e-3 < float((half - plain).detach().abs().max()) < 2.0  # another precision, the same network
    assert torch.equal(network.on(sample.ct.grid).scores(hu), plain)  # nothing that wants no gradient

    found = attack(
        sample.ct, open_network("phantom2d", device="cpu"), 0.1, reference=sample.labels, label_names=sample.names,
        checkpointing=True, half=True,
    )  # fmt: skip
    assert found.result.reached
    assert found.case.network.execution.checkpointing
    folder = save_bundle(found, tmp_path / "bundle")
    assert json.loads((folder / "result.json").read_text())["half_precision"]
    checks = verify_bundle(folder, sample.ct, open_network("phantom2d", device="cpu"))
    assert all(check.ok for check in checks), [check for check in checks if not check.ok]
    full = open_network("phantom2d", device="cpu")
    case = finish(open_case(found.case.request.model_copy(update={"network": full, "half": False}), CancelToken()))
    measured = make_target(case, AttackRequest()).measure(found.result.parameters, found.result.strength)
    assert not full.execution.half
    assert measured.drop == pytest.approx(found.result.achieved_drop, abs=1e-12)
