"""A MONAI bundle of a small network, and what may be changed in its configuration."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from napari_advseg.networks import SegmentationNetwork
from napari_advseg.networks.archive import Archive
from napari_advseg.networks.monai_bundle import is_bundle, read_bundle

CPU = torch.device("cpu")
Config = dict[str, Any]
METADATA: Config = {
    "name": "Two organs",
    "version": "0.1.0",
    "monai_version": "1.4.0",
    "license": "CC-BY-4.0",
    "network_data_format": {
        "outputs": {"pred": {"num_channels": 3, "channel_def": {"0": "background", "1": "liver", "2": "spleen"}}}
    },
}
CONFIG: Config = {
    "imports": ["$import glob", "$import numpy"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "dataset_dir": ".",
    "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
    "device": "$torch.device('cpu')",
    "image_key": "image",
    "voxels": {"mm": [1.5, 1.5, 2.0], "window": {"low": -100, "high": 200}},
    "patch": [32, 32, 16],
    "network_def": {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 3,
        "channels": [4, 8],
        "strides": [2],
        "num_res_units": 1,
        "norm": "instance",
    },
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "@image_key"},
            {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
            {
                "_target_": "Orientationd",
                "keys": "@image_key",
                "axcodes": "RAS",
                "labels": [["L", "R"], ["P", "A"], ["I", "S"]],
            },
            {"_target_": "Spacingd", "keys": "@image_key", "pixdim": "@voxels#mm", "mode": "bilinear"},
            {
                "_target_": "ScaleIntensityRanged",
                "keys": "@image_key",
                "a_min": "@voxels#window#low",
                "a_max": "@voxels::window::high",
                "b_min": 0.0,
                "b_max": 1.0,
                "clip": True,
            },
            {"_target_": "EnsureTyped", "keys": "@image_key", "device": "@device"},
        ],
    },
    "dataset": {"_target_": "Dataset", "data": "$[{'image': i} for i in @datalist]", "transform": "@preprocessing"},
    "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
    "inferer": {
        "_target_": "SlidingWindowInferer",
        "roi_size": "@patch",
        "sw_batch_size": 2,
        "overlap": 0.5,
        "mode": "gaussian",
        "device": "@device",
    },
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {
                "_target_": "Invertd",
                "keys": "pred",
                "transform": "@preprocessing",
                "orig_keys": "@image_key",
                "nearest_interp": False,
                "to_tensor": True,
            },
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            {
                "_target_": "SaveImaged",
                "keys": "pred",
                "output_dir": "@output_dir",
                "output_dtype": "$numpy.float32",
                "output_postfix": "out",
                "separate_folder": False,
            },
        ],
    },
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "@device",
        "val_data_loader": "@dataloader",
        "network": "@network",
        "inferer": "@inferer",
        "postprocessing": "@postprocessing",
    },
    "checkpointloader": {
        "_target_": "CheckpointLoader",
        "load_path": "$@bundle_root + '/models/model.pt'",
        "load_dict": {"model": "@network"},
    },
    "initialize": ["$@checkpointloader(@evaluator)"],
    "run": ["$@evaluator.run()"],
}
ORIENTATION, SPACING, WINDOW = 2, 3, 4  # places in the preprocessing


Weights = Callable[[int, int], dict[str, torch.Tensor]]


def written(
    folder: Path, weights: Weights, change: Callable[[Config], object] = lambda _: None, suffix: str = "json"
) -> tuple[Path, Config]:
    config = copy.deepcopy(CONFIG)
    change(config)
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    settings = folder / "configs" / f"inference.{suffix}"
    settings.write_text(json.dumps(config) if suffix == "json" else yaml.safe_dump(config))
    network = config["network_def"]
    metadata = copy.deepcopy(METADATA)
    if network["out_channels"] == 1:
        metadata["network_data_format"]["outputs"]["pred"]["channel_def"] = {"0": "liver"}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    torch.save(weights(network["spatial_dims"], network["out_channels"]), folder / "models" / "model.pt")
    return folder, config


def opened(path: Path) -> SegmentationNetwork:
    archive = Archive(path)
    root = is_bundle(archive)
    assert root is not None
    module, card = read_bundle(archive, root, CPU)
    return SegmentationNetwork(module, card, str(path), CPU, "monai-bundle")


def transforms(config: Config, which: str = "preprocessing") -> list[Config]:
    found: list[Config] = config[which]["transforms"]
    return found


def nearest_after(config: Config) -> None:
    config["postprocessing"]["transforms"] = [transforms(config, "postprocessing")[i] for i in (0, 2, 1, 3)]
    config["postprocessing"]["transforms"][2]["nearest_interp"] = True


def not_inverted(config: Config) -> None:
    del config["postprocessing"]["transforms"][1]
    config["postprocessing"]["transforms"][-1]["resample"] = True


def logits_back(config: Config) -> None:
    del config["postprocessing"]["transforms"][0]


def sigmoid(config: Config) -> None:
    config["network_def"]["out_channels"] = 1
    transforms(config, "postprocessing")[0].pop("softmax")
    transforms(config, "postprocessing")[0]["sigmoid"] = True
    transforms(config, "postprocessing")[2].pop("argmax")
    transforms(config, "postprocessing")[2]["threshold"] = 0.5


def sliced(config: Config) -> None:
    config["network_def"]["spatial_dims"] = 2
    config["inferer"] = {
        "_target_": "SliceInferer",
        "spatial_dim": 2,
        "roi_size": [40, 32],
        "sw_batch_size": 4,
        "overlap": 0.25,
    }


def cropped(config: Config) -> None:
    transforms(config).insert(
        SPACING, {"_target_": "CropForegroundd", "keys": "@image_key", "source_key": "@image_key"}
    )


def normalised(config: Config) -> None:
    transforms(config)[WINDOW + 1 : WINDOW + 1] = [
        {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True},
        {"_target_": "ScaleIntensityd", "keys": "image", "minv": -0.1, "maxv": 1.0},
        {"_target_": "NormalizeIntensityD", "keys": "image", "subtrahend": 0.1, "divisor": 0.9},
    ]
    config["inferer"] = {"_target_": "monai.inferers.SlidingWindowInferer", "roi_size": 32}


def splines(config: Config) -> None:
    transforms(config)[SPACING]["mode"] = 3
