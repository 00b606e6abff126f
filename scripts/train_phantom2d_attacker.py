"""Train ``phantom2d``'s learned attacker, the shipped one, on made patients; the same command goes on after a kill.

    python scripts/train_phantom2d_attacker.py --out FOLDER [--patients 40] [--steps 1500] [--ship]

Training patients have seeds from 2000 up: neither the held-out seeds 0 to 19 nor those that the network has learned from.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from napari_advseg.attacks import CancelToken, Progress
from napari_advseg.case import AttackRequest, CaseRequest, TrainingRequest, finish, train_attacker
from napari_advseg.generator import TrainingSettings
from napari_advseg.samples import load_sample

FIRST_SEED = 2000
SHIPPED = Path("napari_advseg/samples/phantom2d_attacker")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", default="phantom2d", help="name or checkpoint of a network of phantoms")
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--no-critic", action="store_true")
    parser.add_argument("--no-deformation", action="store_true")
    parser.add_argument("--no-appearance", action="store_true")
    parser.add_argument("--ship", action="store_true", help=f"copy the attacker to {SHIPPED}")
    args = parser.parse_args()
    cases = []
    for seed in range(FIRST_SEED, FIRST_SEED + args.patients):
        sample = load_sample("phantom", seed)
        cases.append(CaseRequest(ct=sample.ct, network=args.network, reference=sample.label_volume))
    request = TrainingRequest(
        cases=tuple(cases),
        network=args.network,
        out=args.out,
        settings=TrainingSettings(steps=args.steps, **({"realism": 0.0} if args.no_critic else {})),
        attack=AttackRequest(deformation=not args.no_deformation, appearance=not args.no_appearance),
        validation=0.15,
    )
    started, said = time.monotonic(), -30.0

    def say(step: Progress) -> None:
        nonlocal said
        if time.monotonic() - started - said >= 30:
            said = time.monotonic() - started
            print(f"{said:6.0f} s  {step.text}", flush=True)

    trained = finish(train_attacker(request, CancelToken()), say)
    for drop, missed in trained.misses.items():
        print(f"asked {drop:.2f}: missed by {sum(map(abs, missed)) / len(missed):.3f} on {len(missed)} held out")
    print(f"{time.monotonic() - started:.0f} s in this process")
    if args.ship:
        SHIPPED.mkdir(exist_ok=True)
        for name in ("attacker.yaml", "generator.safetensors"):
            shutil.copyfile(args.out / name, SHIPPED / name)


if __name__ == "__main__":
    main()
