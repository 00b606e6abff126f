"""nnU-Net results folders: real ones, trained by nnU-Net itself, against nnU-Net's own predictions (tests/peers)."""

from __future__ import annotations

import copy
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_advseg.networks import describe, open_network
from napari_advseg.networks.network import classes_of_regions
from napari_advseg.networks.nnunet_architecture import build_nnunet
from napari_advseg.volume import read_ct

DATA = Path(__file__).parents[1] / "data" / "nnunet"
TRAINED = {name: DATA / "Dataset901_Phantom" / f"nnUNetTrainer__nnUNetPlans__{name}" for name in ("2d", "3d_fullres")}
PREDICTIONS = np.load(DATA / "nnunet_predictions.npz")


@pytest.mark.parametrize("key", sorted(PREDICTIONS.files))
def test_predictions_are_those_of_nnunets_own_predictor(key: str) -> None:
    configuration, case, mirroring = key.split("-")
    network = open_network(TRAINED[configuration], device="cpu", mirroring=mirroring == "mirrored")
    assert bool(network.card.mirror_axes) == (mirroring == "mirrored")
    ct = read_ct(DATA / f"{case}.nii.gz")
    labels = network.on(ct.grid).labels(torch.from_numpy(ct.hu))
    peer = PREDICTIONS[key]
    assert len(np.unique(peer)) > 1
    assert (labels == peer).mean() >= 0.9999, f"{(labels != peer).sum()} of {peer.size} voxels differ"


def copied(folder: Path, configuration: str = "2d") -> Path:
    target = folder / TRAINED[configuration].name
    shutil.copytree(TRAINED[configuration], target)
    return target


def edited(folder: Path, change: Callable[[dict], object], configuration: str = "2d", file: str = "plans.json") -> Path:
    target = copied(folder, configuration)
    content = json.loads((target / file).read_text())
    change(content)
    (target / file).write_text(json.dumps(content))
    return target


def same(one: object, other: object) -> bool:
    states = [network.module.state_dict() for network in (one, other)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_folder_fold_checkpoint_dataset_folder_and_zip_are_the_same_network(tmp_path: Path) -> None:
    folder = copied(tmp_path / "Dataset901_Phantom")
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, f"Dataset901_Phantom/{file.relative_to(folder.parent).as_posix()}")
    first = open_network(folder, device="cpu")
    for path in (
        folder / "fold_all",
        folder / "fold_all" / "checkpoint_final.pth",
        tmp_path / "Dataset901_Phantom",
        tmp_path / "export.zip",
    ):
        assert same(open_network(path, device="cpu"), first), path
    content = describe(first)
    assert content["format"] == "nnunet"
    assert content["class"] == "PlainConvUNet"
    assert content["labels"] == {"0": "background", "1": "liver", "2": "spleen", "3": "kidney_left"}
    assert content["random"] is False


def test_folds_are_averaged_and_one_can_be_picked(tmp_path: Path) -> None:
    folder = copied(tmp_path, "3d_fullres")
    content = torch.load(folder / "fold_all" / "checkpoint_final.pth", weights_only=False)
    for fold in range(2):
        (folder / f"fold_{fold}").mkdir()
        other = copy.deepcopy(content)
        for tensor in other["network_weights"].values():
            tensor *= 1 + 0.05 * fold
        torch.save(other, folder / f"fold_{fold}" / "checkpoint_final.pth")
    both = open_network(folder, device="cpu", mirroring=False)
    single = [open_network(folder / f"fold_{fold}", device="cpu", mirroring=False) for fold in range(2)]
    assert describe(both)["folds"] == 2
    ct = read_ct(DATA / "plain.nii.gz")
    hu = torch.from_numpy(ct.hu)
    with torch.no_grad():
        mean = sum(network.on(ct.grid).scores(hu) for network in single) / 2
        torch.testing.assert_close(both.on(ct.grid).scores(hu), mean, atol=1e-3, rtol=1e-3)


def older(plans: dict) -> None:
    """Plans as nnU-Net wrote them before 2.2."""
    for configuration in plans["configurations"].values():
        arguments = configuration.pop("architecture")["arch_kwargs"]
        configuration |= {
            "UNet_class_name": "PlainConvUNet",
            "UNet_base_num_features": 8,
            "unet_max_num_features": 512,
            "n_conv_per_stage_encoder": arguments["n_conv_per_stage"],
            "n_conv_per_stage_decoder": arguments["n_conv_per_stage_decoder"],
            "conv_kernel_sizes": arguments["kernel_sizes"],
            "pool_op_kernel_sizes": arguments["strides"],
        }


def test_plans_without_an_architecture_build_the_same_network(tmp_path: Path) -> None:
    network = open_network(edited(tmp_path, older), device="cpu")
    assert same(network, open_network(TRAINED["2d"], device="cpu"))


