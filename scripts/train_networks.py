"""Train networks to attack, on made patients or on the slices of a real CT, and write weights and cards.

    python scripts/train_networks.py NAME... --out FOLDER          of phantom2d, unet2d, attention2d, swin2d, unet3d
    python scripts/train_networks.py abdomen2d --ct CT --labels LABELS --label-names JSON --out FOLDER

``phantom2d``, a residual U-Net, is the one that is shipped (in napari_advseg/samples). Made training patients have seeds
from 1000 up; the Dice in their cards is that of the held-out seeds 0 to 19.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import monai.networks.nets as nets
import numpy as np
import torch
import torch.nn.functional as F
import yaml
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy import ndimage
from torch import Tensor, nn

from napari_advseg.attacks import organ_dice
from napari_advseg.samples import PHANTOM_LABELS, make_phantom
from napari_advseg.volume import match_labels, read_ct, read_label_names, read_labels, reorient, reorientation

LOW, HIGH = -160.0, 240.0
HELD_OUT = range(20)
FIRST_TRAINING_SEED = 1000
REAL_LABELS = {
    "background": 0, "liver": 1, "spleen": 2, "kidney_right": 3, "kidney_left": 4, "stomach": 5, "gallbladder": 6,
}  # fmt: skip
REAL_MM = 3.0


@dataclass(frozen=True)
class Recipe:
    """A class of monai.networks.nets with its arguments, and how long it learns."""

    name: str
    arguments: dict[str, Any]
    steps: int = 600
    patients: int = 80
    batch: int = 12  # slices, or volumes
    rate: float = 4e-3
    divisible_by: int = 4


def _arguments(dimensions: int, classes: int, **more: Any) -> dict[str, Any]:
    return {"spatial_dims": dimensions, "in_channels": 1, "out_channels": classes, **more}


_PHANTOM = len(PHANTOM_LABELS)
RECIPES = {
    "phantom2d": Recipe(
        "UNet", _arguments(2, _PHANTOM, channels=[16, 32, 64], strides=[2, 2], num_res_units=1, norm="batch")
    ),
    "unet2d": Recipe("UNet", _arguments(2, _PHANTOM, channels=[16, 32, 64], strides=[2, 2], norm="batch")),
    "attention2d": Recipe("AttentionUnet", _arguments(2, _PHANTOM, channels=[16, 32, 64], strides=[2, 2])),
    "swin2d": Recipe(
        "SwinUNETR",
        _arguments(2, _PHANTOM, feature_size=12, depths=[1, 1, 1, 1], num_heads=[2, 4, 6, 8], norm_name="batch"),
        steps=1000,
        batch=8,
        rate=3e-3,
        divisible_by=32,
    ),
    "unet3d": Recipe(
        "UNet",
        _arguments(3, _PHANTOM, channels=[8, 16, 32], strides=[2, 2], num_res_units=1, norm="batch"),
        steps=300,
        batch=1,
    ),
    "abdomen2d": Recipe(
        "UNet",
        _arguments(2, len(REAL_LABELS), channels=[16, 32, 64, 96], strides=[2, 2, 2], num_res_units=1, norm="batch"),
        steps=700,
        divisible_by=8,
    ),
}


def scaled(hu: NDArray[Any]) -> Tensor:
    """HU as (n, 1, *spatial) between 0 and 1: a 3-D network's volume is one sample, a 2-D one's slices are many."""
    return torch.from_numpy((np.clip(hu.astype(np.float32), LOW, HIGH) - LOW) / (HIGH - LOW))[:, None]


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy plus one less the mean soft Dice of the classes over the batch."""
    probability = logits.softmax(1)
    truth = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).float()
    dims = (0, *range(2, logits.ndim))
    dice = (2 * (probability * truth).sum(dims) + 1) / (probability.sum(dims) + truth.sum(dims) + 1)
    return F.cross_entropy(logits, labels) + 1 - dice.mean()


def padded(stack: Tensor, multiple: int) -> Tensor:
    """Zeros at the ends of the spatial axes, as the networks' cards ask for."""
    pad = [part for size in reversed(stack.shape[2:]) for part in (0, -size % multiple)]
    return F.pad(stack, pad)


