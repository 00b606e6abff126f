"""Ask nnU-Net's own predictor whether attacks on it hold: its Dice on the CT and on the perturbed CT of bundles.

    .venv-peers/bin/python tests/peers/check_nnunet.py BUNDLE...

Each bundle must come from a network in tests/data/nnunet with mirroring on. nnU-Net reads ``perturbed.nii.gz`` as
any other file; nothing of this package takes part.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import SimpleITK as sitk

for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ[name] = tempfile.gettempdir()
os.environ.update(nnUNet_compile="f")
sys.modules.setdefault("timm", types.ModuleType("timm"))


def predict(folder: Path, image: Path) -> np.ndarray:
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=True, perform_everything_on_device=False,
        device=torch.device("cpu"), verbose=False, verbose_preprocessing=False, allow_tqdm=False,
    )  # fmt: skip
    predictor.initialize_from_trained_model_folder(str(folder), ["all"], "checkpoint_final.pth")
    return np.asarray(predictor.predict_from_files_sequential([[str(image)]], None, overwrite=True)[0])


def dice(labels: np.ndarray, reference: np.ndarray, ids: list[int]) -> float:
    parts = [(labels == i, reference == i) for i in ids]
    return float(np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in parts]))


def main(bundles: list[str]) -> None:
    for bundle in map(Path, bundles):
        record = json.loads((bundle / "result.json").read_text())
        ids = [organ["id"] for organ in record["organs"]]
        read = lambda name: sitk.GetArrayFromImage(sitk.ReadImage(bundle / f"{name}.nii.gz"))  # noqa: B023, E731
        network = Path(record["network"]["source"])
        clean = dice(predict(network, Path(record["ct"]["path"])), read("reference"), ids)
        attacked = dice(predict(network, bundle / "perturbed.nii.gz"), read("moved_reference"), ids)
        print(
            f"{bundle.name}: asked {record['target_drop']:.2f}, reported {record['achieved_drop']:.4f}, nnU-Net's own "
            f"{clean:.4f} to {attacked:.4f}, a drop of {clean - attacked:.4f}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