def test_a_residual_encoder_is_built() -> None:
    described = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet",
        "arch_kwargs": {
            "n_stages": 2, "features_per_stage": [4, 8], "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * 2, "strides": [[1, 1, 1], [2, 2, 2]], "n_blocks_per_stage": [1, 1],
            "n_conv_per_stage_decoder": [1], "conv_bias": True, "norm_op": "torch.nn.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True}, "dropout_op": None, "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }  # fmt: skip
    module = build_nnunet({"architecture": described, "patch_size": [8, 8, 8]}, 3, "here")
    assert module.eval()(torch.zeros(1, 1, 8, 8, 8)).shape == (1, 3, 8, 8, 8)


def fullres(plans: dict) -> dict:
    return plans["configurations"]["2d"]


@pytest.mark.parametrize(
    ("change", "file", "words"),
    [
        (lambda p: fullres(p)["architecture"].update(network_class_name="os.system"), "plans.json", "'os.system'"),
        (
            lambda p: fullres(p)["architecture"]["arch_kwargs"].update(conv_op="subprocess.Popen"),
            "plans.json",
            "'subprocess.Popen' for conv_op",
        ),
        (
            lambda p: fullres(p)["architecture"]["arch_kwargs"].update(n_stages="os.system"),
            "plans.json",
            "may hold numbers only",
        ),
        (lambda p: fullres(p).update(preprocessor_name="Own"), "plans.json", "preprocessor 'Own' is not known"),
        (lambda p: fullres(p).update(resampling_fn_data="own_rule"), "plans.json", "resampling 'own_rule'"),
        (lambda p: fullres(p).update(normalization_schemes=["Own"]), "plans.json", "normalisation 'Own'"),
        (lambda p: p.update(image_reader_writer="Tiff3DIO"), "plans.json", "image reader 'Tiff3DIO'"),
        (lambda p: fullres(p).update(previous_stage="3d_lowres"), "plans.json", "second stage of a cascade"),
        (lambda p: p.pop("configurations"), "plans.json", "no nnU-Net v2 result.*configurations"),
        (lambda p: fullres(p)["architecture"]["arch_kwargs"].update(features_per_stage=[8, 16, 33]), "plans.json",
         "another shape"),
        (lambda d: d.update(channel_names={"0": "CT", "1": "PET"}), "dataset.json", "2 input channels"),
        (lambda d: d["labels"].update(aorta=4), "dataset.json", "another shape"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_named_in_one_line(tmp_path: Path, change, file: str, words: str) -> None:
    folder = edited(tmp_path, change, file=file)
    with pytest.raises(ValueError, match=words) as caught:
        open_network(folder, device="cpu")
    assert "\n" not in str(caught.value)


def test_several_trained_networks_ask_which(tmp_path: Path) -> None:
    for configuration in TRAINED:
        copied(tmp_path, configuration)
    with pytest.raises(ValueError, match="holds 2 trained nnU-Nets: give one of"):
        open_network(tmp_path, device="cpu")


def test_totalsegmentators_layout_turns_the_ct_to_ras(tmp_path: Path) -> None:
    folder = edited(tmp_path, lambda p: p.update(dataset_name="Dataset291_TotalSegmentator_part1_organs_1559subj"))
    assert open_network(folder, device="cpu").card.steps[0].axes == "SAR"


@pytest.mark.parametrize(
    ("scheme", "rule"),
    [("ZScoreNormalization", "image_zscore"), ("NoNormalization", "none"), ("RescaleTo01Normalization", "image_range")],
)
def test_normalisations_are_known_by_name(tmp_path: Path, scheme: str, rule: str) -> None:
    folder = edited(tmp_path, lambda p: fullres(p).update(normalization_schemes=[scheme]))
    assert open_network(folder, device="cpu").card.steps[3].intensity.rule == rule


def test_regions_win_as_nnunet_paints_them() -> None:
    order = (2, 1, 3)
    scores = torch.randn(3, 4, 5, 6)
    painted = torch.zeros(4, 5, 6, dtype=torch.int64)
    for channel, label in enumerate(order):
        painted[scores[channel].sigmoid() > 0.5] = label
    assert torch.equal(classes_of_regions(scores, order, 4).argmax(0), painted)


def test_region_training_is_read_from_the_dataset(tmp_path: Path) -> None:
    def regions(dataset: dict) -> None:
        dataset["labels"] = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "middle": 3}
        dataset["regions_class_order"] = [1, 2, 3]

    folder = edited(tmp_path, regions, file="dataset.json")
    state = torch.load(folder / "fold_all" / "checkpoint_final.pth", weights_only=False)
    for name, tensor in state["network_weights"].items():
        if "seg_layers" in name:
            state["network_weights"][name] = tensor[:3].clone()
    torch.save(state, folder / "fold_all" / "checkpoint_final.pth")
    network = open_network(folder, device="cpu")
    assert (network.card.regions, network.card.labels[2]) == ((1, 2, 3), "core")
    ct = read_ct(DATA / "plain.nii.gz")
    assert network.on(ct.grid).scores(torch.from_numpy(ct.hu)).shape == (4, *ct.grid.shape)
