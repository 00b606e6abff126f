"""A whole attack on a CT of full size: does it hit, and what does it take.

    python benchmarks/full_size_attack.py [--shape 300 512 512] [--drop 0.2] [--out BUNDLE] [--no-room]

The patient of the tests' nnU-Net, sampled finer and put into the middle of a CT of that shape, so that the network has
to resample it and to work through hundreds of windows. nnU-Net's mirroring is left out. With ``--no-room`` nothing of the
windows is kept between passes, as where memory is short.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from napari_advseg import attack, save_bundle
from napari_advseg.attacks import Progress
from napari_advseg.networks import free_memory
from napari_advseg.volume import write_image
from napari_advseg.volume.grid import Grid

DATA = Path(__file__).parents[1] / "tests" / "data" / "nnunet"
FINER = (3, 2, 2)


def enlarged(name: str, shape: tuple[int, int, int], fill: int, how: int) -> tuple[np.ndarray, Grid]:
    image = sitk.ReadImage(str(DATA / name))
    small = [n * f for n, f in zip(image.GetSize(), reversed(FINER), strict=True)]
    spacing = [mm / f for mm, f in zip(image.GetSpacing(), reversed(FINER), strict=True)]
    start = [mm / 2 - old / 2 for mm, old in zip(spacing, image.GetSpacing(), strict=True)]
    finer = sitk.Resample(image, small, sitk.Transform(), how, start, spacing, image.GetDirection(), fill)
    array = np.full(shape, fill, np.int16)
    inside = sitk.GetArrayFromImage(finer)
    box = tuple(slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(shape, inside.shape, strict=True))
    array[box] = inside
    return array, Grid(shape, (spacing[2], spacing[1], spacing[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(300, 512, 512))
    parser.add_argument("--drop", type=float, default=0.2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--no-room", action="store_true")
    arguments = parser.parse_args()
    if arguments.no_room:
        free_memory.free_memory = lambda device: 0
    out = arguments.out or Path(tempfile.mkdtemp()) / "bundle"
    out.parent.mkdir(parents=True, exist_ok=True)
    shape = tuple(arguments.shape)
    ct, grid = enlarged("plain.nii.gz", shape, -1000, sitk.sitkLinear)
    labels, _ = enlarged("plain_labels.nii.gz", shape, 0, sitk.sitkNearestNeighbor)
    write_image(out.parent / "ct.nii.gz", ct, grid)
    write_image(out.parent / "labels.nii.gz", labels.astype(np.uint8), grid)

    def tell(progress: Progress) -> None:
        print(f"  {progress.fraction:4.0%} {progress.text}", flush=True)

    folder = DATA / "Dataset901_Phantom" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    begun = time.process_time()
    found = attack(
        out.parent / "ct.nii.gz", str(folder), arguments.drop, reference=out.parent / "labels.nii.gz",
        mirroring=False, device="cpu", progress=tell,
    )  # fmt: skip
    spent = time.process_time() - begun
    save_bundle(found, out)
    record = json.loads((out / "result.json").read_text())
    cost = record["cost"]
    print(
        f"CT {shape}, changed within {record['region']}: asked {arguments.drop}, reached "
        f"{record['achieved_drop']:.4f} (control {record['control']['drop']:.4f}), {cost['forward']} forward and "
        f"{cost['backward']} backward passes, {cost['seconds']:.0f} s ({spent:.0f} s of the processor, opening included), "
        f"{cost['peak_memory_mb'] / 1000:.1f} GB; bundle in {out}"
    )


if __name__ == "__main__":
    main()
