"""Train a learned attacker on made patients, or on variants of one real CT; the same command goes on after a kill.

    python scripts/train_attacker.py --out FOLDER [--network NAME] [--patients 90] [--steps 4500] [--ship]
    python scripts/train_attacker.py --out FOLDER --network CHECKPOINT --ct CT --labels LABELS --label-names JSON

Made patients have seeds from 2000 up: neither the held-out seeds 0 to 19 nor those that the networks have learned from.
``--ship`` copies the attacker to where the shipped one of phantom2d lies.
"""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from napari_advseg.attacks import CancelToken, Progress
from napari_advseg.case import AttackRequest, CaseRequest, TrainingRequest, finish, train_attacker
from napari_advseg.generator import PRECISIONS, Crew, TrainingSettings
from napari_advseg.networks import open_network
from napari_advseg.samples import load_sample
from napari_advseg.volume import Grid, Volume, read_ct, read_label_names, read_labels

FIRST_SEED = 2000
BEND_MM, KNOTS_MM = 6.0, 60.0  # of a variant's random deformation: its size, and between its control points
SHIPPED = Path("napari_advseg/samples/phantom2d_attacker")


def made_patients(args: argparse.Namespace, network: object) -> list[CaseRequest]:
    """Phantoms."""
    cases = []
    for seed in range(FIRST_SEED, FIRST_SEED + args.patients):
        sample = load_sample("phantom", seed)
        cases.append(CaseRequest(ct=sample.ct, network=network, reference=sample.label_volume))
    return cases


def variants(args: argparse.Namespace, network: object) -> list[CaseRequest]:
    """One real CT as patients of other shapes, sizes and noise; the first one as it was read."""
    ct = read_ct(args.ct)
    labels = read_labels(args.labels, ct.grid)
    names = read_label_names(args.label_names)
    cases = []
    for seed in range(args.patients):
        random = np.random.default_rng(seed)
        size = random.uniform(0.85, 1.15, 3) if seed else np.ones(3)
        noise = random.uniform(0, 8) * random.standard_normal(ct.hu.shape) if seed else 0.0
        spacing = tuple(float(value) for value in np.array(ct.grid.spacing) * size)
        grid = Grid(ct.grid.shape, (spacing[0], spacing[1], spacing[2]), ct.grid.origin, ct.grid.direction)
        places = bent(ct.grid, random) if seed else None
        hu = np.rint(taken(ct.hu.astype(np.float32), places, 1) + noise).astype(ct.hu.dtype)
        reference = Volume(taken(labels, places, 0).astype(np.float32), grid)
        cases.append(
            CaseRequest(
                ct=replace(ct, hu=hu, grid=grid),
                network=network,
                reference=reference,
                label_names=names,
            )
        )
    return cases


def bent(grid: Grid, random: np.random.Generator) -> NDArray[np.float32]:
    """(3, z, y, x) where each voxel's value comes from, in voxels: a smooth random field of some ``BEND_MM``."""
    places = np.indices(grid.shape, dtype=np.float32)
    for axis in range(3):
        coarse = random.normal(
            0,
            BEND_MM / grid.spacing[axis],
            [max(2, round(n * mm / KNOTS_MM)) for n, mm in zip(grid.shape, grid.spacing, strict=True)],
        )
        zoom = [n / have for n, have in zip(grid.shape, coarse.shape, strict=True)]
        places[axis] += ndimage.zoom(coarse, zoom, order=3, mode="nearest", grid_mode=True)
    return places


def taken(image: NDArray[Any], places: NDArray[np.float32] | None, order: int) -> NDArray[Any]:
    """An image at other places; itself where there are none."""
    return image if places is None else ndimage.map_coordinates(image, places, order=order, mode="nearest")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", default="phantom2d", help="name or checkpoint")
    parser.add_argument("--ct", type=Path, help="a real CT instead of made patients")
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--label-names", type=Path)
    parser.add_argument("--patients", type=int, default=90)
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--precision", choices=PRECISIONS, default="32-true")
    parser.add_argument("--start-from", help="an attacker's folder or name")
    parser.add_argument("--no-critic", action="store_true")
    parser.add_argument("--no-conditioning", action="store_true")
    parser.add_argument("--no-muon", action="store_true", help="Adam for all weights")
    parser.add_argument("--no-deformation", action="store_true")
    parser.add_argument("--no-appearance", action="store_true")
    parser.add_argument("--ship", action="store_true", help=f"copy the attacker to {SHIPPED}")
    args = parser.parse_args()
    network = open_network(args.network, device="cpu")
    left_out = ({"realism": 0.0} if args.no_critic else {}) | ({"filter_rate": 0.0} if args.no_muon else {})
    settings = TrainingSettings(steps=args.steps, **left_out)
    request = TrainingRequest(
        cases=tuple(variants(args, network) if args.ct else made_patients(args, network)),
        network=network,
        out=args.out,
        settings=settings,
        attack=AttackRequest(deformation=not args.no_deformation, appearance=not args.no_appearance),
        conditioned=not args.no_conditioning,
        start_from=args.start_from,
        validation=0.15,
    )
    started, said = time.monotonic(), -30.0

    def say(step: Progress) -> None:
        nonlocal said
        if time.monotonic() - started - said >= 30:
            said = time.monotonic() - started
            print(f"{said:6.0f} s  {step.text}", flush=True)

    trained = finish(train_attacker(request, CancelToken(), Crew.alone(torch.device("cpu"), args.precision)), say)
    for drop, missed in trained.misses.items():
        print(f"asked {drop:.2f}: missed by {sum(map(abs, missed)) / len(missed):.3f} on {len(missed)} held out")
    print(f"{time.monotonic() - started:.0f} s in this process")
    if args.ship:
        SHIPPED.mkdir(exist_ok=True)
        for name in ("attacker.yaml", "generator.safetensors"):
            shutil.copyfile(args.out / name, SHIPPED / name)


if __name__ == "__main__":
    main()
