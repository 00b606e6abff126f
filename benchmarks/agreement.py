"""Voxels on which this package and nnU-Net's own predictor agree, on the kept checkpoints and predictions.

    python benchmarks/agreement.py

The checkpoints and nnU-Net's predictions were made by nnU-Net itself (tests/peers/make_nnunet.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from napari_advseg import open_network, read_ct

DATA = Path(__file__).parents[1] / "tests" / "data" / "nnunet"


def main() -> None:
    predictions = np.load(DATA / "nnunet_predictions.npz")
    print(
        "| configuration | CT | mirroring | voxels | organ voxels | agree | differ, of which between organ and background |"
    )
    print("|---|---|---|---|---|---|---|")
    for key in predictions.files:
        configuration, case, mirroring = key.split("-")
        folder = DATA / "Dataset901_Phantom" / f"nnUNetTrainer__nnUNetPlans__{configuration}"
        network = open_network(folder, device="cpu", mirroring=mirroring == "mirrored")
        ct = read_ct(DATA / f"{case}.nii.gz")
        ours, theirs = network.on(ct.grid).labels(torch.from_numpy(ct.hu)), predictions[key]
        differ = ours != theirs
        edge = differ & ((ours == 0) | (theirs == 0))
        print(
            f"| {configuration} | {case} | {'on' if mirroring == 'mirrored' else 'off'} | {theirs.size} "
            f"| {(theirs > 0).sum()} | {100 * (1 - differ.mean()):.4f} % | {differ.sum()}, {edge.sum()} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
