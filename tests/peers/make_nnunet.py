"""Make real nnU-Net checkpoints and nnU-Net's own predictions, for the tests to compare with.

Run by ``make fixtures`` in an environment with nnunetv2 (2.8.1 made what is kept in tests/data/nnunet): nnU-Net plans
and trains a small network on four synthetic CTs, as 2d and as 3d_fullres, and its own predictor segments three other
CTs, with and without mirroring. Patch and features are made small in the plan, so that windows overlap and files
stay small; everything else is nnU-Net's.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import SimpleITK as sitk

WORK = Path(tempfile.mkdtemp(prefix="nnunet-"))
for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ[name] = str(WORK / name)
    (WORK / name).mkdir()
os.environ.update(nnUNet_compile="f", nnUNet_n_proc_DA="1")
sys.modules.setdefault("timm", types.ModuleType("timm"))

DATASET = "Dataset901_Phantom"
LABELS = {"background": 0, "liver": 1, "spleen": 2, "kidney_left": 3}
CASES = {
    "plain": {"spacing": (1.5, 1.5, 3.0)},
    "anisotropic": {"spacing": (1.1, 1.1, 5.0)},
    "flipped": {"spacing": (1.6, 1.4, 2.6), "direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1)},
}


def make_case(seed: int, spacing: tuple[float, float, float], direction: tuple[int, ...] | None = None) -> tuple:
    """A CT of 84 x 84 x 72 mm with three ellipsoid organs, and its labels."""
    rng = np.random.default_rng(seed)
    size = [round(mm / s) for mm, s in zip((84, 84, 72), spacing, strict=True)]
    x, y, z = np.meshgrid(
        *[(np.arange(n) + 0.5) / n for n in size], indexing="ij", sparse=True
    )  # fmt: skip

    def ball(cx: float, cy: float, cz: float, r: float) -> np.ndarray:
        j = rng.uniform(-0.03, 0.03, 3)
        return ((x - cx - j[0]) / r) ** 2 + ((y - cy - j[1]) / r) ** 2 + ((z - cz - j[2]) / (1.3 * r)) ** 2 < 1

    hu = np.full(size, -1000.0)
    labels = np.zeros(size, np.uint8)
    hu[((x - 0.5) / 0.47) ** 2 + ((y - 0.5) / 0.42) ** 2 + 0 * z < 1] = -60
    for index, (mask, value) in enumerate(
        ((ball(0.32, 0.45, 0.5, 0.2), 60), (ball(0.7, 0.4, 0.6, 0.13), 90), (ball(0.66, 0.68, 0.4, 0.1), 130)), 1
    ):
        hu[mask], labels[mask] = value, index
    hu += rng.normal(0, 25, size)
    images = []
    for array in (np.rint(hu).astype(np.int16), labels):
        image = sitk.GetImageFromArray(array.transpose(2, 1, 0))
        image.SetSpacing(spacing)
        if direction is not None:
            image.SetDirection(direction)
        images.append(image)
    return tuple(images)


def write_dataset() -> None:
    raw = WORK / "nnUNet_raw" / DATASET
    for folder in ("imagesTr", "labelsTr"):
        (raw / folder).mkdir(parents=True)
    for seed in range(6):
        image, labels = make_case(seed, (1.5, 1.5, 3.0))
        sitk.WriteImage(image, raw / "imagesTr" / f"case_{seed:03d}_0000.nii.gz")
        sitk.WriteImage(labels, raw / "labelsTr" / f"case_{seed:03d}.nii.gz")
    content = {"channel_names": {"0": "CT"}, "labels": LABELS, "numTraining": 6, "file_ending": ".nii.gz"}
    (raw / "dataset.json").write_text(json.dumps(content))


def shrink_plans() -> None:
    """Small patches and few features, so that windows overlap and the files stay small."""
    file = WORK / "nnUNet_preprocessed" / DATASET / "nnUNetPlans.json"
    plans = json.loads(file.read_text())
    for name, patch in (("2d", [32, 40]), ("3d_fullres", [12, 32, 32])):
        configuration = plans["configurations"][name]
        arguments = configuration["architecture"]["arch_kwargs"]
        dimensions = len(patch)
        configuration |= {"patch_size": patch, "batch_size": 2 if dimensions == 3 else 12}
        stages = 3
        arguments |= {
            "n_stages": stages,
            "features_per_stage": [8, 16, 32],
            "kernel_sizes": [[3] * dimensions] * stages,
            "strides": [[1] * dimensions] + [[2] * dimensions] * (stages - 1),
            "n_conv_per_stage": [2] * stages,
            "n_conv_per_stage_decoder": [2] * (stages - 1),
        }
    plans["configurations"] = {name: plans["configurations"][name] for name in ("2d", "3d_fullres")}
    file.write_text(json.dumps(plans, indent=2))


def train(configuration: str) -> None:
    import nnunetv2.run.run_training as training
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    before = nnUNetTrainer.initialize

    def short(self: nnUNetTrainer) -> None:
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 3, 250, 1
        before(self)

    nnUNetTrainer.initialize = short
    try:
        training.run_training(DATASET, configuration, "all", device=torch.device("cpu"))
    finally:
        nnUNetTrainer.initialize = before


def predict(folder: Path, image: Path, mirroring: bool) -> np.ndarray:
    """nnU-Net's own prediction, (z, y, x)."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=mirroring, perform_everything_on_device=False,
        device=torch.device("cpu"), verbose=False, verbose_preprocessing=False, allow_tqdm=False,
    )  # fmt: skip
    folds = [f.name.removeprefix("fold_") for f in sorted(folder.glob("fold_*"))]
    predictor.initialize_from_trained_model_folder(str(folder), folds, "checkpoint_final.pth")
    out = predictor.predict_from_files_sequential([[str(image)]], None, overwrite=True)
    return np.asarray(out[0])


