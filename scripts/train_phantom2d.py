"""Train ``phantom2d``, the shipped 2-D network, on made patients, and write its weights and its card.

    python scripts/train_phantom2d.py [--patients 160] [--steps 1500] [--out napari_advseg/samples]

Training patients have seeds from 1000 up; the Dice in the card is that of the held-out seeds 0 to 19.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from monai.networks.nets import UNet
from safetensors.torch import save_file
from torch import Tensor

from napari_advseg.attacks import organ_dice
from napari_advseg.samples import PHANTOM_LABELS, make_phantom

ARGUMENTS = {
    "spatial_dims": 2,
    "in_channels": 1,
    "out_channels": len(PHANTOM_LABELS),
    "channels": [16, 32, 64],
    "strides": [2, 2],
    "num_res_units": 1,
    "norm": "batch",
}
LOW, HIGH = -160.0, 240.0
HELD_OUT = range(20)
FIRST_TRAINING_SEED = 1000


def scaled(hu: np.ndarray) -> Tensor:
    return torch.from_numpy((np.clip(hu.astype(np.float32), LOW, HIGH) - LOW) / (HIGH - LOW))[:, None]


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy plus one less the mean soft Dice of the classes over the batch."""
    probability = logits.softmax(1)
    truth = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).float()
    dims = (0, 2, 3)
    dice = (2 * (probability * truth).sum(dims) + 1) / (probability.sum(dims) + truth.sum(dims) + 1)
    return F.cross_entropy(logits, labels) + 1 - dice.mean()


def train(patients: int, steps: int, seed: int) -> UNet:
    torch.manual_seed(seed)
    network = UNet(**ARGUMENTS)
    cases = [make_phantom(FIRST_TRAINING_SEED + index) for index in range(patients)]
    images = torch.cat([scaled(case.hu) for case in cases])
    labels = torch.cat([torch.from_numpy(case.labels) for case in cases])
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=steps, pct_start=0.2)
    generator = torch.Generator().manual_seed(seed)
    started = time.monotonic()
    for step in range(steps):
        picked = torch.randint(len(images), (12,), generator=generator)
        value = loss(network(images[picked]), labels[picked].long())
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}, loss {value.item():.4f}, {time.monotonic() - started:.0f} s", flush=True)
    return network.eval()


@torch.inference_mode()
def held_out_dice(network: UNet) -> dict[str, float]:
    """Mean Dice per organ over the held-out patients."""
    organs = {name: index for name, index in PHANTOM_LABELS.items() if index}
    rows = []
    for seed in HELD_OUT:
        case = make_phantom(seed)
        labels = network(scaled(case.hu)).argmax(1).numpy().astype(np.uint16)
        rows.append(organ_dice(labels, case.labels.astype(np.uint16), list(organs.values())))
    return {name: round(float(value), 4) for name, value in zip(organs, np.mean(rows, 0), strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=80)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("napari_advseg/samples"))
    args = parser.parse_args()
    network = train(args.patients, args.steps, args.seed)
    dice = held_out_dice(network)
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, args.out / "phantom2d.safetensors"
    )
    card = {
        "name": "phantom2d",
        "dimensions": 2,
        "labels": PHANTOM_LABELS,
        "orientation": "SPL",
        "spacing": [2.5, 2.5],
        "divisible_by": 4,
        "intensity": {"rule": "window", "low": LOW, "high": HIGH, "out_low": 0.0, "out_high": 1.0, "clip": True},
        "batch": 8,
        "architecture": {"class": "monai.networks.nets.UNet", "arguments": ARGUMENTS},
        "licence": "BSD-3-Clause",
        "source": f"trained by scripts/train_phantom2d.py on {args.patients} phantoms, {args.steps} steps; "
        f"mean Dice {np.mean(list(dice.values())):.3f} on the held-out seeds {HELD_OUT.start} to {HELD_OUT.stop - 1}",
    }
    (args.out / "phantom2d.yaml").write_text(yaml.safe_dump(card, sort_keys=False), encoding="utf-8")
    print(f"held-out Dice, mean {np.mean(list(dice.values())):.4f}: {dice}")


if __name__ == "__main__":
    main()
