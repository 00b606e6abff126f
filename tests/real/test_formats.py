"""An attack at 0.2 through every checkpoint format, confirmed by an independent reader of the bundle."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from napari_advseg import load_sample, open_network
from napari_advseg.case.python import attack, save_bundle
from napari_advseg.networks import ModelCard, SegmentationNetwork

pytestmark = pytest.mark.real
NNUNET = Path(__file__).parents[1] / "data" / "nnunet"


def plain_card(network: SegmentationNetwork) -> dict:
    kept = network.card.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {key: value for key, value in kept.items() if key not in ("architecture", "sha256", "format")}


def torchscript(folder: Path) -> SegmentationNetwork:
    network = open_network("phantom2d", device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(network.module, torch.zeros(1, 1, 64, 64)).save(str(folder / "net.pt"))
    (folder / "net.yaml").write_text(yaml.safe_dump(plain_card(network)))
    return open_network(folder / "net.pt", device="cpu", trust=True)


def exported(folder: Path) -> SegmentationNetwork:
    network = open_network("phantom2d", device="cpu")
    size = [16 * -(-n // 16) for n in load_sample("phantom").ct.grid.shape[1:]]
    program = torch.export.export(network.module, (torch.zeros(1, 1, *size),))
    torch.export.save(program, str(folder / "net.pt2"))
    (folder / "net.yaml").write_text(yaml.safe_dump(plain_card(network) | {"batch": 1, "patch": size}))
    return open_network(folder / "net.pt2", device="cpu", trust=True)


def bundle(folder: Path) -> SegmentationNetwork:
    """phantom2d as a MONAI bundle, slice by slice through a SliceInferer."""
    network = open_network("phantom2d", device="cpu")
    card = network.card
    assert card.architecture is not None
    (folder / "configs").mkdir()
    (folder / "models").mkdir()
    axes = card.orientation[1:] + card.orientation[:1]  # the slice axis last
    low, high = card.intensity.window
    keys = {"keys": "image"}
    config = {
        "network_def": {"_target_": "UNet"} | card.architecture.arguments,
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged"} | keys,
                {"_target_": "EnsureChannelFirstd"} | keys,
                {"_target_": "Orientationd", "axcodes": axes} | keys,
                {
                    "_target_": "ScaleIntensityRanged", "a_min": low, "a_max": high, "b_min": card.intensity.out_low,
                    "b_max": card.intensity.out_high, "clip": card.intensity.clip,
                } | keys,
            ],
        },
        "inferer": {"_target_": "SliceInferer", "roi_size": [112, 144], "spatial_dim": 2, "overlap": 0.5},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [{"_target_": "AsDiscreted", "keys": "pred", "argmax": True}],
        },
    }  # fmt: skip
    names = {str(index): name for index, name in card.labels.items()}
    metadata = {"name": "phantom", "network_data_format": {"outputs": {"pred": {"channel_def": names}}}}
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    torch.save(network.module.state_dict(), folder / "models" / "model.pt")
    return open_network(folder, device="cpu")


def confirmed(finding, ct: Path, out: Path, real_data: Path) -> None:
    assert finding.result.reached
    assert abs(finding.evidence.control_drop) < 0.1
    save_bundle(finding, out)
    reader = real_data.parent / "verify_bundle.py"
    done = subprocess.run([sys.executable, str(reader), str(out), str(ct)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("make", [torchscript, exported, bundle])
def test_formats_that_hold_phantom2d(
    make: Callable[[Path], SegmentationNetwork], real_data: Path, tmp_path: Path
) -> None:
    from napari_advseg.samples import write_sample
    from napari_advseg.volume import read_ct

    network = make(tmp_path)
    case = write_sample("phantom", tmp_path / "case", 0)
    ct = read_ct(case / "ct.nii.gz")
    labels = {"reference": case / "labels.nii.gz", "label_names": case / "labels.json"}
    finding = attack(ct, network, 0.2, **labels)
    assert isinstance(network.card, ModelCard)
    confirmed(finding, case / "ct.nii.gz", tmp_path / "bundle", real_data)


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
def test_nnunets_own_checkpoints(configuration: str, real_data: Path, tmp_path: Path) -> None:
    checkpoint = NNUNET / "Dataset901_Phantom" / f"nnUNetTrainer__nnUNetPlans__{configuration}"
    ct = NNUNET / "plain.nii.gz"
    finding = attack(ct, str(checkpoint), 0.2, reference=NNUNET / "plain_labels.nii.gz", mirroring=False)
    confirmed(finding, ct, tmp_path / "bundle", real_data)