def main(target: Path) -> None:
    write_dataset()
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments, preprocess

    extract_fingerprints([901], num_processes=1, check_dataset_integrity=False)
    plan_experiments([901])
    shrink_plans()
    preprocess([901], configurations=("2d", "3d_fullres"), num_processes=(1, 1))
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for seed, (name, header) in enumerate(CASES.items(), 50):
        image, labels = make_case(seed, **header)
        sitk.WriteImage(image, target / f"{name}.nii.gz", useCompression=True)
        sitk.WriteImage(labels, target / f"{name}_labels.nii.gz", useCompression=True)
    predictions: dict[str, np.ndarray] = {}
    for configuration in ("2d", "3d_fullres"):
        train(configuration)
        trained = WORK / "nnUNet_results" / DATASET / f"nnUNetTrainer__nnUNetPlans__{configuration}"
        kept = target / DATASET / trained.name
        (kept / "fold_all").mkdir(parents=True)
        for file in ("plans.json", "dataset.json", "fold_all/checkpoint_final.pth"):
            shutil.copyfile(trained / file, kept / file)
        for name in CASES:
            for mirroring in (True, False):
                key = f"{configuration}-{name}-{'mirrored' if mirroring else 'plain'}"
                predictions[key] = predict(kept, target / f"{name}.nii.gz", mirroring).astype(np.uint8)
                truth = sitk.GetArrayFromImage(sitk.ReadImage(target / f"{name}_labels.nii.gz"))
                dice = [
                    2 * ((predictions[key] == i) & (truth == i)).sum()
                    / max(1, (predictions[key] == i).sum() + (truth == i).sum())
                    for i in (1, 2, 3)
                ]  # fmt: skip
                print(key, [round(float(value), 3) for value in dice], flush=True)
    np.savez_compressed(target / "nnunet_predictions.npz", **predictions)
    shutil.rmtree(WORK)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "data" / "nnunet")