def augmented(images: Tensor, labels: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Slices turned, scaled, moved, bent, and changed in intensity and noise, each by its own amount."""

    def some(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), generator=random)

    turn, size = some(-0.2, 0.2), some(0.8, 1.25)
    cos, sin = turn.cos() * size, turn.sin() * size
    place = torch.stack([torch.stack([cos, -sin, some(-0.2, 0.2)], 1), torch.stack([sin, cos, some(-0.2, 0.2)], 1)], 1)
    grid = F.affine_grid(place, list(images.shape), align_corners=False)
    bend = torch.randn(len(images), 2, 6, 6, generator=random) * 0.02
    grid = grid + F.interpolate(bend, size=images.shape[2:], mode="bicubic").movedim(1, -1)
    moved = F.grid_sample(images, grid, align_corners=False)
    truth = F.grid_sample(labels[:, None].float(), grid, mode="nearest", align_corners=False)[:, 0].long()
    spread, shift, noise = (value.view(-1, 1, 1, 1) for value in (some(0.85, 1.15), some(-0.05, 0.05), some(0, 0.04)))
    moved = moved * spread + shift + noise * torch.randn(moved.shape, generator=random)
    return moved.clamp(0, 1), truth


def train(recipe: Recipe, images: Tensor, labels: Tensor, seed: int, *, augment: bool) -> nn.Module:
    """Learn on random batches; prints the loss."""
    torch.manual_seed(seed)
    network: nn.Module = getattr(nets, recipe.name)(**recipe.arguments)
    images, labels = padded(images, recipe.divisible_by), padded(labels[:, None], recipe.divisible_by)[:, 0]
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=recipe.rate, total_steps=recipe.steps, pct_start=0.2
    )
    random = torch.Generator().manual_seed(seed)
    started = time.monotonic()
    for step in range(recipe.steps):
        picked = torch.randint(len(images), (recipe.batch,), generator=random)
        batch, truth = images[picked], labels[picked].long()
        if augment:
            batch, truth = augmented(batch, truth, random)
        value = loss(network(batch), truth)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            print(f"  step {step}, loss {value.item():.4f}, {time.monotonic() - started:.0f} s", flush=True)
    return network.eval()


@torch.inference_mode()
def dice_of(
    network: nn.Module, recipe: Recipe, image: Tensor, truth: NDArray[Any], names: dict[str, int]
) -> list[float]:
    """Dice per organ of one patient; nan for organs that are not there."""
    scores = [network(padded(part, recipe.divisible_by)) for part in image.split(8)]
    found = torch.cat(scores).argmax(1).numpy()[tuple(slice(0, n) for n in image[:, 0].shape)].astype(np.uint16)
    ids = [index for index in names.values() if index]
    dice = organ_dice(found, truth.astype(np.uint16), ids)
    return [float(value) if (truth == index).any() else float("nan") for index, value in zip(ids, dice, strict=True)]


def of_phantoms(name: str, recipe: Recipe, seed: int) -> tuple[nn.Module, dict[str, Any]]:
    """A network of made patients, and its card."""
    whole = recipe.arguments["spatial_dims"] == 3

    def stack(array: NDArray[Any]) -> NDArray[Any]:
        return array[None] if whole else array

    cases = [make_phantom(FIRST_TRAINING_SEED + index) for index in range(recipe.patients)]
    images = torch.cat([scaled(stack(case.hu)) for case in cases])
    labels = torch.cat([torch.from_numpy(stack(case.labels)) for case in cases])
    network = train(recipe, images, labels, seed, augment=False)
    rows = []
    for held_out in HELD_OUT:
        case = make_phantom(held_out)
        rows.append(dice_of(network, recipe, scaled(stack(case.hu)), stack(case.labels), PHANTOM_LABELS))
    spacing = [5.0, 2.5, 2.5] if whole else [2.5, 2.5]
    source = (
        f"trained by scripts/train_networks.py on {recipe.patients} phantoms, {recipe.steps} steps; mean Dice "
        f"{np.mean(rows):.3f} on the held-out seeds {HELD_OUT.start} to {HELD_OUT.stop - 1}"
    )
    return network, card_of(name, recipe, PHANTOM_LABELS, spacing, source)


def of_a_ct(name: str, recipe: Recipe, seed: int, args: argparse.Namespace) -> tuple[nn.Module, dict[str, Any]]:
    """A network of the slices of one real CT, and its card."""
    ct = read_ct(args.ct)
    given = read_labels(args.labels, ct.grid)
    labels = np.zeros(given.shape, np.uint8)
    wanted = {index: organ for organ, index in REAL_LABELS.items()}
    for index, own in match_labels(read_label_names(args.label_names), wanted).items():
        labels[given == index] = own
    change = reorientation(ct.grid, "SPL")
    hu, truth = reorient(ct.hu, change), reorient(labels, change)
    zoom = [1.0] + [ct.grid.spacing[change.order[axis]] / REAL_MM for axis in (1, 2)]
    if any(abs(factor - 1) > 1e-3 for factor in zoom):
        hu, truth = ndimage.zoom(hu.astype(np.float32), zoom, order=1), ndimage.zoom(truth, zoom, order=0)
    images = scaled(np.ascontiguousarray(hu))
    network = train(recipe, images, torch.from_numpy(np.ascontiguousarray(truth)), seed, augment=True)
    seen = np.nanmean(dice_of(network, recipe, images, truth, REAL_LABELS))
    source = (
        f"trained by scripts/train_networks.py on the {len(images)} slices of one real CT, {recipe.steps} steps; mean "
        f"Dice {seen:.3f} on that same CT"
    )
    return network, card_of(name, recipe, REAL_LABELS, [REAL_MM, REAL_MM], source)


def card_of(name: str, recipe: Recipe, labels: dict[str, int], spacing: list[float], source: str) -> dict[str, Any]:
    return {
        "name": name,
        "dimensions": recipe.arguments["spatial_dims"],
        "labels": labels,
        "orientation": "SPL",
        "spacing": spacing,
        "divisible_by": recipe.divisible_by,
        "intensity": {"rule": "window", "low": LOW, "high": HIGH, "out_low": 0.0, "out_high": 1.0, "clip": True},
        "batch": 8,
        "architecture": {"class": f"monai.networks.nets.{recipe.name}", "arguments": recipe.arguments},
        "licence": "BSD-3-Clause",
        "source": source,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=RECIPES, metavar="NAME")
    parser.add_argument("--ct", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--label-names", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names:
        print(name, flush=True)
        recipe, started = RECIPES[name], time.monotonic()
        make: Callable[..., tuple[nn.Module, dict[str, Any]]] = of_a_ct if name == "abdomen2d" else of_phantoms
        network, card = make(name, recipe, args.seed, *([args] if name == "abdomen2d" else []))
        weights = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
        save_file(weights, args.out / f"{name}.safetensors")
        (args.out / f"{name}.yaml").write_text(yaml.safe_dump(card, sort_keys=False), encoding="utf-8")
        print(f"  {card['source']}; {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
